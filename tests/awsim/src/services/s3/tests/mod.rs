//! The rules of S3, one call after the other on a small world.

mod buckets;
mod objects;
mod policies;

use serde_json::{Value, json};

use crate::call::AccountId;
use crate::services::scene::Scene;
use crate::world::MANAGEMENT_ACCOUNT;

pub(super) const OTHER: AccountId = AccountId(222_222_222_222);

/// What `account` gets for a call in eu-central-1: the answer, or the error's code.
pub(super) fn call(
    scene: &mut Scene,
    account: AccountId,
    operation: &'static str,
    input: Value,
) -> Result<Value, String> {
    scene
        .call(("s3", operation), account, "eu-central-1", input)
        .map_err(|error| error.code)
}

pub(super) fn refused(code: &str) -> Result<Value, String> {
    Err(code.to_owned())
}

/// A scene with the bucket `logs` of the management account in eu-central-1.
pub(super) fn scene() -> Scene {
    let mut scene = Scene::new();
    let create = json!({"Bucket": "logs", "CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}});
    call(&mut scene, MANAGEMENT_ACCOUNT, "CreateBucket", create).unwrap();
    scene
}

pub(super) fn policy(statements: &Value) -> Value {
    json!({"Bucket": "logs", "Policy": json!({"Version": "2012-10-17", "Statement": statements}).to_string()})
}
