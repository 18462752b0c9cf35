//! GuardDuty is on: one detector in each account and Region, enabled, with the protection features of the baseline.

use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_guardduty::types::{
    DetectorFeature, DetectorFeatureConfiguration, DetectorStatus, FeatureStatus,
    FindingPublishingFrequency,
};
use landfall_model::asset::Asset;
use landfall_model::control::Scope;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::CloudError;
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
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Detector {
    id: String,
    enabled: bool,
    finding_publishing_frequency: String,
    features: BTreeMap<String, bool>,
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
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Create { .. } => f.write_str("turn GuardDuty on"),
            Change::Enable { .. } => f.write_str("resume the suspended GuardDuty detector"),
            Change::SetFrequency {
                finding_publishing_frequency,
                ..
            } => write!(f, "publish findings every {finding_publishing_frequency}"),
            Change::TurnOn { features, .. } => write!(f, "turn on {}", features.join(", ")),
        }
    }
}

const LIST: &str = "guardduty:ListDetectors";
const GET: &str = "guardduty:GetDetector";
const CREATE: &str = "guardduty:CreateDetector";
const UPDATE: &str = "guardduty:UpdateDetector";

impl Control for GuardDutyDetector {
    const ID: &'static str = "guardduty.detector";
    const TITLE: &'static str = "GuardDuty detects threats";
    const SCOPE: Scope = Scope::Region;
    const ACTIONS: &'static [&'static str] = &[LIST, GET, CREATE, UPDATE];

    type Parameters = Parameters;
    type Desired = Parameters;
    type Observed = Observed;
    type Change = Change;

    fn desired(parameters: &Parameters, _place: &Place) -> Result<Parameters, CloudError> {
        Ok(parameters.clone())
    }

    async fn observe(aws: &Session, _desired: &Parameters) -> Result<Observed, CloudError> {
        let aws = aws.target().await?;
        let guardduty = aws.guardduty();
        // An account has at most one detector in a Region.
        let ids = aws
            .call(LIST, || guardduty.list_detectors().send())
            .await?
            .detector_ids
            .unwrap_or_default();
        let Some(id) = ids.into_iter().next() else {
            return Ok(Observed { detector: None });
        };
        let detector = aws
            .call(GET, || guardduty.get_detector().detector_id(&id).send())
            .await?;
        let features = detector
            .features
            .unwrap_or_default()
            .into_iter()
            .filter_map(|feature| {
                Some((
                    feature.name?.as_str().to_owned(),
                    feature.status? == FeatureStatus::Enabled,
                ))
            });
        Ok(Observed {
            detector: Some(Detector {
                id,
                enabled: detector.status == Some(DetectorStatus::Enabled),
                finding_publishing_frequency: detector
                    .finding_publishing_frequency
                    .map(|f| f.as_str().to_owned())
                    .unwrap_or_default(),
                features: features.collect(),
            }),
        })
    }

    fn plan(desired: &Parameters, observed: &Observed) -> Vec<Change> {
        let Some(detector) = &observed.detector else {
            return vec![Change::Create {
                finding_publishing_frequency: desired.finding_publishing_frequency.clone(),
                features: desired.features.clone(),
            }];
        };
        let id = detector.id.clone();
        let mut changes = Vec::new();
        if !detector.enabled {
            changes.push(Change::Enable { id: id.clone() });
        }
        if detector.finding_publishing_frequency != desired.finding_publishing_frequency {
            changes.push(Change::SetFrequency {
                id: id.clone(),
                finding_publishing_frequency: desired.finding_publishing_frequency.clone(),
            });
        }
        let off: Vec<String> = desired
            .features
            .iter()
            .filter(|name| detector.features.get(*name) != Some(&true))
            .cloned()
            .collect();
        if !off.is_empty() {
            changes.push(Change::TurnOn { id, features: off });
        }
        changes
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let aws = aws.target().await?;
        let guardduty = aws.guardduty();
        match change {
            Change::Create {
                finding_publishing_frequency,
                features,
            } => {
                let frequency =
                    FindingPublishingFrequency::from(finding_publishing_frequency.as_str());
                aws.call(CREATE, || {
                    guardduty
                        .create_detector()
                        .enable(true)
                        .finding_publishing_frequency(frequency.clone())
                        .set_features(Some(enabled(features)))
                        .send()
                })
                .await?;
            }
            Change::Enable { id } => {
                aws.call(UPDATE, || {
                    guardduty
                        .update_detector()
                        .detector_id(id)
                        .enable(true)
                        .send()
                })
                .await?;
            }
            Change::SetFrequency {
                id,
                finding_publishing_frequency,
            } => {
                let frequency =
                    FindingPublishingFrequency::from(finding_publishing_frequency.as_str());
                aws.call(UPDATE, || {
                    guardduty
                        .update_detector()
                        .detector_id(id)
                        .finding_publishing_frequency(frequency.clone())
                        .send()
                })
                .await?;
            }
            // The list is merged with what is on already (GuardDuty API, UpdateDetector).
            Change::TurnOn { id, features } => {
                aws.call(UPDATE, || {
                    guardduty
                        .update_detector()
                        .detector_id(id)
                        .set_features(Some(enabled(features)))
                        .send()
                })
                .await?;
            }
        }
        Ok(())
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
            let plan = GuardDutyDetector::plan(&desired(), &Observed { detector });
            assert_eq!(
                plan.iter().map(ToString::to_string).collect::<Vec<_>>(),
                sentences
            );
        }
    }
}
