//! Faults that last: a Region that fails for an hour, an AWS that throttles most calls, writes whose answers get lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use awsim::faults::{Kind, Plan};
use jiff::{SignedDuration, Timestamp};
use landfall_model::cell::{Cell, CellStatus};
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::event::EventKind;
use landfall_model::ids::TargetId;
use landfall_server::engine::clock::{Clock, SystemClock};
use landfall_server::store::{Account, AccountFilter, Store};
use landfall_tests::clock::Forward;
use landfall_tests::database::{Database, both};
use landfall_tests::world::{
    Running, World, ask, eventually, every, governed, in_two_regions, landing_zone_in, no_stranger,
    soon, state_of,
};
use serde_json::json;

/// The Region that fails.
const BROKEN: &str = "eu-west-3";

/// Every service that Landfall calls.
const SERVICES: [&str; 11] = [
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

/// What a vend writes into AWS.
const WRITES: [(&str, &str); 21] = [
    ("organizations", "CreateAccount"),
    ("organizations", "CreateOrganizationalUnit"),
    ("organizations", "CreatePolicy"),
    ("organizations", "AttachPolicy"),
    ("organizations", "MoveAccount"),
    ("iam", "CreateServiceLinkedRole"),
    ("iam", "UpdateAccountPasswordPolicy"),
    ("s3", "CreateBucket"),
    ("s3", "PutBucketPolicy"),
    ("cloudtrail", "CreateTrail"),
    ("config", "PutConfigurationRecorder"),
    ("config", "PutDeliveryChannel"),
    ("config", "StartConfigurationRecorder"),
    ("guardduty", "CreateDetector"),
    ("guardduty", "CreateMembers"),
    ("securityhub", "EnableSecurityHub"),
    ("securityhub", "BatchEnableStandards"),
    ("access-analyzer", "CreateAnalyzer"),
    ("account", "PutAlternateContact"),
    ("ec2", "EnableEbsEncryptionByDefault"),
    ("ec2", "DeleteVpc"),
];

/// Waits until all of some cells hold.
async fn all(store: &Store, accounts: &[Account], what: &str, holds: impl Fn(&Cell) -> bool) {
    let mut left = Vec::new();
    let reached = soon(async || {
        left.clear();
        for account in accounts {
            let cells = store.cells(account.target()).await.expect("cells");
            left.extend(cells.into_iter().filter(|cell| !holds(cell)));
        }
        left.is_empty().then_some(())
    });
    if reached.await.is_none() {
        panic!("never seen: {what}\n{left:#?}\n{}", state_of(store).await);
    }
}

/// Whether every cell of every target is in sync.
async fn at_rest(store: &Store) -> Option<()> {
    let filter = AccountFilter::default();
    let accounts = store.accounts(&filter, None, 100).await.expect("accounts");
    let accounts = accounts.items;
    let targets = accounts.iter().map(Account::target);
    for target in targets.chain([TargetId::Organization]) {
        let cells = store.cells(target).await.expect("cells");
        if cells.is_empty() || cells.iter().any(|cell| cell.status() != CellStatus::InSync) {
            return None;
        }
    }
    Some(())
}

/// Whether a cell is of what fails. Which Regions are enabled is asked elsewhere.
fn is_broken(cell: &Cell) -> bool {
    cell.key.region.as_str() == BROKEN && cell.key.control.as_str() != "account.regions"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_fails_for_an_hour_delays_nobody_else_and_is_put_right_within_a_minute() {
    let world = World::with(&landing_zone_in(&["us-east-1", "eu-west-1", BROKEN])).await;
    let database = Database::sqlite().await;
    let store = &database.store;
    let clock = Arc::new(Forward::default());
    let running = Running::start_hastened(&world, store, clock.clone()).await;
    let mut accounts = [
        ask(&world, store, "One").await,
        ask(&world, store, "Two").await,
    ];
    for account in &mut accounts {
        *account = governed(store, account).await;
    }

    for service in SERVICES {
        let plan = Plan {
            region: Some(BROKEN.to_owned()),
            ..every(service, None, Kind::Error5xx)
        };
        world.sim.shared().faults().plan(plan);
    }
    // Whatever is looked at from now on is news; and somebody disturbs both, here and there.
    let broke = clock.now();
    for region in [BROKEN, "eu-west-1"] {
        let number = accounts[0].account_id.as_ref().expect("it has a number");
        let stop = json!({ "service": "config", "action": "stop_recorder", "account": number, "region": region });
        world.tamper(&stop);
    }
    for _ in 0..7 {
        clock.forward(SignedDuration::from_mins(10));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    all(
        store,
        &accounts,
        "the other Regions looked at and in sync",
        |cell| {
            let news = cell.observed_at.is_some_and(|at| at > broke);
            is_broken(cell) || news && cell.status() == CellStatus::InSync
        },
    )
    .await;
    all(
        store,
        &accounts,
        "every cell of the broken Region has failed",
        |cell| {
            let said = cell.error.as_ref().map(|error| error.kind);
            !is_broken(cell)
                || said == Some(CloudErrorKind::Unavailable)
                || cell.waiting_for.is_some()
        },
    )
    .await;
    for account in &accounts {
        let events = store
            .events(account.target(), 0, 10_000)
            .await
            .expect("history");
        let failed = events
            .iter()
            .filter(|event| event.kind == EventKind::Failed && event.at > broke);
        let mut keys: Vec<_> = failed
            .map(|event| (&event.region, &event.control))
            .collect();
        let told = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(
            told,
            keys.len(),
            "history tells once that a cell fails, and not of each try"
        );
    }

    world.sim.shared().faults().clear();
    let mended = clock.now();
    clock.forward(SignedDuration::from_mins(1));
    all(store, &accounts, "the broken Region in sync", |cell| {
        let news = cell.observed_at.is_some_and(|at| at > mended);
        !is_broken(cell) || news && cell.status() == CellStatus::InSync
    })
    .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_all_calls_throttled_is_only_slower() {
    throttled(0.5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_of_ten_calls_throttled_is_only_slower() {
    throttled(0.9).await;
}

/// Vends an account while a share of all calls is throttled.
async fn throttled(share: f64) {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    for service in SERVICES {
        let plan = Plan {
            probability: Some(share),
            ..every(service, None, Kind::Throttle)
        };
        world.sim.shared().faults().plan(plan);
    }
    let running = Running::start(&world, store).await;
    let account = ask(&world, store, "Payments").await;
    governed(store, &account).await;
    running.stop().await;
    all(store, &[account], "everything in sync", |cell| {
        cell.status() == CellStatus::InSync
    })
    .await;
    no_stranger(&world, store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_writes_whose_answers_get_lost_none_is_done_twice() {
    for share in [0.05, 0.2] {
        let (world, database) = in_two_regions().await;
        let store = &database.store;
        for (service, operation) in WRITES {
            let plan = Plan {
                probability: Some(share),
                ..every(service, Some(operation), Kind::TimeoutAfter)
            };
            world.sim.shared().faults().plan(plan);
        }
        let running = Running::start(&world, store).await;
        let account = ask(&world, store, "Payments").await;
        let account = governed(store, &account).await;
        world.sim.shared().faults().clear();
        eventually("everything in sync", async || at_rest(store).await).await;
        running.stop().await;
        no_stranger(&world, store).await;

        // What is recorded is what AWS has: a look at everything finds nothing to do.
        let clock = Arc::new(Forward::default());
        clock.forward(SignedDuration::from_hours(2));
        let since = clock.now();
        let before = world.mutating_calls();
        let running = Running::start_with(&world, store, clock, Default::default()).await;
        all(store, &[account], "everything looked at again", |cell| {
            cell.observed_at.is_some_and(|at| at >= since) && cell.status() == CellStatus::InSync
        })
        .await;
        running.stop().await;
        assert_eq!(
            world.mutating_calls(),
            before,
            "what was recorded was not so"
        );
    }
}

/// Counts how often it is asked for the time: once for each claim, and now and then besides.
#[derive(Debug, Default)]
struct Asked(AtomicUsize);

impl Asked {
    fn times(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Clock for Asked {
    fn now(&self) -> Timestamp {
        self.0.fetch_add(1, Ordering::Relaxed);
        SystemClock.now()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_refuses_claims_is_left_in_peace_and_asked_again() {
    both(async |database| {
        let world = World::with(&landing_zone_in(&["us-east-1"])).await;
        let store = &database.store;
        let sql = async |sql: &str| database.sql(sql).await.expect("a statement of the test");
        store
            .ensure_organization(SystemClock.now())
            .await
            .expect("the store answers");
        sql("update target set due_at = 9000000000000").await;
        let clock = Arc::new(Asked::default());
        let running = Running::start_by(&world, store, clock.clone()).await;
        // At its start the engine writes a little, and asks for the time once or twice; each round asks thrice.
        eventually("it claims", async || (clock.times() > 7).then_some(())).await;

        sql("alter table target rename to elsewhere").await;
        // The loop may be resting, for as long as it does without word of anything.
        tokio::time::sleep(Duration::from_secs(6)).await;
        let before = clock.times();
        tokio::time::sleep(Duration::from_secs(6)).await;
        let asked = clock.times() - before;
        // Plans and due targets are claimed once or twice, and one or two signs of life are written.
        assert!(
            (2..=8).contains(&asked),
            "the clock was asked {asked} times"
        );

        sql("alter table elsewhere rename to target").await;
        sql("update target set due_at = 0").await;
        eventually("it claims again", async || {
            let fence = sql("select cast(max(fence) as text) from target").await;
            (fence.as_deref() != Some("0")).then_some(())
        })
        .await;
        running.stop().await;
    })
    .await;
}
