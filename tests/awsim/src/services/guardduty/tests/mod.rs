//! GuardDuty as its callers see it; each file has the tests of the module of its name.

use serde_json::{Value, json};

use crate::call::{AccountId, Answer};
use crate::services::scene::Scene;
use crate::world::MANAGEMENT_ACCOUNT;

mod detectors;
mod invitations;
mod organization;

const ALONE: AccountId = AccountId(222_222_222_222);
const HERE: &str = "eu-west-1";

fn ask(scene: &mut Scene, operation: &'static str, account: AccountId, input: Value) -> Answer {
    scene.call(("guardduty", operation), account, HERE, input)
}

fn detector(scene: &mut Scene, account: AccountId) -> String {
    let answer = ask(scene, "CreateDetector", account, json!({ "Enable": true })).unwrap();
    answer["DetectorId"].as_str().unwrap().to_owned()
}

fn feature<'a>(answer: &'a Value, name: &str) -> &'a Value {
    answer["Features"]
        .as_array()
        .unwrap()
        .iter()
        .find(|feature| feature["Name"] == name)
        .unwrap()
}

/// An organization whose delegated administrator is `.0`, with its detector `.1`.
fn delegated(scene: &mut Scene) -> (AccountId, String) {
    let admin = scene.account("security");
    let input = json!({ "AdminAccountId": admin.to_string() });
    ask(
        scene,
        "EnableOrganizationAdminAccount",
        MANAGEMENT_ACCOUNT,
        input,
    )
    .unwrap();
    let detectors = ask(scene, "ListDetectors", admin, json!({})).unwrap();
    (
        admin,
        detectors["DetectorIds"][0].as_str().unwrap().to_owned(),
    )
}

fn create_members(
    scene: &mut Scene,
    admin: &(AccountId, String),
    members: &[(AccountId, &str)],
) -> Value {
    let details: Vec<Value> = members
        .iter()
        .map(|(account, email)| json!({ "AccountId": account.to_string(), "Email": email }))
        .collect();
    let input = json!({ "DetectorId": admin.1, "AccountDetails": details });
    ask(scene, "CreateMembers", admin.0, input).unwrap()["UnprocessedAccounts"].clone()
}

/// A batch call over `AccountIds`, and what it left out.
fn batch(
    scene: &mut Scene,
    operation: &'static str,
    admin: &(AccountId, String),
    accounts: &[AccountId],
) -> Value {
    let ids: Vec<String> = accounts.iter().map(AccountId::to_string).collect();
    let input = json!({ "DetectorId": admin.1, "AccountIds": ids });
    ask(scene, operation, admin.0, input).unwrap()
}

/// How the administrator's list shows a member.
fn status(scene: &mut Scene, admin: &(AccountId, String), member: AccountId) -> String {
    let answer = batch(scene, "GetMembers", admin, &[member]);
    let status = &answer["Members"][0]["RelationshipStatus"];
    status.as_str().unwrap_or("no member").to_owned()
}

fn own_detector(scene: &mut Scene, account: AccountId) -> Option<String> {
    let answer = ask(scene, "ListDetectors", account, json!({})).unwrap();
    answer["DetectorIds"][0].as_str().map(str::to_owned)
}

/// An administrator by invitation and an account that it wants, both with detectors.
fn strangers(scene: &mut Scene) -> ((AccountId, String), (AccountId, String)) {
    let (admin, member) = (scene.account("security"), scene.account("member"));
    let (admins, members) = (detector(scene, admin), detector(scene, member));
    ((admin, admins), (member, members))
}

fn invitations(scene: &mut Scene, account: AccountId) -> Vec<Value> {
    let answer = ask(scene, "ListInvitations", account, json!({})).unwrap();
    answer["Invitations"].as_array().unwrap().clone()
}
