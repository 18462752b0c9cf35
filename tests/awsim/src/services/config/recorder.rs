//! The configuration recorder: one for each account and Region, whatever it is called.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::recording_group::RecordingGroup;
use super::{Cell, done, role, tags, texts};
use crate::call::{AccountId, Answer, AwsError, Call};
use crate::world::World;

/// How long a recorder's status is pending after it was started.
const FIRST_STATUS: SignedDuration = SignedDuration::from_secs(5);

pub(super) struct Recorder {
    pub(super) name: String,
    /// The last part of the ARN.
    id: String,
    pub(super) role: String,
    pub(super) group: RecordingGroup,
    /// `recordingMode` as it was given: the model's rules are all that it obeys.
    mode: Value,
    pub(super) recording: bool,
    started: Option<Timestamp>,
    stopped: Option<Timestamp>,
}

impl Recorder {
    pub(super) fn arn(&self, account: AccountId, region: &str) -> String {
        let (name, id) = (&self.name, &self.id);
        format!("arn:aws:config:{region}:{account}:configuration-recorder/{name}/{id}")
    }

    pub(super) fn stop(&mut self, now: Timestamp) {
        if self.recording {
            self.recording = false;
            self.stopped = Some(now);
        }
    }

    fn describe(&self, account: AccountId, region: &str) -> Value {
        json!({
            "arn": self.arn(account, region),
            "name": self.name,
            "roleARN": self.role,
            "recordingGroup": self.group.describe(),
            "recordingMode": self.mode,
            "recordingScope": "PAID",
        })
    }
}

pub(super) fn put(world: &mut World, call: &Call<'_>) -> Answer {
    let input = &call.input["ConfigurationRecorder"];
    if input.get("servicePrincipal").is_some() {
        return Err(AwsError::new(
            "UnmodifiableEntityException",
            "This operation does not create or change service-linked configuration recorders.",
        ));
    }
    let name = input["name"].as_str().unwrap_or("default");
    if name.starts_with("AWSConfigurationRecorderFor") {
        return Err(AwsError::new(
            "InvalidConfigurationRecorderNameException",
            format!(
                "The configuration recorder name '{name}' is reserved for service-linked recorders."
            ),
        ));
    }
    let role = input["roleARN"].as_str().unwrap_or_default();
    role::check_pass(world, call, role)?;
    if !role::is_assumable(world, call.account(), role) {
        return Err(AwsError::new(
            "InvalidRoleException",
            format!(
                "AWS Config cannot assume the IAM role '{role}' of configuration recorder '{name}'."
            ),
        ));
    }
    let group = RecordingGroup::read(input.get("recordingGroup"))?;
    let mode = input.get("recordingMode").cloned().unwrap_or_else(
        || json!({ "recordingFrequency": "CONTINUOUS", "recordingModeOverrides": [] }),
    );
    let existing = world.config.here(call).and_then(|c| c.recorder.as_ref());
    if let Some(existing) = existing {
        if existing.name != name {
            return Err(AwsError::new(
                "MaxNumberOfConfigurationRecordersExceededException",
                format!(
                    "Failed to put configuration recorder '{name}' because the maximum number of configuration recorders: 1 is reached."
                ),
            ));
        }
        // Tags of a repeated call are ignored, as PutConfigurationRecorder's documentation says.
        let recorder = existing_mut(world, call, name)?;
        role.clone_into(&mut recorder.role);
        recorder.group = group;
        recorder.mode = mode;
        return done();
    }
    let tags = tags::read(call.list("Tags"))?;
    let recorder = Recorder {
        name: name.to_owned(),
        id: world.random_id(16),
        role: role.to_owned(),
        group,
        mode,
        recording: false,
        started: None,
        stopped: None,
    };
    let arn = recorder.arn(call.account(), call.region);
    let cell = world.config.here_mut(call);
    cell.recorder = Some(recorder);
    cell.keep_tags(arn, tags);
    done()
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let recorder = existing_mut(world, call, call.required("ConfigurationRecorderName"))?;
    let arn = recorder.arn(call.account(), call.region);
    let cell = world.config.here_mut(call);
    cell.recorder = None;
    cell.tags.remove(&arn);
    done()
}

pub(super) fn start(world: &mut World, call: &Call<'_>) -> Answer {
    existing_mut(world, call, call.required("ConfigurationRecorderName"))?;
    let cell = world.config.here_mut(call);
    if cell.channel.is_none() {
        return Err(AwsError::new(
            "NoAvailableDeliveryChannelException",
            "Delivery channel is not available to start configuration recorder.",
        ));
    }
    if let Some(recorder) = cell.recorder.as_mut().filter(|r| !r.recording) {
        recorder.recording = true;
        recorder.started = Some(call.now);
    }
    done()
}

pub(super) fn stop(world: &mut World, call: &Call<'_>) -> Answer {
    let recorder = existing_mut(world, call, call.required("ConfigurationRecorderName"))?;
    recorder.stop(call.now);
    done()
}

pub(super) fn describe(world: &World, call: &Call<'_>) -> Answer {
    let found = selected(world.config.here(call), call)?;
    let described = found.map(|recorder| recorder.describe(call.account(), call.region));
    Ok(json!({ "ConfigurationRecorders": Vec::from_iter(described) }))
}

pub(super) fn describe_status(world: &World, call: &Call<'_>) -> Answer {
    let found = selected(world.config.here(call), call)?;
    let described = found.map(|recorder| status(world, call, recorder));
    Ok(json!({ "ConfigurationRecordersStatus": Vec::from_iter(described) }))
}

/// A recorder's status. The values of `lastStatus` are upper case on the wire, unlike the enumeration in AWS's model:
/// see the examples of `describe-configuration-recorder-status` in the AWS CLI.
fn status(world: &World, call: &Call<'_>, recorder: &Recorder) -> Value {
    let mut status = Map::new();
    let mut set = |member: &str, value: Value| status.insert(member.to_owned(), value);
    set("arn", recorder.arn(call.account(), call.region).into());
    set("name", recorder.name.clone().into());
    set("recording", recorder.recording.into());
    if let Some(stopped) = recorder.stopped {
        set("lastStopTime", stopped.to_string().into());
    }
    let Some(started) = recorder.started else {
        return Value::Object(status);
    };
    set("lastStartTime", started.to_string().into());
    let settled = started + world.wait(FIRST_STATUS);
    let changed = if call.now < settled {
        set("lastStatus", "PENDING".into());
        started
    } else if role::is_assumable(world, call.account(), &recorder.role) {
        set("lastStatus", "SUCCESS".into());
        settled
    } else {
        set("lastStatus", "FAILURE".into());
        set("lastErrorCode", "AccessDenied".into());
        set(
            "lastErrorMessage",
            "AWS Config cannot assume the recorder's role.".into(),
        );
        settled
    };
    set("lastStatusChangeTime", changed.to_string().into());
    Value::Object(status)
}

/// The recorder that a Describe call names, or the only one when it names none.
fn selected<'a>(cell: Option<&'a Cell>, call: &Call<'_>) -> Result<Option<&'a Recorder>, AwsError> {
    let names = texts(call.list("ConfigurationRecorderNames"));
    if names.len() > 1 {
        return Err(AwsError::new(
            "ValidationException",
            "You can specify only one configuration recorder.",
        ));
    }
    if call.text("ServicePrincipal").is_some() {
        return Err(AwsError::new(
            "NoSuchConfigurationRecorderException",
            "There is no service-linked configuration recorder for this service principal.",
        ));
    }
    let recorder = cell.and_then(|cell| cell.recorder.as_ref());
    let by_name = names.first().copied();
    let by_arn = call.text("Arn");
    if by_name.is_none() && by_arn.is_none() {
        return Ok(recorder);
    }
    recorder
        .filter(|r| by_name.is_none_or(|name| r.name == name))
        .filter(|r| by_arn.is_none_or(|arn| r.arn(call.account(), call.region) == arn))
        .map(Some)
        .ok_or_else(|| no_such_recorder(by_name.or(by_arn).unwrap_or_default()))
}

fn existing_mut<'a>(
    world: &'a mut World,
    call: &Call<'_>,
    name: &str,
) -> Result<&'a mut Recorder, AwsError> {
    let cell = world.config.cells.get_mut(&(call.account(), call.region));
    cell.and_then(|cell| cell.recorder.as_mut())
        .filter(|recorder| recorder.name == name)
        .ok_or_else(|| no_such_recorder(name))
}

fn no_such_recorder(name: &str) -> AwsError {
    AwsError::new(
        "NoSuchConfigurationRecorderException",
        format!("Cannot find configuration recorder with the specified name '{name}'."),
    )
}
