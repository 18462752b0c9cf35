//! How long configuration items are kept. An account has one setting for each Region, and AWS names it `default`.

use serde_json::{Value, json};

use super::{done, texts};
use crate::call::{Answer, AwsError, Call};
use crate::world::World;

const NAME: &str = "default";

pub(super) fn put(world: &mut World, call: &Call<'_>) -> Answer {
    let days = call.integer("RetentionPeriodInDays").unwrap_or_default();
    world.config.here_mut(call).retention = Some(days);
    Ok(json!({ "RetentionConfiguration": configuration(days) }))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let name = call.required("RetentionConfigurationName");
    let retention = &mut world.config.here_mut(call).retention;
    if name != NAME || retention.take().is_none() {
        return Err(no_such_configuration(name));
    }
    done()
}

pub(super) fn describe(world: &World, call: &Call<'_>) -> Answer {
    let days = world.config.here(call).and_then(|cell| cell.retention);
    for name in texts(call.list("RetentionConfigurationNames")) {
        if name != NAME || days.is_none() {
            return Err(no_such_configuration(name));
        }
    }
    Ok(json!({ "RetentionConfigurations": Vec::from_iter(days.map(configuration)) }))
}

fn configuration(days: i64) -> Value {
    json!({ "Name": NAME, "RetentionPeriodInDays": days })
}

fn no_such_configuration(name: &str) -> AwsError {
    AwsError::new(
        "NoSuchRetentionConfigurationException",
        format!("Cannot find retention configuration with the specified name '{name}'."),
    )
}
