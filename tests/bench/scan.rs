//! What it costs to keep many accounts: a start in steady state, and one look at every cell of every account.
//!
//! The stage is set fast: accounts are vended on an AWS without latencies, with its time shortened. Then the server is
//! stopped, AWS gets its latencies and rates, and the server is started anew.
//!
//! ```text
//! cargo build --workspace --release
//! cargo run --release --bin scan-bench -- --accounts 500
//! ```

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use awsim::world::Settings;
use awsim::{Options, Sim, Traffic};
use jiff::SignedDuration;
use landfall_server::config::CALLS_IN_FLIGHT;
use landfall_tests::bare;
use landfall_tests::database::Database;
use landfall_tests::measure::{Calls, cpu_time, resident};
use landfall_tests::process::{Serve, call};
use mimalloc::MiMalloc;
use serde_json::json;
use sqlx::{Connection as _, Row as _, SqliteConnection};

/// How many times as fast as AWS the stage is set.
const HASTE: u32 = 600;

/// Settings of the server that are worth comparing.
const AT_ONCE: [&str; 2] = ["LANDFALL_TARGETS_AT_ONCE", IN_FLIGHT];
const IN_FLIGHT: &str = "LANDFALL_CALLS_IN_FLIGHT";

/// The server's: what a bare call costs is to be compared with a server's calls.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let accounts = match arguments()? {
        Run::Scan { accounts } => accounts,
        Run::Bare { url, at_once } => {
            println!("{}", bare::call(url, at_once).await?);
            return Ok(());
        }
    };
    let sim = Sim::start(Options {
        settings: Settings {
            seed: 1,
            create_account: SignedDuration::from_secs(10),
            time_scale: HASTE,
        },
        ..Options::default()
    })?;
    {
        let shared = sim.shared();
        let quota = json!({ "service": "organizations", "action": "set_account_quota", "quota": accounts + 10 });
        awsim::services::tamper(&mut shared.world(), &quota, shared.clock.now())
            .map_err(anyhow::Error::msg)?;
    }
    let database = Database::sqlite().await;
    let mut serve = Serve::new(&sim, database.url());
    serve.set("LANDFALL_AWS_TIME_SCALE", HASTE.to_string());
    // Where it listens is said at `info`.
    let log = std::env::var("LANDFALL_LOG");
    serve.set(
        "LANDFALL_LOG",
        log.unwrap_or_else(|_| "warn,landfall_server::cli=info".to_owned()),
    );
    for setting in AT_ONCE {
        if let Ok(count) = std::env::var(setting) {
            serve.set(setting, count);
        }
    }
    let in_flight: usize = match std::env::var(IN_FLIGHT) {
        Ok(count) => count.parse().context(IN_FLIGHT)?,
        Err(_) => CALLS_IN_FLIGHT.into(),
    };

    let began = Instant::now();
    let mut process = serve.start();
    let address = process.ready().await;
    for n in 0..accounts {
        let body = json!({
            "name": format!("Application {n}"), "owner_email": "bench@example.com", "organizational_unit": "Applications/Production",
            "cost_center": "4711", "environment": "production", "justification": "measured",
        });
        let answer = call(address, "POST", "/account-requests", None, Some(&body)).await?;
        ensure!(answer.status == 202, "{answer:?}");
    }
    let mut behind = sqlite(&database).await?;
    settled(
        &mut behind,
        "select count(*) from account where phase <> 'governed'",
    )
    .await?;
    let setting_up = Calls::so_far(sim.shared());
    println!(
        "{accounts} accounts vended and governed in {:.0} s, {} calls, {:.2} ms of CPU for each, {:.0} MiB resident",
        began.elapsed().as_secs_f64(),
        setting_up.total(),
        cpu_time(process.id())?.as_secs_f64() * 1_000.0 / setting_up.total() as f64,
        resident(process.id())?
    );
    process.stop().await;

    sim.shared().set_traffic(Traffic {
        latency: true,
        throttle: true,
        time_scale: 1,
    });
    serve.unset("LANDFALL_AWS_TIME_SCALE");
    let before = Calls::so_far(sim.shared());
    let began = Instant::now();
    let mut process = serve.start();
    process.ready().await;
    println!(
        "started anew: ready after {:.2} s",
        began.elapsed().as_secs_f64()
    );
    tokio::time::sleep(Duration::from_secs(10)).await;
    let idle = resident(process.id())?;
    let made = Calls::so_far(sim.shared()).since(&before);
    println!(
        "  ten seconds later: {} calls, of which {} mutating; {idle:.0} MiB resident",
        made.total(),
        made.mutating().values().sum::<u64>()
    );

    // Everything is due at one moment, as after a long stop. It lies ahead: a server that sleeps until something is due looks
    // now and then whether that has changed behind its back.
    let due = jiff::Timestamp::now() + SignedDuration::from_secs(6);
    let due_ms = due.as_millisecond();
    for table in ["cell", "target"] {
        let update = format!("update {table} set due_at = {due_ms}");
        sqlx::query(sqlx::AssertSqlSafe(update))
            .execute(&mut behind)
            .await?;
    }
    let ahead = Duration::try_from(due.duration_since(jiff::Timestamp::now()))?;
    tokio::time::sleep(ahead).await;
    let (before, cpu, of_aws, began) = (
        Calls::so_far(sim.shared()),
        cpu_time(process.id())?,
        cpu_time(std::process::id())?,
        Instant::now(),
    );
    settled(
        &mut behind,
        &format!("select count(*) from cell where observed_at < {due_ms}"),
    )
    .await?;
    let took = began.elapsed();
    let cpu = cpu_time(process.id())? - cpu;
    let of_aws = cpu_time(std::process::id())? - of_aws;
    let made = Calls::so_far(sim.shared()).since(&before);
    let (by_rate, bucket) = made.by_rate();
    let by_latency = made.by_latency(in_flight);
    let limit = by_rate.max(by_latency);
    println!("every cell of {accounts} accounts × 17 Regions looked at");
    println!(
        "  took {:.1} s; limit {:.1} s (calls in flight {:.1} s, rates {:.1} s: {bucket}): ratio {:.2}",
        took.as_secs_f64(),
        limit.as_secs_f64(),
        by_latency.as_secs_f64(),
        by_rate.as_secs_f64(),
        took.as_secs_f64() / limit.as_secs_f64()
    );
    println!(
        "  {} calls, {:.1} for each account; {} throttled; mutating: {:?}",
        made.total(),
        made.total() as f64 / accounts as f64,
        made.throttled(),
        made.mutating()
    );
    for (operation, count) in made.by_operation() {
        println!("    {count:>8} {operation}");
    }
    println!(
        "  {:.3} ms of CPU for each call",
        cpu.as_secs_f64() * 1_000.0 / made.total() as f64
    );
    // AWS is simulated on the same cores: where they have no time left, the ratio says nothing of waiting.
    let cores = std::thread::available_parallelism()?.get() as f64;
    println!(
        "  {:.1} s of CPU of ours and {:.1} s of the simulated AWS's kept {cores} cores {:.0} % busy",
        cpu.as_secs_f64(),
        of_aws.as_secs_f64(),
        (cpu + of_aws).as_secs_f64() * 100.0 / (took.as_secs_f64() * cores)
    );
    let full = resident(process.id())?;
    println!(
        "  {full:.0} MiB resident, {:.0} KiB for each account above an idle start",
        (full - idle) * 1024.0 / accounts as f64
    );
    process.stop().await;
    database.remove().await;

    sim.shared().set_traffic(Traffic {
        latency: true,
        throttle: false,
        time_scale: 1,
    });
    let bare = bare::measure(&sim.url(), in_flight).await?;
    println!(
        "  a bare call of the SDK, {in_flight} at once, takes {:.3} ms of CPU: ratio {:.2}",
        bare.as_secs_f64() * 1_000.0,
        cpu.as_secs_f64() / made.total() as f64 / bare.as_secs_f64()
    );
    Ok(())
}

/// What this process is for.
enum Run {
    Scan { accounts: u32 },
    Bare { url: String, at_once: usize },
}

fn arguments() -> anyhow::Result<Run> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => Ok(Run::Scan { accounts: 500 }),
        ["--accounts", count] => Ok(Run::Scan {
            accounts: count.parse().context("--accounts takes a number")?,
        }),
        [bare::ARGUMENT, url, at_once] => Ok(Run::Bare {
            url: url.to_owned(),
            at_once: at_once.parse()?,
        }),
        _ => anyhow::bail!("usage: scan-bench [--accounts N]"),
    }
}

async fn sqlite(database: &Database) -> anyhow::Result<SqliteConnection> {
    Ok(SqliteConnection::connect(database.url()).await?)
}

/// Waits until a count is zero.
async fn settled(database: &mut SqliteConnection, count: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(3_600);
    loop {
        let left: i64 = sqlx::query(sqlx::AssertSqlSafe(count.to_owned()))
            .fetch_one(&mut *database)
            .await?
            .get(0);
        if left == 0 {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{left} are left of: {count}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
