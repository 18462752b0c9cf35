//! A bucket as a place to keep things: the calls about its settings.

use std::fmt;

use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, ObjectOwnership,
    OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    VersioningConfiguration,
};
use landfall_model::cloud_error::CloudErrorKind;
use serde::Serialize;

use crate::aws::Aws;
use crate::error::{CloudError, absent, done_already};

/// HeadBucket's answer has no body and so no code; versioning is asked for first instead.
const GET_VERSIONING: &str = "s3:GetBucketVersioning";
const GET_ENCRYPTION: &str = "s3:GetEncryptionConfiguration";
const GET_OWNERSHIP: &str = "s3:GetBucketOwnershipControls";
const GET_PUBLIC_ACCESS: &str = "s3:GetBucketPublicAccessBlock";
const GET_POLICY: &str = "s3:GetBucketPolicy";
pub(crate) const CREATE: &str = "s3:CreateBucket";
const PUT_VERSIONING: &str = "s3:PutBucketVersioning";
const PUT_ENCRYPTION: &str = "s3:PutEncryptionConfiguration";
const PUT_OWNERSHIP: &str = "s3:PutBucketOwnershipControls";
const PUT_PUBLIC_ACCESS: &str = "s3:PutBucketPublicAccessBlock";
const PUT_POLICY: &str = "s3:PutBucketPolicy";

pub(crate) const ACTIONS: &[&str] = &[
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

/// Who owns objects that others write: the bucket's owner, always. It turns access control lists off.
pub(crate) const OWNER_ENFORCED: &str = "BucketOwnerEnforced";

/// A bucket's settings; the default is one where nothing is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Bucket {
    pub(crate) name: String,
    pub(crate) versioned: bool,
    /// S3's name of the algorithm.
    pub(crate) encryption: Option<String>,
    /// S3's name of who owns what others write.
    pub(crate) ownership: Option<String>,
    pub(crate) public_access_blocked: bool,
    pub(crate) policy: Option<String>,
}

/// The bucket of this name. One of somebody else's answers `AccessDenied`, which is an error.
pub(crate) async fn find(aws: &Aws, name: &str) -> Result<Option<Bucket>, CloudError> {
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

pub(crate) async fn create(aws: &Aws, bucket: &str) -> Result<(), CloudError> {
    let s3 = aws.s3();
    let configuration = location(aws);
    let created = aws
        .call(CREATE, || {
            s3.create_bucket()
                .bucket(bucket)
                .set_create_bucket_configuration(configuration.clone())
                .send()
        })
        .await;
    done_already(created, &["BucketAlreadyOwnedByYou"])
}

pub(crate) async fn keep_versions(aws: &Aws, bucket: &str) -> Result<(), CloudError> {
    let s3 = aws.s3();
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
    Ok(())
}

pub(crate) async fn encrypt(aws: &Aws, bucket: &str, algorithm: &str) -> Result<(), CloudError> {
    let s3 = aws.s3();
    let configuration = encryption_configuration(algorithm)?;
    aws.call(PUT_ENCRYPTION, || {
        s3.put_bucket_encryption()
            .bucket(bucket)
            .server_side_encryption_configuration(configuration.clone())
            .send()
    })
    .await?;
    Ok(())
}

pub(crate) async fn own_objects(aws: &Aws, bucket: &str) -> Result<(), CloudError> {
    let s3 = aws.s3();
    let controls = ownership_controls()?;
    aws.call(PUT_OWNERSHIP, || {
        s3.put_bucket_ownership_controls()
            .bucket(bucket)
            .ownership_controls(controls.clone())
            .send()
    })
    .await?;
    Ok(())
}

pub(crate) async fn block_public_access(aws: &Aws, bucket: &str) -> Result<(), CloudError> {
    let s3 = aws.s3();
    aws.call(PUT_PUBLIC_ACCESS, || {
        s3.put_public_access_block()
            .bucket(bucket)
            .public_access_block_configuration(no_public_access())
            .send()
    })
    .await?;
    Ok(())
}

pub(crate) async fn set_policy(aws: &Aws, bucket: &str, policy: &str) -> Result<(), CloudError> {
    let s3 = aws.s3();
    aws.call(PUT_POLICY, || {
        s3.put_bucket_policy().bucket(bucket).policy(policy).send()
    })
    .await?;
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
    algorithm: &str,
) -> Result<ServerSideEncryptionConfiguration, CloudError> {
    let default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::from(algorithm))
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
        .object_ownership(ObjectOwnership::from(OWNER_ENFORCED))
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
