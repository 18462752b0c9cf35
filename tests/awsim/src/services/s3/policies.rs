//! Bucket policies, and whether they make a bucket public.

use landfall_policy::{Condition, Effect, Selection, Statement, Template};
use serde_json::json;

use super::not_found;
use crate::call::{Answer, AwsError, Call};
use crate::services::iam::document::Document;
use crate::world::World;

/// The policy of a bucket.
pub(super) struct BucketPolicy {
    pub(super) document: Document,
    /// Whether somebody outside a known circle may use the bucket.
    pub(super) public: bool,
}

impl BucketPolicy {
    /// Reads a policy for `bucket`: the actions must be S3's, the resources the bucket and its objects.
    pub(super) fn new(world: &World, bucket: &str, text: &str) -> Result<Self, AwsError> {
        let malformed = |message: &str| AwsError::new("MalformedPolicy", message);
        if text.len() > SIZE {
            return Err(malformed(&format!(
                "Policies must be at most {SIZE} bytes."
            )));
        }
        let document = Document::resource(text, |arn| world.iam.principal_exists(arn))
            .map_err(|problem| malformed(&problem))?;
        let arn = format!("arn:aws:s3:::{bucket}");
        for statement in document.policy.statements() {
            let resources = statement.resources().map_or(&[][..], Selection::patterns);
            let mine = |resource: &Template| {
                resource
                    .as_str()
                    .strip_prefix(&arn)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '*']))
            };
            if resources.is_empty() {
                return Err(malformed("Missing required field Resource"));
            }
            if !resources.iter().all(mine) {
                return Err(malformed("Policy has invalid resource"));
            }
            let ours = |action: &str| {
                action == "*"
                    || action
                        .get(..3)
                        .is_some_and(|service| service.eq_ignore_ascii_case("s3:"))
            };
            if !statement
                .actions()
                .patterns()
                .iter()
                .all(|action| ours(action.as_str()))
            {
                return Err(malformed("Policy has invalid action"));
            }
        }
        let public = document.policy.statements().iter().any(is_public);
        Ok(BucketPolicy { document, public })
    }
}

/// The most bytes of a bucket policy.
const SIZE: usize = 20 * 1024;

/// The condition keys that keep a statement for everybody from being public, when their values are fixed
/// ("The meaning of public" in the S3 user guide).
const CIRCLES: [&str; 14] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
];

/// Whether a statement opens the bucket to everybody.
fn is_public(statement: &Statement) -> bool {
    let everybody = statement
        .principal()
        .is_some_and(|principal| principal.is_inverted() || principal.is_everyone());
    let narrows = |condition: &Condition| {
        let positive = !condition.operator().contains("Not")
            && !condition.operator().ends_with("IfExists")
            && condition.operator() != "Null";
        let fixed = |value: &String| {
            !value.is_empty() && value != "*" && value != "0.0.0.0/0" && value != "::/0"
        };
        positive
            && CIRCLES.contains(&condition.key().to_lowercase().as_str())
            && condition.values().iter().all(fixed)
    };
    statement.effect() == Effect::Allow && everybody && !statement.conditions().iter().any(narrows)
}

pub(super) fn put(world: &mut World, call: &Call<'_>) -> Answer {
    let policy = BucketPolicy::new(world, call.required("Bucket"), call.required("Policy"))?;
    let setting = "BlockPublicPolicy";
    let of_account = world
        .s3control
        .blocks(world.s3.bucket(call)?.owner, setting);
    let bucket = world.s3.bucket_mut(call)?;
    if policy.public && (of_account || bucket.blocks(setting)) {
        let message = format!(
            "User: {} is not authorized to perform: s3:PutBucketPolicy on resource: \"{}\" because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.",
            call.principal.arn,
            bucket.arn(),
        );
        return Err(AwsError::new("AccessDenied", message).status(403));
    }
    bucket.policy = Some(policy);
    Ok(json!({}))
}

pub(super) fn get(world: &World, call: &Call<'_>) -> Answer {
    match &world.s3.bucket(call)?.policy {
        Some(policy) => Ok(json!({"Policy": &*policy.document.text})),
        None => Err(none(call)),
    }
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    world.s3.bucket_mut(call)?.policy = None;
    Ok(json!({}))
}

pub(super) fn status(world: &World, call: &Call<'_>) -> Answer {
    match &world.s3.bucket(call)?.policy {
        Some(policy) => Ok(json!({"PolicyStatus": {"IsPublic": policy.public}})),
        None => Err(none(call)),
    }
}

fn none(call: &Call<'_>) -> AwsError {
    not_found("NoSuchBucketPolicy", "The bucket policy does not exist")
        .with("BucketName", call.required("Bucket"))
}
