//! Services may work across the organization: trusted access is on for those that the baseline names.

use std::collections::BTreeSet;
use std::fmt;

use landfall_model::control::Scope;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::CloudError;
use crate::session::Session;

pub(crate) struct OrganizationsTrustedAccess;

/// Service principals, `cloudtrail.amazonaws.com`. Others are left as they are.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    services: BTreeSet<String>,
}

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    services: BTreeSet<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Enable { service: String },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Enable { service } => write!(f, "let {service} work across the organization"),
        }
    }
}

const LIST: &str = "organizations:ListAWSServiceAccessForOrganization";
const ENABLE: &str = "organizations:EnableAWSServiceAccess";

impl Control for OrganizationsTrustedAccess {
    const ID: &'static str = "organizations.trusted-access";
    const TITLE: &'static str = "Security services may work across the organization";
    const SCOPE: Scope = Scope::Organization;
    const ACTIONS: &'static [&'static str] = &[LIST, ENABLE];

    type Parameters = Parameters;
    type Desired = Parameters;
    type Observed = Observed;
    type Change = Change;

    fn desired(parameters: &Parameters, _place: &Place) -> Result<Parameters, CloudError> {
        Ok(parameters.clone())
    }

    async fn observe(aws: &Session, _desired: &Parameters) -> Result<Observed, CloudError> {
        let aws = aws.management().await?;
        let organizations = aws.organizations();
        let mut services = BTreeSet::new();
        let mut token = None;
        loop {
            let page = aws
                .call(LIST, || {
                    organizations
                        .list_aws_service_access_for_organization()
                        .set_next_token(token.clone())
                        .send()
                })
                .await?;
            services.extend(
                page.enabled_service_principals
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|enabled| enabled.service_principal),
            );
            token = page.next_token;
            if token.is_none() {
                return Ok(Observed { services });
            }
        }
    }

    fn plan(desired: &Parameters, observed: &Observed) -> Vec<Change> {
        desired
            .services
            .difference(&observed.services)
            .map(|service| Change::Enable {
                service: service.clone(),
            })
            .collect()
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let Change::Enable { service } = change;
        let aws = aws.management().await?;
        let organizations = aws.organizations();
        aws.call(ENABLE, || {
            organizations
                .enable_aws_service_access()
                .service_principal(service)
                .send()
        })
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_enabled_and_nothing_is_disabled() {
        let set = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<BTreeSet<_>>()
        };
        let desired = Parameters {
            services: set(&["a", "b"]),
        };
        let plan = OrganizationsTrustedAccess::plan(
            &desired,
            &Observed {
                services: set(&["b", "c"]),
            },
        );
        assert_eq!(
            plan,
            [Change::Enable {
                service: "a".to_owned()
            }]
        );
    }
}
