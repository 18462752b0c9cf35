//! The security account administers services for the whole organization.
//!
//! GuardDuty and Security Hub name their administrator through calls of their own, in each Region.

use std::collections::BTreeSet;
use std::fmt;

use landfall_model::control::Scope;
use landfall_model::ids::AccountId;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::{CloudError, absent, done_already};
use crate::session::Session;

pub(crate) struct OrganizationsDelegatedAdministrators;

/// Service principals, `config.amazonaws.com`. What else the account administers is left as it is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    services: BTreeSet<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Desired {
    administrator: AccountId,
    services: BTreeSet<String>,
}

/// What the security account administers.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    services: BTreeSet<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Register {
        administrator: AccountId,
        service: String,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Register {
                administrator,
                service,
            } => write!(
                f,
                "let the security account {administrator} administer {service}"
            ),
        }
    }
}

const LIST: &str = "organizations:ListDelegatedServicesForAccount";
const REGISTER: &str = "organizations:RegisterDelegatedAdministrator";

impl Control for OrganizationsDelegatedAdministrators {
    const ID: &'static str = "organizations.delegated-administrators";
    const TITLE: &'static str = "The security account administers security services";
    const SCOPE: Scope = Scope::Organization;
    const ACTIONS: &'static [&'static str] = &[LIST, REGISTER];
    const AFTER: &'static [&'static str] = &["organizations.trusted-access"];

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(parameters: &Parameters, place: &Place) -> Result<Desired, CloudError> {
        let administrator = place.organization.security_account.clone();
        Ok(Desired {
            administrator: administrator.ok_or_else(|| {
                CloudError::not_ready(REGISTER, "there is no security account yet")
            })?,
            services: parameters.services.clone(),
        })
    }

    async fn observe(aws: &Session, desired: &Desired) -> Result<Observed, CloudError> {
        let aws = aws.management().await?;
        let organizations = aws.organizations();
        let mut services = BTreeSet::new();
        let mut token = None;
        loop {
            let page = aws
                .call(LIST, || {
                    organizations
                        .list_delegated_services_for_account()
                        .account_id(desired.administrator.as_str())
                        .set_next_token(token.clone())
                        .send()
                })
                .await;
            let Some(page) = absent(page, &["AccountNotRegisteredException"])? else {
                return Ok(Observed { services });
            };
            services.extend(
                page.delegated_services
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|service| service.service_principal),
            );
            token = page.next_token;
            if token.is_none() {
                return Ok(Observed { services });
            }
        }
    }

    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        desired
            .services
            .difference(&observed.services)
            .map(|service| Change::Register {
                administrator: desired.administrator.clone(),
                service: service.clone(),
            })
            .collect()
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let Change::Register {
            administrator,
            service,
        } = change;
        let aws = aws.management().await?;
        let organizations = aws.organizations();
        let registered = aws
            .call(REGISTER, || {
                organizations
                    .register_delegated_administrator()
                    .account_id(administrator.as_str())
                    .service_principal(service)
                    .send()
            })
            .await;
        done_already(registered, &["AccountAlreadyRegisteredException"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_registered_and_nothing_is_taken_away() {
        let set = |names: &[&str]| -> BTreeSet<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        let desired = Desired {
            administrator: "333333333333".parse().unwrap(),
            services: set(&["a", "b"]),
        };
        for (observed, sentences) in [
            (
                set(&[]),
                vec![
                    "let the security account 333333333333 administer a",
                    "let the security account 333333333333 administer b",
                ],
            ),
            (
                set(&["b", "c"]),
                vec!["let the security account 333333333333 administer a"],
            ),
            (set(&["a", "b", "c"]), vec![]),
        ] {
            let plan = OrganizationsDelegatedAdministrators::plan(
                &desired,
                &Observed { services: observed },
            );
            let plan: Vec<String> = plan.iter().map(ToString::to_string).collect();
            assert_eq!(plan, sentences);
        }
    }
}
