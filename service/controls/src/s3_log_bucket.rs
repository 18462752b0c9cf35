//! The log bucket in the log archive account: only CloudTrail and AWS Config write to it, and nobody sees it from outside.

use std::fmt;

use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, ObjectOwnership,
    OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    VersioningConfiguration,
};
use landfall_model::asset::Asset;
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::control::Scope;
use landfall_model::place::Place;
use landfall_policy::Policy;
use serde::{Deserialize, Serialize};

use crate::aws::Aws;
use crate::control::Control;
use crate::error::{CloudError, absent, done_already};
use crate::names;
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
    fn sdk(self) -> ServerSideEncryption {
        match self {
            Encryption::Aes256 => ServerSideEncryption::Aes256,
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

/// A bucket's settings; the default is one where nothing is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct Bucket {
    name: String,
    versioned: bool,
    /// S3's name of the algorithm.
    encryption: Option<String>,
    /// S3's name of who owns what others write.
    ownership: Option<String>,
    public_access_blocked: bool,
    policy: Option<String>,
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

/// HeadBucket's answer has no body and so no code; versioning is asked for first instead.
const GET_VERSIONING: &str = "s3:GetBucketVersioning";
const GET_ENCRYPTION: &str = "s3:GetEncryptionConfiguration";
const GET_OWNERSHIP: &str = "s3:GetBucketOwnershipControls";
const GET_PUBLIC_ACCESS: &str = "s3:GetBucketPublicAccessBlock";
const GET_POLICY: &str = "s3:GetBucketPolicy";
const CREATE: &str = "s3:CreateBucket";
const PUT_VERSIONING: &str = "s3:PutBucketVersioning";
const PUT_ENCRYPTION: &str = "s3:PutEncryptionConfiguration";
const PUT_OWNERSHIP: &str = "s3:PutBucketOwnershipControls";
const PUT_PUBLIC_ACCESS: &str = "s3:PutBucketPublicAccessBlock";
const PUT_POLICY: &str = "s3:PutBucketPolicy";

const POLICY: &str = include_str!("../../../baselines/documents/log-bucket-policy.json");

impl Control for S3LogBucket {
    const ID: &'static str = "s3.log-bucket";
    const TITLE: &'static str = "The log bucket keeps what CloudTrail and AWS Config write";
    const SCOPE: Scope = Scope::Organization;
    const ACTIONS: &'static [&'static str] = &[
        GET_VERSIONING,
        GET_ENCRYPTION,
        GET_OWNERSHIP,
        GET_PUBLIC_ACCESS,
        GET_POLICY,
        CREATE,
        PUT_VERSIONING,
        PUT_ENCRYPTION,
        PUT_OWNERSHIP,
        PUT_PUBLIC_ACCESS,
        PUT_POLICY,
    ];

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(parameters: &Parameters, place: &Place) -> Result<Desired, CloudError> {
        let bucket = place
            .log_bucket()
            .ok_or_else(|| CloudError::not_ready(CREATE, "there is no log archive account yet"))?;
        Ok(Desired {
            policy: policy(place, &bucket),
            bucket,
            encryption: parameters.encryption,
        })
    }

    async fn observe(aws: &Session, desired: &Desired) -> Result<Observed, CloudError> {
        let bucket = observe(aws.log_archive().await?, &desired.bucket).await?;
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
        if found.encryption.as_deref() != Some(desired.encryption.sdk().as_str()) {
            changes.push(Change::Encrypt {
                bucket: bucket.clone(),
                encryption: desired.encryption,
            });
        }
        if found.ownership.as_deref() != Some(ObjectOwnership::BucketOwnerEnforced.as_str()) {
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
        apply(aws.log_archive().await?, change).await
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

async fn observe(aws: &Aws, name: &str) -> Result<Option<Bucket>, CloudError> {
    let s3 = aws.s3();
    let versioning = aws
        .call(GET_VERSIONING, || {
            s3.get_bucket_versioning().bucket(name).send()
        })
        .await;
    let Some(versioning) = absent(versioning, &["NoSuchBucket"])? else {
        return Ok(None);
    };
    let encryption = aws
        .call(GET_ENCRYPTION, || {
            s3.get_bucket_encryption().bucket(name).send()
        })
        .await;
    let encryption = absent(
        encryption,
        &["ServerSideEncryptionConfigurationNotFoundError"],
    )?
    .and_then(|answer| answer.server_side_encryption_configuration)
    .and_then(|configuration| configuration.rules.into_iter().next())
    .and_then(|rule| rule.apply_server_side_encryption_by_default)
    .map(|default| default.sse_algorithm.as_str().to_owned());
    let ownership = aws
        .call(GET_OWNERSHIP, || {
            s3.get_bucket_ownership_controls().bucket(name).send()
        })
        .await;
    let ownership = absent(ownership, &["OwnershipControlsNotFoundError"])?
        .and_then(|answer| answer.ownership_controls)
        .and_then(|controls| controls.rules.into_iter().next())
        .map(|rule| rule.object_ownership.as_str().to_owned());
    let public_access = aws
        .call(GET_PUBLIC_ACCESS, || {
            s3.get_public_access_block().bucket(name).send()
        })
        .await;
    let public_access = absent(public_access, &["NoSuchPublicAccessBlockConfiguration"])?
        .and_then(|answer| answer.public_access_block_configuration);
    let policy = aws
        .call(GET_POLICY, || s3.get_bucket_policy().bucket(name).send())
        .await;
    let policy = absent(policy, &["NoSuchBucketPolicy"])?.and_then(|answer| answer.policy);
    Ok(Some(Bucket {
        name: name.to_owned(),
        versioned: versioning.status == Some(BucketVersioningStatus::Enabled),
        encryption,
        ownership,
        public_access_blocked: public_access == Some(no_public_access()),
        policy,
    }))
}

async fn apply(aws: &Aws, change: &Change) -> Result<(), CloudError> {
    let s3 = aws.s3();
    match change {
        Change::Create { bucket } => {
            let configuration = location(aws);
            let created = aws
                .call(CREATE, || {
                    s3.create_bucket()
                        .bucket(bucket)
                        .set_create_bucket_configuration(configuration.clone())
                        .send()
                })
                .await;
            done_already(created, &["BucketAlreadyOwnedByYou"])?;
        }
        Change::KeepVersions { bucket } => {
            let configuration = VersioningConfiguration::builder()
                .status(BucketVersioningStatus::Enabled)
                .build();
            aws.call(PUT_VERSIONING, || {
                s3.put_bucket_versioning()
                    .bucket(bucket)
                    .versioning_configuration(configuration.clone())
                    .send()
            })
            .await?;
        }
        Change::Encrypt { bucket, encryption } => {
            let configuration = encryption_configuration(*encryption)?;
            aws.call(PUT_ENCRYPTION, || {
                s3.put_bucket_encryption()
                    .bucket(bucket)
                    .server_side_encryption_configuration(configuration.clone())
                    .send()
            })
            .await?;
        }
        Change::OwnObjects { bucket } => {
            let controls = ownership_controls()?;
            aws.call(PUT_OWNERSHIP, || {
                s3.put_bucket_ownership_controls()
                    .bucket(bucket)
                    .ownership_controls(controls.clone())
                    .send()
            })
            .await?;
        }
        Change::BlockPublicAccess { bucket } => {
            aws.call(PUT_PUBLIC_ACCESS, || {
                s3.put_public_access_block()
                    .bucket(bucket)
                    .public_access_block_configuration(no_public_access())
                    .send()
            })
            .await?;
        }
        Change::SetPolicy { bucket, policy } => {
            aws.call(PUT_POLICY, || {
                s3.put_bucket_policy().bucket(bucket).policy(policy).send()
            })
            .await?;
        }
    }
    Ok(())
}

/// Where the bucket is made. S3 takes every Region but us-east-1 by name, and that one only unnamed.
fn location(aws: &Aws) -> Option<CreateBucketConfiguration> {
    (aws.region().as_str() != "us-east-1").then(|| {
        CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(aws.region().as_str()))
            .build()
    })
}

fn no_public_access() -> PublicAccessBlockConfiguration {
    PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(true)
        .build()
}

fn encryption_configuration(
    encryption: Encryption,
) -> Result<ServerSideEncryptionConfiguration, CloudError> {
    let default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(encryption.sdk())
        .build()
        .map_err(|error| unbuilt(PUT_ENCRYPTION, &error))?;
    ServerSideEncryptionConfiguration::builder()
        .rules(
            ServerSideEncryptionRule::builder()
                .apply_server_side_encryption_by_default(default)
                .build(),
        )
        .build()
        .map_err(|error| unbuilt(PUT_ENCRYPTION, &error))
}

fn ownership_controls() -> Result<OwnershipControls, CloudError> {
    let rule = OwnershipControlsRule::builder()
        .object_ownership(ObjectOwnership::BucketOwnerEnforced)
        .build()
        .map_err(|error| unbuilt(PUT_OWNERSHIP, &error))?;
    OwnershipControls::builder()
        .rules(rule)
        .build()
        .map_err(|error| unbuilt(PUT_OWNERSHIP, &error))
}

fn unbuilt(action: &'static str, error: &dyn fmt::Display) -> CloudError {
    CloudError::new(CloudErrorKind::Invalid, action, error.to_string())
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
