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

/// The resources of a call to one action, each of which must be allowed, each by the shapes that it may have.
pub(super) fn resources(record: &Record<'_>, action: &str, account: &str) -> Vec<Vec<Shape>> {
    let (prefix, name) = action.split_once(':').unwrap_or((action, ""));
    let parameters = &record.parameters;
    let partition = partition(record);
    match (prefix, name) {
        // What is copied is read elsewhere.
        ("s3", "GetObject") if record.name.0.contains("Copy") => vec![Shape::anything_of(prefix)],
        ("s3", _) if let Some(bucket) = bucket(record, name) => {
            let bucket = format!("arn:{partition}:s3:::{bucket}");
            match parameters.key.get() {
                Some(key) if is_of_object(name) => {
                    vec![vec![Shape::Exact(format!("{bucket}/{key}"))]]
                }
                None if is_of_object(name) => vec![vec![Shape::like(&format!("{bucket}/*"))]],
                _ => vec![vec![Shape::Exact(bucket)]],
            }
        }
        // A role's path is not among the parameters, but its name is unique in the account.
        ("iam", name)
            if name.contains("Role")
                && !name.contains("InstanceProfile")
                && let Some(role) = parameters.role.get() =>
        {
            let front = format!("arn:{partition}:iam::{account}:role/");
            vec![vec![
                Shape::Exact(format!("{front}{role}")),
                Shape::named(&format!("{front}*/{role}")),
            ]]
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
            vec![vec![trail]]
        }
        ("ec2", "RunInstances") => {
            let region = record.region().unwrap_or("*");
            // Images belong to no account, and subnets may be shared by another one.
            let any = |kind| Shape::named(&format!("arn:{partition}:ec2:{region}:*:{kind}/*"));
            let surely = LAUNCHED.iter().map(|kind| vec![any(kind)]);
            // What is not among the resources is like the instance, which always is.
            let perhaps = LAUNCHED_PERHAPS
                .iter()
                .map(|kind| vec![any(kind), any(&"instance")]);
            surely.chain(perhaps).collect()
        }
        ("s3", _) => vec![Shape::anything_of(prefix)],
        _ => vec![listed(record, prefix).unwrap_or_else(|| Shape::anything_of(prefix))],
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
        shapes.extend([":*", "/*"].map(|rest| Shape::named(&format!("{only}{rest}"))));
    }
    Some(shapes)
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
