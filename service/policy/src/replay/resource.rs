//! Which resources a call reached, as far as its record tells.
//!
//! Records list resources for few services. For the rest the name of the resource stands somewhere in the parameters; we read
//! it where one parameter names the whole of it. What is not told is every resource of the service.

use super::record::Record;
use crate::catalogue::catalogue;
use crate::partial::Shape;

/// What each launch is authorised for (Amazon EC2 User Guide, *Example policies to control access*, `RunInstances`): the
/// resources that every launch has.
const LAUNCHED: [&str; 6] = [
    "image/*",
    "instance/*",
    "network-interface/*",
    "security-group/*",
    "subnet/*",
    "volume/*",
];

/// The resources of a call to one action, each of which must be allowed, each by the shapes that it may have.
pub(super) fn resources(record: &Record<'_>, action: &str, account: &str) -> Vec<Vec<Shape>> {
    let (prefix, name) = action.split_once(':').unwrap_or((action, ""));
    let listed: Vec<Vec<Shape>> = record
        .resources
        .0
        .iter()
        .filter_map(|resource| resource.arn.get())
        .filter(|arn| arn.starts_with("arn:") && of_service(arn, prefix))
        .map(|arn| vec![Shape::Exact(arn.to_owned())])
        .collect();
    // A key's alias, a bucket beside its object: what is listed is not always what the action is for. So it counts where there
    // is one alone.
    if listed.len() == 1 {
        return listed;
    }
    let parameters = &record.parameters;
    let partition = partition(record);
    match (prefix, name) {
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
        ("iam", _) if let Some(role) = parameters.role.get() => {
            let front = format!("arn:{partition}:iam::{account}:role/");
            vec![vec![
                Shape::Exact(format!("{front}{role}")),
                like(&front, &format!("*/{role}")),
            ]]
        }
        ("cloudtrail", _) if let Some(name) = parameters.name.get() => {
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
            let launched = LAUNCHED.iter().map(|kind| {
                // An image has no account in its ARN.
                let owner = if *kind == "image/*" { "*" } else { account };
                vec![like(
                    "",
                    &format!("arn:{partition}:ec2:{region}:{owner}:{kind}"),
                )]
            });
            launched.collect()
        }
        _ => vec![Shape::anything_of(prefix)],
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
