//! The password policy of an account. There is none until someone writes one.

use serde_json::{Value, json};

use super::no_such_entity;
use crate::call::{Answer, AwsError, Call};
use crate::world::World;

/// The members of the `PasswordPolicy` shape.
pub(super) struct PasswordPolicy(Value);

impl PasswordPolicy {
    /// Lays members over those that are there.
    pub(super) fn edit(&mut self, changes: &serde_json::Map<String, Value>) {
        for (member, value) in changes {
            self.0[member] = value.clone();
        }
        self.0["ExpirePasswords"] = self.0.get("MaxPasswordAge").is_some().into();
    }
}

/// Writes the whole policy: what a call leaves out goes back to its default, as the API reference says.
pub(super) fn update(world: &mut World, call: &Call<'_>) -> Answer {
    let flag = |member: &str| call.flag(member).unwrap_or(false);
    let mut policy = json!({
        "MinimumPasswordLength": call.integer("MinimumPasswordLength").unwrap_or(6),
        "RequireSymbols": flag("RequireSymbols"),
        "RequireNumbers": flag("RequireNumbers"),
        "RequireUppercaseCharacters": flag("RequireUppercaseCharacters"),
        "RequireLowercaseCharacters": flag("RequireLowercaseCharacters"),
        "AllowUsersToChangePassword": flag("AllowUsersToChangePassword"),
        "ExpirePasswords": call.integer("MaxPasswordAge").is_some(),
    });
    for member in ["MaxPasswordAge", "PasswordReusePrevention", "HardExpiry"] {
        if let Some(value) = call.input.get(member) {
            policy[member] = value.clone();
        }
    }
    world.iam.account(call.account()).password_policy = Some(PasswordPolicy(policy));
    Ok(json!({}))
}

pub(super) fn get(world: &mut World, call: &Call<'_>) -> Answer {
    match &world.iam.account(call.account()).password_policy {
        Some(PasswordPolicy(policy)) => Ok(json!({"PasswordPolicy": policy})),
        None => Err(none(call)),
    }
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    world
        .iam
        .account(call.account())
        .password_policy
        .take()
        .map(|_| json!({}))
        .ok_or_else(|| none(call))
}

fn none(call: &Call<'_>) -> AwsError {
    no_such_entity(format!(
        "The Password Policy with domain name {} cannot be found.",
        call.account()
    ))
}
