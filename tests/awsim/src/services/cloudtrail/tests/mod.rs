//! CloudTrail's rules, one test for each that the product depends on.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::call::{AccountId, Answer, Region};
use crate::services::scene::Scene;
use crate::world::MANAGEMENT_ACCOUNT;

mod settings;

const HOME: Region = "eu-central-1";
const AWAY: Region = "us-west-2";
const BUCKET: &str = "trail-logs";

/// An organization with one member and a bucket that nobody but its owner may use yet.
struct Trails {
    scene: Scene,
    member: AccountId,
}

impl Trails {
    fn new() -> Self {
        let mut scene = Scene::new();
        let member = scene.account("member");
        let input = json!({ "Bucket": BUCKET });
        let bucket = scene.call(
            ("s3", "CreateBucket"),
            MANAGEMENT_ACCOUNT,
            "us-east-1",
            input,
        );
        bucket.expect("the bucket is new");
        Trails { scene, member }
    }

    /// All that an organization trail needs.
    fn ready() -> Self {
        let mut trails = Trails::new();
        trails.enable_access();
        trails.open_bucket("trail");
        trails
    }

    fn call_as(
        &mut self,
        (account, region): (AccountId, Region),
        operation: &'static str,
        input: Value,
    ) -> Answer {
        self.scene
            .call(("cloudtrail", operation), account, region, input)
    }

    fn call(&mut self, operation: &'static str, input: Value) -> Answer {
        self.call_as((MANAGEMENT_ACCOUNT, HOME), operation, input)
    }

    fn organizations(&mut self, operation: &'static str, input: Value) {
        let caller = MANAGEMENT_ACCOUNT;
        let answer = self
            .scene
            .call(("organizations", operation), caller, "us-east-1", input);
        answer.expect("Organizations does as it is told");
    }

    fn enable_access(&mut self) {
        let input = json!({ "ServicePrincipal": "cloudtrail.amazonaws.com" });
        self.organizations("EnableAWSServiceAccess", input);
    }

    fn disable_access(&mut self) {
        let input = json!({ "ServicePrincipal": "cloudtrail.amazonaws.com" });
        self.organizations("DisableAWSServiceAccess", input);
    }

    fn delegate(&mut self) {
        let account = self.member.to_string();
        let input = json!({ "AccountId": account, "ServicePrincipal": "cloudtrail.amazonaws.com" });
        self.organizations("RegisterDelegatedAdministrator", input);
    }

    /// Lets CloudTrail write for an organization trail of this name.
    fn open_bucket(&mut self, name: &str) {
        let organization = self.scene.world.organizations.organization_id().to_owned();
        let folders = [MANAGEMENT_ACCOUNT.to_string(), organization];
        self.set_bucket_policy(name, &folders);
    }

    fn set_bucket_policy(&mut self, name: &str, folders: &[String]) {
        let source = format!("arn:aws:cloudtrail:{HOME}:{MANAGEMENT_ACCOUNT}:trail/{name}");
        let bucket = format!("arn:aws:s3:::{BUCKET}");
        let objects = folders
            .iter()
            .map(|folder| format!("{bucket}/AWSLogs/{folder}/*"));
        let policy = json!({ "Version": "2012-10-17", "Statement": [
            {
                "Effect": "Allow",
                "Principal": { "Service": "cloudtrail.amazonaws.com" },
                "Action": "s3:GetBucketAcl",
                "Resource": bucket,
                "Condition": { "StringEquals": { "aws:SourceArn": source } },
            },
            {
                "Effect": "Allow",
                "Principal": { "Service": "cloudtrail.amazonaws.com" },
                "Action": "s3:PutObject",
                "Resource": Vec::from_iter(objects),
                "Condition": { "StringEquals": {
                    "aws:SourceArn": source,
                    "s3:x-amz-acl": "bucket-owner-full-control",
                } },
            },
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

    /// Lets CloudTrail do this for whoever asks.
    fn open_bucket_wide(&mut self, action: &str) {
        let bucket = format!("arn:aws:s3:::{BUCKET}");
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "cloudtrail.amazonaws.com" },
            "Action": action,
            "Resource": [bucket, format!("{bucket}/*")],
        }] });
        let input = json!({ "Bucket": BUCKET, "Policy": policy.to_string() });
        let answer = self.scene.call(
            ("s3", "PutBucketPolicy"),
            MANAGEMENT_ACCOUNT,
            "us-east-1",
            input,
        );
        answer.expect("the policy is a policy");
    }

    /// Creates the organization trail and answers its ARN.
    fn organization_trail(&mut self) -> String {
        let trail = self.call("CreateTrail", organization_trail("trail"));
        arn(&trail.expect("everything is prepared"))
    }
}

fn organization_trail(name: &str) -> Value {
    json!({ "Name": name, "S3BucketName": BUCKET, "IsMultiRegionTrail": true, "IsOrganizationTrail": true })
}

fn plain_trail(name: &str) -> Value {
    json!({ "Name": name, "S3BucketName": BUCKET })
}

fn arn(trail: &Value) -> String {
    trail["TrailARN"]
        .as_str()
        .expect("a trail has an ARN")
        .to_owned()
}

#[track_caller]
fn refused(answer: Answer, code: &str) {
    assert_eq!(answer.expect_err("the call must be refused").code, code);
}

#[test]
fn names_follow_the_grammar() {
    let mut trails = Trails::new();
    trails.open_bucket_wide("s3:*");
    let long = "a".repeat(129);
    for name in [
        "ab",
        "-abc",
        "abc.",
        "a--b",
        "a._b",
        "a b c",
        "häh",
        "10.0.0.1",
        long.as_str(),
    ] {
        refused(
            trails.call("CreateTrail", plain_trail(name)),
            "InvalidTrailNameException",
        );
    }
    for name in ["abc", "A.b-c_9"] {
        trails.call("CreateTrail", plain_trail(name)).unwrap();
    }
}

#[test]
fn an_organization_trail_needs_all_that_aws_demands() {
    let mut trails = Trails::new();
    let create = organization_trail("trail");
    let member = (trails.member, HOME);
    let answer = trails.call_as(member, "CreateTrail", create.clone());
    refused(answer, "NotOrganizationMasterAccountException");
    refused(
        trails.call("CreateTrail", create.clone()),
        "CloudTrailAccessNotEnabledException",
    );
    trails.enable_access();
    let mut nowhere = create.clone();
    nowhere["S3BucketName"] = "no-such-bucket".into();
    refused(
        trails.call("CreateTrail", nowhere),
        "S3BucketDoesNotExistException",
    );
    refused(
        trails.call("CreateTrail", create.clone()),
        "InsufficientS3BucketPolicyException",
    );
    trails.set_bucket_policy("trail", &[MANAGEMENT_ACCOUNT.to_string()]);
    refused(
        trails.call("CreateTrail", create.clone()),
        "InsufficientS3BucketPolicyException",
    );
    trails.open_bucket_wide("s3:PutObject");
    refused(
        trails.call("CreateTrail", create.clone()),
        "InsufficientS3BucketPolicyException",
    );
    trails.open_bucket("other");
    refused(
        trails.call("CreateTrail", create.clone()),
        "InsufficientS3BucketPolicyException",
    );
    trails.open_bucket("trail");
    let mut below = create.clone();
    below["S3KeyPrefix"] = "below".into();
    refused(
        trails.call("CreateTrail", below),
        "InsufficientS3BucketPolicyException",
    );
    let trail = trails.call("CreateTrail", create.clone()).unwrap();
    assert_eq!(trail["IsOrganizationTrail"], true);
    let iam = &trails.scene.world.iam;
    assert!(iam.has_role(MANAGEMENT_ACCOUNT, "AWSServiceRoleForCloudTrail"));
    refused(
        trails.call("CreateTrail", create),
        "TrailAlreadyExistsException",
    );
}

#[test]
fn what_cloudtrail_asks_on_the_callers_behalf_the_caller_must_be_allowed() {
    let mut trails = Trails::ready();
    let actions = [
        "organizations:DescribeOrganization",
        "organizations:ListAWSServiceAccessForOrganization",
        "iam:CreateServiceLinkedRole",
    ];
    for missing in actions {
        let others = Vec::from_iter(actions.iter().filter(|action| **action != missing));
        trails.scene.session_policy(&json!(others));
        let answer = trails.call("CreateTrail", organization_trail("trail"));
        refused(
            answer,
            "InsufficientDependencyServiceAccessPermissionException",
        );
    }
    trails.scene.session_policy(&json!(actions));
    trails.organization_trail();
}

#[test]
fn a_new_trail_does_not_log_until_it_is_started() {
    let mut trails = Trails::ready();
    let arn = trails.organization_trail();
    let name = json!({ "Name": arn });
    let status = trails.call("GetTrailStatus", name.clone()).unwrap();
    assert_eq!(status["IsLogging"], false);
    assert!(status.get("StartLoggingTime").is_none());
    trails.call("StartLogging", name.clone()).unwrap();
    trails.scene.after(SignedDuration::from_mins(11));
    let status = trails.call("GetTrailStatus", name.clone()).unwrap();
    assert_eq!(status["IsLogging"], true);
    let started: jiff::Timestamp = status["StartLoggingTime"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let delivered: jiff::Timestamp = status["LatestDeliveryTime"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(
        delivered.duration_since(started),
        SignedDuration::from_mins(10)
    );
    trails.call("StopLogging", name.clone()).unwrap();
    let status = trails.call("GetTrailStatus", name).unwrap();
    assert_eq!(status["IsLogging"], false);
    assert!(status["StopLoggingTime"].is_string());
}

#[test]
fn members_see_the_organization_trail_everywhere_and_change_nothing() {
    let mut trails = Trails::ready();
    let arn = trails.organization_trail();
    trails.call("StartLogging", json!({ "Name": arn })).unwrap();
    let later = trails.scene.account("later");
    for account in [trails.member, later] {
        for region in [HOME, AWAY] {
            let place = (account, region);
            let list = trails.call_as(place, "DescribeTrails", json!({})).unwrap();
            let trail = &list["trailList"][0];
            assert_eq!(trail["TrailARN"], arn.as_str());
            assert_eq!(trail["IsOrganizationTrail"], true);
            assert_eq!(trail["HomeRegion"], HOME);
            let hidden = json!({ "includeShadowTrails": false });
            let list = trails.call_as(place, "DescribeTrails", hidden).unwrap();
            assert_eq!(list["trailList"], json!([]));
            let by_arn = json!({ "Name": arn });
            let found = trails.call_as(place, "GetTrail", by_arn.clone()).unwrap();
            assert_eq!(found["Trail"]["TrailARN"], arn.as_str());
            let status = trails.call_as(place, "GetTrailStatus", by_arn).unwrap();
            assert_eq!(status["IsLogging"], true);
            let list = trails.call_as(place, "ListTrails", json!({})).unwrap();
            assert_eq!(list["Trails"][0]["TrailARN"], arn.as_str());
            let by_name = trails.call_as(place, "GetTrailStatus", json!({ "Name": "trail" }));
            refused(by_name, "TrailNotFoundException");
        }
        let home = (account, HOME);
        for operation in ["StopLogging", "StartLogging", "DeleteTrail", "UpdateTrail"] {
            let answer = trails.call_as(home, operation, json!({ "Name": arn }));
            refused(answer, "NotOrganizationMasterAccountException");
        }
        let tags = trails.call_as(home, "ListTags", json!({ "ResourceIdList": [arn] }));
        refused(tags, "CloudTrailARNInvalidException");
    }
    trails.disable_access();
    let member = (trails.member, AWAY);
    let status = trails
        .call_as(member, "GetTrailStatus", json!({ "Name": arn }))
        .unwrap();
    assert_eq!(status["IsLogging"], false, "without trusted access");
}

#[test]
fn a_delegated_administrator_manages_the_management_accounts_trail_by_arn() {
    let mut trails = Trails::ready();
    trails.delegate();
    let administrator = (trails.member, HOME);
    let answer = trails.call_as(administrator, "CreateTrail", organization_trail("trail"));
    refused(answer, "NoManagementAccountSLRExistsException");
    let now = trails.scene.now;
    let iam = &mut trails.scene.world.iam;
    iam.ensure_service_linked_role(MANAGEMENT_ACCOUNT, "cloudtrail.amazonaws.com", now);
    let trail = trails
        .call_as(administrator, "CreateTrail", organization_trail("trail"))
        .unwrap();
    let arn = arn(&trail);
    assert!(arn.contains(&MANAGEMENT_ACCOUNT.to_string()), "{arn}");
    let by_name = trails.call_as(administrator, "StartLogging", json!({ "Name": "trail" }));
    refused(by_name, "TrailNotFoundException");
    trails
        .call_as(administrator, "StartLogging", json!({ "Name": arn }))
        .unwrap();
    let convert = json!({ "Name": arn, "IsOrganizationTrail": false });
    let answer = trails.call_as(administrator, "UpdateTrail", convert);
    refused(answer, "NotOrganizationMasterAccountException");
    let tags = trails.call_as(
        administrator,
        "ListTags",
        json!({ "ResourceIdList": [arn] }),
    );
    assert_eq!(tags.unwrap()["ResourceTagList"][0]["TagsList"], json!([]));
}

#[test]
fn a_multi_region_trail_changes_at_home_only() {
    let mut trails = Trails::ready();
    let arn = trails.organization_trail();
    let away = (MANAGEMENT_ACCOUNT, AWAY);
    for name in [arn.as_str(), "trail"] {
        for operation in ["StartLogging", "StopLogging", "UpdateTrail", "DeleteTrail"] {
            let answer = trails.call_as(away, operation, json!({ "Name": name }));
            refused(answer, "InvalidHomeRegionException");
        }
    }
    let list = trails.call_as(away, "DescribeTrails", json!({})).unwrap();
    assert_eq!(list["trailList"][0]["HomeRegion"], HOME);
    let list = trails
        .call_as(
            away,
            "DescribeTrails",
            json!({ "includeShadowTrails": false }),
        )
        .unwrap();
    assert_eq!(list["trailList"], json!([]));
    let by_arn = json!({ "Name": arn });
    let status = trails.call_as(away, "GetTrailStatus", by_arn.clone());
    status.unwrap();
    let single = json!({ "Name": arn, "IsMultiRegionTrail": false });
    trails.call("UpdateTrail", single).unwrap();
    let gone = trails.call_as(away, "GetTrailStatus", by_arn);
    refused(gone, "TrailNotFoundException");
    let list = trails.call_as(away, "DescribeTrails", json!({})).unwrap();
    assert_eq!(list["trailList"], json!([]));
    let stop = trails.call_as(away, "StopLogging", json!({ "Name": "trail" }));
    refused(stop, "TrailNotFoundException");
}

#[test]
fn tampering_is_seen() {
    let mut trails = Trails::ready();
    let arn = trails.organization_trail();
    let name = json!({ "Name": arn });
    trails.call("StartLogging", name.clone()).unwrap();
    let mut tamper = |request: Value| {
        let now = trails.scene.now;
        super::tamper(&mut trails.scene.world, &request, now)
    };
    tamper(json!({ "action": "stop_logging" })).unwrap();
    tamper(json!({ "action": "edit_trail", "validation": true, "bucket": "gone" })).unwrap();
    assert!(tamper(json!({ "action": "edit_trail" })).is_err());
    assert!(tamper(json!({ "action": "explode" })).is_err());
    assert!(tamper(json!({ "action": "delete_trail", "trail": "other" })).is_err());
    let status = trails.call("GetTrailStatus", name.clone()).unwrap();
    assert_eq!(status["IsLogging"], false);
    trails.call("StartLogging", name.clone()).unwrap();
    trails.scene.after(SignedDuration::from_mins(6));
    let status = trails.call("GetTrailStatus", name.clone()).unwrap();
    assert_eq!(status["LatestDeliveryError"], "NoSuchBucket");
    let now = trails.scene.now;
    let delete = json!({ "action": "delete_trail" });
    super::tamper(&mut trails.scene.world, &delete, now).unwrap();
    refused(trails.call("GetTrail", name), "TrailNotFoundException");
}
