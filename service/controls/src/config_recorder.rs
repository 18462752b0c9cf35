//! AWS Config records every supported type of resource and delivers to the log bucket.
//!
//! An account has one recorder and one delivery channel of its own in a Region. The ones that are there are updated,
//! whatever they are called: a second one would be refused. AWS wants the order recorder, channel, start.

use std::fmt;

use aws_sdk_config::types::{
    ConfigSnapshotDeliveryProperties, ConfigurationRecorder, DeliveryChannel,
    MaximumExecutionFrequency, RecordingFrequency, RecordingGroup, RecordingMode,
};
use landfall_model::asset::Asset;
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::control::Scope;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::aws::Aws;
use crate::control::Control;
use crate::error::CloudError;
use crate::session::Session;

pub(crate) struct ConfigRecorder;

/// What AWS calls a recorder and a channel when they are given no name.
const NAME: &str = "default";

/// What a baseline says of recording and delivering.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    /// `CONTINUOUS` or `DAILY`, for all types alike.
    recording_frequency: String,
    /// How often snapshots go to the log bucket: `One_Hour`, `Three_Hours`, `Six_Hours`, `Twelve_Hours` or
    /// `TwentyFour_Hours`.
    snapshot_frequency: String,
    /// Where in the log bucket, before `AWSLogs/`.
    prefix: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Desired {
    recording: Recording,
    delivery: Delivery,
}

/// What a recorder records, and as whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recording {
    role_arn: String,
    all_supported: bool,
    /// Global IAM types change everywhere at once: one Region records them for all.
    global_types: bool,
    frequency: String,
    /// Whether some types are recorded at another frequency.
    overrides: bool,
}

/// Where a channel delivers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Delivery {
    bucket: String,
    prefix: Option<String>,
    snapshot_frequency: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    recorder: Option<Recorder>,
    channel: Option<Channel>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Recorder {
    name: String,
    arn: String,
    on: bool,
    recording: Recording,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Channel {
    name: String,
    delivery: Delivery,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    PutRecorder { name: String, recording: Recording },
    PutChannel { name: String, delivery: Delivery },
    Start { name: String },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::PutRecorder { name, recording } => {
                let global = if recording.global_types {
                    "with"
                } else {
                    "without"
                };
                let often = match recording.frequency.as_str() {
                    "DAILY" => "daily",
                    _ => "continuously",
                };
                write!(
                    f,
                    "set the recorder {name} to every supported type, {global} global IAM types, recorded {often}"
                )
            }
            Change::PutChannel { name, delivery } => {
                write!(
                    f,
                    "set the delivery channel {name} to {}, with snapshots every {}",
                    delivery.bucket,
                    spoken(&delivery.snapshot_frequency)
                )
            }
            Change::Start { name } => write!(f, "start the recorder {name}"),
        }
    }
}

/// `TwentyFour_Hours` as people say it.
fn spoken(frequency: &str) -> String {
    frequency
        .replace('_', " ")
        .to_lowercase()
        .replace("twentyfour", "24")
}

const RECORDERS: &str = "config:DescribeConfigurationRecorders";
const STATUS: &str = "config:DescribeConfigurationRecorderStatus";
const CHANNELS: &str = "config:DescribeDeliveryChannels";
const PUT_RECORDER: &str = "config:PutConfigurationRecorder";
const PUT_CHANNEL: &str = "config:PutDeliveryChannel";
const START: &str = "config:StartConfigurationRecorder";
/// AWS asks for it when a recorder is given its role.
const PASS_ROLE: &str = "iam:PassRole";

impl Control for ConfigRecorder {
    const ID: &'static str = "config.recorder";
    const TITLE: &'static str = "AWS Config records all resources";
    const SCOPE: Scope = Scope::Region;
    const ACTIONS: &'static [&'static str] = &[
        RECORDERS,
        STATUS,
        CHANNELS,
        PUT_RECORDER,
        PUT_CHANNEL,
        START,
        PASS_ROLE,
    ];
    const AFTER: &'static [&'static str] = &[
        "account.regions",
        "iam.service-linked-roles",
        "s3.log-bucket",
    ];

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(parameters: &Parameters, place: &Place) -> Result<Desired, CloudError> {
        let bucket = place.log_bucket().ok_or_else(|| {
            CloudError::not_ready(PUT_CHANNEL, "there is no log archive account yet")
        })?;
        Ok(Desired {
            recording: Recording {
                role_arn: format!(
                    "arn:aws:iam::{}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig",
                    place.account
                ),
                all_supported: true,
                global_types: place.is_home_region(),
                frequency: parameters.recording_frequency.clone(),
                overrides: false,
            },
            delivery: Delivery {
                bucket,
                prefix: parameters.prefix.clone(),
                snapshot_frequency: parameters.snapshot_frequency.clone(),
            },
        })
    }

    async fn observe(aws: &Session, _desired: &Desired) -> Result<Observed, CloudError> {
        let aws = aws.target().await?;
        let config = aws.config();
        let channels = aws
            .call(CHANNELS, || config.describe_delivery_channels().send())
            .await?
            .delivery_channels
            .unwrap_or_default();
        Ok(Observed {
            recorder: observe_recorder(aws).await?,
            channel: channels.into_iter().next().map(Channel::from),
        })
    }

    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        let mut changes = Vec::new();
        let recorder = observed.recorder.as_ref();
        let name = recorder.map_or(NAME, |recorder| &recorder.name);
        if recorder.is_none_or(|recorder| recorder.recording != desired.recording) {
            changes.push(Change::PutRecorder {
                name: name.to_owned(),
                recording: desired.recording.clone(),
            });
        }
        let channel = observed.channel.as_ref();
        if channel.is_none_or(|channel| channel.delivery != desired.delivery) {
            changes.push(Change::PutChannel {
                name: channel.map_or(NAME, |channel| &channel.name).to_owned(),
                delivery: desired.delivery.clone(),
            });
        }
        if recorder.is_none_or(|recorder| !recorder.on) {
            changes.push(Change::Start {
                name: name.to_owned(),
            });
        }
        changes
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let aws = aws.target().await?;
        let config = aws.config();
        match change {
            Change::PutRecorder { name, recording } => {
                let recorder = recording.to_recorder(name)?;
                aws.call(PUT_RECORDER, || {
                    config
                        .put_configuration_recorder()
                        .configuration_recorder(recorder.clone())
                        .send()
                })
                .await
                .map(drop)
            }
            Change::PutChannel { name, delivery } => {
                let channel = delivery.to_channel(name);
                aws.call(PUT_CHANNEL, || {
                    config
                        .put_delivery_channel()
                        .delivery_channel(channel.clone())
                        .send()
                })
                .await
                .map(drop)
            }
            Change::Start { name } => aws
                .call(START, || {
                    config
                        .start_configuration_recorder()
                        .configuration_recorder_name(name)
                        .send()
                })
                .await
                .map(drop),
        }
    }

    fn assets(place: &Place, observed: &Observed) -> Vec<Asset> {
        let asset = |arn: &str, kind: &str, name: &str, configuration| Asset {
            arn: arn.to_owned(),
            kind: kind.to_owned(),
            account_id: place.account.clone(),
            region: Some(place.region.clone()),
            name: name.to_owned(),
            configuration,
        };
        let recorder = observed.recorder.iter().map(|recorder| {
            asset(
                &recorder.arn,
                "AWS::Config::ConfigurationRecorder",
                &recorder.name,
                serde_json::json!(recorder),
            )
        });
        // AWS gives channels no ARN; this one has the form of those of AWS Config.
        let channel = observed.channel.iter().map(|channel| {
            asset(
                &format!(
                    "arn:aws:config:{}:{}:delivery-channel/{}",
                    place.region, place.account, channel.name
                ),
                "AWS::Config::DeliveryChannel",
                &channel.name,
                serde_json::json!(channel),
            )
        });
        recorder.chain(channel).collect()
    }
}

/// The account's own recorder. Services have recorders beside it, which are theirs.
async fn observe_recorder(aws: &Aws) -> Result<Option<Recorder>, CloudError> {
    let config = aws.config();
    let recorders = aws
        .call(RECORDERS, || {
            config.describe_configuration_recorders().send()
        })
        .await?
        .configuration_recorders
        .unwrap_or_default();
    let Some(recorder) = recorders
        .into_iter()
        .find(|recorder| recorder.service_principal.is_none())
    else {
        return Ok(None);
    };
    let name = recorder.name.unwrap_or_default();
    let statuses = aws
        .call(STATUS, || {
            config
                .describe_configuration_recorder_status()
                .configuration_recorder_names(&name)
                .send()
        })
        .await?
        .configuration_recorders_status
        .unwrap_or_default();
    let group = recorder.recording_group;
    let mode = recorder.recording_mode;
    Ok(Some(Recorder {
        on: statuses
            .iter()
            .any(|status| status.name.as_ref() == Some(&name) && status.recording),
        arn: recorder.arn.unwrap_or_default(),
        recording: Recording {
            role_arn: recorder.role_arn.unwrap_or_default(),
            all_supported: group.as_ref().is_some_and(|group| group.all_supported),
            global_types: group
                .as_ref()
                .is_some_and(|group| group.include_global_resource_types),
            // Recorders from before there was a choice have no mode and record continuously.
            frequency: mode
                .as_ref()
                .map_or("CONTINUOUS", |mode| mode.recording_frequency.as_str())
                .to_owned(),
            overrides: mode
                .and_then(|mode| mode.recording_mode_overrides)
                .is_some_and(|overrides| !overrides.is_empty()),
        },
        name,
    }))
}

impl Recording {
    fn to_recorder(&self, name: &str) -> Result<ConfigurationRecorder, CloudError> {
        let mode = RecordingMode::builder()
            .recording_frequency(RecordingFrequency::from(self.frequency.as_str()))
            .build()
            .map_err(|error| {
                CloudError::new(CloudErrorKind::Invalid, PUT_RECORDER, error.to_string())
            })?;
        Ok(ConfigurationRecorder::builder()
            .name(name)
            .role_arn(&self.role_arn)
            .recording_group(
                RecordingGroup::builder()
                    .all_supported(self.all_supported)
                    .include_global_resource_types(self.global_types)
                    .build(),
            )
            .recording_mode(mode)
            .build())
    }
}

impl Delivery {
    fn to_channel(&self, name: &str) -> DeliveryChannel {
        DeliveryChannel::builder()
            .name(name)
            .s3_bucket_name(&self.bucket)
            .set_s3_key_prefix(self.prefix.clone())
            .config_snapshot_delivery_properties(
                ConfigSnapshotDeliveryProperties::builder()
                    .delivery_frequency(MaximumExecutionFrequency::from(
                        self.snapshot_frequency.as_str(),
                    ))
                    .build(),
            )
            .build()
    }
}

impl From<DeliveryChannel> for Channel {
    fn from(channel: DeliveryChannel) -> Self {
        Channel {
            name: channel.name.unwrap_or_default(),
            delivery: Delivery {
                bucket: channel.s3_bucket_name.unwrap_or_default(),
                prefix: channel.s3_key_prefix,
                snapshot_frequency: channel
                    .config_snapshot_delivery_properties
                    .and_then(|properties| properties.delivery_frequency)
                    .map(|frequency| frequency.as_str().to_owned())
                    .unwrap_or_default(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording() -> Recording {
        Recording {
            role_arn: "arn:aws:iam::222222222222:role/r".to_owned(),
            all_supported: true,
            global_types: false,
            frequency: "CONTINUOUS".to_owned(),
            overrides: false,
        }
    }

    fn delivery() -> Delivery {
        Delivery {
            bucket: "logs".to_owned(),
            prefix: None,
            snapshot_frequency: "TwentyFour_Hours".to_owned(),
        }
    }

    fn recorder() -> Recorder {
        Recorder {
            name: "theirs".to_owned(),
            arn: "arn".to_owned(),
            on: true,
            recording: recording(),
        }
    }

    fn channel(delivery: Delivery) -> Channel {
        Channel {
            name: "theirs".to_owned(),
            delivery,
        }
    }

    #[test]
    fn what_is_there_is_updated_under_its_own_name_and_in_aws_order() {
        const PUT: &str = "set the recorder theirs to every supported type, without global IAM types, recorded continuously";
        let partial = Recording {
            all_supported: false,
            ..recording()
        };
        let elsewhere = Delivery {
            bucket: "other".to_owned(),
            ..delivery()
        };
        for (recorder, channel, sentences) in [
            (
                None,
                None,
                vec![
                    "set the recorder default to every supported type, without global IAM types, recorded continuously",
                    "set the delivery channel default to logs, with snapshots every 24 hours",
                    "start the recorder default",
                ],
            ),
            (Some(recorder()), Some(channel(delivery())), vec![]),
            (
                Some(Recorder {
                    on: false,
                    recording: partial,
                    ..recorder()
                }),
                Some(channel(delivery())),
                vec![PUT, "start the recorder theirs"],
            ),
            (
                Some(recorder()),
                Some(channel(elsewhere)),
                vec!["set the delivery channel theirs to logs, with snapshots every 24 hours"],
            ),
        ] {
            let desired = Desired {
                recording: recording(),
                delivery: delivery(),
            };
            let plan = ConfigRecorder::plan(&desired, &Observed { recorder, channel });
            let plan: Vec<_> = plan.iter().map(ToString::to_string).collect();
            assert_eq!(plan, sentences);
        }
    }
}
