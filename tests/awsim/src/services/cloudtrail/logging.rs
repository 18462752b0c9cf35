//! Whether a trail logs, and how its deliveries go.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::visibility::{changeable, visible};
use super::{SERVICE, Trail, bucket, done};
use crate::call::{Answer, Call};
use crate::world::World;

/// How often CloudTrail delivers log files, as its user guide says on average.
const DELIVERY: SignedDuration = SignedDuration::from_mins(5);

pub(super) fn start(world: &mut World, call: &Call<'_>) -> Answer {
    let reference = changeable(world, call, call.required("Name"))?;
    if let Some(trail) = world.cloudtrail.get_mut(&reference) {
        trail.start(call.now);
    }
    done()
}

pub(super) fn stop(world: &mut World, call: &Call<'_>) -> Answer {
    let reference = changeable(world, call, call.required("Name"))?;
    if let Some(trail) = world.cloudtrail.get_mut(&reference) {
        trail.stop(call.now);
    }
    done()
}

pub(super) fn status(world: &World, call: &Call<'_>) -> Answer {
    let trail = visible(world, call, call.required("Name"))?;
    let text = |time: Option<Timestamp>| time.map(|t| t.to_string()).unwrap_or_default();
    let mut status = json!({
        "IsLogging": logs_for(world, call, trail),
        "TimeLoggingStarted": text(trail.started),
        "TimeLoggingStopped": text(trail.stopped),
        "LatestDeliveryAttemptTime": "",
        "LatestDeliveryAttemptSucceeded": "",
        "LatestNotificationAttemptTime": "",
        "LatestNotificationAttemptSucceeded": "",
    });
    if let Some(started) = trail.started {
        status["StartLoggingTime"] = started.to_string().into();
    }
    if let Some(stopped) = trail.stopped {
        status["StopLoggingTime"] = stopped.to_string().into();
    }
    if let Some(time) = latest_delivery(world, trail, call.now) {
        deliver(world, trail, time, &mut status);
    }
    Ok(status)
}

/// An organization trail logs for members only while CloudTrail has trusted access (Organizations User Guide,
/// "CloudTrail and AWS Organizations").
fn logs_for(world: &World, call: &Call<'_>, trail: &Trail) -> bool {
    let access = trail.owner == call.account() || world.organizations.trusted_access(SERVICE);
    trail.logging && access
}

/// When log files were last due.
fn latest_delivery(world: &World, trail: &Trail, now: Timestamp) -> Option<Timestamp> {
    let started = trail.started?;
    let until = if trail.logging { now } else { trail.stopped? };
    let period = world.wait(DELIVERY).as_millis().max(1);
    let rounds = until.duration_since(started).as_millis() / period;
    let passed = i64::try_from(rounds * period)
        .ok()
        .filter(|passed| *passed > 0)?;
    Some(started + SignedDuration::from_millis(passed))
}

/// Shows a delivery as it would go now. Its members exist for each of a trail's Regions alike.
fn deliver(world: &World, trail: &Trail, time: Timestamp, status: &mut Value) {
    status["LatestDeliveryAttemptTime"] = time.to_string().into();
    match bucket::check(world, trail) {
        Ok(()) => {
            status["LatestDeliveryTime"] = time.to_string().into();
            status["LatestDeliveryAttemptSucceeded"] = time.to_string().into();
        }
        Err(fault) => status["LatestDeliveryError"] = fault.code().into(),
    }
}
