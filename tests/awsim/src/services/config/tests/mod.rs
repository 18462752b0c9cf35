//! AWS Config's rules, one test for each that the product depends on.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::call::{AccountId, Answer, Region};
use crate::services::scene::Scene;
use crate::world::MANAGEMENT_ACCOUNT;

mod aggregators;
mod delivery;

const HERE: Region = "eu-central-1";
const BUCKET: &str = "config-logs";

/// A member with Config's role, and a bucket in the management account that Config may write to for everyone.
struct Member {
    scene: Scene,
    account: AccountId,
    role: String,
}

impl Member {
    fn new() -> Self {
        let mut member = Member::bare();
        member.role = member.service_linked_role(member.account);
        member.bucket_policy(&json!({}));
        member
    }

    /// Without the role, and with a bucket that Config may not use.
    fn bare() -> Self {
        let mut scene = Scene::new();
        let account = scene.account("member");
        let input = json!({ "Bucket": BUCKET });
        let bucket = scene.call(
            ("s3", "CreateBucket"),
            MANAGEMENT_ACCOUNT,
            "us-east-1",
            input,
        );
        bucket.expect("the bucket is new");
        let role = role_arn(account);
        Member {
            scene,
            account,
            role,
        }
    }

    fn service_linked_role(&mut self, account: AccountId) -> String {
        let now = self.scene.now;
        let iam = &mut self.scene.world.iam;
        iam.ensure_service_linked_role(account, "config.amazonaws.com", now);
        role_arn(account)
    }

    fn bucket_policy(&mut self, condition: &Value) {
        let bucket = format!("arn:aws:s3:::{BUCKET}");
        let allow = |action: Value, resource: String, condition: &Value| {
            json!({
                "Effect": "Allow",
                "Principal": { "Service": "config.amazonaws.com" },
                "Action": action,
                "Resource": resource,
                "Condition": condition,
            })
        };
        let policy = json!({ "Version": "2012-10-17", "Statement": [
            allow(json!(["s3:GetBucketAcl", "s3:ListBucket"]), bucket.clone(), condition),
            allow(json!("s3:PutObject"), format!("{bucket}/AWSLogs/*/Config/*"), condition),
        ] });
        let input = json!({ "Bucket": BUCKET, "Policy": policy.to_string() });
        let answer = self.scene.call(
            ("s3", "PutBucketPolicy"),
            MANAGEMENT_ACCOUNT,
            "us-east-1",
            input,
        );
        answer.expect("the policy is a policy");
    }

    fn call_as(&mut self, account: AccountId, operation: &'static str, input: Value) -> Answer {
        self.scene.call(("config", operation), account, HERE, input)
    }

    fn call(&mut self, operation: &'static str, input: Value) -> Answer {
        self.call_as(self.account, operation, input)
    }

    fn put_recorder(&mut self, name: &str) -> Answer {
        let recorder = json!({ "name": name, "roleARN": self.role });
        self.call(
            "PutConfigurationRecorder",
            json!({ "ConfigurationRecorder": recorder }),
        )
    }

    fn put_channel(&mut self, name: &str) -> Answer {
        let channel = json!({ "name": name, "s3BucketName": BUCKET });
        self.call("PutDeliveryChannel", json!({ "DeliveryChannel": channel }))
    }

    fn start(&mut self) -> Answer {
        let input = json!({ "ConfigurationRecorderName": "default" });
        self.call("StartConfigurationRecorder", input)
    }

    fn recording(&mut self) {
        self.put_recorder("default").unwrap();
        self.put_channel("default").unwrap();
        self.start().unwrap();
    }

    fn status(&mut self) -> Value {
        let answer = self
            .call("DescribeConfigurationRecorderStatus", json!({}))
            .unwrap();
        answer["ConfigurationRecordersStatus"][0].clone()
    }

    fn organizations(&mut self, operation: &'static str, mut input: Value) {
        input["ServicePrincipal"] = "config.amazonaws.com".into();
        let caller = MANAGEMENT_ACCOUNT;
        let answer = self
            .scene
            .call(("organizations", operation), caller, "us-east-1", input);
        answer.expect("Organizations does as it is told");
    }
}

fn role_arn(account: AccountId) -> String {
    format!(
        "arn:aws:iam::{account}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"
    )
}

#[track_caller]
fn refused(answer: Answer, code: &str) {
    assert_eq!(answer.expect_err("the call must be refused").code, code);
}

#[test]
fn the_order_is_recorder_channel_start() {
    let mut member = Member::new();
    refused(
        member.put_channel("default"),
        "NoAvailableConfigurationRecorderException",
    );
    refused(member.start(), "NoSuchConfigurationRecorderException");
    member.put_recorder("default").unwrap();
    refused(member.start(), "NoAvailableDeliveryChannelException");
    member.put_channel("default").unwrap();
    assert_eq!(member.status()["recording"], false);
    member.start().unwrap();
    assert_eq!(member.status()["recording"], true);
    let config = &member.scene.world.config;
    assert!(config.is_recording(member.account, HERE));
    assert!(!config.is_recording(member.account, "us-west-2"));
    assert!(!config.is_recording(MANAGEMENT_ACCOUNT, HERE));
}

#[test]
fn one_recorder_and_one_channel_of_any_name() {
    let mut member = Member::new();
    member.put_recorder("first").unwrap();
    refused(
        member.put_recorder("second"),
        "MaxNumberOfConfigurationRecordersExceededException",
    );
    member.put_recorder("first").expect("the same name updates");
    member.put_channel("first").unwrap();
    refused(
        member.put_channel("second"),
        "MaxNumberOfDeliveryChannelsExceededException",
    );
    member.put_channel("first").expect("the same name updates");
}

#[test]
fn an_update_keeps_the_recorder_recording_and_its_arn() {
    let mut member = Member::new();
    member.recording();
    let describe = |member: &mut Member| {
        let answer = member
            .call("DescribeConfigurationRecorders", json!({}))
            .unwrap();
        answer["ConfigurationRecorders"][0].clone()
    };
    let before = describe(&mut member);
    assert_eq!(before["recordingGroup"]["allSupported"], true);
    assert_eq!(before["recordingMode"]["recordingFrequency"], "CONTINUOUS");
    let recorder = json!({
        "name": "default",
        "roleARN": member.role,
        "recordingGroup": { "resourceTypes": ["AWS::S3::Bucket"] },
        "recordingMode": { "recordingFrequency": "DAILY" },
    });
    let input = json!({ "ConfigurationRecorder": recorder });
    member.call("PutConfigurationRecorder", input).unwrap();
    let after = describe(&mut member);
    assert_eq!(after["arn"], before["arn"]);
    assert_eq!(
        after["recordingGroup"]["resourceTypes"],
        json!(["AWS::S3::Bucket"])
    );
    assert_eq!(after["recordingMode"]["recordingFrequency"], "DAILY");
    assert_eq!(member.status()["recording"], true);
}

#[test]
fn the_role_must_be_there_and_trust_config() {
    let mut member = Member::bare();
    refused(member.put_recorder("default"), "InvalidRoleException");
    let trust = |service: &str| {
        json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": service },
            "Action": "sts:AssumeRole",
        }] })
    };
    for (name, service) in [
        ("wrong", "guardduty.amazonaws.com"),
        ("right", "config.amazonaws.com"),
    ] {
        let document = trust(service).to_string();
        let input = json!({ "RoleName": name, "AssumeRolePolicyDocument": document });
        let answer = member
            .scene
            .call(("iam", "CreateRole"), member.account, "us-east-1", input);
        answer.expect("the role is new");
    }
    member.role = format!("arn:aws:iam::{}:role/wrong", member.account);
    refused(member.put_recorder("default"), "InvalidRoleException");
    member.role = format!("arn:aws:iam::{}:role/right", member.account);
    member.put_recorder("default").unwrap();
    refused(
        member.call(
            "PutConfigurationRecorder",
            json!({ "ConfigurationRecorder": { "name": "default" } }),
        ),
        "InvalidRoleException",
    );
}

#[test]
fn the_caller_must_be_allowed_to_pass_the_role() {
    let mut member = Member::new();
    member.scene.session_policy(&json!("config:*"));
    refused(member.put_recorder("default"), "AccessDeniedException");
    member
        .scene
        .session_policy(&json!(["config:*", "iam:PassRole"]));
    member.put_recorder("default").unwrap();
}

#[test]
fn the_status_is_pending_then_success_then_what_is_true() {
    let mut member = Member::new();
    member.recording();
    assert_eq!(member.status()["lastStatus"], "PENDING");
    member.scene.after(SignedDuration::from_secs(5));
    assert_eq!(member.status()["lastStatus"], "SUCCESS");
    let channel_status = |member: &mut Member| {
        let answer = member
            .call("DescribeDeliveryChannelStatus", json!({}))
            .unwrap();
        answer["DeliveryChannelsStatus"][0]["configStreamDeliveryInfo"].clone()
    };
    assert_eq!(channel_status(&mut member)["lastStatus"], "SUCCESS");
    member.bucket_policy(&json!({ "StringEquals": { "aws:SourceAccount": "999999999999" } }));
    assert_eq!(channel_status(&mut member)["lastErrorCode"], "AccessDenied");
}

#[test]
fn describing_an_unknown_name_is_refused() {
    let mut member = Member::new();
    let none = member
        .call("DescribeConfigurationRecorders", json!({}))
        .unwrap();
    assert_eq!(none["ConfigurationRecorders"], json!([]));
    member.recording();
    let names = |names: &[&str]| json!({ "ConfigurationRecorderNames": names });
    for operation in [
        "DescribeConfigurationRecorders",
        "DescribeConfigurationRecorderStatus",
    ] {
        member.call(operation, names(&["default"])).unwrap();
        refused(
            member.call(operation, names(&["x"])),
            "NoSuchConfigurationRecorderException",
        );
        refused(
            member.call(operation, names(&["default", "x"])),
            "ValidationException",
        );
    }
    let unknown = json!({ "DeliveryChannelNames": ["x"] });
    refused(
        member.call("DescribeDeliveryChannels", unknown),
        "NoSuchDeliveryChannelException",
    );
}

#[test]
fn rules_need_a_recorder_and_are_tagged() {
    let mut member = Member::new();
    let source = json!({ "Owner": "AWS", "SourceIdentifier": "S3_BUCKET_VERSIONING_ENABLED" });
    let put = json!({ "ConfigRule": { "ConfigRuleName": "versioning", "Source": source } });
    let answer = member.call("PutConfigRule", put.clone());
    refused(answer, "NoAvailableConfigurationRecorderException");
    member.put_recorder("default").unwrap();
    member.call("PutConfigRule", put).unwrap();
    let rules = member.call("DescribeConfigRules", json!({})).unwrap();
    let arn = rules["ConfigRules"][0]["ConfigRuleArn"].clone();
    assert_eq!(rules["ConfigRules"][0]["ConfigRuleState"], "ACTIVE");
    let tags = json!([{ "Key": "owner", "Value": "platform" }]);
    member
        .call("TagResource", json!({ "ResourceArn": arn, "Tags": tags }))
        .unwrap();
    let found = member
        .call("ListTagsForResource", json!({ "ResourceArn": arn }))
        .unwrap();
    assert_eq!(found["Tags"], tags);
    member
        .call(
            "UntagResource",
            json!({ "ResourceArn": arn, "TagKeys": ["owner"] }),
        )
        .unwrap();
    let found = member
        .call("ListTagsForResource", json!({ "ResourceArn": arn }))
        .unwrap();
    assert_eq!(found["Tags"], json!([]));
    member
        .call(
            "DeleteConfigRule",
            json!({ "ConfigRuleName": "versioning" }),
        )
        .unwrap();
    let gone = member.call("ListTagsForResource", json!({ "ResourceArn": arn }));
    refused(gone, "ResourceNotFoundException");
}

#[test]
fn retention_has_one_name() {
    let mut member = Member::new();
    let named = json!({ "RetentionConfigurationNames": ["default"] });
    let answer = member.call("DescribeRetentionConfigurations", named.clone());
    refused(answer, "NoSuchRetentionConfigurationException");
    member
        .call(
            "PutRetentionConfiguration",
            json!({ "RetentionPeriodInDays": 365 }),
        )
        .unwrap();
    let found = member
        .call("DescribeRetentionConfigurations", named)
        .unwrap();
    let expected = json!([{ "Name": "default", "RetentionPeriodInDays": 365 }]);
    assert_eq!(found["RetentionConfigurations"], expected);
}

#[test]
fn tampering_is_seen() {
    let mut member = Member::new();
    member.recording();
    let (account, now) = (member.account.to_string(), member.scene.now);
    let request = |action: &str| json!({ "account": account, "region": HERE, "action": action });
    let mut tamper = |request: Value| super::tamper(&mut member.scene.world, &request, now);
    tamper(request("stop_recorder")).unwrap();
    tamper(request("edit_recorder")).unwrap();
    assert!(tamper(request("edit_channel")).is_err(), "to what?");
    let mut edit = request("edit_channel");
    edit["frequency"] = "One_Hour".into();
    tamper(edit).unwrap();
    assert!(tamper(request("explode")).is_err());
    assert_eq!(member.status()["recording"], false);
    let recorders = member
        .call("DescribeConfigurationRecorders", json!({}))
        .unwrap();
    let group = &recorders["ConfigurationRecorders"][0]["recordingGroup"];
    assert_eq!(group["resourceTypes"], json!(["AWS::EC2::SecurityGroup"]));
    let channels = member.call("DescribeDeliveryChannels", json!({})).unwrap();
    let properties = &channels["DeliveryChannels"][0]["configSnapshotDeliveryProperties"];
    assert_eq!(properties["deliveryFrequency"], "One_Hour");
    let mut tamper = |request: Value| super::tamper(&mut member.scene.world, &request, now);
    tamper(request("delete_channel")).unwrap();
    tamper(request("delete_recorder")).unwrap();
    assert!(tamper(request("delete_recorder")).is_err());
}
