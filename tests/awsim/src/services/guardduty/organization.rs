//! What the delegated administrator of an organization wants of its members.

use serde_json::{Value, json};

use super::features::{Features, Kind};
use super::members::GuardDuty;
use super::{paging, rejected};
use crate::call::{Answer, Call};
use crate::services::membership::{Auto, administered, managing};
use crate::world::World;

pub(super) fn list_admins(world: &mut World, call: &Call<'_>) -> Answer {
    managing::<GuardDuty>(call)?;
    let admin = world.guardduty.membership.organization_admin(call.region);
    let admins = admin
        .map(|account| json!({ "AdminAccountId": account.to_string(), "AdminStatus": "ENABLED" }));
    paging("AdminAccounts")
        .page(call, admins.into_iter().collect())
        .map(Value::Object)
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Answer {
    administered::<GuardDuty>(world, call)?;
    let auto = match (
        call.text("AutoEnableOrganizationMembers"),
        call.flag("AutoEnable"),
    ) {
        (Some("NEW"), None) | (None, Some(true)) => Auto::New,
        (Some("ALL"), None) => Auto::All,
        (Some(_), None) | (None, Some(false)) => Auto::None,
        _ => {
            return Err(rejected(
                "either autoEnableOrganizationMembers or autoEnable must be specified, not both",
            ));
        }
    };
    let mut features = wanted(world, call).clone();
    features.merge(&call.input, call.now)?;
    *wanted(world, call) = features;
    administered::<GuardDuty>(world, call)?.set_auto(auto, call.now);
    Ok(json!({}))
}

pub(super) fn describe(world: &mut World, call: &Call<'_>) -> Answer {
    let auto = administered::<GuardDuty>(world, call)?.auto;
    let name = match auto {
        Auto::New => "NEW",
        Auto::All => "ALL",
        Auto::None => "NONE",
    };
    let features = wanted(world, call);
    Ok(json!({
        "AutoEnable": auto != Auto::None,
        "AutoEnableOrganizationMembers": name,
        "MemberAccountLimitReached": false,
        "DataSources": features.data_sources(),
        "Features": features.list(),
    }))
}

/// The features that the organization switches on in its members; none until it says so.
fn wanted<'w>(world: &'w mut World, call: &Call<'_>) -> &'w mut Features {
    let wanted = world.guardduty.wanted.entry(call.region);
    wanted.or_insert_with(|| Features::off(Kind::Organization, call.now))
}
