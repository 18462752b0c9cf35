//! A sweep over many accounts costs less than many looks at one.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use landfall_model::account::Phase;
use landfall_server::engine::clock::Clock;
use landfall_server::store::{Account, Store};
use landfall_tests::clock::Forward;
use landfall_tests::database::Database;
use landfall_tests::world::{
    Running, World, ask, eventually, landing_zone_in, management_governed,
};
use serde_json::json;

const ACCOUNTS: usize = 14;
/// So many ask for themselves before the list is read: `MANY` in `roster.rs`.
const SINGLES: u64 = 8;
const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

async fn all_looked_at_since(store: &Store, accounts: &[Account], since: jiff::Timestamp) {
    for account in accounts {
        eventually("every cell looked at", async || {
            let now = store.account(account.id).await.expect("the store answers");
            let governed = now.is_some_and(|account| account.phase == Phase::Governed);
            let cells = store.cells(account.target()).await;
            let cells = cells.expect("the store answers");
            let looked = cells
                .iter()
                .all(|cell| cell.observed_at.is_some_and(|at| at >= since));
            (governed && looked).then_some(())
        })
        .await;
    }
}

fn calls(world: &World) -> BTreeMap<String, u64> {
    let mut calls = BTreeMap::new();
    for (kind, count) in world.sim.shared().calls().counts() {
        *calls.entry(kind.operation.to_owned()).or_default() += count;
    }
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_asks_the_administrator_for_many_accounts_at_once() {
    let world = World::with(&landing_zone_in(&REGIONS)).await;
    let database = Database::sqlite().await;
    let store = &database.store;
    let clock = Arc::new(Forward::default());
    let running = Running::start_hastened(&world, store, clock.clone()).await;
    let mut asked = Vec::new();
    for n in 0..ACCOUNTS {
        asked.push(ask(&world, store, &format!("Application {n}")).await);
    }
    all_looked_at_since(store, &asked, jiff::Timestamp::UNIX_EPOCH).await;
    let mut accounts = Vec::new();
    for account in asked {
        let now = store.account(account.id).await.expect("the store answers");
        accounts.push(now.expect("it is there"));
    }

    management_governed(store).await;
    running.stop().await;

    // A process that begins anew remembers no list.
    let sweep = async || {
        let since = clock.now() + SignedDuration::from_hours(2);
        clock.forward(SignedDuration::from_hours(2));
        let before = calls(&world);
        let running = Running::start_hastened(&world, store, clock.clone()).await;
        all_looked_at_since(store, &accounts, since).await;
        running.stop().await;
        let mut made = calls(&world);
        for (operation, count) in &mut made {
            *count -= before.get(operation).copied().unwrap_or_default();
        }
        made
    };
    let mutating = world.mutating_calls();
    let made = sweep().await;
    let made = |operation: &str| made.get(operation).copied().unwrap_or_default();
    assert_eq!(world.mutating_calls(), mutating, "nothing was changed");
    let regions = REGIONS.len() as u64;
    // Both services have an operation of each name, and two controls share GuardDuty's list.
    assert!(made("GetMembers") <= 2 * SINGLES * regions);
    assert_eq!(made("ListMembers"), 2 * regions);
    assert_eq!(made("GetMemberDetectors"), regions);
    // Landfall's own accounts, and the administrator's frequency, are beside those that asked for themselves.
    assert!(
        made("GetDetector") < ACCOUNTS as u64 * regions,
        "{}",
        made("GetDetector")
    );
    // The place of the management account, which nobody moves, is asked for by itself.
    assert!(
        made("ListParents") <= SINGLES + 1,
        "{}",
        made("ListParents")
    );
    assert!(made("ListAccountsForParent") > 0);

    // What somebody disturbed stands out from the list.
    let number = accounts
        .last()
        .and_then(|account| account.account_id.clone());
    let number = number.expect("it has a number");
    let disturb = |service: &str, action: &str, region: &str| {
        let tamper = json!({ "service": service, "action": action, "account": number, "region": region, "feature": "S3_DATA_EVENTS" });
        world.tamper(&tamper);
    };
    disturb("guardduty", "suspend_detector", REGIONS[0]);
    disturb("guardduty", "disable_feature", REGIONS[1]);
    let made = sweep().await;
    for (operation, times) in [("StartMonitoringMembers", 1), ("UpdateMemberDetectors", 1)] {
        assert_eq!(made.get(operation), Some(&times), "{operation}");
    }
}
