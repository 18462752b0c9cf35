//! What the delegated administrator of an organization wants of its members.
//!
//! Only local configuration is built: every Region has its own settings. Central configuration, with its policies,
//! is not.

use serde_json::{Value, json};

use super::members::SecurityHub;
use super::paging;
use crate::call::{Answer, AwsError, Call};
use crate::services::membership::{self, Auto, administered, managing};
use crate::world::World;

pub(super) fn enable_admin(world: &mut World, call: &Call<'_>) -> Answer {
    managing::<SecurityHub>(call)?;
    if call
        .text("Feature")
        .is_some_and(|feature| feature != "SecurityHub")
    {
        return Err(AwsError::not_built());
    }
    membership::enable_admin::<SecurityHub>(world, call)?;
    Ok(json!({ "AdminAccountId": call.required("AdminAccountId"), "Feature": "SecurityHub" }))
}

pub(super) fn list_admins(world: &mut World, call: &Call<'_>) -> Answer {
    managing::<SecurityHub>(call)?;
    let admin = world.securityhub.membership.organization_admin(call.region);
    let admins =
        admin.map(|account| json!({ "AccountId": account.to_string(), "Status": "ENABLED" }));
    let mut answer = paging("AdminAccounts", 10).page(call, admins.into_iter().collect())?;
    answer.insert("Feature".to_owned(), json!("SecurityHub"));
    Ok(Value::Object(answer))
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Answer {
    if call.input["OrganizationConfiguration"]["ConfigurationType"] == "CENTRAL" {
        return Err(AwsError::not_built());
    }
    let auto = match call.flag("AutoEnable") {
        Some(true) => Auto::New,
        Some(false) | None => Auto::None,
    };
    administered::<SecurityHub>(world, call)?.set_auto(auto, call.now);
    let without_standards = &mut world.securityhub.without_standards;
    match call.text("AutoEnableStandards") {
        Some("DEFAULT") => without_standards.remove(call.region),
        Some(_) => without_standards.insert(call.region),
        None => false,
    };
    Ok(json!({}))
}

pub(super) fn describe(world: &mut World, call: &Call<'_>) -> Answer {
    let auto = administered::<SecurityHub>(world, call)?.auto;
    let without_standards = world.securityhub.without_standards.contains(call.region);
    Ok(json!({
        "AutoEnable": auto != Auto::None,
        "AutoEnableStandards": if without_standards { "NONE" } else { "DEFAULT" },
        "MemberAccountLimitReached": false,
        "OrganizationConfiguration": { "ConfigurationType": "LOCAL", "Status": "ENABLED" },
    }))
}
