//! Whether AWS Config can write to a bucket: asked when a channel is put, and again whenever its status is.

use super::{SERVICE, role};
use crate::call::AccountId;
use crate::world::World;

/// Why nothing can be delivered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    NoBucket,
    Denied,
}

impl Fault {
    /// The code that a channel's status shows.
    pub(super) fn code(self) -> &'static str {
        match self {
            Fault::NoBucket => "NoSuchBucket",
            Fault::Denied => "AccessDenied",
        }
    }
}

/// Tries what Config does before it delivers for `account`: read the bucket's ACL, find the bucket, write below
/// `AWSLogs/ACCOUNT/Config` (AWS Config Developer Guide, "Permissions for the Amazon S3 bucket").
///
/// A role of the account's own writes to the account's own buckets with its own policies. The service-linked role, and
/// any role where the bucket is another account's, needs the bucket policy to name the service.
pub(super) fn check(
    world: &World,
    account: AccountId,
    role_arn: &str,
    bucket: &str,
    prefix: Option<&str>,
) -> Result<(), Fault> {
    let owner = world.s3.owner(bucket).ok_or(Fault::NoBucket)?;
    let arn = format!("arn:aws:s3:::{bucket}");
    let folder = prefix
        .map(|prefix| format!("{prefix}/"))
        .unwrap_or_default();
    let object = format!("{arn}/{folder}AWSLogs/{account}/Config/ConfigWritabilityCheckFile");
    let requests = [
        ("s3:GetBucketAcl", arn.as_str()),
        ("s3:ListBucket", arn.as_str()),
        ("s3:PutObject", object.as_str()),
    ];
    let own_account = account.to_string();
    let keys = [
        ("s3:x-amz-acl", "bucket-owner-full-control"),
        ("aws:SourceAccount", own_account.as_str()),
        ("aws:SourceOrgID", world.organizations.organization_id()),
    ];
    let as_role = owner == account
        && !role::is_service_linked(role_arn)
        && role::may(world, account, role_arn, &requests, &keys);
    let as_service = || {
        requests.iter().all(|(action, resource)| {
            world
                .s3
                .lets_service(bucket, SERVICE, action, resource, &keys)
        })
    };
    if as_role || as_service() {
        Ok(())
    } else {
        Err(Fault::Denied)
    }
}
