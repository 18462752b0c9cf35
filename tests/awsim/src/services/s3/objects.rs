//! Objects, small and in memory, with their versions.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::buckets::Bucket;
use super::canonical_user;
use crate::call::{Answer, AwsError, Call};
use crate::world::World;

/// One version of an object, or the marker that it was deleted.
pub(super) struct Version {
    /// None for the `null` version of a bucket that is not versioned.
    id: Option<String>,
    modified: Timestamp,
    content: Option<Content>,
}

struct Content {
    /// In base 64, as it came and goes.
    body: String,
    size: usize,
    etag: String,
    /// Headers that come back as they were given: `ContentType`, `Metadata` and the like.
    headers: Map<String, Value>,
}

/// The members that `GetObject` gives back as `PutObject` brought them.
const HEADERS: [&str; 7] = [
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Metadata",
    "StorageClass",
];

pub(super) fn put(world: &mut World, call: &Call<'_>) -> Answer {
    let key = call.required("Key");
    let id = world.random_text(
        32,
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    );
    let bucket = world.s3.bucket_mut(call)?;
    let enforced = bucket.ownership.as_deref() == Some("BucketOwnerEnforced");
    if enforced
        && call
            .text("ACL")
            .is_some_and(|acl| acl != "bucket-owner-full-control" && acl != "private")
    {
        return Err(AwsError::new(
            "AccessControlListNotSupported",
            "The bucket does not allow ACLs",
        ));
    }
    let exists = bucket
        .newest(key)
        .is_some_and(|version| version.content.is_some());
    if call.text("IfNoneMatch") == Some("*") && exists {
        let message = "At least one of the pre-conditions you specified did not hold";
        return Err(AwsError::new("PreconditionFailed", message)
            .status(412)
            .with("Condition", "If-None-Match"));
    }
    let body = call.text("Body").unwrap_or_default();
    let bytes = STANDARD
        .decode(body)
        .map_err(|_| AwsError::new("InvalidRequest", "The body is not whole."))?;
    let mut headers = Map::new();
    for header in HEADERS {
        if let Some(value) = call.input.get(header) {
            headers.insert(header.to_owned(), value.clone());
        }
    }
    headers
        .entry("ContentType")
        .or_insert_with(|| json!("binary/octet-stream"));
    let algorithm =
        &bucket.encryption["Rules"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"];
    let algorithm = call
        .input
        .get("ServerSideEncryption")
        .unwrap_or(algorithm)
        .clone();
    headers.insert("ServerSideEncryption".to_owned(), algorithm.clone());
    let content = Content {
        body: body.to_owned(),
        size: bytes.len(),
        etag: etag(&bytes),
        headers,
    };
    let mut answer = json!({"ETag": content.etag, "ServerSideEncryption": algorithm});
    let version = bucket.add(key, id, call.now, Some(content));
    if let Some(version) = version {
        answer["VersionId"] = json!(version);
    }
    Ok(answer)
}

/// A tag that changes with the content. Clients may not read more into it: it is MD5 in some cases only.
fn etag(bytes: &[u8]) -> String {
    // FNV-1a of 128 bits.
    let hash = bytes.iter().fold(
        0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128,
        |hash, byte| {
            (hash ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        },
    );
    format!("\"{hash:032x}\"")
}

impl Bucket {
    fn newest(&self, key: &str) -> Option<&Version> {
        self.objects.get(key).and_then(|versions| versions.last())
    }

    /// Puts a version over the others, or in place of the `null` version where versioning is not on.
    /// Returns the id by which it can be asked for.
    fn add(
        &mut self,
        key: &str,
        id: String,
        now: Timestamp,
        content: Option<Content>,
    ) -> Option<String> {
        let id = (self.versioning.as_deref() == Some("Enabled")).then_some(id);
        let versions = self.objects.entry(key.to_owned()).or_default();
        if id.is_none() {
            versions.retain(|version| version.id.is_some());
        }
        versions.push(Version {
            id: id.clone(),
            modified: now,
            content,
        });
        if id.is_none() && self.versioning.is_some() {
            Some("null".to_owned())
        } else {
            id
        }
    }
}

pub(super) fn get(world: &World, call: &Call<'_>) -> Answer {
    let (mut answer, content) = describe(world, call)?;
    answer.insert("Body".to_owned(), json!(content.body));
    Ok(Value::Object(answer))
}

pub(super) fn head(world: &World, call: &Call<'_>) -> Answer {
    Ok(Value::Object(describe(world, call)?.0))
}

/// The headers of the object's newest or named version, and its content.
fn describe<'a>(
    world: &'a World,
    call: &Call<'_>,
) -> Result<(Map<String, Value>, &'a Content), AwsError> {
    let (bucket, key) = (world.s3.bucket(call)?, call.required("Key"));
    let wanted = call.text("VersionId");
    let version = match wanted {
        None => bucket.newest(key),
        Some(id) => {
            let mut versions = bucket.objects.get(key).into_iter().flatten();
            let version = versions.find(|version| version.id.as_deref().unwrap_or("null") == id);
            Some(version.ok_or_else(|| {
                AwsError::new("NoSuchVersion", "The specified version does not exist.")
                    .status(404)
                    .with("Key", key)
                    .with("VersionId", id)
            })?)
        }
    };
    let gone = || {
        AwsError::new("NoSuchKey", "The specified key does not exist.")
            .status(404)
            .with("Key", key)
    };
    let version = version.ok_or_else(gone)?;
    let Some(content) = &version.content else {
        return Err(match wanted {
            None => gone(),
            Some(_) => AwsError::new(
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.",
            )
            .status(405),
        });
    };
    let mut answer = content.headers.clone();
    answer.insert("AcceptRanges".to_owned(), json!("bytes"));
    answer.insert(
        "LastModified".to_owned(),
        json!(version.modified.to_string()),
    );
    answer.insert("ContentLength".to_owned(), json!(content.size));
    answer.insert("ETag".to_owned(), json!(content.etag));
    if bucket.versioning.is_some() {
        answer.insert(
            "VersionId".to_owned(),
            json!(version.id.as_deref().unwrap_or("null")),
        );
    }
    Ok((answer, content))
}

/// Deletes a version for good where one is named. Otherwise it deletes the object, or in a versioned bucket marks it as deleted.
pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let key = call.required("Key");
    let id = world.random_text(
        32,
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    );
    let bucket = world.s3.bucket_mut(call)?;
    if let Some(wanted) = call.text("VersionId") {
        let mut answer = json!({"VersionId": wanted});
        if let Some(versions) = bucket.objects.get_mut(key) {
            let marker = versions.iter().any(|version| {
                version.id.as_deref().unwrap_or("null") == wanted && version.content.is_none()
            });
            versions.retain(|version| version.id.as_deref().unwrap_or("null") != wanted);
            if marker {
                answer["DeleteMarker"] = json!(true);
            }
            if versions.is_empty() {
                bucket.objects.remove(key);
            }
        }
        return Ok(answer);
    }
    if bucket.versioning.is_none() {
        bucket.objects.remove(key);
        return Ok(json!({}));
    }
    let version = bucket.add(key, id, call.now, None);
    Ok(json!({"DeleteMarker": true, "VersionId": version}))
}

/// Keys in order, at most 1,000 a page; those that go on after a delimiter are rolled up into one common prefix.
pub(super) fn list(world: &World, call: &Call<'_>) -> Answer {
    let bucket = world.s3.bucket(call)?;
    let (prefix, delimiter) = (
        call.text("Prefix").unwrap_or(""),
        call.text("Delimiter")
            .filter(|delimiter| !delimiter.is_empty()),
    );
    let after = call
        .text("ContinuationToken")
        .or_else(|| call.text("StartAfter"))
        .unwrap_or("");
    let most = call
        .integer("MaxKeys")
        .and_then(|most| usize::try_from(most).ok())
        .unwrap_or(1000)
        .min(1000);
    let owner = call
        .flag("FetchOwner")
        .unwrap_or(false)
        .then(|| canonical_user(bucket.owner));

    let (mut contents, mut prefixes) = (Vec::new(), Vec::<String>::new());
    let (mut last, mut truncated) = (String::new(), false);
    for (key, versions) in &bucket.objects {
        let Some(rest) = key.strip_prefix(prefix) else {
            continue;
        };
        let Some((version, content)) = versions
            .last()
            .and_then(|version| version.content.as_ref().map(|content| (version, content)))
        else {
            continue;
        };
        let common = delimiter
            .and_then(|delimiter| {
                rest.find(delimiter)
                    .map(|at| prefix.len() + at + delimiter.len())
            })
            .map(|end| &key[..end]);
        let item = common.unwrap_or(key);
        // A token that is a common prefix has all keys under it behind it.
        if item <= after
            || prefixes
                .last()
                .is_some_and(|prefix| Some(prefix.as_str()) == common)
        {
            continue;
        }
        if contents.len() + prefixes.len() == most {
            truncated = true;
            break;
        }
        item.clone_into(&mut last);
        if let Some(common) = common {
            prefixes.push(common.to_owned());
            continue;
        }
        let mut object = json!({
            "Key": key,
            "LastModified": version.modified.to_string(),
            "ETag": content.etag,
            "Size": content.size,
            "StorageClass": content.headers.get("StorageClass").and_then(Value::as_str).unwrap_or("STANDARD"),
        });
        if let Some(owner) = &owner {
            object["Owner"] = owner.clone();
        }
        contents.push(object);
    }
    let mut answer = json!({
        "Name": bucket.name,
        "Prefix": prefix,
        "MaxKeys": most,
        "KeyCount": contents.len() + prefixes.len(),
        "IsTruncated": truncated,
        "Contents": contents,
        "CommonPrefixes": prefixes.iter().map(|prefix| json!({"Prefix": prefix})).collect::<Vec<_>>(),
    });
    for member in ["Delimiter", "ContinuationToken", "StartAfter"] {
        if let Some(value) = call.text(member) {
            answer[member] = json!(value);
        }
    }
    if truncated {
        answer["NextContinuationToken"] = json!(last);
    }
    Ok(answer)
}
