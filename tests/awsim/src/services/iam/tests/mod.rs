//! The rules of IAM, one call after the other on a small world.

mod account;
mod roles;

use serde_json::Value;

use crate::call::AccountId;
use crate::services::scene::Scene;

pub(super) const MEMBER: AccountId = AccountId(222_222_222_222);
pub(super) const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}]}"#;
pub(super) const READ: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}"#;

/// What `account` gets for a call: the answer, or the error's code.
pub(super) fn call(
    scene: &mut Scene,
    account: AccountId,
    operation: &'static str,
    input: Value,
) -> Result<Value, String> {
    let answer = scene.call(("iam", operation), account, "us-east-1", input);
    answer.map_err(|error| error.code)
}

pub(super) fn refused(code: &str) -> Result<Value, String> {
    Err(code.to_owned())
}
