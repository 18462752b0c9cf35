//! The security account administers GuardDuty for the whole organization, and accounts that join are watched at once.
//!
//! Where members are taken by invitation there is nothing to delegate: the administrator's own detector is all.

use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_guardduty::types::{
    AdminStatus, AutoEnableMembers, OrgFeature, OrgFeatureStatus, OrganizationFeatureConfiguration,
};
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::control::Scope;
use landfall_model::ids::AccountId;
use landfall_model::landing_zone::Membership;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::aws::Aws;
use crate::control::Control;
use crate::error::CloudError;
use crate::guardduty::{
    CREATE_DETECTOR, Detector, GET_DETECTOR, LIST_DETECTORS, create_detector, needed_detector_of,
    own_detector,
};
use crate::session::Session;

pub(crate) struct GuardDutyOrganization;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    /// Which accounts become members by themselves: `NEW` or `ALL`.
    auto_enable: String,
    /// Features that are switched on in them too, by GuardDuty's names. Others are left as they are.
    #[serde(default)]
    features: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Desired {
    administrator: AccountId,
    /// `None` where members are taken by invitation.
    organization: Option<Parameters>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    /// The organization's delegated administrator in this Region.
    administrator: Option<String>,
    /// The security account's detector.
    detector: Option<Detector>,
    organization: Option<Organization>,
}

/// What members get by themselves, in GuardDuty's words.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Organization {
    auto_enable: String,
    features: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    CreateDetector,
    EnableDetector {
        id: String,
    },
    Designate {
        administrator: AccountId,
    },
    AutoEnable {
        auto_enable: String,
        features: Vec<String>,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::CreateDetector => f.write_str("turn GuardDuty on in the security account"),
            Change::EnableDetector { .. } => {
                f.write_str("resume the security account's suspended GuardDuty detector")
            }
            Change::Designate { administrator } => write!(
                f,
                "make the security account {administrator} GuardDuty's administrator"
            ),
            Change::AutoEnable {
                auto_enable,
                features,
            } => {
                write!(f, "watch {auto_enable} accounts of the organization")?;
                match features.as_slice() {
                    [] => Ok(()),
                    features => write!(f, ", with {}", features.join(", ")),
                }
            }
        }
    }
}

const LIST_ADMINISTRATORS: &str = "guardduty:ListOrganizationAdminAccounts";
const DESIGNATE: &str = "guardduty:EnableOrganizationAdminAccount";
const UPDATE: &str = "guardduty:UpdateDetector";
const DESCRIBE: &str = "guardduty:DescribeOrganizationConfiguration";
const CONFIGURE: &str = "guardduty:UpdateOrganizationConfiguration";

impl Control for GuardDutyOrganization {
    const ID: &'static str = "guardduty.organization";
    const TITLE: &'static str = "The security account administers GuardDuty";
    const SCOPE: Scope = Scope::OrganizationRegion;
    /// GuardDuty makes its service-linked role, and registers its administrator with Organizations, with the caller's
    /// permissions (GuardDuty User Guide, "Permissions required to designate a delegated administrator").
    const ACTIONS: &'static [&'static str] = &[
        LIST_ADMINISTRATORS,
        DESIGNATE,
        LIST_DETECTORS,
        GET_DETECTOR,
        CREATE_DETECTOR,
        UPDATE,
        DESCRIBE,
        CONFIGURE,
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
        Ok(Desired {
            administrator: administrator.ok_or_else(|| {
                CloudError::not_ready(DESIGNATE, "there is no security account yet")
            })?,
            organization: match place.landing_zone.membership {
                Membership::Organization => Some(parameters.clone()),
                Membership::Invitation => None,
            },
        })
    }

    async fn observe(aws: &Session, desired: &Desired) -> Result<Observed, CloudError> {
        let security = aws.security().await?;
        let detector = own_detector(security).await?;
        if desired.organization.is_none() {
            return Ok(Observed {
                administrator: None,
                detector,
                organization: None,
            });
        }
        let administrator = administrator(aws.management().await?).await?;
        let ours = administrator.as_deref() == Some(desired.administrator.as_str());
        if let Some(other) = administrator.as_deref().filter(|_| !ours) {
            return Err(CloudError::new(
                CloudErrorKind::Invalid,
                DESIGNATE,
                format!(
                    "account {other} administers GuardDuty for the organization; remove it there first"
                ),
            ));
        }
        let organization = match &detector {
            Some(detector) if ours => Some(organization(security, &detector.id).await?),
            _ => None,
        };
        Ok(Observed {
            administrator,
            detector,
            organization,
        })
    }

    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        let mut changes = Vec::new();
        match &observed.detector {
            None => changes.push(Change::CreateDetector),
            Some(detector) if !detector.enabled => changes.push(Change::EnableDetector {
                id: detector.id.clone(),
            }),
            Some(_) => {}
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
            let on = |feature| found.features.get(feature) == Some(&wanted.auto_enable);
            found.auto_enable == wanted.auto_enable && wanted.features.iter().all(on)
        });
        if !right {
            changes.push(Change::AutoEnable {
                auto_enable: wanted.auto_enable.clone(),
                features: wanted.features.clone(),
            });
        }
        changes
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        match change {
            Change::CreateDetector => {
                let aws = aws.security().await?;
                let detector = aws.guardduty().create_detector().enable(true);
                create_detector(aws, &detector).await
            }
            Change::EnableDetector { id } => {
                let aws = aws.security().await?;
                let guardduty = aws.guardduty();
                aws.call(UPDATE, || {
                    guardduty
                        .update_detector()
                        .detector_id(id)
                        .enable(true)
                        .send()
                })
                .await?;
                Ok(())
            }
            Change::Designate { administrator } => {
                designate(aws.management().await?, administrator).await
            }
            Change::AutoEnable {
                auto_enable,
                features,
            } => configure(aws.security().await?, auto_enable, features).await,
        }
    }
}

/// The organization's delegated administrator.
async fn administrator(aws: &Aws) -> Result<Option<String>, CloudError> {
    let guardduty = aws.guardduty();
    let mut token = None;
    loop {
        let page = aws
            .call(LIST_ADMINISTRATORS, || {
                guardduty
                    .list_organization_admin_accounts()
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        let mut accounts = page.admin_accounts.unwrap_or_default().into_iter();
        // One that is being removed is still listed.
        if let Some(found) =
            accounts.find(|account| account.admin_status == Some(AdminStatus::Enabled))
        {
            return Ok(found.admin_account_id);
        }
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(None);
        }
    }
}

async fn organization(aws: &Aws, detector: &str) -> Result<Organization, CloudError> {
    let guardduty = aws.guardduty();
    let mut features = BTreeMap::new();
    let mut token = None;
    loop {
        let page = aws
            .call(DESCRIBE, || {
                guardduty
                    .describe_organization_configuration()
                    .detector_id(detector)
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        let on_page = page.features.unwrap_or_default().into_iter();
        features.extend(on_page.filter_map(|feature| {
            Some((
                feature.name?.as_str().to_owned(),
                feature.auto_enable?.as_str().to_owned(),
            ))
        }));
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            let auto_enable = page.auto_enable_organization_members;
            return Ok(Organization {
                auto_enable: auto_enable
                    .map(|auto| auto.as_str().to_owned())
                    .unwrap_or_default(),
                features,
            });
        }
    }
}

/// GuardDuty refuses what is done already, and what another Region is just doing, with the code of any bad request.
async fn designate(aws: &Aws, account: &AccountId) -> Result<(), CloudError> {
    if administrator(aws).await?.as_deref() == Some(account.as_str()) {
        return Ok(());
    }
    let guardduty = aws.guardduty();
    let designated = aws
        .call(DESIGNATE, || {
            guardduty
                .enable_organization_admin_account()
                .admin_account_id(account.as_str())
                .send()
        })
        .await;
    designated.map(drop).map_err(|mut error| {
        if error.is(&["BadRequestException"]) {
            error.kind = CloudErrorKind::Conflict;
        }
        error
    })
}

async fn configure(aws: &Aws, auto_enable: &str, features: &[String]) -> Result<(), CloudError> {
    let detector = needed_detector_of(aws).await?;
    let guardduty = aws.guardduty();
    let feature = |name: &String| {
        OrganizationFeatureConfiguration::builder()
            .name(OrgFeature::from(name.as_str()))
            .auto_enable(OrgFeatureStatus::from(auto_enable))
            .build()
    };
    let features: Vec<_> = features.iter().map(feature).collect();
    aws.call(CONFIGURE, || {
        guardduty
            .update_organization_configuration()
            .detector_id(&detector)
            .auto_enable_organization_members(AutoEnableMembers::from(auto_enable))
            .set_features(Some(features.clone()))
            .send()
    })
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detector(enabled: bool) -> Option<Detector> {
        Some(Detector {
            id: "d1".to_owned(),
            enabled,
            finding_publishing_frequency: "SIX_HOURS".to_owned(),
            features: BTreeMap::new(),
        })
    }

    #[test]
    fn only_what_differs_is_changed() {
        let administrator: AccountId = "333333333333".parse().unwrap();
        let wanted = Parameters {
            auto_enable: "NEW".to_owned(),
            features: vec!["S3_DATA_EVENTS".to_owned()],
        };
        let right = Observed {
            administrator: Some(administrator.to_string()),
            detector: detector(true),
            organization: Some(Organization {
                auto_enable: "NEW".to_owned(),
                features: [("S3_DATA_EVENTS".to_owned(), "NEW".to_owned())].into(),
            }),
        };
        let nothing = Observed {
            administrator: None,
            detector: None,
            organization: None,
        };
        let create = "turn GuardDuty on in the security account";
        let designate = "make the security account 333333333333 GuardDuty's administrator";
        let auto_enable = "watch NEW accounts of the organization, with S3_DATA_EVENTS";
        let configured = |auto: &str, feature: &str| {
            Some(Organization {
                auto_enable: auto.to_owned(),
                features: [("S3_DATA_EVENTS".to_owned(), feature.to_owned())].into(),
            })
        };
        for (by_organization, observed, sentences) in [
            (true, nothing.clone(), vec![create, designate, auto_enable]),
            (false, nothing, vec![create]),
            (true, right.clone(), vec![]),
            (
                true,
                Observed {
                    organization: configured("NONE", "NEW"),
                    ..right.clone()
                },
                vec![auto_enable],
            ),
            (
                true,
                Observed {
                    organization: configured("NEW", "NONE"),
                    ..right.clone()
                },
                vec![auto_enable],
            ),
            (
                true,
                Observed {
                    detector: detector(false),
                    ..right
                },
                vec!["resume the security account's suspended GuardDuty detector"],
            ),
        ] {
            let desired = Desired {
                administrator: administrator.clone(),
                organization: by_organization.then(|| wanted.clone()),
            };
            let plan = GuardDutyOrganization::plan(&desired, &observed);
            let plan: Vec<String> = plan.iter().map(ToString::to_string).collect();
            assert_eq!(plan, sentences, "{observed:?}");
        }
    }
}
