//! The security account administers Security Hub for the whole organization and sees all Regions' findings in one.
//!
//! Where members are taken by invitation there is nothing to delegate: the administrator's own hub is all.

use std::fmt;

use aws_sdk_securityhub::types::{AdminStatus, AutoEnableStandards};
use landfall_model::asset::Asset;
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::control::Scope;
use landfall_model::ids::AccountId;
use landfall_model::landing_zone::Membership;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::aws::Aws;
use crate::control::Control;
use crate::error::{CloudError, absent, done_already};
use crate::finding_aggregator::{self, FindingAggregator};
use crate::session::Session;

pub(crate) struct SecurityHubOrganization;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    /// The standards that an account gets when it becomes a member: `NONE` or `DEFAULT`.
    auto_enable_standards: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Desired {
    administrator: AccountId,
    /// `None` where members are taken by invitation.
    organization: Option<Parameters>,
    /// Whether findings of all Regions are gathered here.
    aggregate: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    /// The organization's delegated administrator in this Region.
    administrator: Option<String>,
    /// Whether Security Hub is on in the security account.
    hub: bool,
    organization: Option<Organization>,
    aggregator: Option<FindingAggregator>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Organization {
    auto_enable: bool,
    auto_enable_standards: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    EnableHub,
    Designate { administrator: AccountId },
    AutoEnable { auto_enable_standards: String },
    Aggregate,
    AggregateAllRegions { arn: String },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::EnableHub => f.write_str("turn Security Hub on in the security account"),
            Change::Designate { administrator } => write!(
                f,
                "make the security account {administrator} Security Hub's administrator"
            ),
            Change::AutoEnable { .. } => {
                f.write_str("turn Security Hub on in accounts that join the organization")
            }
            Change::Aggregate => f.write_str("gather findings of all Regions in the home Region"),
            Change::AggregateAllRegions { .. } => {
                f.write_str("gather findings of all Regions, not of some")
            }
        }
    }
}

const LIST_ADMINISTRATORS: &str = "securityhub:ListOrganizationAdminAccounts";
const DESIGNATE: &str = "securityhub:EnableOrganizationAdminAccount";
const DESCRIBE_HUB: &str = "securityhub:DescribeHub";
const ENABLE_HUB: &str = "securityhub:EnableSecurityHub";
const DESCRIBE: &str = "securityhub:DescribeOrganizationConfiguration";
const CONFIGURE: &str = "securityhub:UpdateOrganizationConfiguration";

impl Control for SecurityHubOrganization {
    const ID: &'static str = "securityhub.organization";
    const TITLE: &'static str = "The security account administers Security Hub";
    const SCOPE: Scope = Scope::OrganizationRegion;
    /// Security Hub makes its service-linked role, and registers its administrator with Organizations, with the caller's
    /// permissions (Security Hub User Guide, "Designating a delegated administrator").
    const ACTIONS: &'static [&'static str] = &[
        LIST_ADMINISTRATORS,
        DESIGNATE,
        DESCRIBE_HUB,
        ENABLE_HUB,
        DESCRIBE,
        CONFIGURE,
        finding_aggregator::LIST,
        finding_aggregator::GET,
        finding_aggregator::CREATE,
        finding_aggregator::UPDATE,
        "iam:CreateServiceLinkedRole",
        "organizations:DescribeOrganization",
        "organizations:EnableAWSServiceAccess",
        "organizations:RegisterDelegatedAdministrator",
    ];
    const AFTER: &'static [&'static str] = &["organizations.trusted-access"];
    const FIRST_REGION_ALONE: bool = true;

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(parameters: &Parameters, place: &Place) -> Result<Desired, CloudError> {
        let administrator = place.organization.security_account.clone();
        let by_organization = match place.landing_zone.membership {
            Membership::Organization => true,
            Membership::Invitation => false,
        };
        Ok(Desired {
            administrator: administrator.ok_or_else(|| {
                CloudError::not_ready(DESIGNATE, "there is no security account yet")
            })?,
            organization: by_organization.then(|| parameters.clone()),
            aggregate: by_organization && place.is_home_region(),
        })
    }

    async fn observe(aws: &Session, desired: &Desired) -> Result<Observed, CloudError> {
        let security = aws.security().await?;
        let mut observed = Observed {
            administrator: None,
            hub: hub(security).await?,
            organization: None,
            aggregator: None,
        };
        if desired.organization.is_none() {
            return Ok(observed);
        }
        observed.administrator = administrator(aws.management().await?).await?;
        let ours = observed.administrator.as_deref() == Some(desired.administrator.as_str());
        if let Some(other) = observed.administrator.as_deref().filter(|_| !ours) {
            return Err(CloudError::new(
                CloudErrorKind::Invalid,
                DESIGNATE,
                format!(
                    "account {other} administers Security Hub for the organization; remove it there first"
                ),
            ));
        }
        if observed.hub && ours {
            observed.organization = Some(organization(security).await?);
        }
        if observed.hub && desired.aggregate {
            observed.aggregator = finding_aggregator::find(security).await?;
        }
        Ok(observed)
    }

    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        let mut changes = Vec::new();
        if !observed.hub {
            changes.push(Change::EnableHub);
        }
        let Some(wanted) = &desired.organization else {
            return changes;
        };
        if observed.administrator.is_none() {
            changes.push(Change::Designate {
                administrator: desired.administrator.clone(),
            });
        }
        let right = observed.organization.as_ref().is_some_and(|found| {
            found.auto_enable && found.auto_enable_standards == wanted.auto_enable_standards
        });
        if !right {
            changes.push(Change::AutoEnable {
                auto_enable_standards: wanted.auto_enable_standards.clone(),
            });
        }
        match &observed.aggregator {
            _ if !desired.aggregate => {}
            None => changes.push(Change::Aggregate),
            Some(aggregator) if !aggregator.all_regions => {
                changes.push(Change::AggregateAllRegions {
                    arn: aggregator.arn.clone(),
                });
            }
            Some(_) => {}
        }
        changes
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        match change {
            Change::EnableHub => {
                let aws = aws.security().await?;
                let securityhub = aws.securityhub();
                let enabled = aws
                    .call(ENABLE_HUB, || {
                        securityhub
                            .enable_security_hub()
                            .enable_default_standards(false)
                            .send()
                    })
                    .await;
                done_already(enabled, &["ResourceConflictException"])
            }
            Change::Designate { administrator } => {
                designate(aws.management().await?, administrator).await
            }
            Change::AutoEnable {
                auto_enable_standards,
            } => {
                let aws = aws.security().await?;
                let securityhub = aws.securityhub();
                let standards = AutoEnableStandards::from(auto_enable_standards.as_str());
                aws.call(CONFIGURE, || {
                    securityhub
                        .update_organization_configuration()
                        .auto_enable(true)
                        .auto_enable_standards(standards.clone())
                        .send()
                })
                .await?;
                Ok(())
            }
            Change::Aggregate => finding_aggregator::create(aws.security().await?).await,
            Change::AggregateAllRegions { arn } => {
                finding_aggregator::update(aws.security().await?, arn).await
            }
        }
    }

    fn assets(place: &Place, observed: &Observed) -> Vec<Asset> {
        let owner = place.organization.security_account.as_ref();
        let asset = |(aggregator, owner): (&FindingAggregator, &AccountId)| Asset {
            arn: aggregator.arn.clone(),
            kind: "AWS::SecurityHub::FindingAggregator".to_owned(),
            account_id: owner.clone(),
            region: Some(place.region.clone()),
            name: "finding-aggregator".to_owned(),
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

async fn hub(aws: &Aws) -> Result<bool, CloudError> {
    let securityhub = aws.securityhub();
    let found = aws
        .call(DESCRIBE_HUB, || securityhub.describe_hub().send())
        .await;
    let off = ["InvalidAccessException", "ResourceNotFoundException"];
    Ok(absent(found, &off)?.is_some())
}

/// The organization's delegated administrator.
async fn administrator(aws: &Aws) -> Result<Option<String>, CloudError> {
    let securityhub = aws.securityhub();
    let mut token = None;
    loop {
        let page = aws
            .call(LIST_ADMINISTRATORS, || {
                securityhub
                    .list_organization_admin_accounts()
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        let mut accounts = page.admin_accounts.unwrap_or_default().into_iter();
        // One that is being removed is still listed.
        if let Some(found) = accounts.find(|account| account.status == Some(AdminStatus::Enabled)) {
            return Ok(found.account_id);
        }
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(None);
        }
    }
}

async fn organization(aws: &Aws) -> Result<Organization, CloudError> {
    let securityhub = aws.securityhub();
    let found = aws
        .call(DESCRIBE, || {
            securityhub.describe_organization_configuration().send()
        })
        .await?;
    Ok(Organization {
        auto_enable: found.auto_enable == Some(true),
        auto_enable_standards: found
            .auto_enable_standards
            .map(|standards| standards.as_str().to_owned())
            .unwrap_or_default(),
    })
}

/// Security Hub refuses what is done already as it refuses what another Region is just doing: as a conflict.
async fn designate(aws: &Aws, account: &AccountId) -> Result<(), CloudError> {
    if administrator(aws).await?.as_deref() == Some(account.as_str()) {
        return Ok(());
    }
    let securityhub = aws.securityhub();
    aws.call(DESIGNATE, || {
        securityhub
            .enable_organization_admin_account()
            .admin_account_id(account.as_str())
            .send()
    })
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_changed() {
        let administrator: AccountId = "333333333333".parse().unwrap();
        let aggregator = FindingAggregator {
            arn: "arn".to_owned(),
            all_regions: true,
        };
        let right = Observed {
            administrator: Some(administrator.to_string()),
            hub: true,
            organization: Some(Organization {
                auto_enable: true,
                auto_enable_standards: "NONE".to_owned(),
            }),
            aggregator: Some(aggregator.clone()),
        };
        let nothing = Observed {
            administrator: None,
            hub: false,
            organization: None,
            aggregator: None,
        };
        let configured = |auto_enable, standards: &str| {
            Some(Organization {
                auto_enable,
                auto_enable_standards: standards.to_owned(),
            })
        };
        let hub = "turn Security Hub on in the security account";
        let designate = "make the security account 333333333333 Security Hub's administrator";
        let auto_enable = "turn Security Hub on in accounts that join the organization";
        let aggregate = "gather findings of all Regions in the home Region";
        for (by_organization, aggregating, observed, sentences) in [
            (
                true,
                true,
                nothing.clone(),
                vec![hub, designate, auto_enable, aggregate],
            ),
            (
                true,
                false,
                nothing.clone(),
                vec![hub, designate, auto_enable],
            ),
            (false, false, nothing, vec![hub]),
            (true, true, right.clone(), vec![]),
            (
                true,
                true,
                Observed {
                    organization: configured(false, "NONE"),
                    ..right.clone()
                },
                vec![auto_enable],
            ),
            (
                true,
                true,
                Observed {
                    organization: configured(true, "DEFAULT"),
                    ..right.clone()
                },
                vec![auto_enable],
            ),
            (
                true,
                true,
                Observed {
                    aggregator: Some(FindingAggregator {
                        all_regions: false,
                        ..aggregator
                    }),
                    ..right.clone()
                },
                vec!["gather findings of all Regions, not of some"],
            ),
            (
                true,
                true,
                Observed {
                    aggregator: None,
                    ..right
                },
                vec![aggregate],
            ),
        ] {
            let desired = Desired {
                administrator: administrator.clone(),
                organization: by_organization.then(|| Parameters {
                    auto_enable_standards: "NONE".to_owned(),
                }),
                aggregate: aggregating,
            };
            let plan = SecurityHubOrganization::plan(&desired, &observed);
            let plan: Vec<String> = plan.iter().map(ToString::to_string).collect();
            assert_eq!(plan, sentences, "{observed:?}");
        }
    }
}
