//! What is known of a control without calling AWS.

use serde::{Deserialize, Serialize};

use crate::ids::ControlId;

/// How many cells a control has, and on which kind of target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One cell on the organization.
    Organization,
    /// One cell on the organization for each governed Region.
    OrganizationRegion,
    /// One cell on each account.
    Account,
    /// One cell on each account for each governed Region.
    Region,
}

impl Scope {
    /// Whether the organization, rather than an account, is the target.
    pub fn is_organization(self) -> bool {
        match self {
            Scope::Organization | Scope::OrganizationRegion => true,
            Scope::Account | Scope::Region => false,
        }
    }

    /// Whether there is a cell for each governed Region.
    pub fn is_regional(self) -> bool {
        match self {
            Scope::OrganizationRegion | Scope::Region => true,
            Scope::Organization | Scope::Account => false,
        }
    }
}

/// A control's self-description, as the registry lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    pub id: ControlId,
    /// One sentence for people: what is guaranteed.
    pub title: &'static str,
    pub scope: Scope,
    /// The IAM actions that the control may call.
    pub actions: &'static [&'static str],
    /// The controls that must be in sync first: in the same Region where both are regional.
    pub after: Vec<ControlId>,
    /// Whether AWS wants the home Region finished before the others begin.
    pub first_region_alone: bool,
    /// Whether it cannot hold in the management account.
    pub members_only: bool,
}
