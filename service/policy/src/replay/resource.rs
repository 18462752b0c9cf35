//! Which resources a call reached, as far as its record tells.
//!
//! Records list resources for few services. For the rest the name of the resource stands somewhere in the parameters; we read
//! it where one parameter names the whole of it. What is not told is every resource of the service.

use super::record::Record;
use crate::catalogue::catalogue;
use crate::partial::Shape;

/// What a launch makes. It is authorised before there are names, for `instance/*` as it stands (Amazon EC2 User Guide, *Example
/// policies to control access the API*, `RunInstances`).
const MADE: [&str; 3] = ["instance", "network-interface", "volume"];

/// What every launch uses.
const USED: [&str; 3] = ["image", "security-group", "subnet"];

/// The resources of a call to one action, each of which must be allowed, each by the shapes that it may have.
pub(super) fn resources(record: &Record<'_>, action: &str, account: &str) -> Vec<Vec<Shape>> {
    let (prefix, name) = action.split_once(':').unwrap_or((action, ""));
    let parameters = &record.parameters;
    let partition = partition(record);
    match (prefix, name) {
        // What is copied is read elsewhere.
        ("s3", "GetObject") if record.name.0.contains("Copy") => vec![Shape::anything_of(prefix)],
        ("s3", _) if let Some(bucket) = parameters.bucket.get() => {
            let bucket = if bucket.starts_with("arn:") {
                bucket.to_owned()
            } else {
                format!("arn:{partition}:s3:::{bucket}")
            };
            match parameters.key.get() {
                Some(key) if is_of_object(name) => {
                    vec![vec![Shape::Exact(format!("{bucket}/{key}"))]]
                }
                None if is_of_object(name) => vec![vec![like(&bucket, "/*")]],
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
                like(&front, &format!("*/{role}")),
            ]]
        }
        ("cloudtrail", action) if let Some(name) = trail(record, action) => {
            let region = record.region().unwrap_or("*");
            let trail = if name.starts_with("arn:") {
                Shape::Exact(name.to_owned())
            } else {
                like(
                    "",
                    &format!("arn:{partition}:cloudtrail:{region}:{account}:trail/{name}"),
                )
            };
            vec![vec![trail]]
        }
        ("ec2", "RunInstances") => {
            let region = record.region().unwrap_or("*");
            let front = |owner: &str| format!("arn:{partition}:ec2:{region}:{owner}:");
            let made = MADE.iter().map(|kind| {
                let text = format!("{}{kind}/*", front(account));
                vec![Shape::Exact(text)]
            });
            let used = USED.iter().map(|kind| {
                // Images have no account in their ARNs, and subnets may be shared by another one.
                vec![Shape::typed(&front("*"), kind)]
            });
            made.chain(used).collect()
        }
        ("s3", _) => vec![Shape::anything_of(prefix)],
        _ => vec![listed(record, prefix).unwrap_or_else(|| Shape::anything_of(prefix))],
    }
}

/// The one resource of the service that the record lists. Of several, not all need be what the action is for.
fn listed(record: &Record<'_>, prefix: &str) -> Option<Vec<Shape>> {
    let arns = record.resources.0.iter();
    let mut arns = arns
        .filter_map(|resource| resource.arn.get())
        .filter(|arn| arn.starts_with("arn:") && of_service(arn, prefix));
    let only = arns.next()?;
    arns.next()
        .is_none()
        .then(|| vec![Shape::Exact(only.to_owned())])
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

/// `front` as it stands, `rest` with wildcards.
fn like(front: &str, rest: &str) -> Shape {
    Shape::like(&format!("{front}{rest}"))
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
