//! Membership by invitation, and the organization trail from a member's side: what the laws do not show.

use landfall_controls::control::AnyControl;
use landfall_controls::registry;
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::ids::{Email, Region};
use landfall_tests::stage::Stage;
use landfall_tests::world::{LANDING_ZONE, World};
use serde_json::json;

fn control(id: &str) -> &'static dyn AnyControl {
    registry::control(&id.parse().expect("an id")).expect("it is registered")
}

async fn by_invitation() -> Stage {
    let zone = LANDING_ZONE.replace(
        r#"membership = "organization""#,
        r#"membership = "invitation""#,
    );
    assert_ne!(zone, LANDING_ZONE);
    Stage::new(World::with(&zone).await).await
}

/// Looks and applies until an error that time does not heal.
async fn first_lasting_error(stage: &Stage, control: &dyn AnyControl, region: &Region) -> String {
    for _ in 0..600 {
        match stage.look_and_apply(control, region, 1).await {
            Err(error) if error.kind == CloudErrorKind::Invalid => return error.to_string(),
            Ok(0) => panic!("it got in sync"),
            Ok(_) | Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
    panic!("it never says what is wrong");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invited_account_accepts_and_both_sides_say_so() {
    let stage = by_invitation().await;
    for id in ["guardduty.membership", "securityhub.membership"] {
        let control = control(id);
        stage.converge_before(control).await;
        for region in stage.regions(control) {
            stage.converge(control, &region).await;
            let before = stage.world.mutating_calls();
            let look = stage
                .look(control, &region)
                .await
                .expect("it can be observed");
            assert!(look.changes.is_empty(), "{id}: {:?}", look.changes);
            assert_eq!(before, stage.world.mutating_calls());
            let security = stage.security_account().as_str();
            let observed = look.observed.to_value();
            assert_eq!(observed["administrator"], json!(security), "{id}");
            assert_eq!(observed["listed"]["status"], json!("Enabled"), "{id}");
        }
    }
    let calls = stage.world.mutating_calls();
    for service in ["guardduty", "securityhub"] {
        let accepted = calls.get(&format!("{service}:AcceptAdministratorInvitation"));
        assert_eq!(accepted, Some(&2), "once in each Region: {calls:?}");
    }
    stage.world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_email_is_named_and_a_corrected_one_accepted() {
    let mut stage = by_invitation().await;
    let control = control("guardduty.membership");
    stage.converge_before(control).await;
    let region = stage.world.zone.home_region.clone();
    let right = stage.email.clone();
    stage.email = "aws+someone-else@example.com"
        .parse::<Email>()
        .expect("an e-mail");
    let error = first_lasting_error(&stage, control, &region).await;
    assert!(error.contains("aws+someone-else@example.com"), "{error}");
    stage.email = right;
    stage.converge(control, &region).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_waits_for_the_organization_to_mend_its_trail() {
    let stage = Stage::new(World::new().await).await;
    let (trail, organization) = (
        control("cloudtrail.trail"),
        control("cloudtrail.organization-trail"),
    );
    let home = stage.world.zone.home_region.clone();
    let look = stage.look(trail, &home).await.expect("it can be observed");
    assert_eq!(look.changes.len(), 1, "there is no trail yet");
    let error = stage
        .look_and_apply(trail, &home, 1)
        .await
        .expect_err("a member has nothing to do");
    assert_eq!(error.kind, CloudErrorKind::NotReady);

    stage.converge_before(trail).await;
    for region in stage.regions(trail) {
        stage.converge(trail, &region).await;
    }
    stage.world.tamper(&json!({
        "service": "cloudtrail",
        "action": "stop_logging",
        "trail": landfall_controls::names::TRAIL,
        "account": stage.world.zone.management_account,
        "region": home,
    }));
    let error = stage
        .look_and_apply(trail, &home, 1)
        .await
        .expect_err("it does not log");
    assert!(error.to_string().contains("logs again"), "{error}");
    stage.converge(organization, &home).await;
    stage.converge(trail, &home).await;
}
