//! The delivery channel and its bucket.

use serde_json::{Value, json};

use super::{BUCKET, Member, refused};
use crate::call::AccountId;
use crate::world::MANAGEMENT_ACCOUNT;

#[test]
fn the_bucket_must_be_there_and_let_config_write() {
    let mut member = Member::bare();
    member.role = member.service_linked_role(member.account);
    member.put_recorder("default").unwrap();
    let channel = json!({ "DeliveryChannel": { "s3BucketName": "no-such-bucket" } });
    refused(
        member.call("PutDeliveryChannel", channel),
        "NoSuchBucketException",
    );
    refused(
        member.put_channel("default"),
        "InsufficientDeliveryPolicyException",
    );
    let source = |account: AccountId| json!({ "StringEquals": { "aws:SourceAccount": account.to_string() } });
    member.bucket_policy(&source(MANAGEMENT_ACCOUNT));
    refused(
        member.put_channel("default"),
        "InsufficientDeliveryPolicyException",
    );
    member.bucket_policy(&source(member.account));
    member.put_channel("default").unwrap();
    for (prefix, code) in [
        ("below", "InsufficientDeliveryPolicyException"),
        ("", "InvalidS3KeyPrefixException"),
        ("/below", "InvalidS3KeyPrefixException"),
        ("be//low", "InvalidS3KeyPrefixException"),
    ] {
        let channel = json!({ "s3BucketName": BUCKET, "s3KeyPrefix": prefix });
        let answer = member.call("PutDeliveryChannel", json!({ "DeliveryChannel": channel }));
        refused(answer, code);
    }
}

#[test]
fn a_role_writes_to_its_own_accounts_bucket_with_its_own_policies() {
    let mut member = Member::bare();
    let here = (member.account, "us-east-1");
    let mut setup = |service: (&'static str, &'static str), input: Value| {
        member
            .scene
            .call(service, here.0, here.1, input)
            .expect("set-up succeeds");
    };
    setup(("s3", "CreateBucket"), json!({ "Bucket": "own-logs" }));
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": { "Service": "config.amazonaws.com" },
        "Action": "sts:AssumeRole",
    }] });
    let role = json!({ "RoleName": "recorder", "AssumeRolePolicyDocument": trust.to_string() });
    setup(("iam", "CreateRole"), role);
    member.role = format!("arn:aws:iam::{}:role/recorder", member.account);
    member.put_recorder("default").unwrap();
    let channel = json!({ "DeliveryChannel": { "s3BucketName": "own-logs" } });
    let answer = member.call("PutDeliveryChannel", channel.clone());
    refused(answer, "InsufficientDeliveryPolicyException");
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Action": ["s3:GetBucketAcl", "s3:ListBucket", "s3:PutObject"],
        "Resource": ["arn:aws:s3:::own-logs", "arn:aws:s3:::own-logs/*"],
    }] });
    let input = json!({ "RoleName": "recorder", "PolicyName": "deliver", "PolicyDocument": policy.to_string() });
    let answer = member
        .scene
        .call(("iam", "PutRolePolicy"), here.0, here.1, input);
    answer.expect("set-up succeeds");
    member.call("PutDeliveryChannel", channel).unwrap();
}

#[test]
fn a_running_recorder_keeps_its_channel() {
    let mut member = Member::new();
    member.recording();
    let delete = json!({ "DeliveryChannelName": "default" });
    let answer = member.call("DeleteDeliveryChannel", delete.clone());
    refused(answer, "LastDeliveryChannelDeleteFailedException");
    let name = json!({ "ConfigurationRecorderName": "default" });
    member
        .call("StopConfigurationRecorder", name.clone())
        .unwrap();
    assert!(member.status()["lastStopTime"].is_string());
    member
        .call("DeleteDeliveryChannel", delete.clone())
        .unwrap();
    refused(
        member.call("DeleteDeliveryChannel", delete),
        "NoSuchDeliveryChannelException",
    );
    member
        .call("DeleteConfigurationRecorder", name.clone())
        .unwrap();
    refused(
        member.call("DeleteConfigurationRecorder", name),
        "NoSuchConfigurationRecorderException",
    );
}
