//! How often AWS lets itself be called.
//!
//! Sources: Organizations quotas ("Throttling limits"), the Account Management, EC2, GuardDuty, Security Hub, Config, CloudTrail, IAM and STS
//! quota pages. Where AWS publishes nothing the figure is cautious; a throttled answer slows its bucket down anyway.

/// Calls a second, and calls at once after a rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub per_second: f64,
    pub burst: f64,
}

const fn rate(per_second: f64, burst: f64) -> Rate {
    Rate { per_second, burst }
}

/// The bucket that an action draws from, and its rate. Actions with the same bucket name share it.
pub fn bucket(action: &'static str) -> (&'static str, Rate) {
    match action {
        "organizations:CloseAccount" => (action, rate(0.05, 1.0)),
        "organizations:DescribeCreateAccountStatus"
        | "organizations:DescribeOrganizationalUnit"
        | "organizations:DescribePolicy" => (action, rate(2.0, 2.0)),
        "organizations:ListCreateAccountStatus"
        | "organizations:ListParents"
        | "organizations:ListAccountsForParent"
        | "organizations:ListOrganizationalUnitsForParent"
        | "organizations:ListPolicies"
        | "organizations:ListPoliciesForTarget"
        | "organizations:ListTargetsForPolicy"
        | "organizations:ListDelegatedAdministrators"
        | "organizations:ListDelegatedServicesForAccount" => (action, rate(5.0, 8.0)),
        "organizations:DescribeAccount" => (action, rate(20.0, 30.0)),
        "organizations:ListAccounts" => (action, rate(8.0, 12.0)),
        "organizations:MoveAccount"
        | "organizations:CreatePolicy"
        | "organizations:DeletePolicy"
        | "organizations:AttachPolicy"
        | "organizations:DetachPolicy"
        | "organizations:UpdatePolicy" => (action, rate(2.0, 3.0)),
        "organizations:ListTagsForResource" => (action, rate(10.0, 15.0)),
        "organizations:TagResource" => (action, rate(4.0, 6.0)),
        // The intents in the database are this bucket: see model::creation.
        "organizations:CreateAccount" => (action, rate(1.0, 5.0)),
        other => match other.split_once(':').map_or(other, |(service, _)| service) {
            "organizations" => (action, rate(1.0, 2.0)),
            "sts" => ("sts", rate(100.0, 200.0)),
            "iam" => ("iam", rate(10.0, 15.0)),
            "account" => match other {
                "account:GetAlternateContact" => (action, rate(10.0, 15.0)),
                "account:PutAlternateContact" => (action, rate(5.0, 8.0)),
                "account:ListRegions" | "account:GetRegionOptStatus" => (action, rate(5.0, 5.0)),
                "account:EnableRegion" => (action, rate(1.0, 1.0)),
                _ => (action, rate(3.0, 3.0)),
            },
            "access-analyzer" => ("access-analyzer", rate(10.0, 15.0)),
            "s3" if other.contains("AccountPublicAccessBlock") => (action, rate(5.0, 10.0)),
            // 5,500 a second for each prefix ("Best practices design patterns", S3 User Guide); a check needs no more than this.
            "s3" if ["s3:GetObject", "s3:ListBucket"].contains(&other) => {
                ("s3-objects", rate(300.0, 300.0))
            }
            "s3" => ("s3", rate(50.0, 100.0)),
            "cloudtrail" if is_read(other) => ("cloudtrail-read", rate(10.0, 10.0)),
            "cloudtrail" => ("cloudtrail-write", rate(1.0, 1.0)),
            "config" if is_read(other) => ("config-read", rate(10.0, 20.0)),
            "config" => ("config-write", rate(5.0, 10.0)),
            // Each action has a bucket of its own ("Request throttling for the Amazon EC2 API").
            "ec2" if is_read(other) => (other, rate(20.0, 100.0)),
            "ec2" => (other, rate(5.0, 50.0)),
            "guardduty" if is_read(other) => ("guardduty-read", rate(20.0, 30.0)),
            "guardduty" => ("guardduty-write", rate(10.0, 15.0)),
            "securityhub"
                if [
                    "securityhub:BatchEnableStandards",
                    "securityhub:GetEnabledStandards",
                ]
                .contains(&other) =>
            {
                (action, rate(1.0, 1.0))
            }
            "securityhub" => ("securityhub", rate(10.0, 30.0)),
            // "Nearly unlimited" for standard queues ("Amazon SQS message quotas", Developer Guide).
            "sqs" => ("sqs", rate(100.0, 100.0)),
            _ => ("other", rate(5.0, 5.0)),
        },
    }
}

/// Whether an action only looks.
pub fn is_read(action: &str) -> bool {
    let verb = action.split_once(':').map_or(action, |(_, verb)| verb);
    ["Get", "List", "Describe", "Head"]
        .iter()
        .any(|prefix| verb.starts_with(prefix))
}
