//! Tags of recorders, aggregators and rules.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Cell, done, texts};
use crate::call::{Answer, AwsError, Call};
use crate::paging::Paging;
use crate::world::World;

/// Key and value.
pub(super) type Tags = BTreeMap<String, String>;

/// The most tags that a resource can have.
const MOST: usize = 50;

/// Reads a list of `{Key, Value}`.
///
/// # Errors
///
/// `ValidationException` for a tag without a key or with one of AWS's own.
pub(super) fn read(list: &[Value]) -> Result<Tags, AwsError> {
    list.iter()
        .map(|tag| {
            let key = tag["Key"].as_str().unwrap_or_default();
            if key.is_empty() || key.starts_with("aws:") {
                return Err(AwsError::new(
                    "ValidationException",
                    format!("The tag key '{key}' is not valid."),
                ));
            }
            let value = tag["Value"].as_str().unwrap_or_default();
            Ok((key.to_owned(), value.to_owned()))
        })
        .collect()
}

impl Cell {
    /// The tags that something new begins with.
    pub(super) fn keep_tags(&mut self, arn: String, tags: Tags) {
        if !tags.is_empty() {
            self.tags.insert(arn, tags);
        }
    }
}

pub(super) fn tag(world: &mut World, call: &Call<'_>) -> Answer {
    let more = read(call.list("Tags"))?;
    let arn = existing(world, call)?;
    let cell = world.config.here_mut(call);
    let mut tags = cell.tags.get(arn).cloned().unwrap_or_default();
    tags.extend(more);
    if tags.len() > MOST {
        return Err(AwsError::new(
            "TooManyTagsException",
            format!("A resource can have at most {MOST} tags."),
        ));
    }
    cell.tags.insert(arn.to_owned(), tags);
    done()
}

pub(super) fn untag(world: &mut World, call: &Call<'_>) -> Answer {
    let arn = existing(world, call)?;
    let cell = world.config.here_mut(call);
    if let Some(tags) = cell.tags.get_mut(arn) {
        for key in texts(call.list("TagKeys")) {
            tags.remove(key);
        }
    }
    done()
}

pub(super) fn list(world: &World, call: &Call<'_>) -> Answer {
    const PAGING: Paging = Paging {
        items: "Tags",
        limit: "Limit",
        token: ("NextToken", "NextToken"),
        most: MOST,
        bad_token: "InvalidNextTokenException",
        empty_first: false,
    };
    let arn = existing(world, call)?;
    let tags = world.config.here(call).and_then(|cell| cell.tags.get(arn));
    let items = tags
        .into_iter()
        .flatten()
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect();
    PAGING.page(call, items).map(Value::Object)
}

/// The ARN that the call names, if something here has it.
fn existing<'a>(world: &World, call: &'a Call<'_>) -> Result<&'a str, AwsError> {
    let arn = call.required("ResourceArn");
    let cell = world.config.here(call);
    if cell.is_some_and(|cell| cell.has_arn(call.account(), call.region, arn)) {
        Ok(arn)
    } else {
        Err(AwsError::new(
            "ResourceNotFoundException",
            format!("The resource '{arn}' does not exist."),
        ))
    }
}
