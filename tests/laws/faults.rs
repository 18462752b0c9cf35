//! The law of faults: whatever befalls any one call of a control, the control says so and converges when it is tried again.
//!
//! Every control is brought in sync again and again, each time with one fault: first in its first call to a service, then
//! in its second, until it makes no further one. So every call that it makes meets every kind of fault, and a control that
//! makes a new call tomorrow is tried with that as well.

use std::collections::BTreeSet;
use std::time::Duration;

use awsim::faults::{Kind, Plan};
use landfall_controls::control::AnyControl;
use landfall_model::cloud_error::Help;
use landfall_model::control::Scope;
use landfall_model::ids::Region;
use landfall_tests::stage::Stage;

use super::{ONLY_WATCHES, for_every_control, ready_for, unsettle};

#[tokio::test(flavor = "multi_thread")]
async fn refused_in_every_way_before_aws_acts() {
    // A throttled call is sent again at once and acts then, so that comes last.
    let kinds = [
        Kind::TimeoutBefore,
        Kind::Error5xx,
        Kind::AccessDenied,
        Kind::Throttle,
    ];
    for_every_control(async |control| befall_every_call(control, &kinds).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_after_aws_acted() {
    for_every_control(async |control| befall_every_call(control, &[Kind::TimeoutAfter]).await)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answered_as_before_the_last_change() {
    for_every_control(async |control| befall_every_call(control, &[Kind::StaleRead]).await).await;
}

/// Has each call of a control meet the first of `kinds`, and then the others: where AWS did nothing, the control makes the
/// same call again.
async fn befall_every_call(control: &'static dyn AnyControl, kinds: &[Kind]) {
    let id = &control.descriptor().id;
    let actions = control.descriptor().actions.iter();
    let services: BTreeSet<&str> = actions
        .filter_map(|action| action.split_once(':').map(|(service, _)| service))
        .collect();
    let of_account = matches!(control.descriptor().scope, Scope::Account | Scope::Region);
    let mut stage = ready_for(control).await;
    // Services and operations, by kind.
    let mut reached: Vec<BTreeSet<(&str, String)>> = vec![BTreeSet::new(); kinds.len()];
    let mut tries = 0;
    for service in services {
        for skip in 0.. {
            // Each try begins where there is something to do.
            if tries > 0 && of_account {
                stage.another_account(tries).await;
                stage.converge_before(control).await;
                unsettle(control, &stage).await;
            } else if tries > 0 {
                stage = ready_for(control).await;
            }
            tries += 1;
            let region = stage.regions(control).pop().expect("there is a Region");
            let before = stage.world.calls_of(service);
            let (first, others) = kinds.split_first().expect("there are kinds");
            let nth = Plan {
                service: service.to_owned(),
                operation: None,
                account: None,
                region: None,
                count: Some(1),
                skip,
                probability: None,
                kind: first.clone(),
            };
            let Some(operation) = until_befallen(control, &stage, &region, &nth).await else {
                // Nothing befell it this time, so these are all of its calls. (A stale answer befalls those alone that
                // the control asks again after a change. Some services are listed only because AWS asks them on the
                // caller's behalf.)
                let called = stage.world.calls_of(service);
                let missed = called
                    .iter()
                    .filter(|(operation, count)| before.get(*operation) != Some(count))
                    .find(|(operation, _)| !reached[0].contains(&(service, (*operation).clone())));
                if *first != Kind::StaleRead {
                    assert_eq!(missed, None, "{id} calls what no {first:?} befell");
                }
                break;
            };
            // What was asked for before the fault may take effect meanwhile, and then there is no need to ask again.
            for (kind, reached) in others.iter().zip(&mut reached[1..]) {
                let same = Plan {
                    operation: Some(operation.clone()),
                    skip: 0,
                    kind: kind.clone(),
                    ..nth.clone()
                };
                let befell = until_befallen(control, &stage, &region, &same).await;
                reached.extend(befell.map(|operation| (service, operation)));
            }
            stage.converge(control, &region).await;
            reached[0].insert((service, operation));
        }
    }
    let nothing_changes = kinds == [Kind::StaleRead] && ONLY_WATCHES.contains(&id.as_str());
    assert!(
        nothing_changes || !reached[0].is_empty(),
        "{id}: no call met {kinds:?}"
    );
    // Some calls are made but once, in a row with those that change what the next look sees.
    for (kind, met) in kinds.iter().zip(&reached) {
        for (service, operation) in reached[0].difference(met) {
            let stage = ready_for(control).await;
            let region = stage.regions(control).pop().expect("there is a Region");
            let first = Plan {
                service: (*service).to_owned(),
                operation: Some(operation.clone()),
                account: None,
                region: None,
                count: Some(1),
                skip: 0,
                probability: None,
                kind: kind.clone(),
            };
            let befell = until_befallen(control, &stage, &region, &first).await;
            assert!(befell.is_some(), "{id}: {operation} never met {kind:?}");
            stage.converge(control, &region).await;
        }
    }
}

/// Tries the control until the fault befalls a call of it, which it has to admit; the operation, or `None` when it is in
/// sync before.
async fn until_befallen(
    control: &dyn AnyControl,
    stage: &Stage,
    region: &Region,
    fault: &Plan,
) -> Option<String> {
    let id = &control.descriptor().id;
    let kind = &fault.kind;
    stage.world.sim.shared().faults().plan(fault.clone());
    for _ in 0..600 {
        let outcome = stage.look_and_apply(control, region, 1).await;
        let befell = stage.world.sim.shared().faults().list()[0].befell.clone();
        if let Some(operation) = befell {
            stage.world.sim.shared().faults().clear();
            // A throttled call is sent again by whoever sent it, and nobody can tell a stale answer.
            let unseen = matches!(kind, Kind::Throttle | Kind::StaleRead);
            assert!(
                unseen || outcome.is_err(),
                "{id} in {region} says nothing of {kind:?} in {operation}"
            );
            return Some(operation);
        }
        match outcome {
            Ok(0) => {
                stage.world.sim.shared().faults().clear();
                return None;
            }
            Ok(_) => {}
            Err(error) if error.kind.help() == Help::Nobody => {}
            Err(error) => panic!("{id} in {region}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{id} in {region} never gets in sync");
}
