//! Security Hub as its callers see it.

use serde_json::{Value, json};

use crate::call::{AccountId, Answer};
use crate::services::scene::Scene;
use crate::world::MANAGEMENT_ACCOUNT;

mod findings;
mod hub;
mod members;

const HERE: &str = "eu-west-1";
const FSBP: &str =
    "arn:aws:securityhub:eu-west-1::standards/aws-foundational-security-best-practices/v/1.0.0";

fn ask(scene: &mut Scene, operation: &'static str, account: AccountId, input: Value) -> Answer {
    scene.call(("securityhub", operation), account, HERE, input)
}

/// An account with its hub on and no standards.
fn subscribed(scene: &mut Scene, name: &str) -> AccountId {
    let account = scene.account(name);
    let input = json!({ "EnableDefaultStandards": false });
    ask(scene, "EnableSecurityHub", account, input).unwrap();
    account
}

/// Standards that are on, by the end of their ARN, with their status.
fn standards(scene: &mut Scene, account: AccountId) -> Vec<(String, String)> {
    let answer = ask(scene, "GetEnabledStandards", account, json!({})).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entry = |entry: &Value| {
        let arn = text(&entry["StandardsArn"]);
        (
            arn.split_once('/').unwrap().1.to_owned(),
            text(&entry["StandardsStatus"]),
        )
    };
    answer["StandardsSubscriptions"]
        .as_array()
        .unwrap()
        .iter()
        .map(entry)
        .collect()
}

fn refusal(answer: Answer) -> (String, u16) {
    let error = answer.unwrap_err();
    (error.code, error.status)
}

/// An organization whose delegated administrator is the answer.
fn delegated(scene: &mut Scene) -> AccountId {
    let admin = scene.account("security");
    let input = json!({ "AdminAccountId": admin.to_string() });
    ask(
        scene,
        "EnableOrganizationAdminAccount",
        MANAGEMENT_ACCOUNT,
        input,
    )
    .unwrap();
    admin
}

fn create_members(scene: &mut Scene, admin: AccountId, members: &[AccountId]) -> Value {
    let details: Vec<Value> = members
        .iter()
        .map(|account| json!({ "AccountId": account.to_string(), "Email": "x@example.com" }))
        .collect();
    ask(
        scene,
        "CreateMembers",
        admin,
        json!({ "AccountDetails": details }),
    )
    .unwrap()["UnprocessedAccounts"]
        .clone()
}

fn status(scene: &mut Scene, admin: AccountId, member: AccountId) -> String {
    let answer = ask(
        scene,
        "GetMembers",
        admin,
        json!({ "AccountIds": [member.to_string()] }),
    )
    .unwrap();
    answer["Members"][0]["MemberStatus"]
        .as_str()
        .unwrap_or("no member")
        .to_owned()
}
