//! A default VPC that somebody uses is left alone, whenever they began to use it.

use landfall_controls::control::AnyControl;
use landfall_controls::registry;
use landfall_model::cloud_error::{CloudErrorKind, Help};
use landfall_model::ids::Region;
use landfall_tests::stage::{ELSEWHERE, Stage};
use serde_json::{Value, json};

fn control() -> &'static dyn AnyControl {
    let id = "ec2.default-vpc".parse().expect("an id");
    registry::control(&id).expect("it is registered")
}

fn here() -> Region {
    ELSEWHERE.parse().expect("a Region")
}

/// Does something in the account's default VPC as somebody at the console would, and answers its id.
fn somebody(stage: &Stage, action: &str, member: &str, value: Value) -> String {
    let mut request = json!({ "service": "ec2", "action": action, "account": stage.account, "region": ELSEWHERE });
    request[member] = value;
    let answer = stage.world.tamper(&request);
    answer["id"].as_str().unwrap_or_default().to_owned()
}

fn changes_in_ec2(stage: &Stage) -> u64 {
    let calls = stage.world.mutating_calls();
    let of_ec2 = calls.iter().filter(|(name, _)| name.starts_with("ec2:"));
    of_ec2.map(|(_, count)| count).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_a_default_vpc_keeps_it_until_it_is_gone() {
    let stage = Stage::ready_for(control()).await;
    for action in ["add_interface", "add_security_group"] {
        let id = somebody(&stage, action, "public", json!(false));
        let look = stage.look(control(), &here()).await.expect("it is seen");
        assert!(look.changes[0].sentence.contains(&id), "{:?}", look.changes);

        let refusal = stage.look_and_apply(control(), &here(), 1).await;
        let refusal = refusal.expect_err("a person is needed");
        assert_eq!(refusal.kind.help(), Help::PlatformTeam);
        assert!(refusal.message.contains(&id), "{refusal}");
        assert_eq!(changes_in_ec2(&stage), 0, "nothing was touched");
        somebody(&stage, "remove", "id", json!(id));
    }
    stage.converge(control(), &here()).await;
    stage.world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_use_that_begins_between_the_look_and_the_step_stops_the_removal() {
    let stage = Stage::ready_for(control()).await;
    let planned = stage.look(control(), &here()).await.expect("it is seen");
    let interface = somebody(&stage, "add_interface", "public", json!(true));
    let mut refusal = None;
    for change in &planned.changes {
        if let Err(error) = stage.apply(control(), &here(), change).await {
            refusal = Some(error);
            break;
        }
    }
    let refusal = refusal.expect("EC2 refuses a step");
    assert_eq!(refusal.kind, CloudErrorKind::Conflict, "{refusal}");
    assert!(refusal.request_id.is_some(), "{refusal:?}");

    let look = stage.look(control(), &here()).await.expect("it is seen");
    assert!(look.changes[0].sentence.contains(&interface));
    assert_eq!(
        look.observed.to_value()["vpc"]["gateways"][0]["attached"],
        true
    );
    somebody(&stage, "remove", "id", json!(interface));
    stage.converge(control(), &here()).await;
}
