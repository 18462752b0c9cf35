//! S3 Control, of which there is the public access block of a whole account. It holds in every Region, and over what the
//! account's buckets say of themselves.
//!
//! S3 Control signs as S3 does and its actions are S3's. Clients put the account in front of the host's name and into a
//! header; the header is what tells its requests from S3's.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::s3::public_access_block;
use crate::call::{AccountId, Answer, AwsError, Call};
use crate::world::World;

/// The four settings of each account that has any.
#[derive(Default)]
pub struct State {
    public_access_blocks: BTreeMap<AccountId, Value>,
}

/// The action that an operation needs (*Actions, resources, and condition keys for Amazon S3* in the service
/// authorization reference).
pub fn action(operation: &str) -> &str {
    match operation {
        "GetPublicAccessBlock" => "GetAccountPublicAccessBlock",
        "PutPublicAccessBlock" | "DeletePublicAccessBlock" => "PutAccountPublicAccessBlock",
        operation => operation,
    }
}

pub fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    let account = call.account();
    // The account in the request is the caller's own: there is no other way in than a role there.
    if call.required("AccountId") != account.to_string() {
        return Err(AwsError::new("AccessDenied", "Access Denied").status(403));
    }
    let blocks = &mut world.s3control.public_access_blocks;
    match call.operation {
        "GetPublicAccessBlock" => match blocks.get(&account) {
            Some(block) => Ok(json!({ "PublicAccessBlockConfiguration": block })),
            None => Err(AwsError::new(
                "NoSuchPublicAccessBlockConfiguration",
                "The public access block configuration was not found",
            )
            .status(404)),
        },
        "PutPublicAccessBlock" => {
            let given = call.input.get("PublicAccessBlockConfiguration");
            blocks.insert(account, public_access_block(given, false));
            Ok(json!({}))
        }
        "DeletePublicAccessBlock" => {
            blocks.remove(&account);
            Ok(json!({}))
        }
        _ => Err(AwsError::not_built()),
    }
}

/// Disturbs an account as `request` says: `remove_public_access_block`, or `set_public_access_block` with `setting` and
/// `on`.
///
/// # Errors
///
/// A sentence about what the request lacks.
pub fn tamper(world: &mut World, request: &Value) -> Result<Value, String> {
    let text = |member: &str| {
        request
            .get(member)
            .and_then(Value::as_str)
            .ok_or_else(|| format!("`{member}` is missing"))
    };
    let account: AccountId = text("account")?
        .parse()
        .map_err(|()| "`account` is to be twelve digits")?;
    let blocks = &mut world.s3control.public_access_blocks;
    match text("action")? {
        "remove_public_access_block" => {
            blocks.remove(&account);
        }
        "set_public_access_block" => {
            let block = blocks
                .entry(account)
                .or_insert_with(|| public_access_block(None, false));
            let setting = block
                .get_mut(text("setting")?)
                .ok_or("`setting` is none of the four")?;
            *setting = request.get("on").cloned().ok_or("`on` is missing")?;
        }
        other => return Err(format!("s3control does not know the action `{other}`")),
    }
    Ok(json!({}))
}

impl State {
    /// Whether a setting is on for all of an account.
    pub fn blocks(&self, account: AccountId, setting: &str) -> bool {
        self.public_access_blocks
            .get(&account)
            .is_some_and(|block| block[setting] == true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::scene::Scene;

    #[test]
    fn an_account_s_block_is_its_own_and_holds_over_its_buckets() {
        let mut scene = Scene::new();
        let [one, other] = ["one", "other"].map(|name| scene.account(name));
        let mut call = |account, service, operation, input: Value| {
            let answer = scene.call((service, operation), account, "us-east-1", input);
            answer.map_err(|error| error.code)
        };
        let of = |account: AccountId| json!({ "AccountId": account.to_string() });
        let get = |call: &mut dyn FnMut(
            AccountId,
            &'static str,
            &'static str,
            Value,
        ) -> Result<Value, String>,
                   account| {
            call(account, "s3control", "GetPublicAccessBlock", of(account))
        };
        let none = Err("NoSuchPublicAccessBlockConfiguration".to_owned());
        assert_eq!(get(&mut call, one), none);
        let mut input = of(one);
        input["PublicAccessBlockConfiguration"] = json!({ "BlockPublicPolicy": true });
        call(one, "s3control", "PutPublicAccessBlock", input.clone()).unwrap();
        assert_eq!(
            get(&mut call, one).unwrap()["PublicAccessBlockConfiguration"],
            json!({ "BlockPublicAcls": false, "IgnorePublicAcls": false, "BlockPublicPolicy": true, "RestrictPublicBuckets": false })
        );
        assert_eq!(get(&mut call, other), none, "another account has its own");
        assert_eq!(
            call(other, "s3control", "PutPublicAccessBlock", input),
            Err("AccessDenied".to_owned())
        );

        let bucket = json!({ "Bucket": "open" });
        call(one, "s3", "CreateBucket", bucket.clone()).unwrap();
        call(one, "s3", "DeletePublicAccessBlock", bucket).unwrap();
        let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::open/*"}]}"#;
        let put = json!({ "Bucket": "open", "Policy": policy });
        assert_eq!(
            call(one, "s3", "PutBucketPolicy", put.clone()),
            Err("AccessDenied".to_owned())
        );
        call(one, "s3control", "DeletePublicAccessBlock", of(one)).unwrap();
        assert_eq!(get(&mut call, one), none);
        call(one, "s3", "PutBucketPolicy", put).unwrap();
    }
}
