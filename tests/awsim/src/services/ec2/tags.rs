//! Tags on what a network is made of.

use super::done;
use super::filters::texts;
use crate::call::{Answer, AwsError, Call};
use crate::world::World;

/// The most tags that a resource may have (EC2 User Guide, "Tag your resources").
const MOST: usize = 50;

/// Lays tags over those that the resources have.
pub(super) fn create(world: &mut World, call: &Call<'_>) -> Answer {
    let network = world.network_mut(call.account(), call.region);
    for id in texts(call.list("Resources")) {
        let Some(tags) = network.tags_mut(id) else {
            let kind = kind(id).unwrap_or("resource");
            let message = format!("The {kind} ID '{id}' does not exist");
            return Err(AwsError::new("InvalidID", message));
        };
        for tag in call.list("Tags") {
            let text = |member: &str| tag[member].as_str().unwrap_or_default();
            if text("Key").to_lowercase().starts_with("aws:") {
                let message = "Tag keys starting with 'aws:' are reserved for internal use";
                return Err(AwsError::new("InvalidParameterValue", message));
            }
            tags.insert(text("Key").to_owned(), text("Value").to_owned());
        }
        if tags.len() > MOST {
            let message = format!("More than {MOST} tags specified");
            return Err(AwsError::new("TagLimitExceeded", message));
        }
    }
    done()
}

/// What a resource is, by its id.
pub(super) fn kind(id: &str) -> Option<&'static str> {
    Some(match id.split_once('-')?.0 {
        "vpc" => "vpc",
        "subnet" => "subnet",
        "igw" => "internet-gateway",
        "sg" => "security-group",
        "eni" => "network-interface",
        _ => return None,
    })
}
