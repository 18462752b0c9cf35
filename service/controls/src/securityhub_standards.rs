//! Resources are checked against the security standards of the baseline.
//!
//! A standard that was enabled before AWS Config recorded stays incomplete for a day or longer, and asking for it again
//! changes nothing. Taking it off and enabling it anew does.

use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_securityhub::types::{
    StandardsStatus, StandardsSubscription, StandardsSubscriptionRequest, StatusReasonCode,
};
use landfall_model::asset::Asset;
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::control::Scope;
use landfall_model::ids::Region;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::aws::Aws;
use crate::control::Control;
use crate::error::{CloudError, absent};
use crate::session::Session;

pub(crate) struct SecurityHubStandards;

/// Standards by the end of their ARNs, `aws-foundational-security-best-practices/v/1.0.0`. Others are left as they are.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    standards: Vec<String>,
}

/// The ARN of each standard in the Region, by its name in the baseline.
#[derive(Debug, Serialize)]
pub(crate) struct Desired {
    standards: BTreeMap<String, String>,
}

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    /// Those of the baseline's standards that the account has, by name.
    subscriptions: BTreeMap<String, Subscription>,
    /// Whether AWS Config records. Only asked where a standard is broken, else `true`.
    recording: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Subscription {
    arn: String,
    status: Status,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// `READY`, or `PENDING` and on its way there.
    On,
    Deleting,
    /// `INCOMPLETE` or `FAILED`.
    Broken,
    /// Incomplete because the account has as many Config rules as it may.
    TooManyRules,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    /// ARNs by name.
    Enable {
        standards: BTreeMap<String, String>,
    },
    TakeOff {
        standard: String,
        subscription_arn: String,
    },
    AwaitRecorder {
        standard: String,
    },
    AwaitTakenOff {
        standard: String,
    },
    AwaitRoomForRules {
        standard: String,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Enable { standards } => {
                let names: Vec<&str> = standards.keys().map(String::as_str).collect();
                write!(f, "enable {}", names.join(", "))
            }
            Change::TakeOff { standard, .. } => {
                write!(f, "take off {standard}, which is broken, to enable it anew")
            }
            Change::AwaitRecorder { standard } => write!(
                f,
                "wait until AWS Config records, to enable {standard} anew"
            ),
            Change::AwaitTakenOff { standard } => {
                write!(f, "wait until {standard} is off, to enable it anew")
            }
            Change::AwaitRoomForRules { standard } => write!(
                f,
                "have the quota of AWS Config rules raised, so that {standard} fits"
            ),
        }
    }
}

const ENABLED: &str = "securityhub:GetEnabledStandards";
const ENABLE: &str = "securityhub:BatchEnableStandards";
const DISABLE: &str = "securityhub:BatchDisableStandards";
const RECORDER: &str = "config:DescribeConfigurationRecorderStatus";

impl Control for SecurityHubStandards {
    const ID: &'static str = "securityhub.standards";
    const TITLE: &'static str = "Resources are checked against security standards";
    const SCOPE: Scope = Scope::Region;
    const ACTIONS: &'static [&'static str] = &[ENABLED, ENABLE, DISABLE, RECORDER];
    const AFTER: &'static [&'static str] = &["securityhub.hub", "config.recorder"];

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(parameters: &Parameters, place: &Place) -> Result<Desired, CloudError> {
        let standards = parameters
            .standards
            .iter()
            .map(|name| (name.clone(), arn(name, &place.region)));
        Ok(Desired {
            standards: standards.collect(),
        })
    }

    async fn observe(aws: &Session, desired: &Desired) -> Result<Observed, CloudError> {
        let aws = aws.target().await?;
        let securityhub = aws.securityhub();
        let mut subscriptions = BTreeMap::new();
        let mut token = None;
        loop {
            let page = aws
                .call(ENABLED, || {
                    securityhub
                        .get_enabled_standards()
                        .set_next_token(token.clone())
                        .send()
                })
                .await;
            // Without Security Hub there is no standard either.
            let Some(page) = absent(page, &["InvalidAccessException"])? else {
                break;
            };
            for subscription in page.standards_subscriptions.unwrap_or_default() {
                let wanted = desired
                    .standards
                    .iter()
                    .find(|(_, arn)| subscription.standards_arn.as_ref() == Some(arn));
                if let Some((name, _)) = wanted {
                    subscriptions.insert(name.clone(), Subscription::from(subscription));
                }
            }
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        let broken = subscriptions
            .values()
            .any(|subscription| subscription.status == Status::Broken);
        Ok(Observed {
            subscriptions,
            recording: !broken || is_recording(aws).await?,
        })
    }

    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        let missing: BTreeMap<String, String> = desired
            .standards
            .iter()
            .filter(|(name, _)| !observed.subscriptions.contains_key(*name))
            .map(|(name, arn)| (name.clone(), arn.clone()))
            .collect();
        let mut changes = Vec::new();
        if !missing.is_empty() {
            changes.push(Change::Enable { standards: missing });
        }
        for (standard, subscription) in &observed.subscriptions {
            let standard = standard.clone();
            changes.extend(match subscription.status {
                Status::On => None,
                Status::Deleting => Some(Change::AwaitTakenOff { standard }),
                Status::TooManyRules => Some(Change::AwaitRoomForRules { standard }),
                Status::Broken if !observed.recording => Some(Change::AwaitRecorder { standard }),
                Status::Broken => Some(Change::TakeOff {
                    standard,
                    subscription_arn: subscription.arn.clone(),
                }),
            });
        }
        // What only waits ends the pass: it comes after what can be done now.
        changes.sort_by_key(Change::waits);
        changes
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let aws = aws.target().await?;
        let securityhub = aws.securityhub();
        match change {
            Change::Enable { standards } => {
                let requests: Vec<_> = standards
                    .values()
                    .map(|arn| {
                        StandardsSubscriptionRequest::builder()
                            .standards_arn(arn)
                            .build()
                    })
                    .collect();
                aws.call(ENABLE, || {
                    securityhub
                        .batch_enable_standards()
                        .set_standards_subscription_requests(Some(requests.clone()))
                        .send()
                })
                .await
                .map(drop)
            }
            Change::TakeOff {
                subscription_arn, ..
            } => aws
                .call(DISABLE, || {
                    securityhub
                        .batch_disable_standards()
                        .standards_subscription_arns(subscription_arn)
                        .send()
                })
                .await
                .map(drop),
            Change::AwaitRecorder { .. } | Change::AwaitTakenOff { .. } => {
                Err(CloudError::not_ready(ENABLE, change.to_string()))
            }
            Change::AwaitRoomForRules { .. } => Err(CloudError::new(
                CloudErrorKind::Quota,
                ENABLE,
                change.to_string(),
            )),
        }
    }

    fn assets(place: &Place, observed: &Observed) -> Vec<Asset> {
        let asset = |(name, subscription): (&String, &Subscription)| Asset {
            arn: subscription.arn.clone(),
            kind: "AWS::SecurityHub::Standard".to_owned(),
            account_id: place.account.clone(),
            region: Some(place.region.clone()),
            name: name.clone(),
            configuration: serde_json::json!(subscription),
        };
        observed.subscriptions.iter().map(asset).collect()
    }
}

impl Change {
    fn waits(&self) -> bool {
        match self {
            Change::Enable { .. } | Change::TakeOff { .. } => false,
            Change::AwaitRecorder { .. }
            | Change::AwaitTakenOff { .. }
            | Change::AwaitRoomForRules { .. } => true,
        }
    }
}

/// A standard's ARN. The oldest one belongs to no Region and is a *ruleset* (Security Hub API, `DescribeStandards`).
fn arn(name: &str, region: &Region) -> String {
    if name == "cis-aws-foundations-benchmark/v/1.2.0" {
        format!("arn:aws:securityhub:::ruleset/{name}")
    } else {
        format!("arn:aws:securityhub:{region}::standards/{name}")
    }
}

async fn is_recording(aws: &Aws) -> Result<bool, CloudError> {
    let config = aws.config();
    let recorders = aws
        .call(RECORDER, || {
            config.describe_configuration_recorder_status().send()
        })
        .await?
        .configuration_recorders_status
        .unwrap_or_default();
    Ok(recorders
        .iter()
        .any(|recorder| recorder.service_principal.is_none() && recorder.recording))
}

impl From<StandardsSubscription> for Subscription {
    fn from(subscription: StandardsSubscription) -> Self {
        let reason = subscription
            .standards_status_reason
            .and_then(|reason| reason.status_reason_code);
        let status = match (subscription.standards_status, reason) {
            (
                Some(StandardsStatus::Incomplete),
                Some(StatusReasonCode::MaximumNumberOfConfigRulesExceeded),
            ) => Status::TooManyRules,
            (Some(StandardsStatus::Incomplete | StandardsStatus::Failed), _) => Status::Broken,
            (Some(StandardsStatus::Deleting), _) => Status::Deleting,
            _ => Status::On,
        };
        Subscription {
            arn: subscription.standards_subscription_arn.unwrap_or_default(),
            status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(names: &[&str], statuses: &[(&str, Status)], recording: bool) -> Vec<String> {
        let desired = Desired {
            standards: names
                .iter()
                .map(|name| ((*name).to_owned(), format!("arn/{name}")))
                .collect(),
        };
        let subscriptions = statuses.iter().map(|(name, status)| {
            let subscription = Subscription {
                arn: format!("subscription/{name}"),
                status: *status,
            };
            ((*name).to_owned(), subscription)
        });
        let observed = Observed {
            subscriptions: subscriptions.collect(),
            recording,
        };
        SecurityHubStandards::plan(&desired, &observed)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn what_is_missing_is_enabled_and_what_is_broken_is_made_anew() {
        assert!(plan(&["a"], &[("a", Status::On)], true).is_empty());
        for (statuses, recording, sentences) in [
            (vec![], true, vec!["enable a, b"]),
            (vec![("a", Status::On)], true, vec!["enable b"]),
            (
                vec![("a", Status::Broken), ("b", Status::On)],
                true,
                vec!["take off a, which is broken, to enable it anew"],
            ),
            (
                vec![("a", Status::Broken)],
                false,
                vec![
                    "enable b",
                    "wait until AWS Config records, to enable a anew",
                ],
            ),
            (
                vec![("a", Status::Deleting), ("b", Status::Broken)],
                true,
                vec![
                    "take off b, which is broken, to enable it anew",
                    "wait until a is off, to enable it anew",
                ],
            ),
            (
                vec![("a", Status::TooManyRules), ("b", Status::On)],
                true,
                vec!["have the quota of AWS Config rules raised, so that a fits"],
            ),
        ] {
            assert_eq!(plan(&["a", "b"], &statuses, recording), sentences);
        }
    }

    #[test]
    fn only_the_oldest_standard_is_a_ruleset() {
        let region: Region = "eu-west-1".parse().unwrap();
        for (name, expected) in [
            (
                "pci-dss/v/4.0.1",
                "arn:aws:securityhub:eu-west-1::standards/pci-dss/v/4.0.1",
            ),
            (
                "cis-aws-foundations-benchmark/v/1.2.0",
                "arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0",
            ),
        ] {
            assert_eq!(arn(name, &region), expected);
        }
    }
}
