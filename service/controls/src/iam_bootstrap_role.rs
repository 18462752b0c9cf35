//! Nobody gets into the account through the role that AWS made before Landfall came.
//!
//! `OrganizationAccountAccessRole` is what Organizations calls the administrator's role of a new account unless it is
//! told otherwise. Landfall vends accounts with a role of its own, so only accounts that were enrolled have it. Other
//! programs and people may depend on it: a baseline says whether it goes.

use std::collections::BTreeSet;
use std::fmt;

use landfall_model::control::Scope;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::aws::Aws;
use crate::control::Control;
use crate::error::{CloudError, absent, done_already};
use crate::session::Session;

pub(crate) struct IamBootstrapRole;

const ROLE: &str = "OrganizationAccountAccessRole";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    organization_account_access_role: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fate {
    Keep,
    Remove,
}

/// What is to become of the role.
#[derive(Debug, Serialize)]
pub(crate) struct Desired {
    fate: Fate,
}

/// The role, where it is to go; `None` where there is none, or it stays.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    role: Option<Role>,
}

/// What has to go before IAM lets the role go.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Role {
    inline_policies: BTreeSet<String>,
    attached_policies: BTreeSet<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Detach { policy: String },
    DeletePolicy { name: String },
    DeleteRole,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Detach { policy } => write!(f, "detach {policy} from the role {ROLE}"),
            Change::DeletePolicy { name } => {
                write!(f, "delete the policy {name} of the role {ROLE}")
            }
            Change::DeleteRole => write!(f, "delete the role {ROLE}"),
        }
    }
}

const LIST_ATTACHED: &str = "iam:ListAttachedRolePolicies";
const LIST_INLINE: &str = "iam:ListRolePolicies";
const DETACH: &str = "iam:DetachRolePolicy";
const DELETE_POLICY: &str = "iam:DeleteRolePolicy";
const DELETE_ROLE: &str = "iam:DeleteRole";

const NO_ROLE: &[&str] = &["NoSuchEntity"];

impl Control for IamBootstrapRole {
    const ID: &'static str = "iam.bootstrap-role";
    const TITLE: &'static str = "The role that AWS made at first is gone";
    const SCOPE: Scope = Scope::Account;
    const ACTIONS: &'static [&'static str] = &[
        LIST_ATTACHED,
        LIST_INLINE,
        DETACH,
        DELETE_POLICY,
        DELETE_ROLE,
    ];
    /// First the way that stays, then the one that goes.
    const AFTER: &'static [&'static str] = &["iam.execution-role"];
    const MEMBERS_ONLY: bool = true;

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    /// Where it is the very role that Landfall works with, it stays whatever the baseline says.
    fn desired(parameters: &Parameters, place: &Place) -> Result<Desired, CloudError> {
        let own = place.landing_zone.roles.execution == ROLE;
        Ok(Desired {
            fate: if own {
                Fate::Keep
            } else {
                parameters.organization_account_access_role
            },
        })
    }

    async fn observe(aws: &Session, desired: &Desired) -> Result<Observed, CloudError> {
        if desired.fate == Fate::Keep {
            return Ok(Observed { role: None });
        }
        let aws = aws.target().await?;
        let role = match attached(aws).await? {
            None => None,
            Some(attached_policies) => Some(Role {
                inline_policies: inline(aws).await?.unwrap_or_default(),
                attached_policies,
            }),
        };
        Ok(Observed { role })
    }

    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        let Some(role) = observed
            .role
            .as_ref()
            .filter(|_| desired.fate == Fate::Remove)
        else {
            return Vec::new();
        };
        let attached = role.attached_policies.iter();
        let inline = role.inline_policies.iter();
        attached
            .map(|policy| Change::Detach {
                policy: policy.clone(),
            })
            .chain(inline.map(|name| Change::DeletePolicy { name: name.clone() }))
            .chain([Change::DeleteRole])
            .collect()
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let aws = aws.target().await?;
        let iam = aws.iam();
        match change {
            Change::Detach { policy } => {
                let detached = aws
                    .call(DETACH, || {
                        iam.detach_role_policy()
                            .role_name(ROLE)
                            .policy_arn(policy)
                            .send()
                    })
                    .await;
                done_already(detached, NO_ROLE)
            }
            Change::DeletePolicy { name } => {
                let deleted = aws
                    .call(DELETE_POLICY, || {
                        iam.delete_role_policy()
                            .role_name(ROLE)
                            .policy_name(name)
                            .send()
                    })
                    .await;
                done_already(deleted, NO_ROLE)
            }
            Change::DeleteRole => {
                let deleted = aws
                    .call(DELETE_ROLE, || iam.delete_role().role_name(ROLE).send())
                    .await;
                done_already(deleted, NO_ROLE)
            }
        }
    }
}

/// The ARNs of the policies attached to the role; `None` where there is no such role.
async fn attached(aws: &Aws) -> Result<Option<BTreeSet<String>>, CloudError> {
    let iam = aws.iam();
    let mut policies = BTreeSet::new();
    let mut marker = None;
    loop {
        let page = aws
            .call(LIST_ATTACHED, || {
                iam.list_attached_role_policies()
                    .role_name(ROLE)
                    .set_marker(marker.clone())
                    .send()
            })
            .await;
        let Some(page) = absent(page, NO_ROLE)? else {
            return Ok(None);
        };
        let found = page.attached_policies.unwrap_or_default();
        policies.extend(found.into_iter().filter_map(|policy| policy.policy_arn));
        marker = page.marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            return Ok(Some(policies));
        }
    }
}

/// The names of the role's inline policies; `None` where there is no such role.
async fn inline(aws: &Aws) -> Result<Option<BTreeSet<String>>, CloudError> {
    let iam = aws.iam();
    let mut names = BTreeSet::new();
    let mut marker = None;
    loop {
        let page = aws
            .call(LIST_INLINE, || {
                iam.list_role_policies()
                    .role_name(ROLE)
                    .set_marker(marker.clone())
                    .send()
            })
            .await;
        let Some(page) = absent(page, NO_ROLE)? else {
            return Ok(None);
        };
        names.extend(page.policy_names);
        marker = page.marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            return Ok(Some(names));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_goes_with_all_that_it_has_and_only_where_the_baseline_says_so() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let role = || {
            Some(Role {
                inline_policies: set(&["extra"]),
                attached_policies: set(&["arn:aws:iam::aws:policy/AdministratorAccess"]),
            })
        };
        let removal = vec![
            "detach arn:aws:iam::aws:policy/AdministratorAccess from the role OrganizationAccountAccessRole",
            "delete the policy extra of the role OrganizationAccountAccessRole",
            "delete the role OrganizationAccountAccessRole",
        ];
        for (fate, role, sentences) in [
            (Fate::Remove, role(), removal),
            (
                Fate::Remove,
                Some(Role::default()),
                vec!["delete the role OrganizationAccountAccessRole"],
            ),
            (Fate::Remove, None, vec![]),
            (Fate::Keep, role(), vec![]),
        ] {
            let plan = IamBootstrapRole::plan(&Desired { fate }, &Observed { role });
            let plan: Vec<String> = plan.iter().map(ToString::to_string).collect();
            assert_eq!(plan, sentences);
        }
    }
}
