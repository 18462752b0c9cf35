//! Taking over accounts that were there before, with what they have.

use std::collections::BTreeMap;
use std::sync::Arc;

use landfall_controls::cloud::{Cloud, Errand};
use landfall_controls::control::AnyControl;
use landfall_controls::enrollment::BOOTSTRAP_ROLE;
use landfall_controls::session::Session;
use landfall_controls::{registry, vending};
use landfall_model::account::Phase;
use landfall_model::creation::Sighting;
use landfall_model::finding::Severity;
use landfall_model::ids::Email;
use landfall_model::place::{Organization, Place};
use landfall_server::enrollment::Examiner;
use landfall_server::store::{Added, NewRequest, Purpose};
use landfall_tests::world::{
    Running, World, ask, eventually, in_aws, in_phase, in_two_regions, organization_in_sync,
};
use serde_json::json;

/// A session of a control in an account, through a role of the test's choice.
fn session(cloud: &Cloud, place: &Place, control: &dyn AnyControl) -> Session {
    let actions = control.descriptor().actions;
    Session::new(
        cloud.clone(),
        Arc::new(place.clone()),
        "test".to_owned(),
        true,
        actions.iter().copied().collect(),
        actions,
    )
}

/// Sets up by hand, in every Region, what the baseline of sandboxes wants of a control; `rename` may give things other names.
async fn by_hand(
    world: &World,
    cloud: &Cloud,
    place: &Place,
    id: &str,
    rename: impl Fn(&mut serde_json::Value),
) {
    let control = registry::control(&id.parse().expect("an id")).expect("it is registered");
    let baseline = world.catalogue.baselines.get("sandbox").expect("embedded");
    let entry = &baseline.controls[&control.descriptor().id];
    let regions = if control.descriptor().scope.is_regional() {
        world.zone.governed_regions.clone()
    } else {
        vec![world.zone.home_region.clone()]
    };
    for region in regions {
        let place = Place {
            region,
            ..place.clone()
        };
        let session = session(cloud, &place, control);
        let parameters = entry.parameters_at(&place.region, None);
        let desired = control
            .desired(&parameters, &place)
            .expect("it is resolved");
        let look = control.look(&session, &desired).await.expect("it is seen");
        for mut change in look.changes {
            rename(&mut change.change);
            control
                .apply(&session, &change)
                .await
                .unwrap_or_else(|error| panic!("{id}: {}: {error}", change.sentence));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_made_by_hand_is_adopted_with_what_it_has() {
    let (world, database) = in_two_regions().await;
    let store = &database.store;
    let running = Running::start(&world, store).await;
    let first = ask(&world, store, "Payments").await;
    in_phase(store, &first, Phase::Governed).await;
    organization_in_sync(store).await;

    // Somebody made an account with Organizations' default role, and set things up their own way.
    let errand = Errand {
        account: world.zone.management_account.clone(),
        region: world.zone.home_region.clone(),
        actions: vending::ACTIONS.iter().copied().collect(),
        reason: "test".to_owned(),
        young: false,
        shared: true,
    };
    let aws = world.cloud.assume(&errand).await.expect("the role");
    let email: Email = "aws+legacy@example.com".parse().expect("an e-mail");
    let status = vending::create_account(&aws, "Legacy", &email, BOOTSTRAP_ROLE, &[].into())
        .await
        .expect("AWS takes it");
    let number = eventually(
        "the account made by hand",
        async || match vending::creation_status(&aws, &status)
            .await
            .expect("it is told")
        {
            Sighting::Exists(account) => Some(account),
            _ => None,
        },
    )
    .await;
    let theirs = world.cloud.with_execution_role(BOOTSTRAP_ROLE);
    eventually("its role", async || {
        landfall_controls::preflight::execution_role(&theirs, &number, &world.zone.home_region)
            .await
            .ok()
    })
    .await;
    let found = vending::describe_organization(&aws)
        .await
        .expect("it is there");
    let foundation = async |purpose| {
        let account = store.account_by_purpose(purpose).await.expect("the store");
        account.and_then(|account| account.account_id)
    };
    let place = Place {
        landing_zone: world.zone.clone(),
        scps: Arc::default(),
        organization: Arc::new(Organization {
            id: found.id,
            root_id: found.root_id,
            management_account: found.management_account,
            log_archive_account: foundation(Purpose::LogArchive).await,
            security_account: foundation(Purpose::Security).await,
        }),
        account: number.clone(),
        account_name: None,
        account_tags: BTreeMap::new(),
        email: email.clone(),
        organizational_unit: None,
        region: world.zone.home_region.clone(),
    };
    by_hand(&world, &theirs, &place, "iam.service-linked-roles", |_| {}).await;
    by_hand(&world, &theirs, &place, "config.recorder", |change| {
        for kind in ["put_recorder", "put_channel", "start"] {
            if let Some(named) = change.get_mut(kind) {
                named["name"] = json!("theirs");
            }
        }
    })
    .await;
    by_hand(&world, &theirs, &place, "guardduty.detector", |_| {}).await;
    by_hand(&world, &theirs, &place, "securityhub.hub", |_| {}).await;

    let sandbox = "Applications/Sandbox".parse().expect("a path");
    let examiner = Examiner {
        cloud: world.fresh_cloud().await,
        landing_zone: world.zone.clone(),
        catalogue: Arc::new(world.catalogue.clone()),
    };
    let before = world.mutating_calls();
    let report = examiner
        .examine(&number, Some(&sandbox))
        .await
        .expect("it can be looked at")
        .expect("it is a member");
    assert_eq!(before, world.mutating_calls(), "looking changes nothing");
    let about = |subject: &str| {
        report
            .findings
            .iter()
            .filter(|finding| finding.subject == subject)
            .map(|finding| finding.severity)
            .collect::<Vec<_>>()
    };
    assert_eq!(about("execution role"), [Severity::Landfall]);
    assert_eq!(about("organizational unit"), [Severity::Landfall]);
    assert!(!about("ec2.default-vpc").is_empty());
    for adopted in ["config.recorder", "guardduty.detector", "securityhub.hub"] {
        assert_eq!(
            about(adopted),
            [Severity::Fine],
            "{adopted}: {:#?}",
            report.findings
        );
    }

    let form = landfall_model::request::RequestForm {
        organizational_unit: "Applications/Sandbox".to_owned(),
        email: Some(email.to_string()),
        ..landfall_tests::world::form("Legacy")
    };
    let request = form.check_existing(&world.zone).expect("the form is right");
    let new = NewRequest {
        id: uuid::Uuid::now_v7(),
        request: &request,
        email,
        purpose: Purpose::Application,
        requested_by: "ann",
        existing: Some(number.clone()),
        idempotency: None,
    };
    let added = store
        .add_request(&new, jiff::Timestamp::now())
        .await
        .expect("the store");
    let Added::New(account) = added else {
        panic!("{added:?}")
    };
    in_phase(store, &account, Phase::Governed).await;
    running.stop().await;
    assert_eq!(in_aws(&world, &number).1, "Applications/Sandbox");

    let after = world.mutating_calls();
    let made = |operation: &str| {
        after.get(operation).copied().unwrap_or(0) - before.get(operation).copied().unwrap_or(0)
    };
    for again in [
        "config:PutConfigurationRecorder",
        "guardduty:CreateDetector",
        "securityhub:EnableSecurityHub",
    ] {
        assert_eq!(
            made(again),
            0,
            "{again} made a second one, or fought the first"
        );
    }
    assert_eq!(made("iam:CreateRole"), 1, "the execution role");
    // Default VPCs that nobody uses go, as the report said. Nothing else is taken away.
    for operation in after.keys().filter(|one| !one.starts_with("ec2:")) {
        assert!(!operation.contains(":Delete"), "{operation}");
    }
    let cells = store.cells(account.target()).await.expect("cells");
    for cell in cells
        .iter()
        .filter(|cell| cell.key.control.as_str() == "config.recorder")
    {
        let seen = cell.observed.as_ref().expect("it was seen").to_value();
        assert_eq!(seen["recorder"]["name"], "theirs", "{seen}");
    }
    let events = store
        .events(account.target(), 0, 5_000)
        .await
        .expect("events");
    for event in &events {
        assert!(!event.sentence.contains("Quarantine"), "{}", event.sentence);
    }
    world.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_no_role_opens_is_told_what_to_do() {
    let (world, _database) = in_two_regions().await;
    let errand = Errand {
        account: world.zone.management_account.clone(),
        region: world.zone.home_region.clone(),
        actions: vending::ACTIONS.iter().copied().collect(),
        reason: "test".to_owned(),
        young: false,
        shared: true,
    };
    let aws = world.cloud.assume(&errand).await.expect("the role");
    let email: Email = "aws+legacy@example.com".parse().expect("an e-mail");
    let status = vending::create_account(&aws, "Legacy", &email, "SomeOtherRole", &[].into())
        .await
        .expect("AWS takes it");
    let number = eventually(
        "the account made by hand",
        async || match vending::creation_status(&aws, &status)
            .await
            .expect("it is told")
        {
            Sighting::Exists(account) => Some(account),
            _ => None,
        },
    )
    .await;
    let examiner = Examiner {
        cloud: world.fresh_cloud().await,
        landing_zone: world.zone.clone(),
        catalogue: Arc::new(world.catalogue.clone()),
    };
    let report = examiner
        .examine(&number, None)
        .await
        .expect("it can be looked at")
        .expect("it is a member");
    let role = report
        .findings
        .iter()
        .find(|finding| finding.subject == "execution role")
        .expect("it is looked at");
    assert_eq!(role.severity, Severity::Mend);
    let mend = role.mend.as_deref().unwrap_or_default();
    assert!(
        mend.contains("aws iam create-role --role-name LandfallExecution")
            && mend.contains("arn:aws:iam::111111111111:root"),
        "{mend}"
    );
    let stranger = "999999999999".parse().expect("a number");
    let nobody = examiner.examine(&stranger, None).await;
    assert!(nobody.expect("it can be looked for").is_none());
}
