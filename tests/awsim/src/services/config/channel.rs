//! The delivery channel: one for each account and Region, and only where there is a recorder.

use serde_json::{Map, Value, json};

use super::delivery::{self, Fault};
use super::{Cell, done, texts};
use crate::call::{Answer, AwsError, Call};
use crate::world::World;

pub(super) struct Channel {
    name: String,
    pub(super) bucket: String,
    pub(super) prefix: Option<String>,
    /// How often snapshots go out, where it was said.
    pub(super) frequency: Option<String>,
}

impl Channel {
    fn describe(&self) -> Value {
        let mut channel = Map::new();
        channel.insert("name".to_owned(), self.name.clone().into());
        channel.insert("s3BucketName".to_owned(), self.bucket.clone().into());
        if let Some(prefix) = &self.prefix {
            channel.insert("s3KeyPrefix".to_owned(), prefix.clone().into());
        }
        if let Some(frequency) = &self.frequency {
            channel.insert(
                "configSnapshotDeliveryProperties".to_owned(),
                json!({ "deliveryFrequency": frequency }),
            );
        }
        Value::Object(channel)
    }
}

pub(super) fn put(world: &mut World, call: &Call<'_>) -> Answer {
    let input = &call.input["DeliveryChannel"];
    let name = input["name"].as_str().unwrap_or("default");
    let cell = world.config.here(call);
    let recorder = cell
        .and_then(|cell| cell.recorder.as_ref())
        .ok_or_else(|| {
            AwsError::new(
                "NoAvailableConfigurationRecorderException",
                "Configuration recorder is not available to put delivery channel.",
            )
        })?;
    let existing = cell.and_then(|cell| cell.channel.as_ref());
    if existing.is_some_and(|channel| channel.name != name) {
        return Err(AwsError::new(
            "MaxNumberOfDeliveryChannelsExceededException",
            format!(
                "Failed to put delivery channel '{name}' because the maximum number of delivery channels: 1 is reached."
            ),
        ));
    }
    let bucket = input["s3BucketName"].as_str().unwrap_or_default();
    let prefix = input["s3KeyPrefix"].as_str();
    if let Some(prefix) = prefix {
        check_prefix(prefix)?;
    }
    // awsim has neither KMS nor SNS: no key and no topic exists.
    if let Some(key) = input["s3KmsKeyArn"].as_str() {
        return Err(AwsError::new(
            "InvalidS3KmsKeyArnException",
            format!("The KMS key '{key}' does not exist."),
        ));
    }
    if let Some(topic) = input["snsTopicARN"].as_str() {
        return Err(AwsError::new(
            "InvalidSNSTopicARNException",
            format!("The sns topic arn '{topic}' does not exist."),
        ));
    }
    delivery::check(world, call.account(), &recorder.role, bucket, prefix).map_err(
        |fault| match fault {
            Fault::NoBucket => AwsError::new(
                "NoSuchBucketException",
                format!("Cannot find a S3 bucket with name '{bucket}'."),
            ),
            Fault::Denied => AwsError::new(
                "InsufficientDeliveryPolicyException",
                format!(
                    "Insufficient delivery policy to s3 bucket: {bucket}, unable to write to bucket, provided s3 key prefix is '{}'.",
                    prefix.unwrap_or("null")
                ),
            ),
        },
    )?;
    let channel = Channel {
        name: name.to_owned(),
        bucket: bucket.to_owned(),
        prefix: prefix.map(str::to_owned),
        frequency: input["configSnapshotDeliveryProperties"]["deliveryFrequency"]
            .as_str()
            .map(str::to_owned),
    };
    world.config.here_mut(call).channel = Some(channel);
    done()
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let name = call.required("DeliveryChannelName");
    let cell = world.config.here_mut(call);
    if cell.channel.as_ref().is_none_or(|c| c.name != name) {
        return Err(no_such_channel(name));
    }
    if cell.is_recording() {
        return Err(AwsError::new(
            "LastDeliveryChannelDeleteFailedException",
            format!(
                "Failed to delete last specified delivery channel with name '{name}', because there is a running configuration recorder."
            ),
        ));
    }
    cell.channel = None;
    done()
}

pub(super) fn describe(world: &World, call: &Call<'_>) -> Answer {
    let found = selected(world.config.here(call), call)?;
    Ok(json!({ "DeliveryChannels": Vec::from_iter(found.map(Channel::describe)) }))
}

pub(super) fn describe_status(world: &World, call: &Call<'_>) -> Answer {
    let cell = world.config.here(call);
    let found = selected(cell, call)?;
    let described = found.map(|channel| {
        let recorder = cell
            .and_then(|cell| cell.recorder.as_ref())
            .filter(|recorder| recorder.recording);
        let outcome = recorder.map(|recorder| {
            let prefix = channel.prefix.as_deref();
            delivery::check(
                world,
                call.account(),
                &recorder.role,
                &channel.bucket,
                prefix,
            )
        });
        let info = delivery_info(outcome);
        json!({
            "name": channel.name,
            "configSnapshotDeliveryInfo": info,
            "configHistoryDeliveryInfo": info,
            "configStreamDeliveryInfo": info,
        })
    });
    Ok(json!({ "DeliveryChannelsStatus": Vec::from_iter(described) }))
}

/// How the last delivery went; nothing is delivered while nothing records. Upper case as on AWS's wire.
fn delivery_info(outcome: Option<Result<(), Fault>>) -> Value {
    match outcome {
        None => json!({ "lastStatus": "NOT_APPLICABLE" }),
        Some(Ok(())) => json!({ "lastStatus": "SUCCESS" }),
        Some(Err(fault)) => json!({ "lastStatus": "FAILURE", "lastErrorCode": fault.code() }),
    }
}

fn selected<'a>(cell: Option<&'a Cell>, call: &Call<'_>) -> Result<Option<&'a Channel>, AwsError> {
    let channel = cell.and_then(|cell| cell.channel.as_ref());
    let names = texts(call.list("DeliveryChannelNames"));
    let unknown = names
        .iter()
        .find(|name| channel.is_none_or(|channel| channel.name != **name));
    match unknown {
        Some(name) => Err(no_such_channel(name)),
        None => Ok(channel),
    }
}

/// S3 keys below a prefix must stay readable as a path: Config refuses empty names in it.
fn check_prefix(prefix: &str) -> Result<(), AwsError> {
    if prefix.split('/').any(str::is_empty) || prefix.contains(char::is_whitespace) {
        return Err(AwsError::new(
            "InvalidS3KeyPrefixException",
            format!("The s3 key prefix '{prefix}' is not valid."),
        ));
    }
    Ok(())
}

fn no_such_channel(name: &str) -> AwsError {
    AwsError::new(
        "NoSuchDeliveryChannelException",
        format!("Cannot find delivery channel with specified name '{name}'."),
    )
}
