//! The account is in the OU where it belongs: its service control policies come with that.

use std::fmt;

use landfall_model::control::Scope;
use landfall_model::ids::OuPath;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::CloudError;
use crate::session::Session;
use crate::vending;

pub(crate) struct OrganizationsPlacement;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {}

#[derive(Debug, Serialize)]
pub(crate) struct Desired {
    organizational_unit: Option<OuPath>,
}

/// Where the account is; `None` is the root.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    organizational_unit: Option<OuPath>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Move { from: Option<OuPath>, to: OuPath },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Move {
                from: Some(from),
                to,
            } => write!(f, "move the account from {from} to {to}"),
            Change::Move { from: None, to } => write!(f, "move the account from the root to {to}"),
        }
    }
}

impl Control for OrganizationsPlacement {
    const ID: &'static str = "organizations.placement";
    const TITLE: &'static str = "The account is in its organizational unit";
    const SCOPE: Scope = Scope::Account;
    const ACTIONS: &'static [&'static str] = vending::PLACING;
    const MEMBERS_ONLY: bool = true;

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(_parameters: &Parameters, place: &Place) -> Result<Desired, CloudError> {
        Ok(Desired {
            organizational_unit: place.organizational_unit.clone(),
        })
    }

    async fn observe(aws: &Session, _desired: &Desired) -> Result<Observed, CloudError> {
        let place = aws.place();
        let management = aws.management().await?;
        let (units, root_id) = (aws.units(), &place.organization.root_id);
        let organizational_unit = aws.rosters().placement.look(
            &place.account,
            aws.since(),
            async || vending::parent_of(management, units, root_id, &place.account).await,
            async || vending::all_parents(management, root_id).await,
        );
        Ok(Observed {
            organizational_unit: organizational_unit.await?,
        })
    }

    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        match &desired.organizational_unit {
            Some(to) if observed.organizational_unit.as_ref() != Some(to) => {
                vec![Change::Move {
                    from: observed.organizational_unit.clone(),
                    to: to.clone(),
                }]
            }
            _ => Vec::new(),
        }
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let Change::Move { from, to } = change;
        let place = aws.place();
        let management = aws.management().await?;
        vending::move_account(
            management,
            aws.units(),
            &place.organization.root_id,
            &place.account,
            from.as_ref(),
            to,
        )
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strayed_account_is_moved_back() {
        let ou = |path: &str| Some(path.parse::<OuPath>().unwrap());
        let plan = |desired, observed| {
            let plan = OrganizationsPlacement::plan(
                &Desired {
                    organizational_unit: desired,
                },
                &Observed {
                    organizational_unit: observed,
                },
            );
            plan.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert!(plan(ou("A/B"), ou("A/B")).is_empty());
        assert_eq!(
            plan(ou("A/B"), None),
            ["move the account from the root to A/B"]
        );
        assert_eq!(plan(ou("A/B"), ou("C")), ["move the account from C to A/B"]);
    }
}
