//! Which resources a call reached, as far as its record tells.
//!
//! Records list resources for few services. For the rest the name of the resource stands somewhere in the parameters; we read
//! it where one parameter names the whole of it. What is not told may be any resource of the service.

use super::record::Record;
use crate::catalogue::catalogue;
use crate::partial::Shape;

/// What every launch is authorised for (Service Authorization Reference, Amazon EC2, *RunInstances*).
const LAUNCHED: [&str; 4] = ["image", "instance", "network-interface", "security-group"];

/// What some launches are authorised for besides.
const LAUNCHED_PERHAPS: [&str; 11] = [
    "capacity-reservation",
    "elastic-gpu",
    "key-pair",
    "launch-template",
    "placement-group",
    "secondary-interface",
    "secondary-subnet",
    "snapshot",
    "spot-instances-request",
    "subnet",
    "volume",
];

/// Services whose records list the very resource that is authorised (AWS KMS Developer Guide, *AWS KMS log entries*; CloudTrail User
/// Guide, *CloudTrail record contents*). Others may list a table for its index, or a function for its version.
const EXACT: [&str; 2] = ["kms", "sts"];

/// A resource that the action must be allowed for.
#[derive(Clone, Debug)]
pub(super) struct Reached {
    /// What it may be, one of these.
    pub(super) shapes: Vec<Shape>,
    /// Whether the call surely reached one.
    pub(super) surely: bool,
}

/// The resources of a call to one action, all of which must be allowed.
pub(super) fn reached(record: &Record<'_>, action: &str, account: &str) -> Vec<Reached> {
    if action == "ec2:RunInstances" {
        return launched(record);
    }
    vec![Reached {
        shapes: shapes(record, action, account),
        surely: true,
    }]
}

fn launched(record: &Record<'_>) -> Vec<Reached> {
    let (partition, region) = (partition(record), record.region().unwrap_or("*"));
    let reached = |kind: &&str, surely| {
        // Images and snapshots belong to no account, and others may be shared by another one.
        let owner = if ["image", "snapshot"].contains(kind) {
            ""
        } else {
            "*"
        };
        let shape = Shape::named(&format!("arn:{partition}:ec2:{region}:{owner}:{kind}/*"));
        Reached {
            shapes: vec![shape],
            surely,
        }
    };
    let surely = LAUNCHED.iter().map(|kind| reached(kind, true));
    let perhaps = LAUNCHED_PERHAPS.iter().map(|kind| reached(kind, false));
    surely.chain(perhaps).collect()
}

/// What the one resource of a call may be.
fn shapes(record: &Record<'_>, action: &str, account: &str) -> Vec<Shape> {
    let (prefix, name) = action.split_once(':').unwrap_or((action, ""));
    let parameters = &record.parameters;
    let partition = partition(record);
    match (prefix, name) {
        // What is copied is read elsewhere.
        ("s3", "GetObject") if record.name.0.contains("Copy") => Shape::anything_of(prefix),
        ("s3", _) if let Some(bucket) = bucket(record, name) => {
            let bucket = format!("arn:{partition}:s3:::{bucket}");
            match parameters.key.get() {
                Some(key) if is_of_object(name) => {
                    vec![Shape::Exact(format!("{bucket}/{key}"))]
                }
                None if is_of_object(name) => vec![Shape::like(&format!("{bucket}/*"))],
                _ => vec![Shape::Exact(bucket)],
            }
        }
        // A role's path is not among the parameters, but its name is unique in the account.
        ("iam", name)
            if name.contains("Role")
                && !name.contains("InstanceProfile")
                && let Some(role) = parameters.role.get() =>
        {
            let front = format!("arn:{partition}:iam::{account}:role/");
            vec![
                Shape::Exact(format!("{front}{role}")),
                Shape::named(&format!("{front}*/{role}")),
            ]
        }
        ("cloudtrail", action) if let Some(name) = trail(record, action) => {
            let region = record.region().unwrap_or("*");
            let trail = if name.starts_with("arn:") {
                Shape::Exact(name.to_owned())
            } else {
                Shape::named(&format!(
                    "arn:{partition}:cloudtrail:{region}:{account}:trail/{name}"
                ))
            };
            vec![trail]
        }
        ("s3", _) => Shape::anything_of(prefix),
        _ => listed(record, prefix).unwrap_or_else(|| Shape::anything_of(prefix)),
    }
}

/// The one resource of the service that the record lists, or what is part of it. Of several, not all need be what the action is
/// for.
fn listed(record: &Record<'_>, prefix: &str) -> Option<Vec<Shape>> {
    let arns = record.resources.0.iter();
    let mut arns = arns
        .filter_map(|resource| resource.arn.get())
        .filter(|arn| arn.starts_with("arn:") && of_service(arn, prefix));
    let only = arns.next()?;
    if arns.next().is_some() {
        return None;
    }
    let mut shapes = vec![Shape::Exact(only.to_owned())];
    if !EXACT.contains(&prefix) {
        shapes.push(Shape::named(&format!("{only}{}*", separator(only))));
    }
    Some(shapes)
}

/// What stands between the names in the last part of an ARN: `table/orders/index/by-day`, `function:name:alias`.
fn separator(arn: &str) -> char {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let mut separators = resource.chars().filter(|c| [':', '/'].contains(c));
    separators.next().unwrap_or(':')
}

/// The bucket that the action is for, by its name. An access point may stand for it, and is a resource of its own.
fn bucket<'r>(record: &'r Record<'_>, action: &str) -> Option<&'r str> {
    let bucket = record.parameters.bucket.get()?;
    let is_name = !bucket.contains(':') && !bucket.ends_with("-s3alias");
    let of_bucket = !action.contains("AccessPoint") && !action.contains("AccessGrant");
    (is_name && of_bucket).then_some(bucket)
}

/// The name or ARN of the trail that the action is for.
fn trail<'r>(record: &'r Record<'_>, action: &str) -> Option<&'r str> {
    let parameters = &record.parameters;
    match action {
        "PutEventSelectors"
        | "GetEventSelectors"
        | "PutInsightSelectors"
        | "GetInsightSelectors" => parameters.trail.get(),
        _ if action.contains("Trail") || action.ends_with("Logging") => parameters.name.get(),
        _ => None,
    }
}

fn of_service(arn: &str, prefix: &str) -> bool {
    let of = arn.split(':').nth(2).unwrap_or_default();
    let services = catalogue().service(prefix);
    services.is_some_and(|service| service.arn_services.contains(&of))
}

/// `aws`, as it stands in the caller's ARN.
pub(super) fn partition<'r>(record: &'r Record<'_>) -> &'r str {
    let arn = record.identity.arn.get().unwrap_or_default();
    let mut parts = arn.split(':');
    match (parts.next(), parts.next()) {
        (Some("arn"), Some(partition)) => partition,
        _ => "aws",
    }
}

/// Whether an action of S3 is for objects rather than buckets.
fn is_of_object(name: &str) -> bool {
    name.contains("Object") && !name.contains("ObjectLock")
        || matches!(name, "AbortMultipartUpload" | "ListMultipartUploadParts")
}
