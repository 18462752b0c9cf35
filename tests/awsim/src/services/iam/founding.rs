//! Who is there before anyone calls.

use jiff::Timestamp;
use serde_json::json;

use super::document::Document;
use super::roles::Role;
use super::users::{AccessKey, User};
use crate::world::{MANAGEMENT_ACCOUNT, World};

/// The administrator's access key. Its secret is anything: awsim does not check signatures' keys.
const ADMINISTRATOR_KEY: &str = "AWSIMMANAGEMENT0000";

/// The role's permissions as an operator installs them.
const LANDFALL_MANAGEMENT: &str =
    include_str!("../../../../../deploy/roles/landfall-management.json");

/// Users and roles that are there before anyone calls: the administrator of the management account, and the role
/// that the operator installs from `deploy/roles` before Landfall's first start.
pub fn found(world: &mut World, now: Timestamp) {
    let state = &mut world.iam;

    let mut admin = User::new(
        MANAGEMENT_ACCOUNT,
        "/",
        "admin",
        state.unique_id("AIDA", 17),
        now,
    );
    admin
        .grants
        .attached
        .insert("arn:aws:iam::aws:policy/AdministratorAccess".to_owned());
    let key = AccessKey {
        account: MANAGEMENT_ACCOUNT,
        user: admin.name.clone(),
        created: now,
    };
    state.access_keys.insert(ADMINISTRATOR_KEY.to_owned(), key);

    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"AWS": format!("arn:aws:iam::{MANAGEMENT_ACCOUNT}:root")},
        "Action": ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"],
    }]});
    let trust = Document::trust(&trust.to_string(), |_| true)
        .expect("the statement above is a trust policy");
    let mut role = Role::new(
        MANAGEMENT_ACCOUNT,
        "/",
        "LandfallManagement",
        state.unique_id("AROA", 17),
        trust,
        now,
    );
    let permissions =
        Document::identity(LANDFALL_MANAGEMENT).expect("deploy/roles holds valid policies");
    role.grants
        .inline
        .insert("LandfallManagement".to_owned(), permissions);

    let account = state.account(MANAGEMENT_ACCOUNT);
    account.users.insert(admin.name.clone(), admin);
    account.roles.insert(role.name.clone(), role);
    state.ensure_service_linked_role(MANAGEMENT_ACCOUNT, "organizations.amazonaws.com", now);
}
