//! The gate before every call on a bucket: is it there, here, and open to the caller?

use landfall_policy::{Context, PrincipalView, Request, Verdict};

use super::buckets::Bucket;
use super::{State, resource};
use crate::call::{AwsError, Call};
use crate::world::World;

/// The IAM action that an operation needs: S3 names some of them otherwise than its operations
/// (*Actions, resources, and condition keys for Amazon S3* in the service authorization reference).
pub fn action(operation: &str) -> &str {
    match operation {
        "ListBuckets" => "ListAllMyBuckets",
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => "ListBucket",
        "ListObjectVersions" => "ListBucketVersions",
        "HeadObject" => "GetObject",
        "DeleteObjects" => "DeleteObject",
        "GetPublicAccessBlock" => "GetBucketPublicAccessBlock",
        "PutPublicAccessBlock" | "DeletePublicAccessBlock" => "PutBucketPublicAccessBlock",
        "GetBucketEncryption" => "GetEncryptionConfiguration",
        "PutBucketEncryption" | "DeleteBucketEncryption" => "PutEncryptionConfiguration",
        "GetBucketLifecycleConfiguration" => "GetLifecycleConfiguration",
        "PutBucketLifecycleConfiguration" | "DeleteBucketLifecycle" => "PutLifecycleConfiguration",
        "DeleteBucketOwnershipControls" => "PutBucketOwnershipControls",
        "DeleteBucketTagging" => "PutBucketTagging",
        operation => operation,
    }
}

/// Refuses a call that S3 refuses whatever the operation.
pub(super) fn check(world: &World, call: &Call<'_>) -> Result<(), AwsError> {
    let bucket = world.s3.bucket(call)?;
    if bucket.region != call.region {
        return Err(elsewhere(bucket));
    }
    let owner = bucket.owner.to_string();
    if call
        .text("ExpectedBucketOwner")
        .is_some_and(|expected| expected != owner)
    {
        return Err(denied());
    }
    let own = bucket.owner == call.account();
    let allowed = match says(world, bucket, call) {
        Verdict::Deny { .. } => own && is_root(call) && is_about_policy(call),
        Verdict::Allow { .. } => own || !is_restricted(world, bucket),
        Verdict::Silent => own,
    };
    if !allowed {
        return Err(denied());
    }
    if !own && is_about_policy(call) {
        let message = "The specified method is not allowed against this resource.";
        return Err(AwsError::new("MethodNotAllowed", message).status(405));
    }
    Ok(())
}

/// What the bucket's policy says about a call.
fn says(world: &World, bucket: &Bucket, call: &Call<'_>) -> Verdict {
    let Some(policy) = &bucket.policy else {
        return Verdict::Silent;
    };
    let Some(principal) = principal(world, call) else {
        return Verdict::Silent;
    };
    let mut context = context(&principal, bucket);
    context.set("aws:PrincipalOrgID", world.organizations.organization_id());
    context.set(
        "aws:PrincipalOrgPaths",
        world.organizations.path(call.account()),
    );
    context.set("aws:RequestedRegion", call.region);
    context.set("aws:CurrentTime", call.now.to_string());
    for (key, member) in [
        ("s3:prefix", "Prefix"),
        ("s3:x-amz-acl", "ACL"),
        ("s3:x-amz-server-side-encryption", "ServerSideEncryption"),
        ("s3:VersionId", "VersionId"),
    ] {
        if let Some(value) = call.text(member) {
            context.set(key, value);
        }
    }
    let request = Request {
        principal: &principal,
        action: &format!("s3:{}", action(call.operation)),
        resource: &resource(world, call),
        context: &context,
    };
    policy.document.policy.evaluate(&request)
}

fn principal(world: &World, call: &Call<'_>) -> Option<PrincipalView> {
    let caller = call.principal;
    let view = PrincipalView::from_arn(&caller.arn)?.with_unique_id(&caller.unique_id);
    let role = caller
        .arn
        .split_once(":assumed-role/")
        .and_then(|(_, session)| session.split_once('/'));
    match role.and_then(|(name, _)| world.iam.role(caller.account, name)) {
        Some(role) => Some(view.with_role(role.arn)),
        None => Some(view),
    }
}

/// The condition keys that every request has. Transport counts as secure: loopback stands for HTTPS.
fn context(principal: &PrincipalView, bucket: &Bucket) -> Context {
    Context::of(principal)
        .with("aws:SecureTransport", "true")
        .with("aws:ResourceAccount", bucket.owner.to_string())
}

/// With `RestrictPublicBuckets` on, a public policy opens the bucket to services and its own account alone.
fn is_restricted(world: &World, bucket: &Bucket) -> bool {
    let setting = "RestrictPublicBuckets";
    let restricts = bucket.blocks(setting) || world.s3control.blocks(bucket.owner, setting);
    restricts && bucket.policy.as_ref().is_some_and(|policy| policy.public)
}

/// The root user of the owner may always repair a policy that locks everybody out.
fn is_root(call: &Call<'_>) -> bool {
    call.principal.arn.ends_with(":root")
}

/// The operations that the owner's account alone may do, whatever the policy says.
fn is_about_policy(call: &Call<'_>) -> bool {
    matches!(
        call.operation,
        "PutBucketPolicy" | "GetBucketPolicy" | "DeleteBucketPolicy"
    )
}

fn denied() -> AwsError {
    AwsError::new("AccessDenied", "Access Denied").status(403)
}

/// The answer of another Region's endpoint.
fn elsewhere(bucket: &Bucket) -> AwsError {
    let message = "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.";
    AwsError::new("PermanentRedirect", message)
        .status(301)
        .with(
            "Endpoint",
            format!("{}.s3.{}.amazonaws.com", bucket.name, bucket.region),
        )
        .with("Bucket", bucket.name.as_str())
        .with("Region", bucket.region)
}

impl State {
    /// Whether the bucket's policy lets a service principal do `action` on `resource`, with the condition keys given.
    pub fn lets_service(
        &self,
        bucket: &str,
        service_principal: &str,
        action: &str,
        resource: &str,
        context: &[(&str, &str)],
    ) -> bool {
        let Some(bucket) = self.buckets.get(bucket) else {
            return false;
        };
        let Some(policy) = &bucket.policy else {
            return false;
        };
        let principal = PrincipalView::service(service_principal);
        let mut known = self::context(&principal, bucket);
        for (key, value) in context {
            known.set(key, *value);
        }
        policy.document.policy.allows(&Request {
            principal: &principal,
            action,
            resource,
            context: &known,
        })
    }
}
