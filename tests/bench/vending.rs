//! How long vending takes, as a ratio to what AWS allows.
//!
//! The limit is computed in the same run from what awsim simulates: for one account, the time that AWS took to make it
//! and until its role could be assumed, and the longest chain of calls of which each needs the one before, at their mean
//! latencies; for many at once, the same after the moment at which the pace of `CreateAccount` lets each begin. The server is the real program in a process of its own, so that its CPU time
//! can be told from awsim's.
//!
//! ```text
//! cargo build --workspace --release
//! cargo run --release --bin vending-bench                      # all of it
//! cargo run --release --bin vending-bench -- --throttled 0.9   # only with that share of the calls throttled
//! ```

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use awsim::call::AccountId;
use awsim::faults::{Kind, Plan};
use awsim::latencies::mean_latency;
use awsim::world::Settings;
use awsim::{Options, Sim};
use jiff::SignedDuration;
use landfall_tests::database::Database;
use landfall_tests::measure::{Calls, cpu_time, resident};
use landfall_tests::process::{Serve, call};
use serde_json::json;

/// How long AWS takes to make an account in this bench.
const CREATION: Duration = Duration::from_secs(10);

/// An analyzer is active so long after it was made.
const ANALYZER_DELAY: Duration = Duration::from_secs(5);

/// The calls of a vend of which each needs the answer of the one before. First: make and find the account, put it into
/// quarantine, enter it.
const FIRST: &[(&str, &str)] = &[
    ("organizations", "CreateAccount"),
    ("organizations", "DescribeCreateAccountStatus"),
    ("organizations", "ListParents"),
    ("organizations", "MoveAccount"),
    ("organizations", "ListParents"),
    ("sts", "AssumeRole"),
];

/// Then: make the role that Config needs, set up the recorder, let Security Hub's standards follow.
const RECORDER: &[(&str, &str)] = &[
    ("iam", "GetRole"),
    ("iam", "CreateServiceLinkedRole"),
    ("iam", "GetRole"),
    ("config", "DescribeConfigurationRecorders"),
    ("config", "DescribeConfigurationRecorderStatus"),
    ("config", "DescribeDeliveryChannels"),
    ("config", "PutConfigurationRecorder"),
    ("config", "PutDeliveryChannel"),
    ("config", "StartConfigurationRecorder"),
    ("config", "DescribeConfigurationRecorders"),
    ("config", "DescribeConfigurationRecorderStatus"),
    ("config", "DescribeDeliveryChannels"),
    ("securityhub", "GetEnabledStandards"),
    ("securityhub", "BatchEnableStandards"),
    ("securityhub", "GetEnabledStandards"),
];

/// Beside that: make an analyzer and see it active, `ANALYZER_DELAY` later. Everything else takes less.
const ANALYZER: &[(&str, &str)] = &[
    ("access-analyzer", "ListAnalyzers"),
    ("access-analyzer", "CreateAnalyzer"),
    ("access-analyzer", "ListAnalyzers"),
];

/// Last: let it out of quarantine.
const LAST: &[(&str, &str)] = &[
    ("organizations", "ListParents"),
    ("organizations", "MoveAccount"),
    ("organizations", "ListParents"),
];

fn latency(chain: &[(&str, &str)]) -> Duration {
    let each = chain.iter();
    each.map(|(service, operation)| mean_latency(service, operation))
        .sum()
}

/// What Organizations allows: three at once, then one every ten seconds.
const BURST: u32 = 3;
const PACE: Duration = Duration::from_secs(10);

const MANY: u32 = 20;

/// The role that `CreateAccount` makes.
const ROLE: &str = "LandfallExecution";

/// Shares of calls that AWS throttles although its buckets have tokens.
const THROTTLED: [f64; 3] = [0.1, 0.5, 0.9];

/// What a vend calls.
const SERVICES: &[&str] = &[
    "organizations",
    "sts",
    "iam",
    "s3",
    "account",
    "cloudtrail",
    "config",
    "guardduty",
    "securityhub",
    "access-analyzer",
    "ec2",
];

struct Bench {
    sim: Sim,
    address: std::net::SocketAddr,
    pid: u32,
    /// Where governed accounts stand in AWS, once there is one.
    home: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let only = only_throttled()?;
    let sim = Sim::start(Options {
        settings: Settings {
            seed: 1,
            create_account: SignedDuration::try_from(CREATION)?,
            time_scale: 1,
        },
        latency: true,
        throttle: true,
        ..Options::default()
    })?;
    let database = Database::sqlite().await;
    let serve = Serve::new(&sim, database.url());
    let started = Instant::now();
    let mut process = serve.start();
    let address = process.ready().await;
    println!(
        "ready after                {:>8.2} s",
        started.elapsed().as_secs_f64()
    );
    println!("resident when ready {:>8.1} MiB", resident(process.id())?);
    let mut bench = Bench {
        sim,
        address,
        pid: process.id(),
        home: None,
    };

    let began = Instant::now();
    let first = bench.vend(1, "first").await?;
    println!(
        "bare organization to one governed account {:>8.1} s",
        began.elapsed().as_secs_f64()
    );
    bench.home = first.first().map(|account| bench.place(*account));
    // The organization comes to rest before anything is measured.
    tokio::time::sleep(Duration::from_secs(20)).await;

    if only.is_none() {
        bench.measure(1, "one").await?;
        tokio::time::sleep(Duration::from_secs(35)).await;
        bench.measure(MANY, "many").await?;
    }
    for share in only.map_or(THROTTLED.to_vec(), |share| vec![share]) {
        tokio::time::sleep(Duration::from_secs(35)).await;
        bench.throttle(share);
        println!("{:.0} % of all calls throttled:", share * 100.0);
        let name = format!("throttled {share}");
        bench.measure(1, &name).await?;
        bench.sim.shared().faults().clear();
    }

    println!(
        "resident memory of the server {:>8.1} MiB",
        resident(bench.pid)?
    );
    process.stop().await;
    database.remove().await;
    Ok(())
}

fn only_throttled() -> anyhow::Result<Option<f64>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => Ok(None),
        (Some("--throttled"), Some(share)) => Ok(Some(
            share.parse().context("--throttled takes a share of 1")?,
        )),
        _ => anyhow::bail!("usage: vending-bench [--throttled SHARE]"),
    }
}

impl Bench {
    /// Has a share of all calls throttled, whatever they are.
    fn throttle(&self, share: f64) {
        for service in SERVICES {
            self.sim.shared().faults().plan(Plan {
                service: (*service).to_owned(),
                operation: None,
                account: None,
                region: None,
                count: None,
                skip: 0,
                probability: Some(share),
                kind: Kind::Throttle,
            });
        }
    }

    /// The soonest that accounts can be governed which were asked for at once.
    fn limit(&self, accounts: &[AccountId]) -> anyhow::Result<Duration> {
        let shared = self.sim.shared();
        let world = shared.world();
        let mut made = Vec::new();
        for account in accounts {
            let at = world.organizations.created_at(*account);
            let role = world.iam.role(*account, ROLE);
            let (at, role) = at.zip(role).context("the account and its role are there")?;
            made.push((
                at,
                Duration::try_from(role.assumable_from.duration_since(at))?,
            ));
        }
        made.sort_unstable();
        let baseline = latency(RECORDER).max(latency(ANALYZER) + ANALYZER_DELAY);
        let chain = CREATION + latency(FIRST) + baseline + latency(LAST);
        let soonest = made.iter().zip(0_u32..).map(|((_, role), n)| {
            let begin = PACE * n.saturating_sub(BURST - 1);
            begin + chain + *role
        });
        soonest.max().context("there are accounts")
    }

    async fn measure(&self, accounts: u32, name: &str) -> anyhow::Result<()> {
        let before = Calls::so_far(self.sim.shared());
        let cpu = cpu_time(self.pid)?;
        let began = Instant::now();
        let vended = self.vend(accounts, name).await?;
        let took = began.elapsed();
        let limit = self.limit(&vended)?;
        let cpu = cpu_time(self.pid)? - cpu;
        let made = Calls::so_far(self.sim.shared()).since(&before);
        let (calls, throttled) = (made.total(), made.throttled());
        println!("{accounts} account(s) × 17 Regions");
        println!(
            "  took {:.1} s, limit {:.1} s: ratio {:.2}",
            took.as_secs_f64(),
            limit.as_secs_f64(),
            took.as_secs_f64() / limit.as_secs_f64()
        );
        println!(
            "  {calls} calls, {} for each account; throttled {throttled} ({:.2} %)",
            calls / u64::from(accounts),
            throttled as f64 * 100.0 / calls as f64
        );
        println!(
            "  {:.2} ms of CPU for each call",
            cpu.as_secs_f64() * 1_000.0 / calls as f64
        );
        Ok(())
    }

    /// The OUs above an account, from the root.
    fn place(&self, account: AccountId) -> String {
        self.sim.shared().world().organizations.path(account)
    }

    /// How many accounts are in an OU.
    fn at(&self, place: &str) -> usize {
        let world = self.sim.shared().world();
        let accounts = world.organizations.accounts().into_iter();
        accounts
            .filter(|account| world.organizations.path(*account) == place)
            .count()
    }

    /// Asks for accounts and waits until all are governed.
    async fn vend(&self, accounts: u32, name: &str) -> anyhow::Result<Vec<AccountId>> {
        let mut vended = Vec::new();
        let mut waiting = Vec::new();
        let at_home = self.home.as_deref().map_or(0, |home| self.at(home));
        for n in 0..accounts {
            let body = json!({
                "name": format!("{name} {n}"), "owner_email": "bench@example.com", "organizational_unit": "Applications/Production",
                "cost_center": "4711", "environment": "production", "justification": "measured",
            });
            let answer = call(self.address, "POST", "/account-requests", None, Some(&body)).await?;
            ensure!(answer.status == 202, "{answer:?}");
            waiting.push(
                answer.body["id"]
                    .as_str()
                    .context("the request has an id")?
                    .to_owned(),
            );
        }
        let deadline = Instant::now() + Duration::from_secs(900);
        // AWS shows when they are nearly there: whoever asks the server again and again until then measures the API.
        while let Some(home) = &self.home
            && self.at(home) < at_home + waiting.len()
        {
            ensure!(Instant::now() < deadline, "not all accounts are let out");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        for id in waiting {
            let path = format!("/account-requests/{id}");
            loop {
                ensure!(Instant::now() < deadline, "{id} is not governed");
                let answer = call(self.address, "GET", &path, None, None).await?;
                match answer.body["phase"].as_str() {
                    Some("governed") => {
                        let number = answer.body["account_id"].as_str();
                        let number = number.context("the account has a number")?.parse();
                        vended.push(number.map_err(|()| anyhow::anyhow!("twelve digits"))?);
                        break;
                    }
                    Some("failed") => anyhow::bail!("{}", answer.body),
                    _ => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        }
        Ok(vended)
    }
}
