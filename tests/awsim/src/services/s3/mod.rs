//! S3: buckets with their settings and small objects. One name space for all of AWS; a bucket has one owner and lives in one Region.
//!
//! Every call on a bucket goes through the same gate: the bucket is there, its Region was called, its owner is the one
//! expected, and the bucket policy does not refuse the caller (for a caller of another account: allows him).
//! What the caller's own policies say was settled before.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::world::World;

mod access;
mod buckets;
mod listing;
mod objects;
mod policies;
mod settings;
mod tamper;

pub use access::action;
pub(super) use settings::public_access_block;
pub use tamper::tamper;

/// What S3 knows.
#[derive(Default)]
pub struct State {
    buckets: BTreeMap<String, buckets::Bucket>,
}

pub fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    match call.operation {
        "CreateBucket" => return buckets::create(world, call),
        "ListBuckets" => return buckets::list(world, call),
        _ => access::check(world, call)?,
    }
    match call.operation {
        "HeadBucket" => buckets::head(world, call),
        "DeleteBucket" => buckets::delete(world, call),
        "GetBucketLocation" => buckets::location(world, call),
        "GetBucketAcl" => buckets::acl(world, call),
        "PutBucketPolicy" => policies::put(world, call),
        "GetBucketPolicy" => policies::get(world, call),
        "DeleteBucketPolicy" => policies::delete(world, call),
        "GetBucketPolicyStatus" => policies::status(world, call),
        "PutPublicAccessBlock" => settings::put_public_access_block(world, call),
        "GetPublicAccessBlock" => settings::get_public_access_block(world, call),
        "DeletePublicAccessBlock" => settings::delete_public_access_block(world, call),
        "PutBucketVersioning" => settings::put_versioning(world, call),
        "GetBucketVersioning" => settings::get_versioning(world, call),
        "PutBucketEncryption" => settings::put_encryption(world, call),
        "GetBucketEncryption" => settings::get_encryption(world, call),
        "DeleteBucketEncryption" => settings::delete_encryption(world, call),
        "PutBucketOwnershipControls" => settings::put_ownership(world, call),
        "GetBucketOwnershipControls" => settings::get_ownership(world, call),
        "DeleteBucketOwnershipControls" => settings::delete_ownership(world, call),
        "PutBucketTagging" => settings::put_tags(world, call),
        "GetBucketTagging" => settings::get_tags(world, call),
        "DeleteBucketTagging" => settings::delete_tags(world, call),
        "PutBucketLifecycleConfiguration" => settings::put_lifecycle(world, call),
        "GetBucketLifecycleConfiguration" => settings::get_lifecycle(world, call),
        "DeleteBucketLifecycle" => settings::delete_lifecycle(world, call),
        "PutBucketLogging" => settings::put_logging(world, call),
        "GetBucketLogging" => settings::get_logging(world, call),
        "PutObject" => objects::put(world, call),
        "GetObject" => objects::get(world, call),
        "HeadObject" => objects::head(world, call),
        "DeleteObject" => objects::delete(world, call),
        "DeleteObjects" => objects::delete_many(world, call),
        "ListObjectVersions" => listing::versions(world, call),
        "ListObjectsV2" => listing::keys(world, call),
        _ => Err(AwsError::not_built()),
    }
}

/// `arn:aws:s3:::bucket`, or with the object's key behind a slash.
pub fn resource(_world: &World, call: &Call<'_>) -> String {
    match (call.text("Bucket"), call.text("Key")) {
        (Some(bucket), Some(key)) => format!("arn:aws:s3:::{bucket}/{key}"),
        (Some(bucket), None) if call.operation == "DeleteObjects" => {
            format!("arn:aws:s3:::{bucket}/*")
        }
        (Some(bucket), None) => format!("arn:aws:s3:::{bucket}"),
        _ => "*".to_owned(),
    }
}

impl State {
    /// The account that owns a bucket, if there is such a bucket.
    pub fn owner(&self, bucket: &str) -> Option<AccountId> {
        self.buckets.get(bucket).map(|bucket| bucket.owner)
    }

    /// A bucket's owner and Region, if there is such a bucket.
    pub fn place(&self, bucket: &str) -> Option<(AccountId, Region)> {
        self.buckets
            .get(bucket)
            .map(|bucket| (bucket.owner, bucket.region))
    }

    fn bucket(&self, call: &Call<'_>) -> Result<&buckets::Bucket, AwsError> {
        let name = call.required("Bucket");
        self.buckets.get(name).ok_or_else(|| no_such_bucket(name))
    }

    fn bucket_mut(&mut self, call: &Call<'_>) -> Result<&mut buckets::Bucket, AwsError> {
        let name = call.required("Bucket");
        self.buckets
            .get_mut(name)
            .ok_or_else(|| no_such_bucket(name))
    }
}

fn no_such_bucket(name: &str) -> AwsError {
    AwsError::new("NoSuchBucket", "The specified bucket does not exist")
        .status(404)
        .with("BucketName", name)
}

fn not_found(code: &str, message: &str) -> AwsError {
    AwsError::new(code, message).status(404)
}

/// The owner as S3 shows accounts: by a canonical id of 64 hexadecimal digits.
fn canonical_user(account: AccountId) -> Value {
    json!({"ID": format!("{account}{account}{account}{account}{account}{:04}", account.0 % 10_000)})
}

#[cfg(test)]
mod tests;
