//! Tags of trails.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::reference::arn_invalid;
use super::visibility::owned;
use super::{Reference, done};
use crate::call::{Answer, AwsError, Call};
use crate::paging::Paging;
use crate::world::World;

/// The most tags of a trail.
const MOST: usize = 50;

/// Reads the call's `TagsList`.
///
/// # Errors
///
/// `InvalidTagParameterException` for a key that comes twice or is one of AWS's own, `TagsLimitExceededException`.
pub(super) fn read(call: &Call<'_>) -> Result<BTreeMap<String, String>, AwsError> {
    let mut tags = BTreeMap::new();
    for tag in call.list("TagsList") {
        let key = tag["Key"].as_str().unwrap_or_default();
        let value = tag["Value"].as_str().unwrap_or_default();
        if key.starts_with("aws:") || tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(AwsError::new(
                "InvalidTagParameterException",
                format!("The tag key {key} is not valid here."),
            ));
        }
    }
    check_count(&tags)?;
    Ok(tags)
}

fn check_count(tags: &BTreeMap<String, String>) -> Result<(), AwsError> {
    if tags.len() > MOST {
        return Err(AwsError::new(
            "TagsLimitExceededException",
            format!("A trail can have at most {MOST} tags."),
        ));
    }
    Ok(())
}

pub(super) fn add(world: &mut World, call: &Call<'_>) -> Answer {
    let more = read(call)?;
    let reference = Reference::read_arn(call.required("ResourceId"))?;
    let mut tags = resource(world, call, &reference)?.clone();
    tags.extend(more);
    check_count(&tags)?;
    if let Some(trail) = world.cloudtrail.get_mut(&reference) {
        trail.tags = tags;
    }
    done()
}

/// Removes by key; a value that is given too does not count.
pub(super) fn remove(world: &mut World, call: &Call<'_>) -> Answer {
    let reference = Reference::read_arn(call.required("ResourceId"))?;
    resource(world, call, &reference)?;
    if let Some(trail) = world.cloudtrail.get_mut(&reference) {
        for tag in call.list("TagsList") {
            trail.tags.remove(tag["Key"].as_str().unwrap_or_default());
        }
    }
    done()
}

/// Lists the tags of trails that are all the caller's own: those of an organization trail are not shown to members.
pub(super) fn list(world: &World, call: &Call<'_>) -> Answer {
    const PAGING: Paging = Paging {
        items: "ResourceTagList",
        limit: "",
        token: ("NextToken", "NextToken"),
        most: 20,
        bad_token: "InvalidTokenException",
        empty_first: false,
    };
    let arns = call.list("ResourceIdList").iter().filter_map(Value::as_str);
    let lists = arns.map(|arn| {
        let reference = Reference::read_arn(arn)?;
        let tags =
            resource(world, call, &reference).map_err(|refusal| match refusal.code.as_str() {
                "NotOrganizationMasterAccountException" => foreign(call),
                _ => refusal,
            })?;
        let tags = tags
            .iter()
            .map(|(key, value)| json!({ "Key": key, "Value": value }));
        Ok(json!({ "ResourceId": arn, "TagsList": Vec::from_iter(tags) }))
    });
    let lists = lists.collect::<Result<Vec<_>, AwsError>>()?;
    PAGING.page(call, lists).map(Value::Object)
}

/// The tags of a trail that the caller owns or administers.
fn resource<'a>(
    world: &'a World,
    call: &Call<'_>,
    reference: &Reference,
) -> Result<&'a BTreeMap<String, String>, AwsError> {
    let trail = owned(world, call, reference).map_err(|refusal| match refusal.code.as_str() {
        "TrailNotFoundException" if reference.owner != call.account() => foreign(call),
        "TrailNotFoundException" => AwsError::new(
            "ResourceNotFoundException",
            format!("The resource {} does not exist.", reference.arn()),
        ),
        _ => refusal,
    })?;
    Ok(&trail.tags)
}

fn foreign(call: &Call<'_>) -> AwsError {
    arn_invalid(format!(
        "AccountID in ARN is wrong, you can only access resources with AccountID {}.",
        call.account()
    ))
}
