//! IAM: roles, policies, the password policy.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use landfall_policy::Policy;

use crate::call::{AccountId, Answer, AwsError, Call, Principal};
use crate::world::World;

#[derive(Default)]
pub struct State {}

pub fn answer(_world: &mut World, _call: &Call<'_>) -> Answer {
    Err(AwsError::not_built())
}

/// Users and roles that are there before anyone calls: the administrator of the management account, and the role
/// that the operator installs from `deploy/roles` before Landfall's first start.
pub fn found(_world: &mut World, _now: Timestamp) {}

pub fn resource(_world: &World, _call: &Call<'_>) -> String {
    "*".to_owned()
}

/// A role as STS and the authorizer see it.
pub struct RoleView<'a> {
    pub arn: &'a str,
    pub unique_id: &'a str,
    pub trust: &'a Arc<Policy>,
    /// Inline and attached policies, all of which speak for the role.
    pub policies: Vec<Arc<Policy>>,
    pub boundary: Option<Arc<Policy>>,
    /// From when on it can be assumed: roles take some seconds to reach every Region.
    pub assumable_from: Timestamp,
    pub max_session: SignedDuration,
}

impl State {
    /// A role by account and name.
    pub fn role(&self, _account: AccountId, _name: &str) -> Option<RoleView<'_>> {
        None
    }

    /// The identity policies of an IAM user.
    pub fn user_policies(&self, _account: AccountId, _name: &str) -> Vec<Arc<Policy>> {
        Vec::new()
    }

    /// The user behind a long-lived access key.
    pub fn access_key(&self, _access_key_id: &str) -> Option<Principal> {
        None
    }

    /// Creates the administrator role that Organizations puts into a new account, trusted by the management account.
    /// It becomes assumable some seconds after `now`.
    pub fn create_organization_role(&mut self, _account: AccountId, _name: &str, _now: Timestamp, _delay: SignedDuration) {}

    /// Creates a service-linked role as services do on their own; nothing happens where it is already there.
    pub fn ensure_service_linked_role(&mut self, _account: AccountId, _service_principal: &str, _now: Timestamp) {}

    /// Whether a service-linked role such as `AWSServiceRoleForConfig` is there.
    pub fn has_role(&self, account: AccountId, name: &str) -> bool {
        self.role(account, name).is_some()
    }
}
