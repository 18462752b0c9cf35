//! Permissions that an operation needs beside its own: a role to be passed, a service-linked role to be made, tags to be
//! set. From the column *Dependent actions* of the service authorization reference and the services' user guides; each
//! is asked of the caller, session policy and SCPs included, as AWS asks it with forwarded access.

use landfall_policy::Context;
use serde_json::Value;

use crate::authorize::request_context;
use crate::call::{AccountId, Call};
use crate::world::World;

/// One more permission.
#[derive(Debug)]
pub(crate) struct Dependent {
    pub(crate) action: &'static str,
    pub(crate) resource: String,
    pub(crate) context: Context,
}

/// The service-linked role that a service makes on first use: the service's principal and the role's name.
const SERVICE_LINKED: [(&str, &str, &str, &str); 4] = [
    (
        "access-analyzer",
        "CreateAnalyzer",
        "access-analyzer.amazonaws.com",
        "AWSServiceRoleForAccessAnalyzer",
    ),
    (
        "guardduty",
        "CreateDetector",
        "guardduty.amazonaws.com",
        "AWSServiceRoleForAmazonGuardDuty",
    ),
    (
        "securityhub",
        "EnableSecurityHub",
        "securityhub.amazonaws.com",
        "AWSServiceRoleForSecurityHub",
    ),
    (
        "cloudtrail",
        "CreateTrail",
        "cloudtrail.amazonaws.com",
        "AWSServiceRoleForCloudTrail",
    ),
];

/// The action that tags what an operation creates, asked where the call brings tags.
const TAGGING: [(&str, &str, &str, &str); 11] = [
    (
        "access-analyzer",
        "CreateAnalyzer",
        "tags",
        "access-analyzer:TagResource",
    ),
    (
        "organizations",
        "CreateAccount",
        "Tags",
        "organizations:TagResource",
    ),
    (
        "organizations",
        "CreateOrganizationalUnit",
        "Tags",
        "organizations:TagResource",
    ),
    (
        "organizations",
        "CreatePolicy",
        "Tags",
        "organizations:TagResource",
    ),
    ("iam", "CreateRole", "Tags", "iam:TagRole"),
    ("iam", "CreatePolicy", "Tags", "iam:TagPolicy"),
    ("iam", "CreateUser", "Tags", "iam:TagUser"),
    (
        "guardduty",
        "CreateDetector",
        "Tags",
        "guardduty:TagResource",
    ),
    (
        "securityhub",
        "EnableSecurityHub",
        "Tags",
        "securityhub:TagResource",
    ),
    (
        "config",
        "PutConfigurationRecorder",
        "Tags",
        "config:TagResource",
    ),
    (
        "cloudtrail",
        "CreateTrail",
        "TagsList",
        "cloudtrail:AddTags",
    ),
];

/// Other services' actions that naming a delegated administrator takes, where GuardDuty and Security Hub do it themselves.
const DELEGATION: [&str; 3] = [
    "organizations:EnableAWSServiceAccess",
    "organizations:RegisterDelegatedAdministrator",
    "organizations:DescribeOrganization",
];

/// All that a call needs beside its own action.
pub(crate) fn of(world: &World, call: &Call<'_>, resource: &str) -> Vec<Dependent> {
    let mut all = Vec::new();
    let mut need = |action, resource: String, context| {
        all.push(Dependent {
            action,
            resource,
            context,
        })
    };
    let is =
        |service: &str, operation: &str| call.service == service && call.operation == operation;

    for (service, operation, principal, role) in SERVICE_LINKED {
        let is_organizations =
            service != "cloudtrail" || call.flag("IsOrganizationTrail") == Some(true);
        if is(service, operation) && is_organizations && !world.iam.has_role(call.account(), role) {
            let context = Context::new().with("iam:AWSServiceName", principal);
            need(
                "iam:CreateServiceLinkedRole",
                service_linked_arn(call.account(), principal, role),
                context,
            );
        }
    }
    for (service, operation, member, action) in TAGGING {
        let has_tags = match call.input.get(member) {
            Some(Value::Array(tags)) => !tags.is_empty(),
            Some(Value::Object(tags)) => !tags.is_empty(),
            _ => false,
        };
        if is(service, operation) && has_tags {
            need(action, resource.to_owned(), request_context(call));
        }
    }
    for (pointer, service) in [
        ("/ConfigurationRecorder/roleARN", "config.amazonaws.com"),
        (
            "/OrganizationAggregationSource/RoleArn",
            "config.amazonaws.com",
        ),
        ("/CloudWatchLogsRoleArn", "cloudtrail.amazonaws.com"),
    ] {
        let puts = call.operation.starts_with("Put") || call.operation.ends_with("Trail");
        if let Some(role) = call
            .input
            .pointer(pointer)
            .and_then(Value::as_str)
            .filter(|_| puts)
        {
            need(
                "iam:PassRole",
                role.to_owned(),
                Context::new().with("iam:PassedToService", service),
            );
        }
    }
    if matches!(call.service, "guardduty" | "securityhub")
        && call.operation == "EnableOrganizationAdminAccount"
    {
        for action in DELEGATION {
            need(action, "*".to_owned(), Context::new());
        }
    }
    if is("s3", "CreateBucket") {
        for (member, action) in [
            ("ACL", "s3:PutBucketAcl"),
            ("ObjectOwnership", "s3:PutBucketOwnershipControls"),
            (
                "ObjectLockEnabledForBucket",
                "s3:PutBucketObjectLockConfiguration",
            ),
        ] {
            if call
                .input
                .get(member)
                .is_some_and(|value| *value != Value::Bool(false))
            {
                need(action, resource.to_owned(), Context::new());
            }
        }
    }
    all
}

fn service_linked_arn(account: AccountId, principal: &str, role: &str) -> String {
    format!("arn:aws:iam::{account}:role/aws-service-role/{principal}/{role}")
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use serde_json::json;

    use super::*;
    use crate::world::Settings;

    fn actions(service: &'static str, operation: &'static str, input: Value) -> Vec<&'static str> {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(500_000);
        let settings = Settings {
            seed: 1,
            create_account: SignedDuration::from_secs(1),
            time_scale: 1,
        };
        let world = World::new(settings, now);
        let principal = world
            .iam
            .access_key("AWSIMMANAGEMENT0000")
            .expect("the administrator is there");
        let call = Call {
            service,
            operation,
            principal: &principal,
            region: "eu-west-1",
            now,
            input,
        };
        of(&world, &call, "*")
            .into_iter()
            .map(|dependent| dependent.action)
            .collect()
    }

    #[test]
    fn what_comes_with_an_operation_is_asked_too() {
        let role = "arn:aws:iam::111111111111:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig";
        let tag = json!([{"Key": "k", "Value": "v"}]);
        let cases: [(&str, &str, Value, &[&str]); 8] = [
            (
                "guardduty",
                "CreateDetector",
                json!({"Enable": true}),
                &["iam:CreateServiceLinkedRole"],
            ),
            (
                "guardduty",
                "CreateDetector",
                json!({"Tags": {"a": "b"}}),
                &["iam:CreateServiceLinkedRole", "guardduty:TagResource"],
            ),
            ("guardduty", "ListDetectors", json!({}), &[]),
            (
                "organizations",
                "CreateAccount",
                json!({"Tags": tag}),
                &["organizations:TagResource"],
            ),
            ("organizations", "CreateAccount", json!({"Tags": []}), &[]),
            (
                "config",
                "PutConfigurationRecorder",
                json!({"ConfigurationRecorder": {"roleARN": role}}),
                &["iam:PassRole"],
            ),
            (
                "securityhub",
                "EnableOrganizationAdminAccount",
                json!({}),
                &DELEGATION,
            ),
            (
                "s3",
                "CreateBucket",
                json!({"ObjectOwnership": "BucketOwnerEnforced"}),
                &["s3:PutBucketOwnershipControls"],
            ),
        ];
        for (service, operation, input, expected) in cases {
            assert_eq!(
                actions(service, operation, input.clone()),
                expected,
                "{service} {operation} {input}"
            );
        }
    }
}
