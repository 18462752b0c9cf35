//! The security account sees what AWS Config records anywhere: one aggregator for all accounts and Regions.

use std::fmt;

use aws_sdk_config::types::OrganizationAggregationSource;
use landfall_model::asset::Asset;
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::control::Scope;
use landfall_model::ids::AccountId;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::{CloudError, absent, done_already};
use crate::names::AGGREGATOR;
use crate::session::Session;

pub(crate) struct ConfigAggregator;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {}

#[derive(Debug, Serialize)]
pub(crate) struct Desired {
    role_arn: String,
}

/// What there is; `None` where there is no aggregator.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    role_exists: bool,
    aggregator: Option<Aggregator>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Aggregator {
    arn: String,
    /// `None` where it aggregates listed accounts instead of the organization.
    role_arn: Option<String>,
    all_regions: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    CreateRole,
    Aggregate { role_arn: String },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::CreateRole => {
                f.write_str("create AWS Config's service-linked role in the security account")
            }
            Change::Aggregate { .. } => f.write_str(
                "gather what AWS Config records in all accounts and Regions in the security account",
            ),
        }
    }
}

const DESCRIBE: &str = "config:DescribeConfigurationAggregators";
const PUT: &str = "config:PutConfigurationAggregator";
const GET_ROLE: &str = "iam:GetRole";
const CREATE_ROLE: &str = "iam:CreateServiceLinkedRole";

/// Config's own role may list the organization's accounts, so that no role of ours is needed for it (AWS Organizations
/// User Guide, "AWS Config and AWS Organizations").
const ROLE: &str = "AWSServiceRoleForConfig";
const SERVICE: &str = "config.amazonaws.com";

fn role_arn(account: &AccountId) -> String {
    format!("arn:aws:iam::{account}:role/aws-service-role/{SERVICE}/{ROLE}")
}

impl Control for ConfigAggregator {
    const ID: &'static str = "config.aggregator";
    const TITLE: &'static str = "The security account sees every account's configuration";
    const SCOPE: Scope = Scope::Organization;
    /// Config asks Organizations with the caller's permission whether it is its administrator (AWS Config API,
    /// PutConfigurationAggregator).
    const ACTIONS: &'static [&'static str] = &[
        DESCRIBE,
        PUT,
        GET_ROLE,
        CREATE_ROLE,
        "iam:PassRole",
        "organizations:ListDelegatedAdministrators",
    ];
    const AFTER: &'static [&'static str] = &["organizations.delegated-administrators"];

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(_parameters: &Parameters, place: &Place) -> Result<Desired, CloudError> {
        let security = place.organization.security_account.as_ref();
        let security = security
            .ok_or_else(|| CloudError::not_ready(PUT, "there is no security account yet"))?;
        Ok(Desired {
            role_arn: role_arn(security),
        })
    }

    async fn observe(aws: &Session, _desired: &Desired) -> Result<Observed, CloudError> {
        let aws = aws.security().await?;
        let (config, iam) = (aws.config(), aws.iam());
        let role = aws
            .call(GET_ROLE, || iam.get_role().role_name(ROLE).send())
            .await;
        let found = aws
            .call(DESCRIBE, || {
                config
                    .describe_configuration_aggregators()
                    .configuration_aggregator_names(AGGREGATOR)
                    .send()
            })
            .await;
        let found = absent(found, &["NoSuchConfigurationAggregatorException"])?
            .and_then(|answer| answer.configuration_aggregators)
            .and_then(|aggregators| aggregators.into_iter().next());
        Ok(Observed {
            role_exists: absent(role, &["NoSuchEntity"])?.is_some(),
            aggregator: found.map(|aggregator| {
                let source = aggregator.organization_aggregation_source;
                Aggregator {
                    arn: aggregator.configuration_aggregator_arn.unwrap_or_default(),
                    all_regions: source.as_ref().is_some_and(|source| source.all_aws_regions),
                    role_arn: source.map(|source| source.role_arn),
                }
            }),
        })
    }

    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        let mut changes = Vec::new();
        if !observed.role_exists {
            changes.push(Change::CreateRole);
        }
        let right = observed.aggregator.as_ref().is_some_and(|aggregator| {
            aggregator.all_regions && aggregator.role_arn.as_ref() == Some(&desired.role_arn)
        });
        if !right {
            changes.push(Change::Aggregate {
                role_arn: desired.role_arn.clone(),
            });
        }
        changes
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let aws = aws.security().await?;
        match change {
            Change::CreateRole => {
                let iam = aws.iam();
                let created = aws
                    .call(CREATE_ROLE, || {
                        iam.create_service_linked_role()
                            .aws_service_name(SERVICE)
                            .send()
                    })
                    .await;
                // *Has been taken in this account* comes as `InvalidInput`.
                done_already(created, &["InvalidInput"])
            }
            Change::Aggregate { role_arn } => {
                let config = aws.config();
                let source = OrganizationAggregationSource::builder()
                    .role_arn(role_arn)
                    .all_aws_regions(true)
                    .build()
                    .map_err(|error| {
                        CloudError::new(CloudErrorKind::Invalid, PUT, error.to_string())
                    })?;
                aws.call(PUT, || {
                    config
                        .put_configuration_aggregator()
                        .configuration_aggregator_name(AGGREGATOR)
                        .organization_aggregation_source(source.clone())
                        .send()
                })
                .await?;
                Ok(())
            }
        }
    }

    fn assets(place: &Place, observed: &Observed) -> Vec<Asset> {
        let owner = place.organization.security_account.as_ref();
        let asset = |(aggregator, owner): (&Aggregator, &AccountId)| Asset {
            arn: aggregator.arn.clone(),
            kind: "AWS::Config::ConfigurationAggregator".to_owned(),
            account_id: owner.clone(),
            region: Some(place.landing_zone.home_region.clone()),
            name: AGGREGATOR.to_owned(),
            configuration: serde_json::json!(aggregator),
        };
        observed
            .aggregator
            .as_ref()
            .zip(owner)
            .map(asset)
            .into_iter()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_changed() {
        let right = Aggregator {
            arn: "arn".to_owned(),
            role_arn: Some("role".to_owned()),
            all_regions: true,
        };
        let aggregate = || Change::Aggregate {
            role_arn: "role".to_owned(),
        };
        for (role_exists, aggregator, changes) in [
            (false, None, vec![Change::CreateRole, aggregate()]),
            (true, None, vec![aggregate()]),
            (true, Some(right.clone()), vec![]),
            (false, Some(right.clone()), vec![Change::CreateRole]),
            (
                true,
                Some(Aggregator {
                    all_regions: false,
                    ..right.clone()
                }),
                vec![aggregate()],
            ),
            (
                true,
                Some(Aggregator {
                    role_arn: None,
                    ..right
                }),
                vec![aggregate()],
            ),
        ] {
            let desired = Desired {
                role_arn: "role".to_owned(),
            };
            let observed = Observed {
                role_exists,
                aggregator,
            };
            assert_eq!(ConfigAggregator::plan(&desired, &observed), changes);
        }
    }
}
