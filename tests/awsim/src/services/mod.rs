//! The services, one folder or file each. Each has a `State`, and an `answer` that knows its operations.

use jiff::Timestamp;
use serde_json::Value;

use crate::call::{Answer, AwsError, Call};
use crate::world::World;

pub mod accessanalyzer;
pub mod account;
pub mod cloudtrail;
pub mod config;
pub mod ec2;
pub mod events;
pub mod guardduty;
pub mod iam;
mod membership;
pub mod organizations;
pub mod s3;
pub mod s3control;
#[cfg(test)]
pub(crate) mod scene;
pub mod securityhub;
pub mod sqs;
pub mod sts;

/// What a service's IAM actions begin with.
pub fn prefix(service: &str) -> &str {
    match service {
        "s3control" => "s3",
        service => service,
    }
}

/// Hands an authorized call to its service.
pub fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    match call.service {
        "access-analyzer" => accessanalyzer::answer(world, call),
        "account" => account::answer(world, call),
        "cloudtrail" => cloudtrail::answer(world, call),
        "config" => config::answer(world, call),
        "ec2" => ec2::answer(world, call),
        "events" => events::answer(world, call),
        "guardduty" => guardduty::answer(world, call),
        "iam" => iam::answer(world, call),
        "organizations" => organizations::answer(world, call),
        "s3" => s3::answer(world, call),
        "s3control" => s3control::answer(world, call),
        "securityhub" => securityhub::answer(world, call),
        "sqs" => sqs::answer(world, call),
        "sts" => sts::answer(world, call),
        _ => Err(AwsError::not_built()),
    }
}

/// The ARN that the call acts on, for policies; `*` where the service has no finer grain.
pub fn resource(world: &World, call: &Call<'_>) -> String {
    match call.service {
        "access-analyzer" => accessanalyzer::resource(call),
        "account" => account::resource(world, call),
        "cloudtrail" => cloudtrail::resource(world, call),
        "ec2" => ec2::resource(call),
        "events" => events::resource(call),
        "guardduty" => guardduty::resource(call),
        "iam" => iam::resource(world, call),
        "organizations" => organizations::resource(world, call),
        "s3" => s3::resource(world, call),
        "securityhub" => securityhub::resource(call),
        "sqs" => sqs::resource(call),
        "sts" => sts::resource(world, call),
        _ => "*".to_owned(),
    }
}

/// Disturbs what a service holds, behind the back of everyone who uses it: `{"service": …, "action": …, …}`.
/// Each service knows its own actions. The error says what is wrong with the request. What a person could have done so is
/// told as the call that would have done it, by `by` from `source_ip`.
pub fn tamper(world: &mut World, request: &Value, now: Timestamp) -> Result<Value, String> {
    let deed = cloudtrail::deed(world, request, now);
    let before = (deed.as_ref())
        .is_some_and(|deed| cloudtrail::is_recorded(world, deed.account, deed.region));
    let answer = disturb(world, request, now)?;
    if let Some(deed) = deed {
        cloudtrail::tell(world, before, &deed);
    }
    Ok(answer)
}

fn disturb(world: &mut World, request: &Value, now: Timestamp) -> Result<Value, String> {
    let service = request
        .get("service")
        .and_then(Value::as_str)
        .unwrap_or_default();
    match service {
        "access-analyzer" => accessanalyzer::tamper(world, request),
        "account" => account::tamper(world, request),
        "cloudtrail" => cloudtrail::tamper(world, request, now),
        "config" => config::tamper(world, request, now),
        "ec2" => ec2::tamper(world, request, now),
        "guardduty" => guardduty::tamper(world, request, now),
        "iam" => iam::tamper(world, request, now),
        "organizations" => organizations::tamper(world, request, now),
        "s3" => s3::tamper(world, request, now),
        "s3control" => s3control::tamper(world, request),
        "securityhub" => securityhub::tamper(world, request, now),
        _ => Err(format!("nothing to tamper with in service {service:?}")),
    }
}
