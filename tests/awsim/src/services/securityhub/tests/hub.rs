use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{FSBP, HERE, ask, refusal, standards, subscribed};
use crate::call::AccountId;
use crate::services::scene::Scene;

#[test]
fn a_hub_is_on_once() {
    let mut scene = Scene::new();
    let account = scene.account("alone");
    let off = refusal(ask(&mut scene, "DescribeHub", account, json!({})));
    assert_eq!(off, ("InvalidAccessException".to_owned(), 401));
    ask(
        &mut scene,
        "EnableSecurityHub",
        account,
        json!({ "Tags": { "a": "1" } }),
    )
    .unwrap();
    let again = refusal(ask(&mut scene, "EnableSecurityHub", account, json!({})));
    assert_eq!(again, ("ResourceConflictException".to_owned(), 409));
    let names: Vec<String> = standards(&mut scene, account)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        [
            "aws-foundational-security-best-practices/v/1.0.0",
            "cis-aws-foundations-benchmark/v/1.2.0"
        ]
    );

    let update =
        json!({ "AutoEnableControls": false, "ControlFindingGenerator": "STANDARD_CONTROL" });
    ask(
        &mut scene,
        "UpdateSecurityHubConfiguration",
        account,
        update,
    )
    .unwrap();
    let hub = ask(&mut scene, "DescribeHub", account, json!({})).unwrap();
    let arn = format!("arn:aws:securityhub:{HERE}:{account}:hub/default");
    assert_eq!(hub["HubArn"], arn);
    assert_eq!(hub["AutoEnableControls"], false);
    assert_eq!(hub["ControlFindingGenerator"], "STANDARD_CONTROL");
    let tags = ask(
        &mut scene,
        "ListTagsForResource",
        account,
        json!({ "ResourceArn": arn }),
    )
    .unwrap();
    assert_eq!(tags["Tags"], json!({ "a": "1" }));

    ask(&mut scene, "DisableSecurityHub", account, json!({})).unwrap();
    ask(&mut scene, "DescribeHub", account, json!({})).unwrap_err();
}

#[test]
fn without_config_a_standard_stays_incomplete() {
    let mut scene = Scene::new();
    let account = subscribed(&mut scene, "alone");
    let input = json!({ "StandardsSubscriptionRequests": [{ "StandardsArn": FSBP }] });
    let answer = ask(&mut scene, "BatchEnableStandards", account, input.clone()).unwrap();
    let subscription = answer["StandardsSubscriptions"][0].clone();
    assert_eq!(subscription["StandardsStatus"], "PENDING");
    scene.after(SignedDuration::from_hours(1));
    let again = ask(&mut scene, "BatchEnableStandards", account, input).unwrap();
    let again = &again["StandardsSubscriptions"][0];
    assert_eq!(again["StandardsStatus"], "INCOMPLETE");
    assert_eq!(
        again["StandardsStatusReason"]["StatusReasonCode"],
        "NO_AVAILABLE_CONFIGURATION_RECORDER"
    );

    let input = json!({ "StandardsSubscriptionArns": [subscription["StandardsSubscriptionArn"]] });
    let answer = ask(&mut scene, "BatchDisableStandards", account, input.clone()).unwrap();
    assert_eq!(
        answer["StandardsSubscriptions"][0]["StandardsStatus"],
        "DELETING"
    );
    scene.after(SignedDuration::from_secs(10));
    assert!(standards(&mut scene, account).is_empty());
    let gone = refusal(ask(&mut scene, "BatchDisableStandards", account, input));
    assert_eq!(gone, ("InvalidInputException".to_owned(), 400));
}

#[test]
fn a_standard_has_an_arn_of_its_region() {
    let mut scene = Scene::new();
    let account = subscribed(&mut scene, "alone");
    let cases = [
        (FSBP, true),
        (
            "arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0",
            true,
        ),
        (
            "arn:aws:securityhub:eu-west-1::standards/cis-aws-foundations-benchmark/v/1.4.0",
            true,
        ),
        (
            "arn:aws:securityhub:eu-west-1::standards/cis-aws-foundations-benchmark/v/1.2.0",
            false,
        ),
        (
            "arn:aws:securityhub:us-east-1::standards/aws-foundational-security-best-practices/v/1.0.0",
            false,
        ),
        (
            "arn:aws:securityhub:eu-west-1::standards/pci-dss/v/0.0.1",
            false,
        ),
    ];
    for (arn, good) in cases {
        let input = json!({ "StandardsSubscriptionRequests": [{ "StandardsArn": arn }] });
        assert_eq!(
            ask(&mut scene, "BatchEnableStandards", account, input).is_ok(),
            good,
            "{arn}"
        );
    }
    let described = ask(&mut scene, "DescribeStandards", account, json!({})).unwrap();
    let arns: Vec<&Value> = described["Standards"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["StandardsArn"])
        .collect();
    assert!(
        cases
            .iter()
            .all(|(arn, good)| arns.contains(&&json!(arn)) == *good)
    );
}

/// Lets Config record in an account, with a bucket and a role of its own.
fn record(scene: &mut Scene, account: AccountId) {
    let bucket = format!("config-{account}");
    let mut call = |of, input| scene.call(of, account, HERE, input).unwrap();
    call(
        ("s3", "CreateBucket"),
        json!({ "Bucket": bucket, "CreateBucketConfiguration": { "LocationConstraint": HERE } }),
    );
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": { "Service": "config.amazonaws.com" },
        "Action": ["s3:GetBucketAcl", "s3:ListBucket", "s3:PutObject"],
        "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")],
    }] });
    call(
        ("s3", "PutBucketPolicy"),
        json!({ "Bucket": bucket, "Policy": policy.to_string() }),
    );
    call(
        ("iam", "CreateServiceLinkedRole"),
        json!({ "AWSServiceName": "config.amazonaws.com" }),
    );
    let role = format!(
        "arn:aws:iam::{account}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"
    );
    let recorder = json!({ "name": "default", "roleARN": role });
    call(
        ("config", "PutConfigurationRecorder"),
        json!({ "ConfigurationRecorder": recorder }),
    );
    let channel = json!({ "name": "default", "s3BucketName": bucket });
    call(
        ("config", "PutDeliveryChannel"),
        json!({ "DeliveryChannel": channel }),
    );
    call(
        ("config", "StartConfigurationRecorder"),
        json!({ "ConfigurationRecorderName": "default" }),
    );
}

#[test]
fn a_standard_is_ready_if_config_was_recording_when_it_went_on() {
    let mut scene = Scene::new();
    let account = subscribed(&mut scene, "alone");
    let enable = |scene: &mut Scene, arn: &str| {
        let input = json!({ "StandardsSubscriptionRequests": [{ "StandardsArn": arn }] });
        ask(scene, "BatchEnableStandards", account, input).unwrap();
    };
    let pci = "arn:aws:securityhub:eu-west-1::standards/pci-dss/v/4.0.1";
    enable(&mut scene, FSBP);
    record(&mut scene, account);
    enable(&mut scene, pci);
    let statuses = |scene: &mut Scene| {
        let statuses = standards(scene, account);
        statuses
            .into_iter()
            .map(|(_, status)| status)
            .collect::<Vec<_>>()
    };
    scene.after(SignedDuration::from_secs(30));
    assert_eq!(statuses(&mut scene), ["INCOMPLETE", "READY"]);
    scene.after(SignedDuration::from_hours(24));
    assert_eq!(statuses(&mut scene), ["READY", "READY"]);
}
