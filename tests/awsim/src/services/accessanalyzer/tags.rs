//! Tags on analyzers.

use serde_json::{Value, json};

use super::{Analyzer, not_found};
use crate::call::{Answer, AwsError, Call};
use crate::world::World;

fn analyzer<'w>(world: &'w mut World, call: &Call<'_>) -> Result<&'w mut Analyzer, AwsError> {
    let arn = call.required("resourceArn");
    world
        .accessanalyzer
        .analyzers
        .get_mut(&(call.account(), call.region))
        .and_then(|analyzers| analyzers.values_mut().find(|one| one.arn == arn))
        .ok_or_else(|| not_found(arn))
}

pub(super) fn tag(world: &mut World, call: &Call<'_>) -> Answer {
    let analyzer = analyzer(world, call)?;
    for (key, value) in call
        .input
        .get("tags")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let value = value.as_str().unwrap_or_default();
        analyzer.tags.insert(key.clone(), value.to_owned());
    }
    Ok(json!({}))
}

pub(super) fn untag(world: &mut World, call: &Call<'_>) -> Answer {
    let analyzer = analyzer(world, call)?;
    for key in call.list("tagKeys").iter().filter_map(Value::as_str) {
        analyzer.tags.shift_remove(key);
    }
    Ok(json!({}))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Answer {
    Ok(json!({ "tags": analyzer(world, call)?.tags }))
}
