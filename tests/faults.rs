//! What AWS refuses, forgets or answers late: the request says so, and nothing is ever half-reported as done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use awsim::faults::{Kind, Plan};
use jiff::SignedDuration;
use landfall_controls::cloud::Errand;
use landfall_controls::vending;
use landfall_model::account::Phase;
use landfall_model::cell::CellStatus;
use landfall_model::cloud_error::{CloudErrorKind, Help};
use landfall_model::creation::Sighting;
use landfall_model::ids::{AccountId, Email, TargetId};
use landfall_server::engine::clock::{Clock, SystemClock};
use landfall_server::store::{Account, Store};
use landfall_tests::clock::Forward;
use landfall_tests::world::{
    Running, World, ask, eventually, every, governed, in_two_regions, no_stranger, now,
};
use serde_json::json;

/// How often the planned faults befell a call, by service.
fn fired(world: &World) -> BTreeMap<String, u64> {
    let mut fired = BTreeMap::new();
    for fault in world.sim.shared().faults().list() {
        *fired.entry(fault.plan.service.clone()).or_default() += fault.fired;
    }
    fired
}

async fn failed(store: &Store, account: &Account) -> Account {
    eventually(&format!("{} failed", account.request.name), async || {
        let account = now(store, account).await;
        (account.phase == Phase::Failed).then_some(account)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tenth_call_throttled_is_only_slower() {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    let services = [
        "organizations",
        "sts",
        "iam",
        "s3",
        "cloudtrail",
        "config",
        "guardduty",
        "securityhub",
    ];
    for service in services {
        world.sim.shared().faults().plan(Plan {
            probability: Some(0.1),
            ..every(service, None, Kind::Throttle)
        });
    }
    let running = Running::start(&world, store).await;
    let account = ask(&world, store, "Payments").await;
    governed(store, &account).await;
    running.stop().await;
    let fired = fired(&world);
    // Some services see a dozen calls: there, one in ten may be none.
    assert!(fired.values().sum::<u64>() >= 15, "{fired:?}");
    for cell in store
        .cells(account.target())
        .await
        .expect("the store answers")
    {
        assert_eq!(cell.status(), CellStatus::InSync, "{cell:?}");
    }
    no_stranger(&world, store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_denied_action_blocks_its_cells_and_says_who_can_help_with_what() {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    let denied = every("guardduty", Some("CreateDetector"), Kind::AccessDenied);
    world.sim.shared().faults().plan(denied);
    let clock = Arc::new(Forward::default());
    let running = Running::start_by(&world, store, clock.clone()).await;
    let account = ask(&world, store, "Payments").await;

    // A new account refuses much that it will soon allow, so at first this passes for *not yet*.
    let cell = |status: &'static str| {
        let target = account.target();
        async move || {
            let cells = store.cells(target).await.expect("the store answers");
            let refused = cells.into_iter().find(|cell| {
                cell.error
                    .as_ref()
                    .is_some_and(|error| error.operation == "guardduty:CreateDetector")
            });
            refused.filter(|cell| cell.status().name() == status)
        }
    };
    eventually("a refusal of a young account", cell("converging")).await;
    clock.forward(SignedDuration::from_mins(30));
    let cell = eventually("a refusal that stays", cell("blocked")).await;
    let CellStatus::Blocked { error } = cell.status() else {
        panic!("{cell:?}")
    };
    assert_eq!(error.kind, CloudErrorKind::AccessDenied);
    assert_eq!(error.kind.help(), Help::PlatformTeam);
    assert_eq!(error.operation, "guardduty:CreateDetector");
    assert!(error.kind.advice().contains("the action that was refused"));
    let blocked = now(store, &account).await;
    assert_eq!(
        blocked.phase,
        Phase::Baselining,
        "it is not reported as governed"
    );
    assert_eq!(blocked.governed_at, None);

    world.sim.shared().faults().clear();
    // A person who gave the permission asks for another look: the cell does not rest until its own time comes.
    assert!(cell.due_at > clock.now() + SignedDuration::from_secs(5));
    store
        .want(account.target(), clock.now())
        .await
        .expect("the store answers");
    governed(store, &account).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_quota_of_accounts_says_whom_to_ask_and_goes_on_once_it_is_raised() {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    let running = Running::start(&world, store).await;
    let first = ask(&world, store, "First").await;
    governed(store, &first).await;
    world.tamper(&json!({ "service": "organizations", "action": "set_account_quota", "quota": 4 }));
    let account = ask(&world, store, "One too many").await;
    let error = eventually("the quota in the way", async || {
        let target = store
            .target(account.target())
            .await
            .expect("the store answers");
        target.expect("it is there").last_error
    })
    .await;
    assert_eq!(error.kind, CloudErrorKind::Quota);
    assert_eq!(error.kind.help(), Help::AwsSupport);
    assert_eq!(error.operation, "organizations:CreateAccount");
    assert!(
        error.message.contains("ACCOUNT_NUMBER_LIMIT_EXCEEDED")
            || error.message.contains("number of AWS accounts"),
        "{}",
        error.message
    );
    let waiting = now(store, &account).await;
    assert_eq!(waiting.phase, Phase::Creating);
    assert_eq!(waiting.account_id, None);
    assert_eq!(
        waiting.creation.intended_at, None,
        "AWS refused, so nothing was begun"
    );

    world
        .tamper(&json!({ "service": "organizations", "action": "set_account_quota", "quota": 10 }));
    store
        .want(account.target(), SystemClock.now())
        .await
        .expect("the store answers");
    governed(store, &account).await;
    running.stop().await;
    no_stranger(&world, store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_email_of_another_account_in_the_organization_is_named_with_that_account() {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    let account = ask(&world, store, "Payments").await;
    let other = create_behind_our_back(&world, "Somebody's", &account.email).await;
    let running = Running::start(&world, store).await;
    let failed = failed(store, &account).await;
    running.stop().await;
    let failure = failed.failure.expect("it says why");
    assert_eq!(failure.reason, "EMAIL_IN_ORGANIZATION");
    assert_eq!(failure.who_can_help, Help::Requester);
    assert!(
        failure.message.contains(other.as_str()),
        "{}",
        failure.message
    );
    assert_eq!(
        failed.account_id, None,
        "the other account is not taken over"
    );
}

/// Makes an account as an administrator would by hand: without the tag of a request.
async fn create_behind_our_back(world: &World, name: &str, email: &Email) -> AccountId {
    let errand = Errand {
        account: world.zone.management_account.clone(),
        region: world.zone.home_region.clone(),
        actions: vending::ACTIONS.iter().copied().collect(),
        reason: "by hand".to_owned(),
        young: false,
        shared: true,
    };
    let aws = world
        .cloud
        .assume(&errand)
        .await
        .expect("the management role can be assumed");
    let role = &world.zone.roles.execution;
    let status = vending::create_account(&aws, name, email, role, &BTreeMap::new()).await;
    let status = status.expect("AWS takes the request");
    eventually(
        "the account made by hand",
        async || match vending::creation_status(&aws, &status)
            .await
            .expect("AWS answers")
        {
            Sighting::Exists(account) => Some(account),
            _ => None,
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_organizational_unit_an_account_waits_and_then_goes_on() {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    let refused = every(
        "organizations",
        Some("CreateOrganizationalUnit"),
        Kind::AccessDenied,
    );
    world.sim.shared().faults().plan(refused);
    let running = Running::start(&world, store).await;
    let account = ask(&world, store, "Payments").await;
    let cell = eventually("the organization's units blocked", async || {
        let cells = store
            .cells(TargetId::Organization)
            .await
            .expect("the store answers");
        cells
            .into_iter()
            .find(|cell| cell.status().name() == "blocked")
    })
    .await;
    let CellStatus::Blocked { error } = cell.status() else {
        panic!("{cell:?}")
    };
    assert_eq!(error.operation, "organizations:CreateOrganizationalUnit");
    eventually("the account made, and waiting for its place", async || {
        let account = now(store, &account).await;
        assert!(!account.phase.is_final(), "{:?}", account.failure);
        (account.phase == Phase::Placing).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(now(store, &account).await.phase, Phase::Placing);

    world.sim.shared().faults().clear();
    store
        .want(TargetId::Organization, SystemClock.now())
        .await
        .expect("the store answers");
    governed(store, &account).await;
    running.stop().await;
    no_stranger(&world, store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_answers_are_outlived() {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    for service in [
        "organizations",
        "iam",
        "s3",
        "cloudtrail",
        "config",
        "guardduty",
        "securityhub",
    ] {
        world.sim.shared().faults().plan(Plan {
            probability: Some(0.3),
            ..every(service, None, Kind::StaleRead)
        });
    }
    let running = Running::start(&world, store).await;
    let account = ask(&world, store, "Payments").await;
    governed(store, &account).await;
    running.stop().await;
    let fired = fired(&world);
    for service in ["organizations", "config", "guardduty"] {
        assert!(fired[service] > 0, "{service} was never stale: {fired:?}");
    }
    no_stranger(&world, store).await;
}
