//! The execution role: its external id is changed, and its trust policy edited by others, without Landfall locking itself
//! out; where others have locked it out, it says so.

use std::sync::Arc;

use awsim::faults::{Kind, Plan};
use jiff::SignedDuration;
use landfall_controls::control::AnyControl;
use landfall_controls::{preflight, registry};
use landfall_model::account::Phase;
use landfall_model::cell::CellStatus;
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::event::EventKind;
use landfall_model::ids::AccountId;
use landfall_model::landing_zone::LandingZone;
use landfall_server::engine::clock::Clock;
use landfall_server::store::AccountFilter;
use landfall_tests::clock::Forward;
use landfall_tests::database::Database;
use landfall_tests::stage::Stage;
use landfall_tests::world::{
    Running, World, ask, eventually, every, in_phase, landing_zone_in, organization_in_sync,
};
use serde_json::{Value, json};

const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

fn control() -> &'static dyn AnyControl {
    let id = "iam.execution-role".parse().expect("an id");
    registry::control(&id).expect("it is registered")
}

/// A landing zone whose execution role asks for one of these.
fn zone(external_ids: &[&str]) -> String {
    let example = "# external_ids = [\"0f1e2d3c-landfall\"]";
    let zone = landing_zone_in(&REGIONS);
    assert!(zone.contains(example));
    zone.replace(example, &format!("external_ids = {external_ids:?}"))
}

/// A process that was started with other external ids: it has no session.
async fn restart(world: &mut World, external_ids: &[&str]) {
    let zone = LandingZone::parse("landing-zone.toml", &zone(external_ids));
    world.zone = Arc::new(zone.expect("it is right"));
    world.cloud = world.fresh_cloud().await;
}

/// Whether a process that comes with these external ids is let in.
async fn is_let_in(world: &mut World, account: &AccountId, external_ids: &[&str]) -> bool {
    let (zone, cloud) = (world.zone.clone(), world.cloud.clone());
    restart(world, external_ids).await;
    let home = &zone.home_region;
    let entered = preflight::execution_role(&world.cloud, account, home).await;
    (world.zone, world.cloud) = (zone, cloud);
    entered.is_ok()
}

/// Somebody gives the role another trust policy.
fn edit_trust(world: &World, account: &AccountId, statements: &Value) {
    let policy = json!({ "Version": "2012-10-17", "Statement": statements });
    world.tamper(&json!({
        "service": "iam", "action": "edit_role_trust", "account": account, "role": world.zone.roles.execution,
        "policy": policy.to_string(),
    }));
}

/// A statement that has the management account assume the role, as `condition` says.
fn statement(effect: &str, condition: &Value) -> Value {
    json!({
        "Effect": effect, "Action": "sts:AssumeRole", "Condition": condition,
        "Principal": { "AWS": "arn:aws:iam::111111111111:root" },
    })
}

/// A trust policy that lets in somebody else alone.
fn only_eve() -> Value {
    let eve = json!({ "ArnEquals": { "aws:PrincipalArn": "arn:aws:iam::111111111111:role/Eve" } });
    json!([statement("Allow", &eve)])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_id_is_changed_in_two_steps() {
    let mut stage = Stage::new(World::with(&zone(&["old"])).await).await;
    let home = stage.world.zone.home_region.clone();
    let account = stage.account.clone();
    stage.converge(control(), &home).await;
    let doors = async |stage: &mut Stage| {
        let mut open = Vec::new();
        for ids in [&["old"][..], &["new"], &["other"], &[]] {
            open.push(is_let_in(&mut stage.world, &account, ids).await);
        }
        open
    };
    assert_eq!(doors(&mut stage).await, [true, false, false, false]);
    // Who comes with the new one first finds the door that asks for the old one.
    restart(&mut stage.world, &["new", "old"]).await;
    stage.converge(control(), &home).await;
    assert_eq!(doors(&mut stage).await, [true, true, false, false]);
    restart(&mut stage.world, &["new"]).await;
    stage.converge(control(), &home).await;
    assert_eq!(doors(&mut stage).await, [false, true, false, false]);
    stage.world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_trust_policy_is_put_back_by_whoever_is_inside() {
    let mut stage = Stage::new(World::with(&zone(&["id"])).await).await;
    let home = stage.world.zone.home_region.clone();
    let account = stage.account.clone();
    stage.converge(control(), &home).await;
    let as_wanted = stage.look(control(), &home).await.expect("it is seen");
    for (statements, is_open) in [
        // Everybody of the management account is let in, whatever they say.
        (json!([statement("Allow", &json!({}))]), true),
        (only_eve(), false),
        // As it was, but for another external id.
        (
            json!([statement(
                "Allow",
                &json!({ "StringEquals": { "sts:ExternalId": "theirs" } })
            )]),
            false,
        ),
        (
            json!([
                statement("Allow", &json!({})),
                statement("Deny", &json!({ "Null": { "aws:PrincipalArn": "false" } })),
            ]),
            false,
        ),
    ] {
        edit_trust(&stage.world, &account, &statements);
        let open = is_let_in(&mut stage.world, &account, &["id"]).await;
        assert_eq!(open, is_open, "{statements}");
        let look = stage.look(control(), &home).await.expect("it is seen");
        let sentences: Vec<_> = look.changes.iter().map(|change| &change.sentence).collect();
        assert_eq!(
            sentences,
            ["let nobody but the management role assume LandfallExecution"]
        );
        stage.converge(control(), &home).await;
        let look = stage.look(control(), &home).await.expect("it is seen");
        assert_eq!(look, as_wanted, "{statements}");
        assert!(is_let_in(&mut stage.world, &account, &["id"]).await);
        assert!(!is_let_in(&mut stage.world, &account, &[]).await);
    }
    stage.world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_locked_out_says_so_and_goes_on_when_it_is_let_in() {
    let world = World::with(&landing_zone_in(&REGIONS)).await;
    let database = Database::sqlite().await;
    let store = &database.store;
    let clock = Arc::new(Forward::default());
    let running = Running::start_by(&world, store, clock.clone()).await;
    let account = ask(&world, store, "Payments").await;
    let account = in_phase(store, &account, Phase::Governed).await;
    eventually("the landing zone's own accounts", async || {
        let all = store.accounts(&AccountFilter::default(), None, 9).await;
        let all = all.expect("the store answers").items;
        let governed = all.iter().all(|account| account.phase == Phase::Governed);
        (governed && all.len() == 4).then_some(())
    })
    .await;
    organization_in_sync(store).await;
    running.stop().await;
    let (target, number) = (account.target(), account.account_id.expect("it has one"));
    let cells = async || store.cells(target).await.expect("the store answers");
    let before = cells().await;

    // Nobody is inside any more when the door is shut.
    edit_trust(&world, &number, &only_eve());
    clock.forward(SignedDuration::from_hours(2));
    let shut_at = clock.now();
    let calls = world.mutating_calls();
    let running = Running::start_by(&world, store, clock.clone()).await;
    let stopped = eventually("it says what stops it", async || {
        let target = store.target(target).await.expect("the store answers")?;
        target.last_error
    })
    .await;
    assert_eq!(stopped.kind, CloudErrorKind::AccessDenied);
    assert_eq!(stopped.operation, "sts:AssumeRole");
    for words in [
        "Landfall cannot let itself in",
        number.as_str(),
        "LandfallExecution",
        "LandfallManagement",
        "trust policy",
    ] {
        assert!(stopped.message.contains(words), "{}", stopped.message);
    }
    // Tried again in vain, it is told once.
    store.wake(target, clock.now()).await.expect("it is there");
    eventually("another try", async || {
        let target = store.target(target).await.expect("the store answers")?;
        (target.attempts > 1 && target.leased_by.is_none()).then_some(())
    })
    .await;
    let events = store.events(target, 0, 1_000).await;
    let told = events.expect("the store answers").into_iter();
    let told = told.filter(|event| event.kind == EventKind::Failed && event.at >= shut_at);
    assert_eq!(told.count(), 1);
    assert_eq!(
        cells().await,
        before,
        "nothing is recorded that was not seen"
    );
    assert_eq!(world.mutating_calls(), calls);

    // An administrator of the account lets the management account in.
    edit_trust(&world, &number, &json!([statement("Allow", &json!({}))]));
    store.wake(target, clock.now()).await.expect("it is there");
    eventually("the door is narrow again", async || {
        let stopped = store.target(target).await.expect("it answers")?.last_error;
        let cells = cells().await;
        let role = cells
            .iter()
            .find(|cell| cell.key.control == control().descriptor().id)?;
        let looked = role.observed_at.is_some_and(|at| at >= shut_at);
        (stopped.is_none() && looked && role.status() == CellStatus::InSync).then_some(())
    })
    .await;
    let writes = &world.mutating_calls()["iam:UpdateAssumeRolePolicy"];
    assert_eq!(*writes, calls["iam:UpdateAssumeRolePolicy"] + 1);
    running.stop().await;
    world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trust_policy_that_shuts_the_door_is_taken_back() {
    let stage = Stage::new(World::with(&landing_zone_in(&REGIONS)).await).await;
    let home = stage.world.zone.home_region.clone();
    stage.converge(control(), &home).await;
    edit_trust(
        &stage.world,
        &stage.account,
        &json!([statement("Allow", &json!({}))]),
    );
    let before = stage.look(control(), &home).await.expect("it is seen");
    // For a reason that the policy does not show, such as a service control policy.
    stage.world.sim.shared().faults().plan(Plan {
        count: Some(1),
        ..every("sts", Some("AssumeRole"), Kind::AccessDenied)
    });
    let change = &before.changes[0];
    let shut = stage.apply(control(), &home, change).await;
    let shut = shut.expect_err("the door is shut");
    assert_eq!(shut.kind, CloudErrorKind::AccessDenied);
    assert!(
        shut.message.contains("the former one stands again"),
        "{shut}"
    );
    let after = stage.look(control(), &home).await.expect("it is seen");
    assert_eq!(after, before, "it is as it was");
    stage.converge(control(), &home).await;
}
