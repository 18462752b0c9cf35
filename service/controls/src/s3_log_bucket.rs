//! The log bucket in the log archive account: only CloudTrail and AWS Config write to it, and nobody sees it from outside.

use std::fmt;

use landfall_model::asset::Asset;
use landfall_model::control::Scope;
use landfall_model::place::Place;
use landfall_policy::Policy;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::CloudError;
use crate::names;
use crate::s3_bucket::{self, Bucket};
use crate::session::Session;

pub(crate) struct S3LogBucket;

/// What a baseline says of the bucket.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    encryption: Encryption,
}

/// How objects are encrypted, by S3's names. KMS is not among them: its key would have to let every account's Config in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Encryption {
    /// SSE-S3.
    #[serde(rename = "AES256")]
    Aes256,
}

impl Encryption {
    fn algorithm(self) -> &'static str {
        match self {
            Encryption::Aes256 => "AES256",
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Desired {
    bucket: String,
    encryption: Encryption,
    policy: Policy,
}

/// The bucket as it is; `None` where there is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    bucket: Option<Bucket>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Create {
        bucket: String,
    },
    KeepVersions {
        bucket: String,
    },
    Encrypt {
        bucket: String,
        encryption: Encryption,
    },
    OwnObjects {
        bucket: String,
    },
    BlockPublicAccess {
        bucket: String,
    },
    SetPolicy {
        bucket: String,
        policy: String,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Create { bucket } => write!(f, "create the log bucket {bucket}"),
            Change::KeepVersions { .. } => f.write_str("keep old versions of log files"),
            Change::Encrypt { .. } => f.write_str("encrypt log files with SSE-S3"),
            Change::OwnObjects { .. } => {
                f.write_str("make the log archive account own every log file")
            }
            Change::BlockPublicAccess { .. } => {
                f.write_str("block public access to the log bucket")
            }
            Change::SetPolicy { .. } => f.write_str(
                "let CloudTrail and AWS Config, and nobody over plain http, use the log bucket",
            ),
        }
    }
}

const POLICY: &str = include_str!("../../../baselines/documents/log-bucket-policy.json");

impl Control for S3LogBucket {
    const ID: &'static str = "s3.log-bucket";
    const TITLE: &'static str = "The log bucket keeps what CloudTrail and AWS Config write";
    const SCOPE: Scope = Scope::Organization;
    const ACTIONS: &'static [&'static str] = s3_bucket::ACTIONS;

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(parameters: &Parameters, place: &Place) -> Result<Desired, CloudError> {
        let bucket = place.log_bucket().ok_or_else(|| {
            CloudError::not_ready(s3_bucket::CREATE, "there is no log archive account yet")
        })?;
        Ok(Desired {
            policy: policy(place, &bucket),
            bucket,
            encryption: parameters.encryption,
        })
    }

    async fn observe(aws: &Session, desired: &Desired) -> Result<Observed, CloudError> {
        let bucket = s3_bucket::find(aws.log_archive().await?, &desired.bucket).await?;
        Ok(Observed { bucket })
    }

    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        let bucket = desired.bucket.clone();
        let mut changes = Vec::new();
        let missing = Bucket::default();
        let found = observed.bucket.as_ref().unwrap_or_else(|| {
            changes.push(Change::Create {
                bucket: bucket.clone(),
            });
            &missing
        });
        if !found.versioned {
            changes.push(Change::KeepVersions {
                bucket: bucket.clone(),
            });
        }
        if found.encryption.as_deref() != Some(desired.encryption.algorithm()) {
            changes.push(Change::Encrypt {
                bucket: bucket.clone(),
                encryption: desired.encryption,
            });
        }
        if found.ownership.as_deref() != Some(s3_bucket::OWNER_ENFORCED) {
            changes.push(Change::OwnObjects {
                bucket: bucket.clone(),
            });
        }
        if !found.public_access_blocked {
            changes.push(Change::BlockPublicAccess {
                bucket: bucket.clone(),
            });
        }
        // S3 may space and bracket a document in its own way.
        let policy = found
            .policy
            .as_deref()
            .and_then(|text| Policy::parse(text).ok());
        if policy.as_ref() != Some(&desired.policy) {
            changes.push(Change::SetPolicy {
                bucket,
                policy: desired.policy.to_minified(),
            });
        }
        changes
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let aws = aws.log_archive().await?;
        match change {
            Change::Create { bucket } => s3_bucket::create(aws, bucket).await,
            Change::KeepVersions { bucket } => s3_bucket::keep_versions(aws, bucket).await,
            Change::Encrypt { bucket, encryption } => {
                s3_bucket::encrypt(aws, bucket, encryption.algorithm()).await
            }
            Change::OwnObjects { bucket } => s3_bucket::own_objects(aws, bucket).await,
            Change::BlockPublicAccess { bucket } => {
                s3_bucket::block_public_access(aws, bucket).await
            }
            Change::SetPolicy { bucket, policy } => {
                s3_bucket::set_policy(aws, bucket, policy).await
            }
        }
    }

    fn assets(place: &Place, observed: &Observed) -> Vec<Asset> {
        let owner = place.organization.log_archive_account.as_ref();
        let asset = |(bucket, owner): (&Bucket, &_)| Asset {
            arn: format!("arn:aws:s3:::{}", bucket.name),
            kind: "AWS::S3::Bucket".to_owned(),
            account_id: Clone::clone(owner),
            region: Some(place.landing_zone.home_region.clone()),
            name: bucket.name.clone(),
            configuration: serde_json::json!(bucket),
        };
        observed
            .bucket
            .as_ref()
            .zip(owner)
            .map(asset)
            .into_iter()
            .collect()
    }
}

/// The bucket's policy with this organization's words in it.
fn policy(place: &Place, bucket: &str) -> Policy {
    let organization = &place.organization;
    let document = POLICY
        .replace("${bucket}", bucket)
        .replace("${trail_arn}", &names::trail_arn(place))
        .replace("${organization_id}", &organization.id)
        .replace(
            "${management_account}",
            organization.management_account.as_str(),
        );
    Policy::parse(&document).expect("a test reads the embedded document")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUCKET: &str = "landfall-logs-222222222222";

    fn document(trail_arn: &str) -> Policy {
        let text = POLICY
            .replace("${bucket}", BUCKET)
            .replace("${trail_arn}", trail_arn)
            .replace("${organization_id}", "o-1")
            .replace("${management_account}", "111111111111");
        Policy::parse(&text).unwrap()
    }

    fn desired() -> Desired {
        Desired {
            bucket: BUCKET.to_owned(),
            encryption: Encryption::Aes256,
            policy: document("arn:aws:cloudtrail:us-east-1:111111111111:trail/t"),
        }
    }

    fn bucket() -> Bucket {
        Bucket {
            name: BUCKET.to_owned(),
            versioned: true,
            encryption: Some("AES256".to_owned()),
            ownership: Some("BucketOwnerEnforced".to_owned()),
            public_access_blocked: true,
            policy: Some(desired().policy.to_minified()),
        }
    }

    #[test]
    fn only_what_differs_is_changed() {
        let policy =
            "let CloudTrail and AWS Config, and nobody over plain http, use the log bucket";
        for (bucket, sentences) in [
            (
                None,
                vec![
                    "create the log bucket landfall-logs-222222222222",
                    "keep old versions of log files",
                    "encrypt log files with SSE-S3",
                    "make the log archive account own every log file",
                    "block public access to the log bucket",
                    policy,
                ],
            ),
            (Some(bucket()), vec![]),
            (
                Some(Bucket {
                    versioned: false,
                    ..bucket()
                }),
                vec!["keep old versions of log files"],
            ),
            (
                Some(Bucket {
                    encryption: Some("aws:kms".to_owned()),
                    ..bucket()
                }),
                vec!["encrypt log files with SSE-S3"],
            ),
            (
                Some(Bucket {
                    ownership: Some("ObjectWriter".to_owned()),
                    ..bucket()
                }),
                vec!["make the log archive account own every log file"],
            ),
            (
                Some(Bucket {
                    public_access_blocked: false,
                    ..bucket()
                }),
                vec!["block public access to the log bucket"],
            ),
            (
                Some(Bucket {
                    policy: None,
                    ..bucket()
                }),
                vec![policy],
            ),
            (
                Some(Bucket {
                    policy: Some(document("arn:aws:other").to_minified()),
                    ..bucket()
                }),
                vec![policy],
            ),
            (
                Some(Bucket {
                    policy: Some(bucket().policy.unwrap().replace(',', " ,\n")),
                    ..bucket()
                }),
                vec![],
            ),
        ] {
            let observed = Observed { bucket };
            let plan = S3LogBucket::plan(&desired(), &observed);
            let plan: Vec<String> = plan.iter().map(ToString::to_string).collect();
            assert_eq!(plan, sentences, "{observed:?}");
        }
    }
}
