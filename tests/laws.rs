//! The laws that every control keeps, whatever it is about. A control is tried by being registered.
//!
//! 1. A plan depends on what was observed and on nothing else.
//! 2. Applying what was planned converges.
//! 3. Applying a change twice is applying it once.
//! 4. Stopped at any call, with AWS having acted or not, it converges when it is started again.
//! 5. Once converged, a look changes nothing.
//! 6. Whatever is disturbed is restored.

use awsim::faults::{Kind, Plan};
use landfall_controls::control::AnyControl;
use landfall_controls::registry;
use landfall_model::cloud_error::Help;
use landfall_model::control::Scope;
use landfall_model::ids::Region;
use landfall_tests::stage::{ELSEWHERE, Stage};
use serde_json::{Value, json};

/// Runs a law on every control.
async fn for_every_control(law: impl AsyncFn(&'static dyn AnyControl)) {
    for control in registry::controls().values() {
        eprintln!("{}", control.descriptor().id);
        Box::pin(law(control.as_ref())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_deterministic_and_applying_it_converges_to_silence() {
    for_every_control(async |control| {
        let stage = Stage::ready_for(control).await;
        for region in stage.regions(control) {
            let first = stage
                .look(control, &region)
                .await
                .expect("it can be observed");
            let second = stage
                .look(control, &region)
                .await
                .expect("it can be observed again");
            assert_eq!(
                first,
                second,
                "{}: two looks at the same world",
                control.descriptor().id
            );
            assert!(
                !first.changes.is_empty(),
                "{} in {region} has nothing to do in a bare world, so this proves nothing",
                control.descriptor().id
            );

            stage.converge(control, &region).await;
            let before = stage.world.mutating_calls();
            let look = stage
                .look(control, &region)
                .await
                .expect("it can be observed");
            assert!(
                look.changes.is_empty(),
                "{}: {:?}",
                control.descriptor().id,
                look.changes
            );
            assert_eq!(
                before,
                stage.world.mutating_calls(),
                "{}: a look at what is in sync changed something",
                control.descriptor().id
            );
        }
        stage.world.assert_sound();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_applied_twice_is_a_change_applied_once() {
    for_every_control(async |control| {
        let stage = Stage::ready_for(control).await;
        for region in stage.regions(control) {
            let mut rounds = 0;
            loop {
                match stage.look_and_apply(control, &region, 2).await {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) if error.kind.help() == Help::Nobody => {}
                    Err(error) => panic!(
                        "{} in {region}, applied twice: {error}",
                        control.descriptor().id
                    ),
                }
                rounds += 1;
                assert!(
                    rounds < 600,
                    "{} in {region} never gets in sync",
                    control.descriptor().id
                );
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_at_any_call_before_aws_acts_it_converges_when_started_again() {
    for_every_control(async |control| stopped_at_any_call(control, &Kind::TimeoutBefore).await)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_at_any_call_after_aws_acted_it_converges_when_started_again() {
    for_every_control(async |control| stopped_at_any_call(control, &Kind::TimeoutAfter).await)
        .await;
}

async fn stopped_at_any_call(control: &'static dyn AnyControl, kind: &Kind) {
    let services: std::collections::BTreeSet<&str> = control
        .descriptor()
        .actions
        .iter()
        .filter_map(|action| action.split_once(':').map(|(service, _)| service))
        .collect();
    let of_account = matches!(control.descriptor().scope, Scope::Account | Scope::Region);
    let mut stage = Stage::ready_for(control).await;
    for service in services {
        let mut accounts = 0;
        for skip in 0.. {
            let region = stage.regions(control).pop().expect("there is a Region");
            let fault = Plan {
                service: service.to_owned(),
                operation: None,
                account: None,
                region: None,
                count: Some(1),
                skip,
                probability: None,
                kind: kind.clone(),
            };
            let fault = stage.world.sim.shared().faults().plan(fault);
            // The first try runs into the fault; what it answers does not matter, what it left behind does.
            let _ = stage.look_and_apply(control, &region, 1).await;
            stage.converge(control, &region).await;
            let fired = stage
                .world
                .sim
                .shared()
                .faults()
                .list()
                .iter()
                .any(|known| known.id == fault && known.fired == 1);
            stage.world.sim.shared().faults().clear();
            assert!(
                fired || skip > 0,
                "{}: no call to {service} was stopped",
                control.descriptor().id
            );
            if !fired {
                break;
            }
            if of_account {
                accounts += 1;
                stage.another_account(accounts).await;
                stage.converge_before(control).await;
            } else {
                stage = Stage::ready_for(control).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_disturbed_is_restored() {
    for_every_control(async |control| {
        let stage = Stage::ready_for(control).await;
        let region = stage.regions(control).pop().expect("there is a Region");
        for region in stage.regions(control) {
            stage.converge(control, &region).await;
        }
        let disturbances = disturbances(control.descriptor().id.as_str(), &stage, &region);
        assert!(
            !disturbances.is_empty(),
            "{} has no disturbance in this test: add one",
            control.descriptor().id
        );
        for disturbance in disturbances {
            stage.world.tamper(&disturbance);
            let look = stage
                .look(control, &region)
                .await
                .expect("it can be observed");
            assert!(
                !look.changes.is_empty(),
                "{} does not see {disturbance}",
                control.descriptor().id
            );
            stage.converge(control, &region).await;
        }
    })
    .await;
}

/// What a test does to AWS behind each control's back: see awsim's `tamper`.
fn disturbances(control: &str, stage: &Stage, region: &Region) -> Vec<Value> {
    let account = stage.account.to_string();
    let member = |service: &str, action: &str| json!({ "service": service, "action": action, "account": account, "region": region });
    match control {
        "config.recorder" => [
            "stop_recorder",
            "delete_recorder",
            "edit_recorder",
            "delete_channel",
            "edit_channel",
        ]
        .iter()
        .map(|action| member("config", action))
        .collect(),
        _ => Vec::new(),
    }
}

#[test]
fn the_second_region_is_governed() {
    assert!(landfall_tests::world::LANDING_ZONE.contains(ELSEWHERE));
}
