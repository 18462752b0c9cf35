//! How often AWS lets each operation be called. Benches read the table as `GET /_awsim/limits` to work out what a run must
//! take at the least.
//!
//! Where AWS documents a rate it stands here with its page. The others, under [`Source::Observed`], are of the order that
//! users report; what matters is that a client meets limits of that order everywhere.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::call::{AccountId, AwsError, Region};

/// A token bucket for each of some operations (or one for all of them).
#[derive(Debug, Serialize)]
pub struct Limit {
    pub service: &'static str,
    /// Empty: all operations that no other row of the service names.
    pub operations: &'static [&'static str],
    /// Tokens a second.
    pub rate: f64,
    /// The most tokens that a bucket holds.
    pub burst: f64,
    /// Whether the operations share one bucket rather than having one each.
    pub shared: bool,
    pub source: Source,
}

/// Where a limit is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Documented,
    Observed,
}

const fn each(
    service: &'static str,
    operations: &'static [&'static str],
    rate: f64,
    burst: f64,
    source: Source,
) -> Limit {
    Limit {
        service,
        operations,
        rate,
        burst,
        shared: false,
        source,
    }
}

use Source::{Documented, Observed};

/// The limits. Buckets are kept for each account and Region; for global services, for each account.
pub static LIMITS: &[Limit] = &[
    // "Quotas for AWS Organizations", Organizations User Guide.
    each("organizations", &["CreateAccount"], 0.1, 3.0, Documented),
    each("organizations", &["CloseAccount"], 0.05, 1.0, Documented),
    each(
        "organizations",
        &["DescribeAccount"],
        20.0,
        30.0,
        Documented,
    ),
    each("organizations", &["ListAccounts"], 8.0, 12.0, Documented),
    each(
        "organizations",
        &["ListTagsForResource"],
        10.0,
        15.0,
        Documented,
    ),
    each(
        "organizations",
        &["TagResource", "UntagResource"],
        4.0,
        6.0,
        Documented,
    ),
    each(
        "organizations",
        &[
            "DescribeCreateAccountStatus",
            "DescribeOrganizationalUnit",
            "DescribePolicy",
        ],
        2.0,
        2.0,
        Documented,
    ),
    each(
        "organizations",
        &[
            "MoveAccount",
            "CreatePolicy",
            "DeletePolicy",
            "AttachPolicy",
            "DetachPolicy",
            "UpdatePolicy",
            "CreateOrganizationalUnit",
            "UpdateOrganizationalUnit",
            "DeleteOrganizationalUnit",
        ],
        2.0,
        3.0,
        Documented,
    ),
    each(
        "organizations",
        &[
            "ListCreateAccountStatus",
            "ListParents",
            "ListChildren",
            "ListAccountsForParent",
            "ListOrganizationalUnitsForParent",
            "ListPolicies",
            "ListPoliciesForTarget",
            "ListTargetsForPolicy",
            "ListDelegatedAdministrators",
            "ListDelegatedServicesForAccount",
        ],
        5.0,
        8.0,
        Documented,
    ),
    each("organizations", &[], 1.0, 2.0, Documented),
    // "Quotas for AWS Account Management", Account Management Reference Guide.
    each(
        "account",
        &["EnableRegion", "DisableRegion"],
        1.0,
        1.0,
        Documented,
    ),
    each(
        "account",
        &["GetRegionOptStatus", "ListRegions"],
        5.0,
        5.0,
        Documented,
    ),
    each(
        "account",
        &["GetAlternateContact", "GetContactInformation"],
        10.0,
        15.0,
        Documented,
    ),
    each(
        "account",
        &["PutAlternateContact", "PutContactInformation"],
        5.0,
        8.0,
        Documented,
    ),
    each("account", &["DeleteAlternateContact"], 1.0, 6.0, Documented),
    each("account", &[], 3.0, 3.0, Documented),
    // "IAM and AWS STS quotas", IAM User Guide: 600 a second for all operations together.
    Limit {
        service: "sts",
        operations: &[],
        rate: 600.0,
        burst: 600.0,
        shared: true,
        source: Documented,
    },
    each(
        "iam",
        &[
            "CreateServiceLinkedRole",
            "CreateRole",
            "PutRolePolicy",
            "AttachRolePolicy",
        ],
        5.0,
        20.0,
        Observed,
    ),
    each("iam", &[], 15.0, 30.0, Observed),
    each(
        "s3",
        &["CreateBucket", "DeleteBucket"],
        10.0,
        100.0,
        Observed,
    ),
    // "Best practices design patterns", S3 User Guide: 3,500 writes a second for each prefix.
    each("s3", &[], 3500.0, 3500.0, Documented),
    each("s3control", &[], 10.0, 50.0, Observed),
    each("access-analyzer", &[], 10.0, 20.0, Observed),
    // "Quotas in AWS CloudTrail", CloudTrail User Guide.
    each(
        "cloudtrail",
        &[
            "CreateTrail",
            "UpdateTrail",
            "DeleteTrail",
            "StartLogging",
            "StopLogging",
            "PutEventSelectors",
            "PutInsightSelectors",
            "AddTags",
            "RemoveTags",
        ],
        1.0,
        1.0,
        Documented,
    ),
    each("cloudtrail", &["LookupEvents"], 2.0, 2.0, Documented),
    each("cloudtrail", &[], 10.0, 10.0, Documented),
    each(
        "config",
        &["SelectAggregateResourceConfig", "SelectResourceConfig"],
        5.0,
        10.0,
        Observed,
    ),
    each("config", &[], 10.0, 20.0, Observed),
    // "Request throttling for the Amazon EC2 API", EC2 Developer Guide.
    each(
        "ec2",
        &[
            "CreateDefaultVpc",
            "CreateTags",
            "DeleteInternetGateway",
            "DeleteSubnet",
            "DeleteVpc",
            "DetachInternetGateway",
            "DisableEbsEncryptionByDefault",
            "DisableImageBlockPublicAccess",
            "DisableSnapshotBlockPublicAccess",
            "EnableEbsEncryptionByDefault",
            "EnableImageBlockPublicAccess",
            "EnableSnapshotBlockPublicAccess",
            "ModifyInstanceMetadataDefaults",
        ],
        5.0,
        50.0,
        Documented,
    ),
    each("ec2", &[], 20.0, 100.0, Documented),
    each(
        "guardduty",
        &[
            "CreateDetector",
            "CreateMembers",
            "UpdateDetector",
            "EnableOrganizationAdminAccount",
        ],
        5.0,
        10.0,
        Observed,
    ),
    each("guardduty", &[], 10.0, 20.0, Observed),
    // "Amazon EventBridge quotas": requests for each API.
    each("events", &[], 50.0, 50.0, Documented),
    // "Quotas for Security Hub CSPM", Security Hub User Guide.
    each(
        "securityhub",
        &["BatchEnableStandards", "GetEnabledStandards"],
        1.0,
        1.0,
        Documented,
    ),
    each("securityhub", &["GetFindings"], 3.0, 6.0, Documented),
    each(
        "securityhub",
        &["UpdateStandardsControl"],
        1.0,
        5.0,
        Documented,
    ),
    each("securityhub", &[], 10.0, 30.0, Documented),
    // "Nearly unlimited" for standard queues ("Amazon SQS message quotas", Developer Guide).
    each("sqs", &[], 3_000.0, 3_000.0, Observed),
];

/// The limit that an operation is under.
pub fn limit(service: &str, operation: &str) -> Option<(usize, &'static Limit)> {
    let rows = || {
        LIMITS
            .iter()
            .enumerate()
            .filter(|(_, row)| row.service == service)
    };
    rows()
        .find(|(_, row)| row.operations.contains(&operation))
        .or_else(|| rows().find(|(_, row)| row.operations.is_empty()))
}

/// Whether a service's buckets are kept for an account, and not for each of its Regions.
pub fn is_global(service: &str) -> bool {
    matches!(service, "organizations" | "account" | "iam")
}

/// The buckets.
#[derive(Default)]
pub struct Throttle {
    buckets: HashMap<Key, Bucket>,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    limit: usize,
    /// Empty where operations share the bucket.
    operation: &'static str,
    account: AccountId,
    /// Empty for global services.
    region: Region,
}

struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl Throttle {
    /// Takes a token; `false` where there is none left. Buckets fill `time_scale` times as fast as AWS's.
    pub fn take(
        &mut self,
        (service, operation): (&str, &'static str),
        account: AccountId,
        region: Region,
        now: Timestamp,
        time_scale: u32,
    ) -> bool {
        let Some((index, limit)) = limit(service, operation) else {
            return true;
        };
        let key = Key {
            limit: index,
            operation: if limit.shared { "" } else { operation },
            account,
            region: if is_global(service) { "" } else { region },
        };
        let bucket = self.buckets.entry(key).or_insert(Bucket {
            tokens: limit.burst,
            at: now,
        });
        let seconds = now.duration_since(bucket.at).as_secs_f64().max(0.0);
        bucket.tokens =
            (bucket.tokens + seconds * limit.rate * f64::from(time_scale)).min(limit.burst);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}

/// A service's words for "too fast".
pub fn throttled(service: &str) -> AwsError {
    match service {
        "organizations" => AwsError::new(
            "TooManyRequestsException",
            "AWS Organizations cannot complete your request because you have made too many requests. Wait and try again.",
        ),
        "account" | "guardduty" | "securityhub" => {
            AwsError::new("TooManyRequestsException", "Rate exceeded").status(429)
        }
        "ec2" => AwsError::new("RequestLimitExceeded", "Request limit exceeded.").status(503),
        "s3" | "s3control" => {
            AwsError::new("SlowDown", "Please reduce your request rate.").status(503)
        }
        "sqs" => AwsError::new("RequestThrottled", "Rate exceeded").status(403),
        "iam" | "sts" => AwsError::new("Throttling", "Rate exceeded"),
        _ => AwsError::new("ThrottlingException", "Rate exceeded"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::protocol::model::Model;

    #[test]
    fn every_operation_named_exists_and_every_service_has_limits() {
        for row in LIMITS {
            let model = Model::by_signing_name(row.service).unwrap();
            for operation in row.operations {
                assert!(
                    model.operation(operation).is_some(),
                    "{} {operation}",
                    row.service
                );
            }
            assert!(row.burst >= 1.0 && row.rate > 0.0, "{row:?}");
        }
        for service in Model::services() {
            assert!(limit(service, "Anything").is_some(), "{service}");
        }
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let mut throttle = Throttle::default();
        let mut now = Timestamp::UNIX_EPOCH;
        let create = |throttle: &mut Throttle, account, now| {
            throttle.take(
                ("organizations", "CreateAccount"),
                AccountId(account),
                "us-east-1",
                now,
                1,
            )
        };
        let taken: Vec<bool> = (0..4).map(|_| create(&mut throttle, 1, now)).collect();
        assert_eq!(taken, [true, true, true, false]);
        assert!(
            create(&mut throttle, 2, now),
            "another account has its own bucket"
        );
        now += SignedDuration::from_secs(9);
        assert!(!create(&mut throttle, 1, now));
        now += SignedDuration::from_secs(1);
        assert!(create(&mut throttle, 1, now));
        assert!(!create(&mut throttle, 1, now));
        assert!(throttle.take(
            ("organizations", "CreateAccount"),
            AccountId(1),
            "us-east-1",
            now + SignedDuration::from_secs(1),
            10
        ));
    }
}
