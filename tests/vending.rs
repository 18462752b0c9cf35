//! From a bare organization to a governed account, and every way to stumble on it.

use std::collections::BTreeSet;

use awsim::Traffic;
use awsim::faults::{Kind, Plan};
use landfall_model::account::Phase;
use landfall_model::cell::CellStatus;
use landfall_model::ids::{Email, TargetId};
use landfall_server::store::{AccountFilter, AssetFilter};
use landfall_tests::database::Database;
use landfall_tests::measure::Calls;
use landfall_tests::world::{
    Running, World, ask, eventually, in_phase, landing_zone_in, management_governed,
};
use serde_json::json;

/// The members that AWS knows, by root e-mail.
fn emails_in_aws(world: &World) -> Vec<String> {
    let aws = world.sim.shared().world();
    aws.organizations
        .accounts()
        .into_iter()
        .filter_map(|id| aws.organizations.email(id).map(str::to_owned))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_organization_becomes_a_landing_zone_with_a_governed_account() {
    let world = World::new().await;
    let database = Database::sqlite().await;
    let store = &database.store;
    let running = Running::start(&world, store).await;
    let account = ask(&world, store, "Payments").await;
    let account = in_phase(store, &account, Phase::Governed).await;
    let number = account
        .account_id
        .clone()
        .expect("a governed account has a number");

    let cells = store.cells(account.target()).await.unwrap();
    let regions: BTreeSet<&str> = cells.iter().map(|cell| cell.key.region.as_str()).collect();
    assert_eq!(regions.len(), 17);
    assert!(cells.iter().all(|cell| cell.status() == CellStatus::InSync));

    let filter = AssetFilter {
        account_id: Some(number.clone()),
        ..AssetFilter::default()
    };
    let assets = store.assets(&filter, None, 500).await.unwrap().items;
    let kinds: BTreeSet<&str> = assets.iter().map(|row| row.asset.kind.as_str()).collect();
    for kind in [
        "AWS::Organizations::Account",
        "AWS::Config::ConfigurationRecorder",
        "AWS::GuardDuty::Detector",
    ] {
        assert!(kinds.contains(kind), "no {kind} among {kinds:?}");
    }
    assert!(assets.iter().all(|row| row.owner == "owner@example.com"));

    eventually("the organization in sync", async || {
        let cells = store.cells(TargetId::Organization).await.unwrap();
        (!cells.is_empty() && cells.iter().all(|cell| cell.status() == CellStatus::InSync))
            .then_some(())
    })
    .await;
    assert_eq!(
        emails_in_aws(&world).len(),
        4,
        "management, log archive, security and the account"
    );
    management_governed(store).await;
    running.stop().await;

    // A process that starts again in steady state changes nothing.
    let before = world.mutating_calls();
    let running = Running::start(&world, store).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    running.stop().await;
    assert_eq!(before, world.mutating_calls());
    world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_lost_by_create_account_does_not_make_a_second_account() {
    let world = World::new().await;
    let database = Database::sqlite().await;
    let store = &database.store;
    let lost = Plan {
        service: "organizations".to_owned(),
        operation: Some("CreateAccount".to_owned()),
        account: None,
        region: None,
        count: Some(3),
        skip: 0,
        probability: None,
        kind: Kind::TimeoutAfter,
    };
    world.sim.shared().faults().plan(lost);
    let running = Running::start(&world, store).await;
    let account = ask(&world, store, "Payments").await;
    in_phase(store, &account, Phase::Governed).await;
    running.stop().await;
    let emails = emails_in_aws(&world);
    let distinct: BTreeSet<&String> = emails.iter().collect();
    assert_eq!(emails.len(), distinct.len());
    assert_eq!(emails.len(), 4, "{emails:?}");
    let fired = world
        .sim
        .shared()
        .faults()
        .list()
        .iter()
        .map(|fault| fault.fired)
        .sum::<u64>();
    assert_eq!(fired, 3, "every creation lost its answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_email_that_is_taken_elsewhere_in_aws_fails_with_what_to_do_and_can_be_corrected() {
    let world = World::new().await;
    let database = Database::sqlite().await;
    let store = &database.store;
    let account = ask(&world, store, "Payments").await;
    world.tamper(
        &json!({ "service": "organizations", "action": "take_email", "email": account.email }),
    );
    let running = Running::start(&world, store).await;
    let failed = in_phase(store, &account, Phase::Failed).await;
    let failure = failed.failure.expect("it says why");
    assert_eq!(failure.reason, "EMAIL_ALREADY_EXISTS");
    assert!(
        failure.message.contains("Choose another e-mail"),
        "{}",
        failure.message
    );

    let other: Email = "aws+another@example.com".parse().unwrap();
    store
        .retry(
            account.id,
            Some((&failed.request, &other)),
            "test",
            jiff::Timestamp::now(),
        )
        .await
        .unwrap();
    in_phase(store, &account, Phase::Governed).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_broken_region_delays_only_itself() {
    let world = World::new().await;
    let database = Database::sqlite().await;
    let store = &database.store;
    let running = Running::start(&world, store).await;
    let first = ask(&world, store, "First").await;
    in_phase(store, &first, Phase::Governed).await;
    for service in ["config", "guardduty", "securityhub", "cloudtrail"] {
        world.sim.shared().faults().plan(Plan {
            service: service.to_owned(),
            operation: None,
            account: None,
            region: Some("eu-west-3".to_owned()),
            count: None,
            skip: 0,
            probability: None,
            kind: Kind::Error5xx,
        });
    }
    let account = ask(&world, store, "Second").await;
    eventually("sixteen Regions in sync", async || {
        let cells = store.cells(account.target()).await.unwrap();
        let elsewhere = cells
            .iter()
            .filter(|cell| cell.key.region.as_str() != "eu-west-3");
        (cells.len() > 17
            && elsewhere
                .clone()
                .all(|cell| cell.status() == CellStatus::InSync))
        .then_some(())
    })
    .await;
    let now = store.account(account.id).await.unwrap().unwrap();
    assert_eq!(
        now.phase,
        Phase::Baselining,
        "nothing is reported as done while a Region is broken"
    );
    world.sim.shared().faults().clear();
    in_phase(store, &account, Phase::Governed).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_once_keep_to_the_rate_of_create_account() {
    let world = World::new().await;
    let database = Database::sqlite().await;
    let store = &database.store;
    // The burst of three, then one every ten seconds of real time: four are enough to see both.
    let accounts = [ask(&world, store, "A").await, ask(&world, store, "B").await];
    let running = Running::start(&world, store).await;
    for account in &accounts {
        in_phase(store, account, Phase::Governed).await;
    }
    running.stop().await;
    let all = store
        .accounts(&AccountFilter::default(), None, 100)
        .await
        .unwrap()
        .items;
    assert_eq!(all.len(), 5, "with the management account");
    let creates = world.mutating_calls()["organizations:CreateAccount"];
    assert_eq!(creates, 4, "one call for each account");
}

#[tokio::test(flavor = "multi_thread")]
async fn by_invitation_an_account_becomes_a_member_without_a_delegated_administrator() {
    let zone = landing_zone_in(&["us-east-1", "eu-west-1"]);
    let zone = zone.replace(
        "membership = \"organization\"",
        "membership = \"invitation\"",
    );
    let world = World::with(&zone).await;
    let database = Database::sqlite().await;
    let store = &database.store;
    let running = Running::start(&world, store).await;
    let account = ask(&world, store, "Payments").await;
    in_phase(store, &account, Phase::Governed).await;
    running.stop().await;
    let cells = store.cells(account.target()).await.unwrap();
    for service in ["guardduty", "securityhub"] {
        let control = format!("{service}.membership");
        let members: Vec<_> = cells
            .iter()
            .filter(|cell| cell.key.control.as_str() == control)
            .collect();
        assert_eq!(members.len(), 2, "{control}");
        for cell in members {
            assert_eq!(cell.status(), CellStatus::InSync, "{cell:?}");
            let observed = cell.observed.as_ref().expect("it was looked at").to_value();
            assert_eq!(observed["listed"]["status"], "Enabled", "{observed}");
            assert!(observed["administrator"].is_string(), "{observed}");
        }
    }
    let made = world.mutating_calls();
    assert!(
        made["guardduty:AcceptAdministratorInvitation"] > 0,
        "{made:?}"
    );
    assert!(
        made["securityhub:AcceptAdministratorInvitation"] > 0,
        "{made:?}"
    );
    assert!(
        !made.contains_key("guardduty:EnableOrganizationAdminAccount"),
        "{made:?}"
    );
    world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_share_the_work_and_the_rates() {
    let world = World::with(&landing_zone_in(&["us-east-1", "eu-west-1"])).await;
    let database = Database::postgres().await;
    let store = &database.store;
    let traffic = world.sim.shared().traffic();
    world.sim.shared().set_traffic(Traffic {
        throttle: true,
        ..traffic
    });
    let replicas = [
        Running::start(&world, store).await,
        Running::start(&world, store).await,
    ];
    let mut accounts = Vec::new();
    for n in 0..6 {
        accounts.push(ask(&world, store, &format!("Application {n}")).await);
    }
    for account in &accounts {
        in_phase(store, account, Phase::Governed).await;
    }
    for replica in replicas {
        replica.stop().await;
    }
    let calls = Calls::so_far(world.sim.shared());
    assert_eq!(
        calls.mutating()["organizations:CreateAccount"],
        8,
        "one for each account, the log archive and security"
    );
    assert!(
        calls.throttled() * 20 < calls.total(),
        "{} of {} calls were too many",
        calls.throttled(),
        calls.total()
    );
    database.remove().await;
}
