//! Changes behind the product's back, as an administrator at the console or a mistake would make them.

use jiff::Timestamp;
use serde_json::Value;

use super::selectors::{Selectors, fill};
use super::{Reference, Trail};
use crate::call::AccountId;
use crate::world::{MANAGEMENT_ACCOUNT, World};

/// Does what `request` says to a trail: `action` is `stop_logging`, `delete_trail`, `edit_selectors` (with
/// `event_selectors`) or `edit_trail` (with any of `bucket`, `prefix`, `multi_region`, `organization`, `validation` and `global_events`). `trail` names it, by default the only one
/// of `account`, by default the management account.
///
/// # Errors
///
/// A sentence about what the request lacks or what is not there to be changed.
pub fn tamper(world: &mut World, request: &Value, now: Timestamp) -> Result<Value, String> {
    let text = |member: &str| request[member].as_str();
    let owner: AccountId = match text("account") {
        None => MANAGEMENT_ACCOUNT,
        Some(id) => id
            .parse()
            .map_err(|()| "`account` is not an account id".to_owned())?,
    };
    let mut named = world.cloudtrail.of(owner).iter();
    let mut named = named
        .by_ref()
        .filter(|trail| text("trail").is_none_or(|name| trail.name == name));
    let reference = match (named.next(), named.next()) {
        (Some(trail), None) => Reference::of(trail),
        (None, _) => return Err("there is no such trail".to_owned()),
        _ => return Err("there are several trails: say which `trail`".to_owned()),
    };
    let trail = world
        .cloudtrail
        .get_mut(&reference)
        .ok_or("there is no such trail")?;
    match text("action").ok_or("`action` is missing")? {
        "stop_logging" => trail.stop(now),
        "delete_trail" => world.cloudtrail.remove(&reference),
        "edit_selectors" => {
            let selectors = request["event_selectors"].as_array();
            let selectors = selectors.ok_or("`event_selectors` is missing")?;
            trail.selectors = Selectors::Basic(selectors.iter().map(fill).collect());
        }
        "edit_trail" => edit(trail, request)?,
        action => return Err(format!("CloudTrail has no action `{action}`")),
    }
    Ok(Value::Null)
}

fn edit(trail: &mut Trail, request: &Value) -> Result<(), String> {
    let mut edited = false;
    let mut set = |member: &str, setting: &mut bool| {
        if let Some(value) = request[member].as_bool() {
            *setting = value;
            edited = true;
        }
    };
    set("multi_region", &mut trail.multi_region);
    set("organization", &mut trail.organization);
    set("validation", &mut trail.validation);
    set("global_events", &mut trail.global_events);
    if let Some(bucket) = request["bucket"].as_str() {
        bucket.clone_into(&mut trail.bucket);
        edited = true;
    }
    if let Some(prefix) = request["prefix"].as_str() {
        trail.prefix = (!prefix.is_empty()).then(|| prefix.to_owned());
        edited = true;
    }
    if edited {
        Ok(())
    } else {
        Err("nothing to edit is given".to_owned())
    }
}
