//! GuardDuty is on: one detector in each account and Region, enabled, with the protection features of the baseline.
//!
//! An account that is a member cannot change its own detector any more (GuardDuty user guide, "Managing multiple
//! accounts"): its administrator does it. So a change says who takes it.

use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_guardduty::types::{
    DetectorFeature, DetectorFeatureConfiguration, FeatureStatus, FindingPublishingFrequency,
    MemberFeaturesConfiguration, OrgFeature,
};
use landfall_model::asset::Asset;
use landfall_model::cloud_error::{CloudErrorKind, Help};
use landfall_model::control::Scope;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::aws::Aws;
use crate::control::Control;
use crate::error::CloudError;
use crate::guardduty::{
    CREATE_DETECTOR, Detector, GET_DETECTOR, GET_MEMBER_DETECTORS, LIST_DETECTORS, LIST_MEMBERS,
    Seen, create_detector, detector_of, member_detectors, own_detector,
};
use crate::membership::ENABLED;
use crate::session::Session;

pub(crate) struct GuardDutyDetector;

/// What a baseline says of the detector.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    /// `FIFTEEN_MINUTES`, `ONE_HOUR` or `SIX_HOURS`.
    finding_publishing_frequency: String,
    /// Features that must be on, by GuardDuty's names. Others are left as they are.
    #[serde(default)]
    features: Vec<String>,
}

/// The detector as it is; `None` where GuardDuty is off altogether.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    detector: Option<Detector>,
    /// Whether an administrator account has the say; only asked where something is to be changed.
    is_member: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Create {
        finding_publishing_frequency: String,
        features: Vec<String>,
    },
    Enable {
        id: String,
    },
    SetFrequency {
        id: String,
        finding_publishing_frequency: String,
    },
    TurnOn {
        id: String,
        features: Vec<String>,
    },
    /// Through the administrator.
    StartMonitoring,
    TurnOnForMember {
        features: Vec<String>,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Create { .. } => f.write_str("turn GuardDuty on"),
            Change::Enable { .. } => f.write_str("resume the suspended GuardDuty detector"),
            Change::SetFrequency {
                finding_publishing_frequency,
                ..
            } => {
                write!(f, "publish findings every {finding_publishing_frequency}")
            }
            Change::TurnOn { features, .. } => write!(f, "turn on {}", features.join(", ")),
            Change::StartMonitoring => {
                f.write_str("have the security account resume the suspended GuardDuty detector")
            }
            Change::TurnOnForMember { features } => {
                write!(
                    f,
                    "have the security account turn on {}",
                    features.join(", ")
                )
            }
        }
    }
}

const UPDATE: &str = "guardduty:UpdateDetector";
/// The first detector of an account makes GuardDuty's own role.
const CREATE_ROLE: &str = "iam:CreateServiceLinkedRole";
const GET_ADMINISTRATOR: &str = "guardduty:GetAdministratorAccount";
const START: &str = "guardduty:StartMonitoringMembers";
const UPDATE_MEMBER: &str = "guardduty:UpdateMemberDetectors";

impl Control for GuardDutyDetector {
    const ID: &'static str = "guardduty.detector";
    const TITLE: &'static str = "GuardDuty detects threats";
    const SCOPE: Scope = Scope::Region;
    const ACTIONS: &'static [&'static str] = &[
        LIST_DETECTORS,
        GET_DETECTOR,
        LIST_MEMBERS,
        GET_MEMBER_DETECTORS,
        CREATE_DETECTOR,
        CREATE_ROLE,
        UPDATE,
        GET_ADMINISTRATOR,
        START,
        UPDATE_MEMBER,
    ];
    const AFTER: &'static [&'static str] = &["account.regions"];

    type Parameters = Parameters;
    type Desired = Parameters;
    type Observed = Observed;
    type Change = Change;

    fn desired(parameters: &Parameters, _place: &Place) -> Result<Parameters, CloudError> {
        Ok(parameters.clone())
    }

    async fn observe(aws: &Session, desired: &Parameters) -> Result<Observed, CloudError> {
        let as_own = |detector| Observed {
            detector,
            is_member: false,
        };
        let mut observed = match seen(aws).await? {
            Seen::ByAccount(detector) => as_own(detector),
            Seen::ByAdministrator(detector) => {
                let observed = as_own(Some(detector));
                match Self::plan(desired, &observed).is_empty() {
                    true => observed,
                    // What is to be changed is seen with the account's own eyes first.
                    false => as_own(own_detector(aws.target().await?).await?),
                }
            }
        };
        if let Some(detector) = &observed.detector
            && !Self::plan(desired, &observed).is_empty()
        {
            let aws = aws.target().await?;
            let guardduty = aws.guardduty();
            let administrator = aws
                .call(GET_ADMINISTRATOR, || {
                    guardduty
                        .get_administrator_account()
                        .detector_id(&detector.id)
                        .send()
                })
                .await?;
            observed.is_member = administrator
                .administrator
                .is_some_and(|of| of.relationship_status.as_deref() == Some(ENABLED));
        }
        Ok(observed)
    }

    fn plan(desired: &Parameters, observed: &Observed) -> Vec<Change> {
        let Some(detector) = &observed.detector else {
            return vec![Change::Create {
                finding_publishing_frequency: desired.finding_publishing_frequency.clone(),
                features: desired.features.clone(),
            }];
        };
        let off: Vec<String> = desired
            .features
            .iter()
            .filter(|name| detector.features.get(*name) != Some(&true))
            .cloned()
            .collect();
        let id = || detector.id.clone();
        let mut changes = Vec::new();
        if !detector.enabled {
            changes.push(if observed.is_member {
                Change::StartMonitoring
            } else {
                Change::Enable { id: id() }
            });
        }
        // A member shows its administrator's frequency.
        if detector.finding_publishing_frequency != desired.finding_publishing_frequency
            && !observed.is_member
        {
            changes.push(Change::SetFrequency {
                id: id(),
                finding_publishing_frequency: desired.finding_publishing_frequency.clone(),
            });
        }
        if !off.is_empty() {
            changes.push(if observed.is_member {
                Change::TurnOnForMember { features: off }
            } else {
                Change::TurnOn {
                    id: id(),
                    features: off,
                }
            });
        }
        changes
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        match change {
            Change::StartMonitoring | Change::TurnOnForMember { .. } => {
                apply_as_administrator(aws, change).await
            }
            Change::Create { .. }
            | Change::Enable { .. }
            | Change::SetFrequency { .. }
            | Change::TurnOn { .. } => apply_in_account(aws.target().await?, change).await,
        }
    }

    fn assets(place: &Place, observed: &Observed) -> Vec<Asset> {
        let asset = |detector: &Detector| Asset {
            arn: format!(
                "arn:aws:guardduty:{}:{}:detector/{}",
                place.region, place.account, detector.id
            ),
            kind: "AWS::GuardDuty::Detector".to_owned(),
            account_id: place.account.clone(),
            region: Some(place.region.clone()),
            name: detector.id.clone(),
            configuration: serde_json::json!(detector),
        };
        observed.detector.iter().map(asset).collect()
    }
}

/// The detector as the administrator's list has it, or else as the account has it.
async fn seen(aws: &Session) -> Result<Seen, CloudError> {
    let place = aws.place();
    let one = async || Ok(Seen::ByAccount(own_detector(aws.target().await?).await?));
    let administrator = place.organization.security_account.as_ref();
    let has_none = administrator.is_none_or(|administrator| *administrator == place.account);
    if has_none {
        return one().await;
    }
    let all = async || match member_detectors(aws).await {
        // Then each account speaks for itself.
        Err(error) if error.kind.help() != Help::Nobody => Ok(BTreeMap::new()),
        detectors => detectors,
    };
    let roster = aws.rosters().detectors.of(&place.region);
    roster.look(&place.account, aws.since(), one, all).await
}

async fn apply_in_account(aws: &Aws, change: &Change) -> Result<(), CloudError> {
    let guardduty = aws.guardduty();
    match change {
        Change::Create {
            finding_publishing_frequency,
            features,
        } => {
            let frequency = FindingPublishingFrequency::from(finding_publishing_frequency.as_str());
            let detector = guardduty
                .create_detector()
                .enable(true)
                .finding_publishing_frequency(frequency)
                .set_features(Some(enabled(features)));
            create_detector(aws, &detector).await
        }
        Change::Enable { id } => aws
            .call(UPDATE, || {
                guardduty
                    .update_detector()
                    .detector_id(id)
                    .enable(true)
                    .send()
            })
            .await
            .map(drop),
        Change::SetFrequency {
            id,
            finding_publishing_frequency,
        } => {
            let frequency = FindingPublishingFrequency::from(finding_publishing_frequency.as_str());
            let updated = aws.call(UPDATE, || {
                guardduty
                    .update_detector()
                    .detector_id(id)
                    .finding_publishing_frequency(frequency.clone())
                    .send()
            });
            updated.await.map(drop)
        }
        // The list is merged with what is on already (GuardDuty API, UpdateDetector).
        Change::TurnOn { id, features } => {
            let updated = aws.call(UPDATE, || {
                guardduty
                    .update_detector()
                    .detector_id(id)
                    .set_features(Some(enabled(features)))
                    .send()
            });
            updated.await.map(drop)
        }
        Change::StartMonitoring | Change::TurnOnForMember { .. } => Ok(()),
    }
}

async fn apply_as_administrator(session: &Session, change: &Change) -> Result<(), CloudError> {
    let aws = session.security().await?;
    let account = session.place().account.as_str();
    let Some(id) = detector_of(aws).await? else {
        return Err(CloudError::not_ready(
            LIST_DETECTORS,
            "the security account has no detector in this Region yet",
        ));
    };
    let guardduty = aws.guardduty();
    // Both answer 200 and list what they could not do.
    let (action, unprocessed) = if let Change::TurnOnForMember { features } = change {
        let on = |name: &String| {
            MemberFeaturesConfiguration::builder()
                .name(OrgFeature::from(name.as_str()))
                .status(FeatureStatus::Enabled)
                .build()
        };
        let features: Vec<_> = features.iter().map(on).collect();
        let updated = aws.call(UPDATE_MEMBER, || {
            guardduty
                .update_member_detectors()
                .detector_id(&id)
                .account_ids(account)
                .set_features(Some(features.clone()))
                .send()
        });
        (UPDATE_MEMBER, updated.await?.unprocessed_accounts)
    } else {
        let started = aws.call(START, || {
            guardduty
                .start_monitoring_members()
                .detector_id(&id)
                .account_ids(account)
                .send()
        });
        (START, started.await?.unprocessed_accounts)
    };
    match unprocessed.unwrap_or_default().into_iter().next() {
        None => Ok(()),
        Some(refused) => {
            let why = refused
                .result
                .unwrap_or_else(|| "no reason given".to_owned());
            Err(CloudError::new(CloudErrorKind::Conflict, action, why))
        }
    }
}

fn enabled(features: &[String]) -> Vec<DetectorFeatureConfiguration> {
    let on = |name: &String| {
        DetectorFeatureConfiguration::builder()
            .name(DetectorFeature::from(name.as_str()))
            .status(FeatureStatus::Enabled)
            .build()
    };
    features.iter().map(on).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desired() -> Parameters {
        Parameters {
            finding_publishing_frequency: "FIFTEEN_MINUTES".to_owned(),
            features: vec!["S3_DATA_EVENTS".to_owned()],
        }
    }

    fn detector() -> Detector {
        Detector {
            id: "d1".to_owned(),
            enabled: true,
            finding_publishing_frequency: "FIFTEEN_MINUTES".to_owned(),
            features: [("S3_DATA_EVENTS".to_owned(), true)].into(),
        }
    }

    #[test]
    fn only_what_differs_is_changed() {
        for (detector, sentences) in [
            (None, vec!["turn GuardDuty on"]),
            (Some(detector()), vec![]),
            (
                Some(Detector {
                    enabled: false,
                    ..detector()
                }),
                vec!["resume the suspended GuardDuty detector"],
            ),
            (
                Some(Detector {
                    finding_publishing_frequency: "SIX_HOURS".to_owned(),
                    ..detector()
                }),
                vec!["publish findings every FIFTEEN_MINUTES"],
            ),
            (
                Some(Detector {
                    features: [("S3_DATA_EVENTS".to_owned(), false)].into(),
                    ..detector()
                }),
                vec!["turn on S3_DATA_EVENTS"],
            ),
            (
                Some(Detector {
                    features: [
                        ("S3_DATA_EVENTS".to_owned(), true),
                        ("EKS".to_owned(), false),
                    ]
                    .into(),
                    ..detector()
                }),
                vec![],
            ),
        ] {
            let plan = GuardDutyDetector::plan(
                &desired(),
                &Observed {
                    detector,
                    is_member: false,
                },
            );
            assert_eq!(
                plan.iter().map(ToString::to_string).collect::<Vec<_>>(),
                sentences
            );
        }
    }
}
