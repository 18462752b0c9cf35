//! Buckets: made, found, listed and deleted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::canonical_user;
use super::objects::Version;
use super::policies::BucketPolicy;
use super::settings::{default_encryption, public_access_block};
use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::world::World;

/// A bucket. Settings are kept in the shapes in which calls bring and take them.
pub(super) struct Bucket {
    pub(super) name: String,
    pub(super) owner: AccountId,
    pub(super) region: Region,
    pub(super) created: Timestamp,
    pub(super) policy: Option<BucketPolicy>,
    /// `PublicAccessBlockConfiguration`. All four settings are on from the start (since April 2023).
    pub(super) public_access_block: Option<Value>,
    /// `Enabled` or `Suspended`; none for a bucket that was never versioned.
    pub(super) versioning: Option<String>,
    /// `ServerSideEncryptionConfiguration`. There is always one (since January 2023).
    pub(super) encryption: Value,
    /// `BucketOwnerEnforced`, `BucketOwnerPreferred` or `ObjectWriter`.
    pub(super) ownership: Option<String>,
    pub(super) object_lock: bool,
    /// `TagSet`.
    pub(super) tags: Option<Value>,
    /// The lifecycle `Rules`, and the transition default that belongs to them.
    pub(super) lifecycle: Option<(Value, String)>,
    /// `LoggingEnabled`.
    pub(super) logging: Option<Value>,
    /// Versions by key, the newest last.
    pub(super) objects: BTreeMap<String, Vec<Version>>,
}

impl Bucket {
    /// Whether one of the four settings against public access is on.
    pub(super) fn blocks(&self, setting: &str) -> bool {
        self.public_access_block
            .as_ref()
            .is_some_and(|block| block[setting] == true)
    }

    /// A bucket as AWS makes it when nothing else is asked for: private, encrypted, without ACLs.
    pub(super) fn new(name: &str, owner: AccountId, region: Region, now: Timestamp) -> Self {
        Bucket {
            name: name.to_owned(),
            owner,
            region,
            created: now,
            policy: None,
            public_access_block: Some(public_access_block(None, true)),
            versioning: None,
            encryption: default_encryption(),
            ownership: Some("BucketOwnerEnforced".to_owned()),
            object_lock: false,
            tags: None,
            lifecycle: None,
            logging: None,
            objects: BTreeMap::new(),
        }
    }

    pub(super) fn arn(&self) -> String {
        format!("arn:aws:s3:::{}", self.name)
    }
}

/// Creates a bucket in the Region that was called.
pub(super) fn create(world: &mut World, call: &Call<'_>) -> Answer {
    let name = call.required("Bucket");
    check_name(name)?;
    let configuration = call.input.get("CreateBucketConfiguration");
    check_location(configuration, call.region)?;
    let ownership = call
        .text("ObjectOwnership")
        .unwrap_or("BucketOwnerEnforced");
    if ownership == "BucketOwnerEnforced" && call.text("ACL").is_some_and(|acl| acl != "private") {
        return Err(AwsError::new(
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        ));
    }
    if let Some(bucket) = world.s3.buckets.get(name) {
        if bucket.owner != call.account() {
            let message = "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.";
            return Err(AwsError::new("BucketAlreadyExists", message)
                .status(409)
                .with("BucketName", name));
        }
        // In us-east-1 alone the owner may create his bucket again, and nothing happens.
        if bucket.region != "us-east-1" || call.region != "us-east-1" {
            let message = "Your previous request to create the named bucket succeeded and you already own it.";
            return Err(AwsError::new("BucketAlreadyOwnedByYou", message)
                .status(409)
                .with("BucketName", name));
        }
        return Ok(created(bucket));
    }
    let object_lock = call.flag("ObjectLockEnabledForBucket").unwrap_or(false);
    let tags = configuration
        .and_then(|configuration| configuration.get("Tags"))
        .filter(|tags| tags.as_array().is_some_and(|tags| !tags.is_empty()));
    let mut bucket = Bucket::new(name, call.account(), call.region, call.now);
    bucket.ownership = Some(ownership.to_owned());
    bucket.object_lock = object_lock;
    // Locked objects are versioned ones.
    bucket.versioning = object_lock.then(|| "Enabled".to_owned());
    bucket.tags = tags.cloned();
    let answer = created(&bucket);
    world.s3.buckets.insert(name.to_owned(), bucket);
    Ok(answer)
}

fn created(bucket: &Bucket) -> Value {
    let location = match bucket.region {
        "us-east-1" => format!("/{}", bucket.name),
        _ => format!("http://{}.s3.amazonaws.com/", bucket.name),
    };
    json!({"Location": location, "BucketArn": bucket.arn()})
}

/// The bucket naming rules of the S3 user guide.
fn check_name(name: &str) -> Result<(), AwsError> {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    let letters = bytes
        .iter()
        .all(|byte| alphanumeric(*byte) || *byte == b'-' || *byte == b'.');
    let ends = bytes
        .first()
        .zip(bytes.last())
        .is_some_and(|(first, last)| alphanumeric(*first) && alphanumeric(*last));
    let address = name.parse::<std::net::Ipv4Addr>().is_ok();
    let reserved = ["xn--", "sthree-", "amzn-s3-demo-"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"]
            .iter()
            .any(|suffix| name.ends_with(suffix));
    if (3..=63).contains(&name.len())
        && letters
        && ends
        && !name.contains("..")
        && !address
        && !reserved
    {
        return Ok(());
    }
    Err(
        AwsError::new("InvalidBucketName", "The specified bucket is not valid.")
            .with("BucketName", name),
    )
}

/// A bucket is made in the Region whose endpoint is called: `LocationConstraint` must say so, and for us-east-1 say nothing.
fn check_location(configuration: Option<&Value>, region: Region) -> Result<(), AwsError> {
    let constraint = configuration
        .and_then(|configuration| configuration.get("LocationConstraint"))
        .and_then(Value::as_str)
        .unwrap_or("");
    match (constraint, region) {
        ("", "us-east-1") | ("EU", "eu-west-1") => Ok(()),
        ("us-east-1", "us-east-1") => Err(AwsError::new(
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid",
        )
        .with("LocationConstraint", constraint)),
        (constraint, region) if constraint == region => Ok(()),
        ("", _) => Err(illegal_location("unspecified")),
        (constraint, _) => Err(illegal_location(constraint)),
    }
}

fn illegal_location(constraint: &str) -> AwsError {
    let message = format!(
        "The {constraint} location constraint is incompatible for the region specific endpoint this request was sent to."
    );
    AwsError::new("IllegalLocationConstraintException", message)
}

/// The caller's buckets, of all Regions.
pub(super) fn list(world: &World, call: &Call<'_>) -> Answer {
    let (prefix, region) = (call.text("Prefix").unwrap_or(""), call.text("BucketRegion"));
    let after = call.text("ContinuationToken").unwrap_or("");
    let most = call
        .integer("MaxBuckets")
        .and_then(|most| usize::try_from(most).ok())
        .unwrap_or(10_000);
    let mine = world.s3.buckets.values().filter(|bucket| {
        bucket.owner == call.account()
            && bucket.name.starts_with(prefix)
            && bucket.name.as_str() > after
            && region.is_none_or(|region| region == bucket.region)
    });
    let mut buckets: Vec<Value> = mine.take(most + 1).map(|bucket| {
        json!({"Name": bucket.name, "CreationDate": bucket.created.to_string(), "BucketRegion": bucket.region, "BucketArn": bucket.arn()})
    }).collect();
    let mut answer = Map::new();
    if buckets.len() > most {
        buckets.truncate(most);
        let last = buckets
            .last()
            .map_or(Value::Null, |bucket| bucket["Name"].clone());
        answer.insert("ContinuationToken".to_owned(), last);
    }
    answer.insert("Buckets".to_owned(), Value::Array(buckets));
    answer.insert("Owner".to_owned(), canonical_user(call.account()));
    if !prefix.is_empty() {
        answer.insert("Prefix".to_owned(), json!(prefix));
    }
    Ok(Value::Object(answer))
}

pub(super) fn head(world: &World, call: &Call<'_>) -> Answer {
    let bucket = world.s3.bucket(call)?;
    Ok(json!({"BucketRegion": bucket.region, "BucketArn": bucket.arn(), "AccessPointAlias": false}))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let bucket = world.s3.bucket(call)?;
    if !bucket.objects.is_empty() {
        let message = "The bucket you tried to delete is not empty";
        return Err(AwsError::new("BucketNotEmpty", message)
            .status(409)
            .with("BucketName", bucket.name.as_str()));
    }
    world.s3.buckets.remove(call.required("Bucket"));
    Ok(json!({}))
}

/// us-east-1 is the Region that has no name here.
pub(super) fn location(world: &World, call: &Call<'_>) -> Answer {
    match world.s3.bucket(call)?.region {
        "us-east-1" => Ok(json!({})),
        region => Ok(json!({"LocationConstraint": region})),
    }
}

pub(super) fn acl(world: &World, call: &Call<'_>) -> Answer {
    let owner = canonical_user(world.s3.bucket(call)?.owner);
    let mut grantee = owner.clone();
    grantee["Type"] = json!("CanonicalUser");
    Ok(json!({"Owner": owner, "Grants": [{"Grantee": grantee, "Permission": "FULL_CONTROL"}]}))
}
