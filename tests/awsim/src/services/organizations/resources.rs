//! The ARN that a call acts on, as policies name it.

use crate::call::{AccountId, Call};
use crate::world::World;

/// The members that carry the id of what a call acts on, the most specific first.
const MEMBERS: [&str; 9] = [
    "AccountId",
    "PolicyId",
    "TargetId",
    "OrganizationalUnitId",
    "ResourceId",
    "ParentId",
    "ChildId",
    "RootId",
    "CreateAccountRequestId",
];

/// The ARN of the account, OU, root or policy that the call names; `*` where it names none.
pub fn resource(world: &World, call: &Call<'_>) -> String {
    let id = MEMBERS
        .iter()
        .find_map(|member| call.text(member))
        .unwrap_or_default();
    let state = &world.organizations;
    if let Ok(account) = id.parse::<AccountId>() {
        return state.account_arn(account);
    }
    if id.starts_with("r-") || id.starts_with("ou-") {
        return state.node_arn(id);
    }
    if id.starts_with("p-") {
        return state.policy_arn(id);
    }
    "*".to_owned()
}
