//! From a call in one account and Region to a queue in another.

use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::call::{AccountId, Answer};
use crate::faults::Faults;
use crate::services::scene::Scene;
use crate::services::{cloudtrail, tamper};
use crate::world::MANAGEMENT_ACCOUNT;

const HOME: &str = "eu-west-1";
const AWAY: &str = "eu-central-1";

fn pattern() -> String {
    json!({"detail": {"eventName": ["DeleteDetector", "StopLogging"]}}).to_string()
}

fn must(
    scene: &mut Scene,
    what: (&'static str, &'static str),
    account: AccountId,
    region: &'static str,
    input: Value,
) -> Value {
    let (service, operation) = what;
    scene
        .call(what, account, region, input)
        .unwrap_or_else(|error| panic!("{service}:{operation}: {error:?}"))
}

/// A trail that logs everywhere in the organization, a hub with its queue in the management account's home Region, and a
/// member whose rule in another Region sends there.
struct Wired {
    scene: Scene,
    member: AccountId,
    queue: String,
}

const HUB: &str = "arn:aws:events:eu-west-1:111111111111:event-bus/hub";

impl Wired {
    fn new() -> Self {
        let mut scene = Scene::new();
        let member = scene.account("member");
        trail(&mut scene);
        let organization = scene.world.organizations.organization_id().to_owned();
        let hub = MANAGEMENT_ACCOUNT;
        must(
            &mut scene,
            ("events", "CreateEventBus"),
            hub,
            HOME,
            json!({"Name": "hub"}),
        );
        let permission = json!({"EventBusName": "hub", "StatementId": "members", "Action": "events:PutEvents", "Principal": "*",
            "Condition": {"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": organization}});
        must(
            &mut scene,
            ("events", "PutPermission"),
            hub,
            HOME,
            permission,
        );
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:eu-west-1:111111111111:events",
            "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:events:eu-west-1:111111111111:rule/hub/all"}}}]});
        let attributes = json!({"Policy": policy.to_string(), "VisibilityTimeout": "0"});
        let made = must(
            &mut scene,
            ("sqs", "CreateQueue"),
            hub,
            HOME,
            json!({"QueueName": "events", "Attributes": attributes}),
        );
        let queue = made["QueueUrl"].as_str().unwrap().to_owned();
        let rule = json!({"Name": "all", "EventBusName": "hub", "EventPattern": pattern()});
        must(&mut scene, ("events", "PutRule"), hub, HOME, rule);
        let target = json!({"Rule": "all", "EventBusName": "hub", "Targets": [{"Id": "queue", "Arn": "arn:aws:sqs:eu-west-1:111111111111:events"}]});
        must(&mut scene, ("events", "PutTargets"), hub, HOME, target);

        let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
        let role = json!({"RoleName": "send", "AssumeRolePolicyDocument": trust.to_string()});
        must(&mut scene, ("iam", "CreateRole"), member, "us-east-1", role);
        let may = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "events:PutEvents", "Resource": HUB}]});
        let may =
            json!({"RoleName": "send", "PolicyName": "send", "PolicyDocument": may.to_string()});
        must(
            &mut scene,
            ("iam", "PutRolePolicy"),
            member,
            "us-east-1",
            may,
        );
        must(
            &mut scene,
            ("events", "PutRule"),
            member,
            AWAY,
            json!({"Name": "all", "EventPattern": pattern()}),
        );
        let target = json!({"Rule": "all", "Targets": [{"Id": "hub", "Arn": HUB, "RoleArn": format!("arn:aws:iam::{member}:role/send")}]});
        must(&mut scene, ("events", "PutTargets"), member, AWAY, target);
        must(
            &mut scene,
            ("guardduty", "CreateDetector"),
            member,
            AWAY,
            json!({"Enable": true}),
        );
        Wired {
            scene,
            member,
            queue,
        }
    }

    fn tamper(&mut self) {
        let request = json!({"service": "guardduty", "action": "delete_detector", "account": self.member.to_string(), "region": AWAY,
            "by": format!("arn:aws:iam::{}:user/eve", self.member), "source_ip": "203.0.113.7"});
        tamper(&mut self.scene.world, &request, self.scene.now).unwrap();
    }

    fn received(&mut self) -> Vec<Value> {
        let input = json!({"QueueUrl": self.queue, "MaxNumberOfMessages": 10});
        let answer: Answer =
            self.scene
                .call(("sqs", "ReceiveMessage"), MANAGEMENT_ACCOUNT, HOME, input);
        let messages = answer.unwrap()["Messages"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        messages
            .iter()
            .map(|message| serde_json::from_str(message["Body"].as_str().unwrap()).unwrap())
            .collect()
    }

    fn plan(&mut self, kind: &Value) {
        let mut faults = Faults::new(1);
        let plan = json!({"service": "events", "operation": "DeleteDetector", "kind": kind});
        faults.plan(serde_json::from_value(plan).unwrap());
        super::heed(&mut self.scene.world, Arc::new(Mutex::new(faults)));
    }
}

fn trail(scene: &mut Scene) {
    let bucket =
        json!({"Bucket": "trail-logs", "CreateBucketConfiguration": {"LocationConstraint": HOME}});
    must(
        scene,
        ("s3", "CreateBucket"),
        MANAGEMENT_ACCOUNT,
        HOME,
        bucket,
    );
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": ["s3:GetBucketAcl", "s3:PutObject"], "Resource": ["arn:aws:s3:::trail-logs", "arn:aws:s3:::trail-logs/*"]}]});
    let policy = json!({"Bucket": "trail-logs", "Policy": policy.to_string()});
    must(
        scene,
        ("s3", "PutBucketPolicy"),
        MANAGEMENT_ACCOUNT,
        HOME,
        policy,
    );
    let access = json!({"ServicePrincipal": "cloudtrail.amazonaws.com"});
    must(
        scene,
        ("organizations", "EnableAWSServiceAccess"),
        MANAGEMENT_ACCOUNT,
        "us-east-1",
        access,
    );
    let trail = json!({"Name": "trail", "S3BucketName": "trail-logs", "IsMultiRegionTrail": true, "IsOrganizationTrail": true});
    must(
        scene,
        ("cloudtrail", "CreateTrail"),
        MANAGEMENT_ACCOUNT,
        HOME,
        trail,
    );
    must(
        scene,
        ("cloudtrail", "StartLogging"),
        MANAGEMENT_ACCOUNT,
        HOME,
        json!({"Name": "trail"}),
    );
}

#[test]
fn what_somebody_did_in_a_member_reaches_the_queue_of_the_hub() {
    let mut wired = Wired::new();
    wired.tamper();
    let [event] = wired.received().try_into().unwrap();
    let member = wired.member.to_string();
    assert_eq!(event["source"], "aws.guardduty");
    assert_eq!(event["detail-type"], "AWS API Call via CloudTrail");
    assert_eq!(
        (event["account"].as_str(), event["region"].as_str()),
        (Some(&*member), Some(AWAY))
    );
    let detail = &event["detail"];
    assert_eq!(detail["eventSource"], "guardduty.amazonaws.com");
    assert_eq!(detail["eventName"], "DeleteDetector");
    assert_eq!(
        detail["userIdentity"]["arn"],
        format!("arn:aws:iam::{member}:user/eve")
    );
    assert_eq!(detail["sourceIPAddress"], "203.0.113.7");
    assert_eq!(detail["recipientAccountId"], *member);
    assert_eq!(
        super::report(&wired.scene.world),
        json!({"forwarded": 1, "delivered": 1})
    );
}

#[test]
fn nothing_is_told_of_what_no_trail_records_but_the_end_of_recording_is() {
    let mut wired = Wired::new();
    let hub = json!({"Name": "all", "EventPattern": pattern()});
    must(
        &mut wired.scene,
        ("events", "PutRule"),
        MANAGEMENT_ACCOUNT,
        HOME,
        hub,
    );
    let target = json!({"Rule": "all", "Targets": [{"Id": "q", "Arn": "arn:aws:sqs:eu-west-1:111111111111:events"}]});
    must(
        &mut wired.scene,
        ("events", "PutTargets"),
        MANAGEMENT_ACCOUNT,
        HOME,
        target,
    );
    // The queue's policy knows the rule of the hub alone.
    let stop = json!({"service": "cloudtrail", "action": "stop_logging"});
    let now = wired.scene.now;
    tamper(&mut wired.scene.world, &stop, now).unwrap();
    assert_eq!(
        super::report(&wired.scene.world),
        json!({"refused by a queue": 1})
    );
    wired.tamper();
    assert!(wired.received().is_empty());
    assert!(!cloudtrail::is_recorded(
        &wired.scene.world,
        wired.member,
        AWAY
    ));
}

#[test]
fn a_bus_takes_what_its_policy_and_the_senders_role_allow() {
    let mut wired = Wired::new();
    let away = json!({"EventBusName": "hub", "StatementId": "members"});
    must(
        &mut wired.scene,
        ("events", "RemovePermission"),
        MANAGEMENT_ACCOUNT,
        HOME,
        away,
    );
    wired.tamper();
    assert!(wired.received().is_empty());
    assert_eq!(
        super::report(&wired.scene.world),
        json!({"refused by a bus": 1})
    );

    let mut wired = Wired::new();
    let policy = json!({"RoleName": "send", "PolicyName": "send"});
    let member = wired.member;
    must(
        &mut wired.scene,
        ("iam", "DeleteRolePolicy"),
        member,
        "us-east-1",
        policy,
    );
    wired.tamper();
    assert!(wired.received().is_empty());
}

#[test]
fn events_may_be_lost_doubled_and_late() {
    let mut wired = Wired::new();
    wired.plan(&json!("lost"));
    wired.tamper();
    assert!(wired.received().is_empty());

    let mut wired = Wired::new();
    wired.plan(&json!("duplicated"));
    wired.tamper();
    assert_eq!(wired.received().len(), 2);

    let mut wired = Wired::new();
    wired.plan(&json!({"delayed": {"milliseconds": 1500}}));
    wired.tamper();
    assert!(wired.received().is_empty());
    wired.scene.after(SignedDuration::from_secs(2));
    assert_eq!(wired.received().len(), 1);
}

#[test]
fn what_eventbridge_refuses_is_refused() {
    let mut scene = Scene::new();
    let rule = json!({"Name": "r", "EventPattern": pattern()});
    must(
        &mut scene,
        ("events", "PutRule"),
        MANAGEMENT_ACCOUNT,
        HOME,
        rule,
    );
    let targets = |arn: &str| json!({"Rule": "r", "Targets": [{"Id": "1", "Arn": arn}]});
    let many: Vec<Value> = (0..6)
        .map(|n| json!({"Id": n.to_string(), "Arn": "arn:aws:sqs:eu-west-1:111111111111:q"}))
        .collect();
    for (operation, input, code) in [
        (
            "PutRule",
            json!({"Name": "s", "EventPattern": "{}"}),
            "InvalidEventPatternException",
        ),
        ("PutRule", json!({"Name": "s"}), "ValidationException"),
        (
            "PutRule",
            json!({"Name": "s", "EventBusName": "none", "EventPattern": pattern()}),
            "ResourceNotFoundException",
        ),
        (
            "DescribeRule",
            json!({"Name": "none"}),
            "ResourceNotFoundException",
        ),
        (
            "PutTargets",
            json!({"Rule": "none", "Targets": many[..1]}),
            "ResourceNotFoundException",
        ),
        (
            "PutTargets",
            json!({"Rule": "r", "Targets": many}),
            "LimitExceededException",
        ),
        (
            "PutTargets",
            targets("arn:aws:events:us-east-1:222222222222:event-bus/hub"),
            "ValidationException",
        ),
        (
            "CreateEventBus",
            json!({"Name": "default"}),
            "ValidationException",
        ),
        (
            "RemovePermission",
            json!({"StatementId": "none"}),
            "ResourceNotFoundException",
        ),
    ] {
        let refused = scene.call(
            ("events", operation),
            MANAGEMENT_ACCOUNT,
            HOME,
            input.clone(),
        );
        assert_eq!(refused.unwrap_err().code, code, "{operation} {input}");
    }
    must(
        &mut scene,
        ("events", "PutTargets"),
        MANAGEMENT_ACCOUNT,
        HOME,
        targets("arn:aws:sqs:eu-west-1:111111111111:q"),
    );
    let refused = scene.call(
        ("events", "DeleteRule"),
        MANAGEMENT_ACCOUNT,
        HOME,
        json!({"Name": "r"}),
    );
    assert_eq!(refused.unwrap_err().code, "ValidationException");
}
