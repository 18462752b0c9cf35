//! What others do to buckets behind a test's back: `POST /_awsim/tamper`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::buckets::Bucket;
use super::policies::BucketPolicy;
use crate::call::AccountId;
use crate::world::World;

/// Disturbs a bucket as `request` says.
///
/// | `action` | members besides `bucket` |
/// | --- | --- |
/// | `set_bucket_policy` | `policy`: a document as text; a public one is set too, whatever is blocked |
/// | `delete_bucket_policy`, `remove_public_access_block`, `suspend_versioning` | |
/// | `set_ownership` | `ownership` |
/// | `put_object` | `key`, `body` in base 64 |
/// | `empty_bucket`, `delete_bucket` | |
/// | `take_bucket_name` | `account`, `region`: somebody creates a bucket of this name |
///
/// # Errors
///
/// A sentence about what the request lacks or what is not there to be changed.
pub fn tamper(world: &mut World, request: &Value, now: Timestamp) -> Result<Value, String> {
    let name = text(request, "bucket")?;
    let action = text(request, "action")?;
    if action == "take_bucket_name" {
        let owner: AccountId = text(request, "account")?
            .parse()
            .map_err(|()| "`account` is to be twelve digits")?;
        let region =
            crate::regions::find(text(request, "region")?).ok_or("`region` is to be a Region")?;
        world
            .s3
            .buckets
            .entry(name.to_owned())
            .or_insert_with(|| Bucket::new(name, owner, region, now));
        return Ok(json!({}));
    }
    let policy = match action {
        "set_bucket_policy" => Some(
            BucketPolicy::new(world, name, text(request, "policy")?)
                .map_err(|error| error.message)?,
        ),
        _ => None,
    };
    if action == "delete_bucket" {
        world
            .s3
            .buckets
            .remove(name)
            .ok_or_else(|| format!("no bucket {name}"))?;
        return Ok(json!({}));
    }
    let id = world.random_hex(32);
    let bucket = world
        .s3
        .buckets
        .get_mut(name)
        .ok_or_else(|| format!("no bucket {name}"))?;
    match action {
        "set_bucket_policy" | "delete_bucket_policy" => bucket.policy = policy,
        "remove_public_access_block" => bucket.public_access_block = None,
        "suspend_versioning" => bucket.versioning = Some("Suspended".to_owned()),
        "set_ownership" => bucket.ownership = Some(text(request, "ownership")?.to_owned()),
        "put_object" => bucket.deliver(text(request, "key")?, id, now, text(request, "body")?)?,
        "empty_bucket" => bucket.objects.clear(),
        other => return Err(format!("s3 does not know the action `{other}`")),
    }
    Ok(json!({}))
}

fn text<'a>(request: &'a Value, member: &str) -> Result<&'a str, String> {
    request
        .get(member)
        .and_then(Value::as_str)
        .ok_or_else(|| format!("`{member}` is missing"))
}
