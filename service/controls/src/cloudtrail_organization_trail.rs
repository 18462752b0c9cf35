//! One trail writes down what anybody does, in every Region of every account of the organization.

use std::fmt;

use aws_sdk_cloudtrail::operation::get_event_selectors::GetEventSelectorsOutput;
use aws_sdk_cloudtrail::types::{AdvancedEventSelector, EventSelector, ReadWriteType};
use landfall_model::asset::Asset;
use landfall_model::control::Scope;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::{CloudError, done_already};
use crate::names::{self, TRAIL};
use crate::session::Session;

pub(crate) struct CloudTrailOrganizationTrail;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {}

#[derive(Debug, Serialize)]
pub(crate) struct Desired {
    bucket: String,
}

/// The trail as it is; `None` where there is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    trail: Option<Trail>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Trail {
    settings: Settings,
    /// Whether its event selectors let all management events through.
    management_events: bool,
    logging: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Settings {
    bucket: String,
    /// What stands in front of `AWSLogs` in the bucket.
    prefix: Option<String>,
    organization: bool,
    multi_region: bool,
    global_service_events: bool,
    log_file_validation: bool,
}

impl Settings {
    fn wanted(bucket: &str) -> Self {
        Settings {
            bucket: bucket.to_owned(),
            prefix: None,
            organization: true,
            multi_region: true,
            global_service_events: true,
            log_file_validation: true,
        }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Create { bucket: String },
    Update { bucket: String },
    RecordManagementEvents,
    StartLogging,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Create { bucket } => {
                write!(f, "create the organization trail, which writes to {bucket}")
            }
            Change::Update { bucket } => write!(
                f,
                "make the trail record the whole organization in every Region, validated, to {bucket}"
            ),
            Change::RecordManagementEvents => {
                f.write_str("make the trail record all management events, and nothing else")
            }
            Change::StartLogging => f.write_str("start the organization trail's logging"),
        }
    }
}

const DESCRIBE: &str = "cloudtrail:DescribeTrails";
const STATUS: &str = "cloudtrail:GetTrailStatus";
const SELECTORS: &str = "cloudtrail:GetEventSelectors";
const SELECT: &str = "cloudtrail:PutEventSelectors";
const CREATE: &str = "cloudtrail:CreateTrail";
const UPDATE: &str = "cloudtrail:UpdateTrail";
const START: &str = "cloudtrail:StartLogging";

impl Control for CloudTrailOrganizationTrail {
    const ID: &'static str = "cloudtrail.organization-trail";
    const TITLE: &'static str = "CloudTrail records the whole organization";
    const SCOPE: Scope = Scope::Organization;
    /// With the caller's permissions CloudTrail asks Organizations and makes its service-linked role (CloudTrail User
    /// Guide, "Prepare for creating a trail for your organization").
    const ACTIONS: &'static [&'static str] = &[
        DESCRIBE,
        STATUS,
        SELECTORS,
        SELECT,
        CREATE,
        UPDATE,
        START,
        "iam:CreateServiceLinkedRole",
        "iam:GetRole",
        "organizations:DescribeOrganization",
        "organizations:EnableAWSServiceAccess",
        "organizations:ListAWSServiceAccessForOrganization",
    ];
    const AFTER: &'static [&'static str] = &["organizations.trusted-access", "s3.log-bucket"];

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(_parameters: &Parameters, place: &Place) -> Result<Desired, CloudError> {
        let bucket = place.log_bucket();
        Ok(Desired {
            bucket: bucket.ok_or_else(|| {
                CloudError::not_ready(CREATE, "there is no log archive account yet")
            })?,
        })
    }

    async fn observe(aws: &Session, _desired: &Desired) -> Result<Observed, CloudError> {
        let aws = aws.management().await?;
        let cloudtrail = aws.cloudtrail();
        let found = aws
            .call(DESCRIBE, || {
                cloudtrail
                    .describe_trails()
                    .trail_name_list(TRAIL)
                    .include_shadow_trails(false)
                    .send()
            })
            .await?
            .trail_list
            .unwrap_or_default();
        let Some(trail) = found.into_iter().next() else {
            return Ok(Observed { trail: None });
        };
        let status = aws
            .call(STATUS, || cloudtrail.get_trail_status().name(TRAIL).send())
            .await?;
        let selectors = aws
            .call(SELECTORS, || {
                cloudtrail.get_event_selectors().trail_name(TRAIL).send()
            })
            .await?;
        Ok(Observed {
            trail: Some(Trail {
                management_events: records_management_events(&selectors),
                settings: Settings {
                    bucket: trail.s3_bucket_name.unwrap_or_default(),
                    prefix: trail.s3_key_prefix.filter(|prefix| !prefix.is_empty()),
                    organization: trail.is_organization_trail == Some(true),
                    multi_region: trail.is_multi_region_trail == Some(true),
                    global_service_events: trail.include_global_service_events == Some(true),
                    log_file_validation: trail.log_file_validation_enabled == Some(true),
                },
                logging: status.is_logging == Some(true),
            }),
        })
    }

    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        let bucket = desired.bucket.clone();
        let Some(trail) = &observed.trail else {
            return vec![Change::Create { bucket }, Change::StartLogging];
        };
        let mut changes = Vec::new();
        if trail.settings != Settings::wanted(&bucket) {
            changes.push(Change::Update { bucket });
        }
        if !trail.management_events {
            changes.push(Change::RecordManagementEvents);
        }
        if !trail.logging {
            changes.push(Change::StartLogging);
        }
        changes
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let aws = aws.management().await?;
        let cloudtrail = aws.cloudtrail();
        match change {
            Change::Create { bucket } => {
                let created = aws
                    .call(CREATE, || {
                        cloudtrail
                            .create_trail()
                            .name(TRAIL)
                            .s3_bucket_name(bucket)
                            .is_organization_trail(true)
                            .is_multi_region_trail(true)
                            .include_global_service_events(true)
                            .enable_log_file_validation(true)
                            .send()
                    })
                    .await;
                done_already(created, &["TrailAlreadyExistsException"])?;
            }
            Change::Update { bucket } => {
                aws.call(UPDATE, || {
                    cloudtrail
                        .update_trail()
                        .name(TRAIL)
                        .s3_bucket_name(bucket)
                        .s3_key_prefix("")
                        .is_organization_trail(true)
                        .is_multi_region_trail(true)
                        .include_global_service_events(true)
                        .enable_log_file_validation(true)
                        .send()
                })
                .await?;
            }
            Change::RecordManagementEvents => {
                let all = EventSelector::builder()
                    .read_write_type(ReadWriteType::All)
                    .include_management_events(true)
                    .build();
                aws.call(SELECT, || {
                    cloudtrail
                        .put_event_selectors()
                        .trail_name(TRAIL)
                        .event_selectors(all.clone())
                        .send()
                })
                .await?;
            }
            Change::StartLogging => {
                aws.call(START, || cloudtrail.start_logging().name(TRAIL).send())
                    .await?;
            }
        }
        Ok(())
    }

    fn assets(place: &Place, observed: &Observed) -> Vec<Asset> {
        let asset = |trail: &Trail| Asset {
            arn: names::trail_arn(place),
            kind: "AWS::CloudTrail::Trail".to_owned(),
            account_id: place.organization.management_account.clone(),
            region: Some(place.landing_zone.home_region.clone()),
            name: TRAIL.to_owned(),
            configuration: serde_json::json!(trail),
        };
        observed.trail.iter().map(asset).collect()
    }
}

/// Whether a selector, of either kind, takes every management event (CloudTrail User Guide, "Logging management events").
fn records_management_events(selectors: &GetEventSelectorsOutput) -> bool {
    let basic = |selector: &EventSelector| {
        selector.include_management_events == Some(true)
            && selector.read_write_type == Some(ReadWriteType::All)
            && selector.exclude_management_event_sources().is_empty()
    };
    // Without a second field, such as `readOnly`, that would take only some of them.
    let advanced = |selector: &AdvancedEventSelector| match selector.field_selectors() {
        [only] => only.field == "eventCategory" && only.equals() == ["Management"],
        _ => false,
    };
    selectors.event_selectors().iter().any(basic)
        || selectors.advanced_event_selectors().iter().any(advanced)
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudtrail::types::AdvancedFieldSelector;

    use super::*;

    #[test]
    fn some_management_events_are_not_all() {
        let basic = |include, kind: &str, excluded: &[&str]| {
            let selector = EventSelector::builder()
                .include_management_events(include)
                .read_write_type(ReadWriteType::from(kind))
                .set_exclude_management_event_sources(Some(
                    excluded.iter().map(|source| (*source).to_owned()).collect(),
                ));
            GetEventSelectorsOutput::builder()
                .event_selectors(selector.build())
                .build()
        };
        let advanced = |fields: &[(&str, &str)]| {
            let fields = fields.iter().map(|(field, value)| {
                let field = AdvancedFieldSelector::builder()
                    .field(*field)
                    .equals(*value);
                field.build().expect("it has a field")
            });
            let selector = AdvancedEventSelector::builder()
                .set_field_selectors(Some(fields.collect()))
                .build()
                .expect("it has fields");
            GetEventSelectorsOutput::builder()
                .advanced_event_selectors(selector)
                .build()
        };
        let management = ("eventCategory", "Management");
        for (selectors, all) in [
            (basic(true, "All", &[]), true),
            (basic(false, "All", &[]), false),
            (basic(true, "WriteOnly", &[]), false),
            (basic(true, "All", &["kms.amazonaws.com"]), false),
            (advanced(&[management]), true),
            (advanced(&[management, ("readOnly", "false")]), false),
            (advanced(&[("eventCategory", "Data")]), false),
            (GetEventSelectorsOutput::builder().build(), false),
        ] {
            assert_eq!(records_management_events(&selectors), all, "{selectors:?}");
        }
    }

    #[test]
    fn only_what_differs_is_changed() {
        let wanted = Settings::wanted("logs");
        let update =
            "make the trail record the whole organization in every Region, validated, to logs";
        let start = "start the organization trail's logging";
        for (trail, sentences) in [
            (
                None,
                vec!["create the organization trail, which writes to logs", start],
            ),
            (Some((wanted.clone(), true)), vec![]),
            (Some((wanted.clone(), false)), vec![start]),
            (Some((Settings::wanted("elsewhere"), true)), vec![update]),
            (
                Some((
                    Settings {
                        prefix: Some("x".to_owned()),
                        ..wanted.clone()
                    },
                    true,
                )),
                vec![update],
            ),
            (
                Some((
                    Settings {
                        organization: false,
                        ..wanted.clone()
                    },
                    true,
                )),
                vec![update],
            ),
            (
                Some((
                    Settings {
                        multi_region: false,
                        ..wanted.clone()
                    },
                    false,
                )),
                vec![update, start],
            ),
            (
                Some((
                    Settings {
                        global_service_events: false,
                        ..wanted.clone()
                    },
                    true,
                )),
                vec![update],
            ),
            (
                Some((
                    Settings {
                        log_file_validation: false,
                        ..wanted
                    },
                    true,
                )),
                vec![update],
            ),
        ] {
            let trail = trail.map(|(settings, logging)| Trail {
                settings,
                management_events: true,
                logging,
            });
            let desired = Desired {
                bucket: "logs".to_owned(),
            };
            let plan = CloudTrailOrganizationTrail::plan(&desired, &Observed { trail });
            let plan: Vec<String> = plan.iter().map(ToString::to_string).collect();
            assert_eq!(plan, sentences);
        }
    }
}
