//! The laws that every control keeps, whatever it is about. A control is tried by being registered.
//!
//! 1. A plan depends on what was observed and on nothing else.
//! 2. Applying what was planned converges.
//! 3. Applying a change twice is applying it once.
//! 4. Once converged, a look changes nothing.
//! 5. Whatever is disturbed is restored, and the call that disturbed it leads to a look at once.
//!
//! What holds when a call fails stands in `faults`.

mod faults;

use landfall_controls::control::AnyControl;
use landfall_controls::registry;
use landfall_model::cloud_error::Help;
use landfall_model::concern::concerns;
use landfall_model::ids::Region;
use landfall_model::scp::ScpTarget;
use landfall_tests::stage::{self, ELSEWHERE, Stage};
use serde_json::{Value, json};

/// Runs a law on every control, or on those whose ids begin with one of what `LAWS_FOR` names, with commas between them.
async fn for_every_control(law: impl AsyncFn(&'static dyn AnyControl)) {
    let only = std::env::var("LAWS_FOR").ok();
    for control in registry::controls().values() {
        if only.as_ref().is_some_and(|only| {
            !only
                .split(',')
                .any(|named| control.descriptor().id.as_str().starts_with(named))
        }) {
            continue;
        }
        eprintln!("{}", control.descriptor().id);
        Box::pin(law(control.as_ref())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_deterministic_and_applying_it_converges_to_silence() {
    for_every_control(async |control| {
        let stage = ready_for(control).await;
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
                !first.changes.is_empty()
                    || ONLY_WATCHES.contains(&control.descriptor().id.as_str()),
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
        let stage = ready_for(control).await;
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
async fn what_is_disturbed_is_restored() {
    for_every_control(async |control| {
        let stage = ready_for(control).await;
        let region = stage.regions(control).pop().expect("there is a Region");
        for region in stage.regions(control) {
            stage.converge(control, &region).await;
        }
        let disturbances = disturbances(control.descriptor().id.as_str(), &stage, &region).await;
        assert!(
            !disturbances.is_empty(),
            "{} has no disturbance in this test: add one",
            control.descriptor().id
        );
        let mut told = 0;
        for disturbance in disturbances {
            let id = control.descriptor().id.as_str();
            // What AWS does by itself is no call, and waits for the sweep.
            if let Some((service, event)) = stage.world.call_behind(&disturbance) {
                told += 1;
                assert!(
                    concerns(service, &event).any(|(_, control)| control == id),
                    "nobody looks at {id} when {disturbance} is told as {event} of {service}: see step 7 of docs/adding-a-control.md"
                );
            }
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
            if ONLY_WATCHES.contains(&control.descriptor().id.as_str()) {
                stage.converge_before(control).await;
            }
            stage.converge(control, &region).await;
        }
        assert!(
            told > 0,
            "awsim tells of nothing that disturbs {}: see step 7 of docs/adding-a-control.md",
            control.descriptor().id
        );
    })
    .await;
}

/// A world in which the control has something to do.
async fn ready_for(control: &dyn AnyControl) -> Stage {
    let stage = Stage::ready_for(control).await;
    unsettle(control, &stage).await;
    stage
}

/// Takes away what a control guarantees where new accounts come with it.
async fn unsettle(control: &dyn AnyControl, stage: &Stage) {
    let id = control.descriptor().id.as_str();
    if !COMES_WITH_NEW_ACCOUNTS.contains(&id) {
        return;
    }
    for region in stage.regions(control) {
        for disturbance in disturbances(id, stage, &region).await {
            stage.world.tamper(&disturbance);
        }
    }
}

/// Controls of what AWS has set so in new accounts.
const COMES_WITH_NEW_ACCOUNTS: &[&str] =
    &["ec2.image-block-public-access", "ec2.serial-console-access"];

/// Controls that change nothing themselves: another control restores what they see disturbed.
const ONLY_WATCHES: &[&str] = &["cloudtrail.trail"];

/// What a test does to AWS behind each control's back: see awsim's `tamper`.
async fn disturbances(control: &str, stage: &Stage, region: &Region) -> Vec<Value> {
    let application = stage.account.to_string();
    let security = stage.security_account().to_string();
    let each = |service: &str, account: &str, actions: &[&str]| {
        let one = |action: &&str| json!({ "service": service, "action": action, "account": account, "region": region });
        actions.iter().map(one).collect::<Vec<_>>()
    };
    let with = |mut tamper: Value, member: &str, value: &str| {
        tamper[member] = json!(value);
        tamper
    };
    let bucket = stage.log_bucket();
    match control {
        "accessanalyzer.analyzer" => each("access-analyzer", &application, &["delete_analyzers", "fail_analyzers"]),
        "accessanalyzer.organization-analyzer" => each("access-analyzer", &security, &["delete_analyzers", "fail_analyzers"]),
        "account.alternate-contacts" => ["BILLING", "OPERATIONS", "SECURITY"]
            .iter()
            .map(|kind| json!({ "service": "account", "action": "delete_alternate_contact", "account": application, "type": kind }))
            .chain([json!({ "service": "account", "action": "edit_alternate_contact", "account": application, "type": "SECURITY", "contact": { "EmailAddress": "elsewhere@example.com" } })])
            .collect(),
        "account.name-and-tags" => vec![
            json!({ "service": "organizations", "action": "rename_account", "account": application, "name": "Somebody's" }),
            json!({ "service": "organizations", "action": "edit_tag", "resource": application, "key": "landfall:owner", "value": "other@example.com" }),
            json!({ "service": "organizations", "action": "delete_tag", "resource": application, "key": "team" }),
        ],
        "account.regions" => each("account", &application, &["disable_region"]),
        "cloudtrail.trail" => each("cloudtrail", MANAGEMENT, &["stop_logging", "delete_trail"]),
        "cloudtrail.organization-trail" => {
            let mut all = each("cloudtrail", MANAGEMENT, &["stop_logging", "delete_trail"]);
            for setting in ["multi_region", "validation", "global_events", "organization"] {
                all.push(json!({ "service": "cloudtrail", "action": "edit_trail", setting: false }));
            }
            let some = json!([{ "ReadWriteType": "WriteOnly" }]);
            all.push(json!({ "service": "cloudtrail", "action": "edit_selectors", "event_selectors": some }));
            all
        }
        "config.aggregator" => each("config", &security, &["delete_aggregators"]),
        "config.recorder" => {
            let mut all = each("config", &application, &["stop_recorder", "delete_recorder", "edit_recorder", "delete_channel"]);
            all.extend(each("config", &application, &["edit_channel"]).into_iter().map(|tamper| with(tamper, "frequency", "Three_Hours")));
            all
        }
        "ec2.default-vpc" => each("ec2", &application, &["create_default_vpc"]),
        "ec2.ebs-encryption" => each("ec2", &application, &["disable_ebs_encryption"]),
        "ec2.image-block-public-access" => each("ec2", &application, &["allow_image_sharing"]),
        "ec2.instance-metadata-defaults" => {
            let mut all = each("ec2", &application, &["reset_metadata_defaults"]);
            all.extend(each("ec2", &application, &["edit_metadata_defaults"]).into_iter().map(|tamper| with(with(tamper, "member", "HttpTokens"), "value", "optional")));
            all
        }
        "ec2.serial-console-access" => each("ec2", &application, &["open_serial_console"]),
        "ec2.snapshot-block-public-access" => each("ec2", &application, &["allow_snapshot_sharing"]),
        "guardduty.detector" => {
            let mut all = each("guardduty", &application, &["delete_detector", "suspend_detector"]);
            all.extend(each("guardduty", &application, &["disable_feature"]).into_iter().map(|tamper| with(tamper, "feature", "S3_DATA_EVENTS")));
            all
        }
        "guardduty.membership" => each("guardduty", &application, &["disassociate_member"]),
        "guardduty.organization" => each("guardduty", &security, &["delete_detector"]),
        "iam.bootstrap-role" => vec![stage::bootstrap_role(&stage.account)],
        "iam.execution-role" => [
            json!({ "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{MANAGEMENT}:root") }, "Action": "sts:AssumeRole" }),
            json!({ "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{security}:root") }, "Action": "sts:AssumeRole" }),
        ]
        .map(|statement| json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string())
        .map(|trust| json!({ "service": "iam", "action": "edit_role_trust", "account": application, "role": "LandfallExecution", "policy": trust }))
        .into(),
        "iam.password-policy" => {
            let mut all = each("iam", &application, &["delete_password_policy"]);
            for (member, value) in [("MinimumPasswordLength", json!(8)), ("PasswordReusePrevention", json!(1)), ("MaxPasswordAge", json!(30)), ("RequireSymbols", json!(true)), ("AllowUsersToChangePassword", json!(false))] {
                all.push(json!({ "service": "iam", "action": "edit_password_policy", "account": application, "policy": { member: value } }));
            }
            all
        }
        "iam.service-linked-roles" => {
            vec![json!({ "service": "iam", "action": "delete_role", "account": application, "role": "AWSServiceRoleForConfig" })]
        }
        "organizations.delegated-administrators" => {
            vec![json!({ "service": "organizations", "action": "deregister_administrator", "account": security, "service_principal": "config.amazonaws.com" })]
        }
        "organizations.placement" => {
            vec![json!({ "service": "organizations", "action": "move_account", "account": application, "to": stage.root_id() })]
        }
        "organizations.policies" => {
            let sandbox = stage.unit_id("Applications/Sandbox").await;
            let full = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
            let on_root = stage.packed(&ScpTarget::Root);
            let in_quarantine = stage.packed(&ScpTarget::Unit(stage.world.zone.quarantine.clone()));
            let in_admin = stage.packed(&ScpTarget::Unit("Admin".parse().expect("a path")));
            let before = json!({ "service": "organizations", "action": "create_scp", "policy": "landfall-deny-root-user", "description": "Kept by Landfall", "content": full });
            stage.world.tamper(&before);
            vec![
                json!({ "service": "organizations", "action": "detach_scp", "policy": on_root, "target": stage.root_id() }),
                json!({ "service": "organizations", "action": "attach_scp", "policy": in_quarantine, "target": sandbox }),
                json!({ "service": "organizations", "action": "attach_scp", "policy": in_quarantine, "target": application }),
                json!({ "service": "organizations", "action": "edit_scp", "policy": in_admin, "content": full }),
                with(before, "policy", "landfall-from-before"),
            ]
        }
        "organizations.trusted-access" => {
            vec![json!({ "service": "organizations", "action": "disable_trusted_access", "service_principal": "guardduty.amazonaws.com" })]
        }
        "organizations.units" => {
            let sandbox = stage.unit_id("Applications/Sandbox").await;
            vec![json!({ "service": "organizations", "action": "rename_ou", "ou": sandbox, "name": "Playground" })]
        }
        "s3.account-public-access-block" => ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"]
            .iter()
            .map(|setting| json!({ "service": "s3control", "action": "set_public_access_block", "account": application, "setting": setting, "on": false }))
            .chain([json!({ "service": "s3control", "action": "remove_public_access_block", "account": application })])
            .collect(),
        "s3.log-bucket" => ["delete_bucket_policy", "suspend_versioning", "remove_public_access_block"]
            .iter()
            .map(|action| json!({ "service": "s3", "action": action, "bucket": bucket }))
            .chain([json!({ "service": "s3", "action": "set_ownership", "bucket": bucket, "ownership": "ObjectWriter" })])
            .collect(),
        "securityhub.hub" => each("securityhub", &application, &["disable_hub"]),
        "securityhub.membership" => each("securityhub", &application, &["disassociate_member"]),
        "securityhub.organization" => each("securityhub", &security, &["disable_hub"]),
        "securityhub.standards" => each("securityhub", &application, &["disable_standard"])
            .into_iter()
            .map(|tamper| with(tamper, "standard", "aws-foundational-security-best-practices/v/1.0.0"))
            .collect(),
        _ => Vec::new(),
    }
}

const MANAGEMENT: &str = "111111111111";

#[test]
fn the_second_region_is_governed() {
    assert!(landfall_tests::world::LANDING_ZONE.contains(ELSEWHERE));
}
