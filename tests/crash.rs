//! `kill -9` at any moment, and start again: no lost request, no second account.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use awsim::world::Settings;
use awsim::{Options, Sim};
use jiff::SignedDuration;
use landfall_model::account::Phase;
use landfall_model::cell::CellStatus;
use landfall_model::creation::REQUEST_TAG;
use landfall_model::ids::TargetId;
use landfall_server::store::{Account, AccountFilter, Purpose, Store};
use landfall_tests::database::Database;
use landfall_tests::process::{Process, Serve, call};
use landfall_tests::world::{landing_zone_in, state_of};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;

/// Accounts that are asked for.
const VENDS: usize = 50;
/// The organization's own accounts: log archive, security and management.
const OWN: usize = 3;
/// How long lives are mostly too short to get anywhere; later ones get on, so that kills meet every phase of a vend.
const SHORT_LIVES: Duration = Duration::from_secs(20);
/// After this long the process is left alone.
const KILLING: Duration = Duration::from_secs(45);
/// How many times as fast as AWS time passes: `CreateAccount` once in half a second, and an account is made in one.
const TIME_SCALE: u32 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_on_sqlite_it_makes_every_account_once() {
    every_account_once(Database::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_on_postgres_it_makes_every_account_once() {
    every_account_once(Database::postgres().await).await;
}

async fn every_account_once(database: Database) {
    let seed = match std::env::var("CRASH_SEED") {
        Ok(seed) => seed.parse().expect("CRASH_SEED is a number"),
        Err(_) => Uuid::now_v7().as_u64_pair().1,
    };
    eprintln!("the moments of the kills follow from CRASH_SEED={seed}");
    let sim = Sim::start(Options {
        settings: Settings {
            seed: 1,
            create_account: SignedDuration::from_secs(20),
            time_scale: TIME_SCALE,
        },
        throttle: true,
        ..Options::default()
    })
    .expect("awsim starts");
    let mut serve = Serve::new(&sim, database.url());
    let landing_zone = serve.file("one-region.toml", &landing_zone_in(&["us-east-1"]));
    serve
        .set("LANDFALL_LANDING_ZONE", landing_zone.to_string_lossy())
        .set("LANDFALL_AWS_TIME_SCALE", TIME_SCALE.to_string())
        .set("LANDFALL_LEASE", "1s");

    let (address, addresses) = watch::channel(None);
    let asking = tokio::spawn(ask_for_all(addresses));
    let mut random = SmallRng::seed_from_u64(seed);
    let mut kills = 0;
    let started = tokio::time::Instant::now();
    let mut process = serve.start();
    while started.elapsed() < KILLING && governed(&database.store).await < VENDS + OWN {
        let longest = match (started.elapsed() < SHORT_LIVES, random.random_bool(0.7)) {
            (true, true) => 800,
            (true, false) => 3_000,
            (false, _) => 6_000,
        };
        live_a_while(&mut process, &address, longest, &mut random).await;
        process.kill().await;
        kills += 1;
        process = serve.start();
    }
    address.send_replace(Some(process.ready().await));
    eprintln!(
        "{kills} kills in {:?}; accounts by phase: {:?}",
        started.elapsed(),
        phases(&database.store).await
    );
    let asked = asking.await.expect("every request is taken in the end");
    all_governed(&database.store, &serve).await;
    eprintln!("all are governed after {:?}", started.elapsed());
    process.stop().await;

    assert!(kills >= 20, "only {kills} kills: that proves little");
    let accounts = all_accounts(&database.store).await;
    no_request_is_lost(&asked, &accounts);
    no_account_is_made_twice(&sim, &accounts);
    nothing_is_left_open(&database.store, &accounts).await;
    awsim_is_sound(&sim);
    database.remove().await;
}

/// awsim built all that was asked of it, and made no mistake of its own.
fn awsim_is_sound(sim: &Sim) {
    let calls = sim.shared().calls();
    assert!(calls.unbuilt().is_empty(), "{:?}", calls.unbuilt());
    assert!(calls.mistakes().is_empty(), "{:?}", calls.mistakes());
}

/// Lets a process live until some moment: now and then while it starts, mostly while it works, for `longest`
/// milliseconds at most.
async fn live_a_while(
    process: &mut Process,
    address: &watch::Sender<Option<SocketAddr>>,
    longest: u64,
    random: &mut SmallRng,
) {
    if random.random_bool(0.1) {
        tokio::time::sleep(Duration::from_millis(random.random_range(0..200))).await;
        return;
    }
    address.send_replace(Some(process.ready().await));
    tokio::time::sleep(Duration::from_millis(random.random_range(20..longest))).await;
}

/// Asks for all accounts as a careful client does: what got no answer is asked again, with the same key. What the server
/// has confirmed, by name.
async fn ask_for_all(addresses: watch::Receiver<Option<SocketAddr>>) -> BTreeMap<String, String> {
    let mut confirmed = BTreeMap::new();
    for n in 0..VENDS {
        let name = format!("Account {n}");
        let form = json!({
            "name": name,
            "owner_email": "owner@example.com",
            "organizational_unit": "Applications/Production",
            "cost_center": "4711",
            "environment": "production",
            "justification": "a test",
        });
        let answer = loop {
            let server = *addresses.borrow();
            if let Some(server) = server
                && let Ok(answer) = call(
                    server,
                    "POST",
                    "/account-requests",
                    Some(&name),
                    Some(&form),
                )
                .await
            {
                break answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(answer.status, 202, "{}", answer.body);
        let id = answer.body["id"].as_str().expect("a request has an id");
        confirmed.insert(name, id.to_owned());
        // Spread over the time of the kills, so that some of them hit a request on its way.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    confirmed
}

async fn all_accounts(store: &Store) -> Vec<Account> {
    store
        .accounts(&AccountFilter::default(), None, 500)
        .await
        .expect("the store answers")
        .items
}

async fn governed(store: &Store) -> usize {
    let accounts = all_accounts(store).await;
    let failed: Vec<&Account> = accounts.iter().filter(|a| a.phase.is_final()).collect();
    assert!(failed.is_empty(), "{failed:?}");
    accounts
        .iter()
        .filter(|a| a.phase == Phase::Governed)
        .count()
}

async fn phases(store: &Store) -> BTreeMap<Phase, usize> {
    let mut phases = BTreeMap::new();
    for account in all_accounts(store).await {
        *phases.entry(account.phase).or_default() += 1;
    }
    phases
}

/// Waits until all accounts, and the organization, are in sync.
async fn all_governed(store: &Store, serve: &Serve) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(400);
    loop {
        let organization = store
            .cells(TargetId::Organization)
            .await
            .expect("the store answers");
        let in_sync = organization
            .iter()
            .all(|cell| cell.status() == CellStatus::InSync);
        if governed(store).await == VENDS + OWN && in_sync {
            return;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "never governed:\n{}\n{}",
            state_of(store).await,
            serve.log()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Every request that was confirmed is there, under the id that was told, once; and no other.
fn no_request_is_lost(asked: &BTreeMap<String, String>, accounts: &[Account]) {
    let kept: Vec<(String, String)> = accounts
        .iter()
        .filter(|account| account.purpose == Purpose::Application)
        .map(|account| (account.request.name.clone(), account.id.to_string()))
        .collect();
    assert_eq!(kept.len(), VENDS);
    assert_eq!(&kept.into_iter().collect::<BTreeMap<_, _>>(), asked);
}

/// AWS has one account for each request and for itself, and knows which is whose.
fn no_account_is_made_twice(sim: &Sim, accounts: &[Account]) {
    let mut world = sim.shared().world();
    world.settle(sim.shared().clock.now());
    let report = awsim::services::organizations::accounts_report(&world);
    drop(world);
    let in_aws: &Vec<Value> = report.as_array().expect("a list of accounts");
    assert_eq!(in_aws.len(), VENDS + OWN);
    let emails: BTreeSet<&str> = in_aws
        .iter()
        .filter_map(|account| account["email"].as_str())
        .collect();
    assert_eq!(emails.len(), in_aws.len(), "no e-mail twice");
    let made: BTreeMap<&str, &str> = in_aws
        .iter()
        .filter_map(|account| {
            Some((
                account["tags"][REQUEST_TAG].as_str()?,
                account["id"].as_str()?,
            ))
        })
        .collect();
    let ids: Vec<(String, &str)> = accounts
        .iter()
        .filter(|account| account.purpose != Purpose::Management)
        .map(|account| {
            let number = account
                .account_id
                .as_ref()
                .expect("a governed account has a number");
            (account.id.to_string(), number.as_str())
        })
        .collect();
    let wanted: BTreeMap<&str, &str> = ids
        .iter()
        .map(|(id, number)| (id.as_str(), *number))
        .collect();
    assert_eq!(made, wanted);
}

/// Nobody holds anything any more, and what every account has is known.
async fn nothing_is_left_open(store: &Store, accounts: &[Account]) {
    let targets = accounts
        .iter()
        .map(Account::target)
        .chain([TargetId::Organization]);
    for id in targets {
        let target = store
            .target(id)
            .await
            .expect("the store answers")
            .expect("it is there");
        assert_eq!(target.leased_by, None, "{id}");
        let cells = store.cells(id).await.expect("the store answers");
        assert!(!cells.is_empty(), "{id}");
        for cell in cells {
            assert!(
                cell.known && cell.status() == CellStatus::InSync,
                "{id}: {cell:?}"
            );
        }
    }
}
