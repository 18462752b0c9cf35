//! Objects, small and in memory, with their versions.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::buckets::Bucket;
use crate::call::{Answer, AwsError, Call};
use crate::world::World;

/// One version of an object, or the marker that it was deleted.
pub(super) struct Version {
    /// None for the `null` version of a bucket that is not versioned.
    id: Option<String>,
    pub(super) modified: Timestamp,
    pub(super) content: Option<Content>,
}

pub(super) struct Content {
    /// In base 64, as it came and goes.
    body: String,
    pub(super) size: usize,
    pub(super) etag: String,
    /// Headers that come back as they were given: `ContentType`, `Metadata` and the like.
    pub(super) headers: Map<String, Value>,
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
    let id = world.random_text(32, VERSION_ID);
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
    let mut content = Content::new(body).map_err(|why| AwsError::new("InvalidRequest", why))?;
    for header in HEADERS {
        if let Some(value) = call.input.get(header) {
            content.headers.insert(header.to_owned(), value.clone());
        }
    }
    let algorithm =
        &bucket.encryption["Rules"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"];
    let algorithm = call
        .input
        .get("ServerSideEncryption")
        .unwrap_or(algorithm)
        .clone();
    content
        .headers
        .insert("ServerSideEncryption".to_owned(), algorithm.clone());
    let mut answer = json!({"ETag": content.etag, "ServerSideEncryption": algorithm});
    if let Some(version) = bucket.add(key, id, call.now, Some(content)) {
        answer["VersionId"] = json!(version);
    }
    Ok(answer)
}

impl Content {
    /// A content of this body (in base 64), without further headers.
    fn new(body: &str) -> Result<Self, String> {
        let bytes = STANDARD.decode(body).map_err(|error| error.to_string())?;
        let mut headers = Map::new();
        headers.insert("ContentType".to_owned(), json!("binary/octet-stream"));
        Ok(Content {
            body: body.to_owned(),
            size: bytes.len(),
            etag: etag(&bytes),
            headers,
        })
    }
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

impl Version {
    /// The id by which callers know the version.
    pub(super) fn name(&self) -> &str {
        self.id.as_deref().unwrap_or("null")
    }
}

impl Bucket {
    /// Puts an object (its body in base 64) into the bucket past every rule.
    pub(super) fn deliver(
        &mut self,
        key: &str,
        id: String,
        now: Timestamp,
        body: &str,
    ) -> Result<(), String> {
        self.add(key, id, now, Some(Content::new(body)?));
        Ok(())
    }

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
            let version = versions.find(|version| version.name() == id);
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
        answer.insert("VersionId".to_owned(), json!(version.name()));
    }
    Ok((answer, content))
}

/// Letters and digits of a new version's id.
const VERSION_ID: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

impl Bucket {
    /// Deletes a version for good where one is named. Otherwise deletes the object, or in a versioned bucket
    /// marks it as deleted with a version `id`. Returns the members of `DeleteObject`'s answer.
    fn remove(&mut self, key: &str, version: Option<&str>, id: String, now: Timestamp) -> Value {
        let Some(wanted) = version else {
            if self.versioning.is_none() {
                self.objects.remove(key);
                return json!({});
            }
            let version = self.add(key, id, now, None);
            return json!({"DeleteMarker": true, "VersionId": version});
        };
        let mut answer = json!({"VersionId": wanted});
        if let Some(versions) = self.objects.get_mut(key) {
            if versions
                .iter()
                .any(|version| version.name() == wanted && version.content.is_none())
            {
                answer["DeleteMarker"] = json!(true);
            }
            versions.retain(|version| version.name() != wanted);
            if versions.is_empty() {
                self.objects.remove(key);
            }
        }
        answer
    }
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let id = world.random_text(32, VERSION_ID);
    let bucket = world.s3.bucket_mut(call)?;
    Ok(bucket.remove(call.required("Key"), call.text("VersionId"), id, call.now))
}

/// Up to 1,000 deletions in one call.
pub(super) fn delete_many(world: &mut World, call: &Call<'_>) -> Answer {
    let objects = call.input["Delete"]["Objects"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    if objects.is_empty() || objects.len() > 1000 {
        return Err(AwsError::new(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        ));
    }
    let mut deleted = Vec::new();
    for object in objects {
        let id = world.random_text(32, VERSION_ID);
        let (key, version) = (
            object["Key"].as_str().unwrap_or_default(),
            object["VersionId"].as_str(),
        );
        let removed = world
            .s3
            .bucket_mut(call)?
            .remove(key, version, id, call.now);
        let mut item = json!({"Key": key});
        if let Some(version) = version {
            item["VersionId"] = json!(version);
        }
        if removed["DeleteMarker"] == true {
            item["DeleteMarker"] = json!(true);
            item["DeleteMarkerVersionId"] = removed["VersionId"].clone();
        }
        deleted.push(item);
    }
    if call.input["Delete"]["Quiet"] == true {
        deleted.clear();
    }
    Ok(json!({"Deleted": deleted}))
}
