//! Organizations: accounts, OUs, policies.

use std::sync::Arc;

use jiff::Timestamp;
use landfall_policy::Policy;

use crate::call::{AccountId, Answer, AwsError, Call};
use crate::world::World;

#[derive(Default)]
pub struct State {}

pub fn answer(_world: &mut World, _call: &Call<'_>) -> Answer {
    Err(AwsError::not_built())
}

/// The bare organization that a world starts with: the management account, a root, all features, nothing else.
pub fn found(_world: &mut World, _now: Timestamp) {}

pub fn resource(_world: &World, _call: &Call<'_>) -> String {
    "*".to_owned()
}

impl State {
    /// Whether the account exists and is neither suspended nor closed.
    pub fn is_active(&self, _account: AccountId) -> bool {
        true
    }

    /// When the account's creation was finished; young accounts refuse what old ones allow.
    pub fn created_at(&self, _account: AccountId) -> Option<Timestamp> {
        None
    }

    /// The root e-mail of an account, as GuardDuty's and Security Hub's invitations compare it.
    pub fn email(&self, _account: AccountId) -> Option<&str> {
        None
    }

    /// `o-…`
    pub fn organization_id(&self) -> &str {
        ""
    }

    /// Members, management account included, whatever their state.
    pub fn accounts(&self) -> Vec<AccountId> {
        Vec::new()
    }

    /// Whether trusted access is on for a service principal such as `cloudtrail.amazonaws.com`.
    pub fn trusted_access(&self, _service_principal: &str) -> bool {
        false
    }

    /// Whether the account is registered as delegated administrator of a service principal.
    pub fn is_delegated_administrator(&self, _account: AccountId, _service_principal: &str) -> bool {
        false
    }

    /// Switches trusted access on on behalf of another service (GuardDuty and Security Hub do that themselves).
    pub fn enable_trusted_access(&mut self, _service_principal: &str, _now: Timestamp) {}

    /// Registers a delegated administrator on behalf of another service (GuardDuty and Security Hub do that themselves).
    pub fn register_delegated_administrator(&mut self, _account: AccountId, _service_principal: &str, _now: Timestamp) {}

    /// The SCPs that bind an account, one list for each level from the root down to the account itself.
    /// Empty for the management account, which no SCP binds, and while the policy type is off.
    pub fn service_control_policies(&self, _account: AccountId) -> Vec<Vec<Arc<Policy>>> {
        Vec::new()
    }

    /// `o-…/r-…/ou-…/`, the value of `aws:PrincipalOrgPaths`.
    pub fn path(&self, _account: AccountId) -> String {
        String::new()
    }
}
