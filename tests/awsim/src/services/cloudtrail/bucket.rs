//! Whether CloudTrail can write a trail's log files into its bucket.

use super::{SERVICE, Trail};
use crate::call::AwsError;
use crate::world::World;

/// Why nothing can be delivered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    NoBucket,
    Denied,
}

impl Fault {
    /// The code that a trail's status shows.
    pub(super) fn code(self) -> &'static str {
        match self {
            Fault::NoBucket => "NoSuchBucket",
            Fault::Denied => "AccessDenied",
        }
    }

    /// The refusal of a trail that is created or changed.
    pub(super) fn refusal(self, bucket: &str) -> AwsError {
        match self {
            Fault::NoBucket => AwsError::new(
                "S3BucketDoesNotExistException",
                format!("S3 bucket {bucket} does not exist!"),
            ),
            Fault::Denied => AwsError::new(
                "InsufficientS3BucketPolicyException",
                format!("Incorrect S3 bucket policy is detected for bucket: {bucket}"),
            ),
        }
    }
}

/// Tries what CloudTrail does with the bucket: read its ACL, and write below `AWSLogs/ACCOUNT`, for an organization
/// trail below `AWSLogs/ORGANIZATION` as well (CloudTrail User Guide, "Amazon S3 bucket policy for CloudTrail").
pub(super) fn check(world: &World, trail: &Trail) -> Result<(), Fault> {
    let bucket = trail.bucket.as_str();
    world.s3.owner(bucket).ok_or(Fault::NoBucket)?;
    let (owner, source) = (trail.owner.to_string(), trail.arn());
    let organization = trail
        .organization
        .then(|| world.organizations.organization_id());
    let mut keys = vec![
        ("aws:SourceArn", source.as_str()),
        ("aws:SourceAccount", owner.as_str()),
        ("s3:x-amz-acl", "bucket-owner-full-control"),
    ];
    keys.extend(organization.map(|id| ("aws:SourceOrgID", id)));

    let arn = format!("arn:aws:s3:::{bucket}");
    let prefix = trail.prefix.as_deref();
    let folder = prefix
        .map(|prefix| format!("{prefix}/"))
        .unwrap_or_default();
    let logs = format!("{arn}/{folder}AWSLogs");
    let mut writes = vec![format!("{logs}/{owner}/CloudTrail/")];
    writes.extend(organization.map(|id| format!("{logs}/{id}/{owner}/CloudTrail/")));

    let lets = |action, resource: &str| {
        world
            .s3
            .lets_service(bucket, SERVICE, action, resource, &keys)
    };
    if lets("s3:GetBucketAcl", &arn) && writes.iter().all(|object| lets("s3:PutObject", object)) {
        Ok(())
    } else {
        Err(Fault::Denied)
    }
}

/// Checks a bucket's name by S3's rules, as far as CloudTrail does before it asks S3.
pub(super) fn check_name(bucket: &str) -> Result<(), AwsError> {
    let inside = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = bucket.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    let valid = (3..=63).contains(&bytes.len())
        && bytes.iter().all(|&b| inside(b) || matches!(b, b'.' | b'-'))
        && ends.into_iter().flatten().all(|&b| inside(b));
    if valid {
        Ok(())
    } else {
        Err(AwsError::new(
            "InvalidS3BucketNameException",
            format!("Bucket name {bucket} is not valid."),
        ))
    }
}
