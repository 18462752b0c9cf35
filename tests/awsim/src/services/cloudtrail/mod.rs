//! CloudTrail: trails, and the organization trail that every member sees.
//!
//! A trail is kept once, with the account that owns it and its home Region. What AWS calls a shadow trail — the same
//! trail in another Region, or an organization trail in a member account — is not a copy here: `visibility` answers
//! from where a trail can be seen, so an account that joins later sees the organization trail at once.

use std::collections::BTreeMap;

use serde_json::json;

use crate::call::{AccountId, Answer, AwsError, Call};
use crate::world::World;

mod bucket;
mod deeds;
mod lifecycle;
mod logging;
mod lookup;
mod organization;
mod record;
mod reference;
mod selectors;
mod tags;
mod tamper;
#[cfg(test)]
mod tests;
mod trail;
mod visibility;

pub use deeds::deed;
pub use record::{
    is_recorded, is_told, region_of, tell, tell_call, tell_service_event, whole_seconds,
};
use reference::Reference;
pub use tamper::tamper;
use trail::Trail;

/// The principal that CloudTrail acts as, and the name of its trusted access.
const SERVICE: &str = "cloudtrail.amazonaws.com";

#[derive(Default)]
pub struct State {
    /// By owner. An organization trail belongs to the management account, whoever created it.
    trails: BTreeMap<AccountId, Vec<Trail>>,
}

pub fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    match call.operation {
        "CreateTrail" => lifecycle::create(world, call),
        "UpdateTrail" => lifecycle::update(world, call),
        "DeleteTrail" => lifecycle::delete(world, call),
        "DescribeTrails" => visibility::describe(world, call),
        "GetTrail" => visibility::get(world, call),
        "ListTrails" => visibility::list(world, call),
        "GetTrailStatus" => logging::status(world, call),
        "StartLogging" => logging::start(world, call),
        "StopLogging" => logging::stop(world, call),
        "PutEventSelectors" => selectors::put(world, call),
        "GetEventSelectors" => selectors::get(world, call),
        "AddTags" => tags::add(world, call),
        "RemoveTags" => tags::remove(world, call),
        "ListTags" => tags::list(world, call),
        "LookupEvents" => lookup::events(call),
        _ => Err(AwsError::not_built()),
    }
}

/// The trail's ARN for the operations that act on one trail (Service Authorization Reference for CloudTrail).
pub fn resource(_world: &World, call: &Call<'_>) -> String {
    let member = match call.operation {
        "CreateTrail" | "UpdateTrail" | "DeleteTrail" | "GetTrail" | "GetTrailStatus"
        | "StartLogging" | "StopLogging" => "Name",
        "PutEventSelectors" | "GetEventSelectors" => "TrailName",
        "AddTags" | "RemoveTags" => "ResourceId",
        _ => return "*".to_owned(),
    };
    match Reference::read(call, call.required(member)) {
        Ok(reference) => reference.arn(),
        Err(_) => "*".to_owned(),
    }
}

impl State {
    fn of(&self, owner: AccountId) -> &[Trail] {
        self.trails.get(&owner).map_or(&[], Vec::as_slice)
    }

    fn get(&self, reference: &Reference) -> Option<&Trail> {
        self.of(reference.owner).iter().find(|t| reference.names(t))
    }

    fn get_mut(&mut self, reference: &Reference) -> Option<&mut Trail> {
        let trails = self.trails.get_mut(&reference.owner)?;
        trails.iter_mut().find(|t| reference.names(t))
    }

    fn remove(&mut self, reference: &Reference) {
        if let Some(trails) = self.trails.get_mut(&reference.owner) {
            trails.retain(|t| !reference.names(t));
        }
    }
}

/// What operations answer whose output has no members.
fn done() -> Answer {
    Ok(json!({}))
}
