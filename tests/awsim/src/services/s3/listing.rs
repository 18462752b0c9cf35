//! What is in a bucket: its keys, and all their versions.

use serde_json::{Value, json};

use super::canonical_user;
use crate::call::{Answer, Call};
use crate::world::World;

/// Keys in order, at most 1,000 a page; those that go on after a delimiter are rolled up into one common prefix.
pub(super) fn keys(world: &World, call: &Call<'_>) -> Answer {
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

/// All versions and delete markers, the newest of each key first. A page ends between two keys.
pub(super) fn versions(world: &World, call: &Call<'_>) -> Answer {
    let bucket = world.s3.bucket(call)?;
    let prefix = call.text("Prefix").unwrap_or("");
    let after = call.text("KeyMarker").unwrap_or("");
    let most = call
        .integer("MaxKeys")
        .and_then(|most| usize::try_from(most).ok())
        .unwrap_or(1000)
        .min(1000);
    let owner = canonical_user(bucket.owner);

    let (mut versions, mut markers, mut last, mut truncated) = (Vec::new(), Vec::new(), "", false);
    for (key, all) in bucket
        .objects
        .iter()
        .filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after)
    {
        if !last.is_empty() && versions.len() + markers.len() + all.len() > most {
            truncated = true;
            break;
        }
        last = key;
        for (age, version) in all.iter().rev().enumerate() {
            let mut item = json!({
                "Key": key,
                "VersionId": version.name(),
                "IsLatest": age == 0,
                "LastModified": version.modified.to_string(),
                "Owner": owner,
            });
            let Some(content) = &version.content else {
                markers.push(item);
                continue;
            };
            item["ETag"] = json!(content.etag);
            item["Size"] = json!(content.size);
            item["StorageClass"] = json!("STANDARD");
            versions.push(item);
        }
    }
    let mut answer = json!({
        "Name": bucket.name,
        "Prefix": prefix,
        "KeyMarker": after,
        "MaxKeys": most,
        "IsTruncated": truncated,
        "Versions": versions,
        "DeleteMarkers": markers,
    });
    if truncated {
        answer["NextKeyMarker"] = json!(last);
    }
    Ok(answer)
}
