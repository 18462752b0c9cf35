//! Security Hub is on, without the default standards: which standards there are is a control of its own.

use std::fmt;

use aws_sdk_securityhub::types::ControlFindingGenerator;
use landfall_model::asset::Asset;
use landfall_model::control::Scope;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::{CloudError, absent, done_already};
use crate::session::Session;

pub(crate) struct SecurityHubHub;

/// What a baseline says of the hub.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    /// Whether controls that AWS adds to an enabled standard are on at once.
    auto_enable_controls: bool,
    /// `SECURITY_CONTROL`: one finding for a control, however many standards it is in. `STANDARD_CONTROL`: one for each
    /// standard.
    control_finding_generator: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Desired {
    auto_enable_controls: bool,
    control_finding_generator: String,
    /// A member's findings come as the administrator's do, and only the administrator can change that (Security Hub API,
    /// `UpdateSecurityHubConfiguration`).
    sets_generator: bool,
}

/// The hub as it is; `None` where Security Hub is off.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    hub: Option<Hub>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Hub {
    arn: String,
    auto_enable_controls: bool,
    control_finding_generator: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Enable { control_finding_generator: String },
    SetAutoEnableControls { on: bool },
    SetGenerator { control_finding_generator: String },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Enable { .. } => f.write_str("turn Security Hub on"),
            Change::SetAutoEnableControls { on: true } => {
                f.write_str("turn new controls of enabled standards on by themselves")
            }
            Change::SetAutoEnableControls { on: false } => {
                f.write_str("leave new controls of enabled standards off")
            }
            Change::SetGenerator {
                control_finding_generator,
            } => write!(f, "generate findings by {control_finding_generator}"),
        }
    }
}

const DESCRIBE: &str = "securityhub:DescribeHub";
const ENABLE: &str = "securityhub:EnableSecurityHub";
const UPDATE: &str = "securityhub:UpdateSecurityHubConfiguration";
/// Turning Security Hub on makes its own role.
const CREATE_ROLE: &str = "iam:CreateServiceLinkedRole";

impl Control for SecurityHubHub {
    const ID: &'static str = "securityhub.hub";
    const TITLE: &'static str = "Security Hub gathers findings";
    const SCOPE: Scope = Scope::Region;
    const ACTIONS: &'static [&'static str] = &[DESCRIBE, ENABLE, CREATE_ROLE, UPDATE];
    const AFTER: &'static [&'static str] = &["account.regions"];

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(parameters: &Parameters, place: &Place) -> Result<Desired, CloudError> {
        Ok(Desired {
            auto_enable_controls: parameters.auto_enable_controls,
            control_finding_generator: parameters.control_finding_generator.clone(),
            sets_generator: place.organization.security_account.as_ref() == Some(&place.account),
        })
    }

    async fn observe(aws: &Session, _desired: &Desired) -> Result<Observed, CloudError> {
        let aws = aws.target().await?;
        let securityhub = aws.securityhub();
        let answer = aws
            .call(DESCRIBE, || securityhub.describe_hub().send())
            .await;
        // An account without Security Hub is told so with the first of these (`DescribeHub`, errors).
        let hub = absent(
            answer,
            &["InvalidAccessException", "ResourceNotFoundException"],
        )?
        .map(|hub| Hub {
            arn: hub.hub_arn.unwrap_or_default(),
            auto_enable_controls: hub.auto_enable_controls.unwrap_or_default(),
            control_finding_generator: hub
                .control_finding_generator
                .map(|generator| generator.as_str().to_owned())
                .unwrap_or_default(),
        });
        Ok(Observed { hub })
    }

    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        let Some(hub) = &observed.hub else {
            return vec![Change::Enable {
                control_finding_generator: desired.control_finding_generator.clone(),
            }];
        };
        let mut changes = Vec::new();
        if hub.auto_enable_controls != desired.auto_enable_controls {
            changes.push(Change::SetAutoEnableControls {
                on: desired.auto_enable_controls,
            });
        }
        if desired.sets_generator
            && hub.control_finding_generator != desired.control_finding_generator
        {
            changes.push(Change::SetGenerator {
                control_finding_generator: desired.control_finding_generator.clone(),
            });
        }
        changes
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let aws = aws.target().await?;
        let securityhub = aws.securityhub();
        match change {
            Change::Enable {
                control_finding_generator,
            } => {
                let generator = ControlFindingGenerator::from(control_finding_generator.as_str());
                let enabled = aws
                    .call(ENABLE, || {
                        securityhub
                            .enable_security_hub()
                            .enable_default_standards(false)
                            .control_finding_generator(generator.clone())
                            .send()
                    })
                    .await;
                done_already(enabled, &["ResourceConflictException"])
            }
            Change::SetAutoEnableControls { on } => aws
                .call(UPDATE, || {
                    securityhub
                        .update_security_hub_configuration()
                        .auto_enable_controls(*on)
                        .send()
                })
                .await
                .map(drop),
            Change::SetGenerator {
                control_finding_generator,
            } => {
                let generator = ControlFindingGenerator::from(control_finding_generator.as_str());
                aws.call(UPDATE, || {
                    securityhub
                        .update_security_hub_configuration()
                        .control_finding_generator(generator.clone())
                        .send()
                })
                .await
                .map(drop)
            }
        }
    }

    fn assets(place: &Place, observed: &Observed) -> Vec<Asset> {
        let asset = |hub: &Hub| Asset {
            arn: hub.arn.clone(),
            kind: "AWS::SecurityHub::Hub".to_owned(),
            account_id: place.account.clone(),
            region: Some(place.region.clone()),
            name: "default".to_owned(),
            configuration: serde_json::json!(hub),
        };
        observed.hub.iter().map(asset).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub() -> Hub {
        Hub {
            arn: "arn:aws:securityhub:eu-west-1:222222222222:hub/default".to_owned(),
            auto_enable_controls: true,
            control_finding_generator: "SECURITY_CONTROL".to_owned(),
        }
    }

    #[test]
    fn only_what_differs_is_changed_and_a_member_never_sets_the_generator() {
        let quiet = Hub {
            auto_enable_controls: false,
            ..hub()
        };
        let by_standard = Hub {
            control_finding_generator: "STANDARD_CONTROL".to_owned(),
            ..hub()
        };
        for (sets_generator, hub, sentences) in [
            (false, None, vec!["turn Security Hub on"]),
            (true, Some(hub()), vec![]),
            (
                false,
                Some(quiet),
                vec!["turn new controls of enabled standards on by themselves"],
            ),
            (
                true,
                Some(by_standard.clone()),
                vec!["generate findings by SECURITY_CONTROL"],
            ),
            (false, Some(by_standard), vec![]),
        ] {
            let desired = Desired {
                auto_enable_controls: true,
                control_finding_generator: "SECURITY_CONTROL".to_owned(),
                sets_generator,
            };
            let plan = SecurityHubHub::plan(&desired, &Observed { hub });
            let plan: Vec<_> = plan.iter().map(ToString::to_string).collect();
            assert_eq!(plan, sentences);
        }
    }
}
