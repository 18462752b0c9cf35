//! The roles that services use by themselves are there. AWS Config records nothing without its own.

use std::collections::BTreeMap;
use std::fmt;

use landfall_model::asset::Asset;
use landfall_model::control::Scope;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::{CloudError, absent, done_already};
use crate::session::Session;

pub(crate) struct IamServiceLinkedRoles;

/// Role names by service principal: `config.amazonaws.com` makes `AWSServiceRoleForConfig`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    roles: BTreeMap<String, String>,
}

/// The ARN of each role that is there, by service principal.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    roles: BTreeMap<String, String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Create { service: String },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Create { service } => write!(f, "create the service-linked role of {service}"),
        }
    }
}

const GET: &str = "iam:GetRole";
const CREATE: &str = "iam:CreateServiceLinkedRole";

impl Control for IamServiceLinkedRoles {
    const ID: &'static str = "iam.service-linked-roles";
    const TITLE: &'static str = "The roles that AWS services need are there";
    const SCOPE: Scope = Scope::Account;
    const ACTIONS: &'static [&'static str] = &[GET, CREATE];

    type Parameters = Parameters;
    type Desired = Parameters;
    type Observed = Observed;
    type Change = Change;

    fn desired(parameters: &Parameters, _place: &Place) -> Result<Parameters, CloudError> {
        Ok(parameters.clone())
    }

    async fn observe(aws: &Session, desired: &Parameters) -> Result<Observed, CloudError> {
        let aws = aws.target().await?;
        let iam = aws.iam();
        let mut roles = BTreeMap::new();
        for (service, name) in &desired.roles {
            let role = aws
                .call(GET, || iam.get_role().role_name(name).send())
                .await;
            if let Some(role) = absent(role, &["NoSuchEntity"])?.and_then(|answer| answer.role) {
                roles.insert(service.clone(), role.arn);
            }
        }
        Ok(Observed { roles })
    }

    fn plan(desired: &Parameters, observed: &Observed) -> Vec<Change> {
        let missing = desired
            .roles
            .keys()
            .filter(|service| !observed.roles.contains_key(*service));
        missing
            .map(|service| Change::Create {
                service: service.clone(),
            })
            .collect()
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let Change::Create { service } = change;
        let aws = aws.target().await?;
        let iam = aws.iam();
        let created = aws
            .call(CREATE, || {
                iam.create_service_linked_role()
                    .aws_service_name(service)
                    .send()
            })
            .await;
        // *Has been taken in this account* comes as `InvalidInput`; the next look tells it from a wrong name.
        done_already(created, &["InvalidInput"])
    }

    fn assets(place: &Place, observed: &Observed) -> Vec<Asset> {
        let asset = |(service, arn): (&String, &String)| Asset {
            arn: arn.clone(),
            kind: "AWS::IAM::Role".to_owned(),
            account_id: place.account.clone(),
            region: None,
            name: arn.rsplit('/').next().unwrap_or(arn).to_owned(),
            configuration: serde_json::json!({ "service": service }),
        };
        observed.roles.iter().map(asset).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_missing_roles_are_made() {
        let map = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        let desired = Parameters {
            roles: map(&[("config.amazonaws.com", "AWSServiceRoleForConfig")]),
        };
        assert_eq!(
            IamServiceLinkedRoles::plan(&desired, &Observed { roles: map(&[]) }).len(),
            1
        );
        assert!(
            IamServiceLinkedRoles::plan(
                &desired,
                &Observed {
                    roles: map(&[("config.amazonaws.com", "arn")])
                }
            )
            .is_empty()
        );
    }
}
