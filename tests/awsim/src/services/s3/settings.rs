//! What a bucket's owner can set: public access block, versioning, encryption, ownership, tags, lifecycle, logging.

use serde_json::{Value, json};

use super::not_found;
use crate::call::{Answer, AwsError, Call};
use crate::world::World;

/// A whole `PublicAccessBlockConfiguration`: what `given` leaves out is `otherwise`.
pub(crate) fn public_access_block(given: Option<&Value>, otherwise: bool) -> Value {
    let setting = |name: &str| {
        given
            .and_then(|given| given.get(name))
            .and_then(Value::as_bool)
            .unwrap_or(otherwise)
    };
    json!({
        "BlockPublicAcls": setting("BlockPublicAcls"),
        "IgnorePublicAcls": setting("IgnorePublicAcls"),
        "BlockPublicPolicy": setting("BlockPublicPolicy"),
        "RestrictPublicBuckets": setting("RestrictPublicBuckets"),
    })
}

/// Writes all four settings: one that is left out is off.
pub(super) fn put_public_access_block(world: &mut World, call: &Call<'_>) -> Answer {
    let configuration =
        public_access_block(call.input.get("PublicAccessBlockConfiguration"), false);
    world.s3.bucket_mut(call)?.public_access_block = Some(configuration);
    Ok(json!({}))
}

pub(super) fn get_public_access_block(world: &World, call: &Call<'_>) -> Answer {
    match &world.s3.bucket(call)?.public_access_block {
        Some(configuration) => Ok(json!({"PublicAccessBlockConfiguration": configuration})),
        None => Err(not_found(
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
        )),
    }
}

pub(super) fn delete_public_access_block(world: &mut World, call: &Call<'_>) -> Answer {
    world.s3.bucket_mut(call)?.public_access_block = None;
    Ok(json!({}))
}

/// Versioning can be suspended but never taken back, and not while objects can be locked.
pub(super) fn put_versioning(world: &mut World, call: &Call<'_>) -> Answer {
    let status = call.input["VersioningConfiguration"]["Status"].as_str();
    let Some(status) = status else {
        return Err(AwsError::new(
            "IllegalVersioningConfigurationException",
            "The Versioning element must be specified",
        ));
    };
    let bucket = world.s3.bucket_mut(call)?;
    if bucket.object_lock && status != "Enabled" {
        let message = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.";
        return Err(AwsError::new("InvalidBucketState", message).status(409));
    }
    bucket.versioning = Some(status.to_owned());
    Ok(json!({}))
}

pub(super) fn get_versioning(world: &World, call: &Call<'_>) -> Answer {
    match &world.s3.bucket(call)?.versioning {
        Some(status) => Ok(json!({"Status": status})),
        None => Ok(json!({})),
    }
}

/// SSE-S3, which every bucket has unless its owner says otherwise.
pub(super) fn default_encryption() -> Value {
    json!({"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": false}]})
}

pub(super) fn put_encryption(world: &mut World, call: &Call<'_>) -> Answer {
    let mut configuration = call.input["ServerSideEncryptionConfiguration"].clone();
    let rules = configuration["Rules"]
        .as_array_mut()
        .filter(|rules| rules.len() == 1);
    let Some([rule]) = rules.map(Vec::as_mut_slice) else {
        return Err(AwsError::new(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        ));
    };
    let default = &rule["ApplyServerSideEncryptionByDefault"];
    if default["SSEAlgorithm"] == "AES256" && default["KMSMasterKeyID"].is_string() {
        let message = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse";
        return Err(AwsError::new("InvalidArgument", message));
    }
    if rule["BucketKeyEnabled"].is_null() {
        rule["BucketKeyEnabled"] = json!(false);
    }
    world.s3.bucket_mut(call)?.encryption = configuration;
    Ok(json!({}))
}

pub(super) fn get_encryption(world: &World, call: &Call<'_>) -> Answer {
    Ok(json!({"ServerSideEncryptionConfiguration": world.s3.bucket(call)?.encryption}))
}

/// Goes back to SSE-S3: a bucket is never without encryption.
pub(super) fn delete_encryption(world: &mut World, call: &Call<'_>) -> Answer {
    world.s3.bucket_mut(call)?.encryption = default_encryption();
    Ok(json!({}))
}

pub(super) fn put_ownership(world: &mut World, call: &Call<'_>) -> Answer {
    let rules = call.input["OwnershipControls"]["Rules"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let ownership = match rules {
        [rule] => rule["ObjectOwnership"].as_str(),
        _ => None,
    };
    let Some(ownership) = ownership else {
        return Err(AwsError::new(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        ));
    };
    world.s3.bucket_mut(call)?.ownership = Some(ownership.to_owned());
    Ok(json!({}))
}

pub(super) fn get_ownership(world: &World, call: &Call<'_>) -> Answer {
    match &world.s3.bucket(call)?.ownership {
        Some(ownership) => {
            Ok(json!({"OwnershipControls": {"Rules": [{"ObjectOwnership": ownership}]}}))
        }
        None => Err(not_found(
            "OwnershipControlsNotFoundError",
            "The bucket ownership controls were not found",
        )),
    }
}

pub(super) fn delete_ownership(world: &mut World, call: &Call<'_>) -> Answer {
    world.s3.bucket_mut(call)?.ownership = None;
    Ok(json!({}))
}

/// Writes all tags of the bucket: at most 50, no key twice.
pub(super) fn put_tags(world: &mut World, call: &Call<'_>) -> Answer {
    let set = &call.input["Tagging"]["TagSet"];
    let tags = set.as_array().map_or(&[][..], Vec::as_slice);
    if tags.len() > 50 {
        return Err(AwsError::new(
            "BadRequest",
            "Bucket tag count cannot be greater than 50",
        ));
    }
    let mut keys = std::collections::BTreeSet::new();
    if !tags.iter().all(|tag| keys.insert(tag["Key"].as_str())) {
        return Err(AwsError::new(
            "InvalidTag",
            "Cannot provide multiple Tags with the same key",
        ));
    }
    world.s3.bucket_mut(call)?.tags = Some(set.clone()).filter(|_| !tags.is_empty());
    Ok(json!({}))
}

pub(super) fn get_tags(world: &World, call: &Call<'_>) -> Answer {
    match &world.s3.bucket(call)?.tags {
        Some(tags) => Ok(json!({"TagSet": tags})),
        None => Err(not_found("NoSuchTagSet", "The TagSet does not exist")),
    }
}

pub(super) fn delete_tags(world: &mut World, call: &Call<'_>) -> Answer {
    world.s3.bucket_mut(call)?.tags = None;
    Ok(json!({}))
}

/// Writes all lifecycle rules: each does something, ids are unique, and those left out are given.
pub(super) fn put_lifecycle(world: &mut World, call: &Call<'_>) -> Answer {
    const ACTIONS: [&str; 5] = [
        "Expiration",
        "Transitions",
        "NoncurrentVersionTransitions",
        "NoncurrentVersionExpiration",
        "AbortIncompleteMultipartUpload",
    ];
    let mut rules = call.input["LifecycleConfiguration"]["Rules"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    if rules.is_empty() || rules.len() > 1000 {
        return Err(AwsError::new(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        ));
    }
    let mut ids = std::collections::BTreeSet::new();
    for rule in &mut rules {
        if !ACTIONS.iter().any(|action| rule.get(action).is_some()) {
            return Err(AwsError::new(
                "InvalidRequest",
                "At least one action needs to be specified in a rule",
            ));
        }
        if rule.get("Filter").is_some() == rule.get("Prefix").is_some() {
            return Err(AwsError::new(
                "MalformedXML",
                "The XML you provided was not well-formed or did not validate against our published schema",
            ));
        }
        if rule["ID"].as_str().unwrap_or_default().is_empty() {
            rule["ID"] = json!(world.random_hex(32));
        }
        if !ids.insert(rule["ID"].to_string()) {
            return Err(AwsError::new(
                "InvalidArgument",
                "Rule ID must be unique. Found same ID for more than one rule",
            ));
        }
    }
    let minimum = call
        .text("TransitionDefaultMinimumObjectSize")
        .unwrap_or("all_storage_classes_128K")
        .to_owned();
    let answer = json!({"TransitionDefaultMinimumObjectSize": minimum});
    world.s3.bucket_mut(call)?.lifecycle = Some((Value::Array(rules), minimum));
    Ok(answer)
}

pub(super) fn get_lifecycle(world: &World, call: &Call<'_>) -> Answer {
    match &world.s3.bucket(call)?.lifecycle {
        Some((rules, minimum)) => {
            Ok(json!({"Rules": rules, "TransitionDefaultMinimumObjectSize": minimum}))
        }
        None => Err(not_found(
            "NoSuchLifecycleConfiguration",
            "The lifecycle configuration does not exist",
        )),
    }
}

pub(super) fn delete_lifecycle(world: &mut World, call: &Call<'_>) -> Answer {
    world.s3.bucket_mut(call)?.lifecycle = None;
    Ok(json!({}))
}

/// Logs go to a bucket of the same owner in the same Region; an empty status turns logging off.
pub(super) fn put_logging(world: &mut World, call: &Call<'_>) -> Answer {
    let logging = call.input["BucketLoggingStatus"]
        .get("LoggingEnabled")
        .cloned();
    if let Some(logging) = &logging {
        let (owner, region) = world
            .s3
            .bucket(call)
            .map(|bucket| (bucket.owner, bucket.region))?;
        let target = world
            .s3
            .buckets
            .get(logging["TargetBucket"].as_str().unwrap_or_default());
        if target.is_none_or(|target| target.owner != owner) {
            return Err(AwsError::new(
                "InvalidTargetBucketForLogging",
                "The target bucket for logging does not exist or is not owned by you",
            ));
        }
        if target.is_some_and(|target| target.region != region) {
            let message = "The source and target buckets for logging must be in the same location";
            return Err(AwsError::new("CrossLocationLoggingProhibited", message).status(403));
        }
    }
    world.s3.bucket_mut(call)?.logging = logging;
    Ok(json!({}))
}

pub(super) fn get_logging(world: &World, call: &Call<'_>) -> Answer {
    match &world.s3.bucket(call)?.logging {
        Some(logging) => Ok(json!({"LoggingEnabled": logging})),
        None => Ok(json!({})),
    }
}
