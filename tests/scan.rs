//! A sweep over many accounts costs less than many looks at one.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use landfall_model::account::Phase;
use landfall_server::engine::clock::Clock;
use landfall_server::store::{Account, Store};
use landfall_tests::clock::Forward;
use landfall_tests::database::Database;
use landfall_tests::world::{Running, World, ask, eventually, landing_zone_in};

const ACCOUNTS: usize = 14;
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
    let mut accounts = Vec::new();
    for n in 0..ACCOUNTS {
        accounts.push(ask(&world, store, &format!("Application {n}")).await);
    }
    all_looked_at_since(store, &accounts, jiff::Timestamp::UNIX_EPOCH).await;

    let mutating = world.mutating_calls();
    let before = calls(&world);
    let since = clock.now() + SignedDuration::from_hours(2);
    clock.forward(SignedDuration::from_hours(2));
    all_looked_at_since(store, &accounts, since).await;
    running.stop().await;

    let after = calls(&world);
    let made = |operation: &str| {
        after.get(operation).copied().unwrap_or_default()
            - before.get(operation).copied().unwrap_or_default()
    };
    // Both services have an operation of each name.
    let looks = (2 * ACCOUNTS * REGIONS.len()) as u64;
    // A list of the time before may serve: putting the clock forward does not make it older.
    let asked = made("GetMembers") + made("ListMembers");
    assert!(asked < looks, "{asked} calls for {looks} looks");
    assert!(made("ListParents") < ACCOUNTS as u64);
    for list in ["ListMembers", "ListAccountsForParent"] {
        assert!(
            after.contains_key(list),
            "{list} was never asked for: {after:?}"
        );
    }
    assert_eq!(world.mutating_calls(), mutating, "nothing was changed");
}
