//! The management account is an account of the organization, too: it is looked after like the others, and left where it is.

use std::collections::BTreeSet;
use std::sync::Arc;

use awsim::faults::{Kind, Plan};
use jiff::SignedDuration;
use landfall_model::account::{Phase, Purpose};
use landfall_model::cell::{Cell, CellStatus};
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::ids::TargetId;
use landfall_model::landing_zone::LandingZone;
use landfall_model::rollout::{RolloutDecision, RolloutState, Wanted};
use landfall_server::catalogue::Catalogue;
use landfall_server::engine::clock::Clock;
use landfall_server::store::{Account, AssetFilter, Store};
use landfall_tests::clock::Forward;
use landfall_tests::database::Database;
use landfall_tests::rollouts;
use landfall_tests::world::{
    Running, World, ask, eventually, governed, in_aws, in_two_regions, landing_zone_in,
    management_governed, organization_in_sync, soon, state_of,
};
use serde_json::json;

const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

async fn row(store: &Store) -> Option<Account> {
    let row = store.account_by_purpose(Purpose::Management).await;
    row.expect("the store answers")
}

async fn cells(store: &Store, account: &Account) -> Vec<Cell> {
    store
        .cells(account.target())
        .await
        .expect("the store answers")
}

/// The id of the OU that an account stands in.
fn unit_id_of(world: &World, account: &Account) -> String {
    let number = account.account_id.as_ref().expect("it has one");
    let shared = world.sim.shared();
    let number = number.as_str().parse().expect("twelve digits");
    let path = shared.world().organizations.path(number);
    let unit = path.trim_end_matches('/').rsplit('/').next();
    unit.expect("a path has parts").to_owned()
}

/// Waits until all cells of the account, of which there are some, were looked at since `since` and are in sync.
async fn in_sync_since(store: &Store, account: &Account, since: jiff::Timestamp) {
    let seen = soon(async || {
        let cells = cells(store, account).await;
        let fine = |cell: &Cell| {
            cell.status() == CellStatus::InSync && cell.observed_at.is_some_and(|at| at >= since)
        };
        (!cells.is_empty() && cells.iter().all(fine)).then_some(())
    });
    if seen.await.is_none() {
        panic!("never in sync:\n{}", state_of(store).await);
    }
}

async fn from_a_bare_organization(membership: &str) {
    let zone = landing_zone_in(&REGIONS).replace(
        "membership = \"organization\"",
        &format!("membership = \"{membership}\""),
    );
    let world = World::with(&zone).await;
    let database = Database::sqlite().await;
    let store = &database.store;
    let clock = Arc::new(Forward::default());
    let running = Running::start_by(&world, store, clock.clone()).await;
    let account = management_governed(store).await;
    let number = account.account_id.clone().expect("it has one");
    assert_eq!(number, world.zone.management_account);
    assert!(account.request.organizational_unit.is_root());
    assert_eq!(in_aws(&world, &number).1, "", "it was not moved");

    let there = cells(store, &account).await;
    assert!(there.iter().all(|cell| cell.status() == CellStatus::InSync));
    let controls: BTreeSet<&str> = there.iter().map(|cell| cell.key.control.as_str()).collect();
    let baselines = &world.catalogue.baselines;
    let wanted = baselines.get("management").expect("it is there");
    assert!(
        controls.iter().eq(wanted
            .controls
            .keys()
            .map(|id| id.as_str())
            .collect::<BTreeSet<_>>()
            .iter())
    );
    for service in ["guardduty", "securityhub"] {
        let control = format!("{service}.membership");
        let members = there
            .iter()
            .filter(|cell| cell.key.control.as_str() == control);
        let members: Vec<&Cell> = members.collect();
        assert_eq!(members.len(), REGIONS.len(), "{control}");
        for cell in members {
            let observed = cell.observed.as_ref().expect("it was looked at").to_value();
            assert_eq!(observed["listed"]["status"], "Enabled", "{observed}");
        }
    }
    let filter = AssetFilter {
        account_id: Some(number.clone()),
        ..AssetFilter::default()
    };
    let assets = store
        .assets(&filter, None, 500)
        .await
        .expect("assets")
        .items;
    let kinds: BTreeSet<&str> = assets.iter().map(|row| row.asset.kind.as_str()).collect();
    for kind in ["AWS::Organizations::Account", "AWS::GuardDuty::Detector"] {
        assert!(kinds.contains(kind), "no {kind} among {kinds:?}");
    }

    // A sweep finds what somebody changed, and puts it right.
    organization_in_sync(store).await;
    for (service, action) in [
        ("config", "stop_recorder"),
        ("guardduty", "delete_detector"),
    ] {
        world.tamper(&json!({
            "service": service, "action": action, "account": number, "region": REGIONS[1],
        }));
        let before = store
            .events(account.target(), 0, 10_000)
            .await
            .expect("events");
        clock.forward(SignedDuration::from_hours(2));
        let now = clock.now();
        store
            .wake(account.target(), now)
            .await
            .expect("the store answers");
        in_sync_since(store, &account, now).await;
        let after = store
            .events(account.target(), 0, 10_000)
            .await
            .expect("events");
        let told = after[before.len()..].iter();
        assert!(
            told.clone().any(|event| event.kind.name() == "drift_found"),
            "{service}"
        );
    }

    // Where its owners move it, there it stands, also in the list.
    let security = store.account_by_purpose(Purpose::Security).await;
    let security = security.expect("the store answers").expect("it is vended");
    let unit = security.request.organizational_unit.to_string();
    let to = unit_id_of(&world, &security);
    world.tamper(&json!({
        "service": "organizations", "action": "move_account", "account": number, "to": to,
    }));
    clock.forward(SignedDuration::from_hours(2));
    let woken = store.wake(account.target(), clock.now()).await;
    woken.expect("the store answers");
    eventually("the row follows", async || {
        let unit = row(store).await?.request.organizational_unit;
        (unit == security.request.organizational_unit).then_some(())
    })
    .await;
    let past = store.events(account.target(), 0, 10_000).await;
    let sentence = format!("its owners moved the account to {unit}");
    let told = past.expect("events");
    let told = told.iter().filter(|event| event.sentence == sentence);
    assert_eq!(told.count(), 1);
    assert_eq!(in_aws(&world, &number).1, unit, "it was left there");
    running.stop().await;
    world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_governed_from_a_bare_organization_on_and_what_differs_is_put_right() {
    from_a_bare_organization("organization").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_invitation_it_accepts_like_every_other_account() {
    from_a_bare_organization("invitation").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_management_role_lacks_blocks_its_own_cells_and_nothing_else() {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    // As before an upgrade, when nothing needed it.
    let number = world.zone.management_account.clone();
    for service in ["ec2", "config"] {
        world.sim.shared().faults().plan(Plan {
            service: service.to_owned(),
            operation: None,
            account: Some(number.to_string()),
            region: None,
            count: None,
            skip: 0,
            probability: None,
            kind: Kind::AccessDenied,
        });
    }
    let running = Running::start(&world, store).await;
    let payments = ask(&world, store, "Payments").await;
    governed(store, &payments).await;
    organization_in_sync(store).await;
    let account = row(store).await.expect("it was taken in");
    let blocked = eventually("a cell that says what is lacking", async || {
        let cells = cells(store, &account).await;
        cells
            .into_iter()
            .find(|cell| cell.key.control.as_str() == "config.recorder" && cell.error.is_some())
    })
    .await;
    let error = blocked.error.expect("it has one");
    assert_eq!(error.kind, CloudErrorKind::AccessDenied);
    for said in [
        "111111111111",
        "LandfallManagement",
        "deploy/roles/README.md",
    ] {
        assert!(error.message.contains(said), "{}", error.message);
    }
    let target = store.target(account.target()).await.expect("the store");
    assert_eq!(target.expect("it is there").last_error, None);
    assert_eq!(row(store).await.expect("it stays").phase, Phase::Baselining);

    world.sim.shared().faults().clear();
    store
        .wake(account.target(), jiff::Timestamp::now())
        .await
        .expect("the store answers");
    management_governed(store).await;
    running.stop().await;
}

/// The same AWS, and a landing zone that gives the management account another baseline.
fn with_baseline(world: &mut World, name: &str) {
    let zone = landing_zone_in(&REGIONS).replace(
        "baseline = \"management\"",
        &format!("baseline = \"{name}\""),
    );
    let zone = LandingZone::parse("landing-zone.toml", &zone).expect("it is right");
    world.catalogue = Catalogue::load(&zone, None, None).expect("the baselines are right");
    world.zone = Arc::new(zone);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_left_alone_and_taken_up_and_left_alone_again() {
    let (mut world, database) = in_two_regions().await;
    let store = &database.store;
    with_baseline(&mut world, "none");
    let running = Running::start(&world, store).await;
    let account = management_governed(store).await;
    organization_in_sync(store).await;
    assert_eq!(cells(store, &account).await, []);
    running.stop().await;

    with_baseline(&mut world, "management");
    let running = Running::start(&world, store).await;
    rollouts::reaches(store, RolloutState::Done).await;
    in_sync_since(store, &account, jiff::Timestamp::UNIX_EPOCH).await;
    running.stop().await;

    with_baseline(&mut world, "none");
    let running = Running::start(&world, store).await;
    eventually("no cells", async || {
        cells(store, &account).await.is_empty().then_some(())
    })
    .await;
    running.stop().await;
    world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_takes_it_in_when_its_rollout_is_done_and_not_before() {
    let zone = landing_zone_in(&["us-east-1"]).replace("automatic = true", "automatic = false");
    let world = World::with(&zone).await;
    let database = Database::sqlite().await;
    let store = &database.store;
    // What the version before wanted.
    let wanted = Wanted::new(
        &world.zone,
        &world.catalogue.baselines,
        &world.catalogue.scps,
    );
    let mut before = serde_json::to_value(&wanted).expect("it is plain data");
    before
        .as_object_mut()
        .expect("an object")
        .remove("management")
        .expect("it was there");
    let before: Wanted = serde_json::from_value(before).expect("older versions wrote it so");
    let now = jiff::Timestamp::now();
    store
        .ensure_organization(now)
        .await
        .expect("the store answers");
    let begun = store.begin_rollout(&before, true, now).await;
    begun.expect("the store answers").expect("the first");

    let running = Running::start(&world, store).await;
    let proposed = rollouts::reaches(store, RolloutState::Proposed).await;
    let payments = ask(&world, store, "Payments").await;
    governed(store, &payments).await;
    organization_in_sync(store).await;
    assert_eq!(row(store).await, None, "nobody started the rollout");
    let now = jiff::Timestamp::now();
    let decided = store.decide_rollout(proposed.id, RolloutDecision::Start, "ann", "", now);
    decided.await.expect("the store answers");
    rollouts::reaches(store, RolloutState::Done).await;
    store
        .wake(TargetId::Organization, jiff::Timestamp::now())
        .await
        .expect("the store answers");
    management_governed(store).await;
    running.stop().await;
}
