//! What an account has besides roles: users and keys, managed policies, the password policy, the whole in one call.

use serde_json::json;

use super::{MEMBER, READ, TRUST, call, refused};
use crate::services::scene::Scene;
use crate::world::MANAGEMENT_ACCOUNT;

#[test]
fn the_world_starts_with_an_administrator_and_the_management_role() {
    let scene = Scene::new();
    let admin = scene.world.iam.access_key("AWSIMMANAGEMENT0000").unwrap();
    assert_eq!(admin.arn, "arn:aws:iam::111111111111:user/admin");
    assert_eq!(
        scene
            .world
            .iam
            .user_policies(MANAGEMENT_ACCOUNT, "admin")
            .len(),
        1
    );
    let role = scene
        .world
        .iam
        .role(MANAGEMENT_ACCOUNT, "LandfallManagement")
        .unwrap();
    assert_eq!(
        (role.arn, role.policies.len()),
        ("arn:aws:iam::111111111111:role/LandfallManagement", 1)
    );
    assert!(role.assumable_from <= scene.now);
}

#[test]
fn a_managed_policy_has_at_most_five_versions() {
    let scene = &mut Scene::new();
    let policy = call(
        scene,
        MEMBER,
        "CreatePolicy",
        json!({"PolicyName": "Read", "PolicyDocument": READ}),
    )
    .unwrap();
    let arn = policy["Policy"]["Arn"].as_str().unwrap().to_owned();
    let version = json!({"PolicyArn": arn, "PolicyDocument": READ, "SetAsDefault": true});
    for number in 2..=5 {
        let created = call(scene, MEMBER, "CreatePolicyVersion", version.clone()).unwrap();
        assert_eq!(created["PolicyVersion"]["VersionId"], format!("v{number}"));
    }
    assert_eq!(
        call(scene, MEMBER, "CreatePolicyVersion", version.clone()),
        refused("LimitExceeded")
    );
    assert_eq!(
        call(
            scene,
            MEMBER,
            "DeletePolicyVersion",
            json!({"PolicyArn": arn, "VersionId": "v5"})
        ),
        refused("DeleteConflict")
    );
    call(
        scene,
        MEMBER,
        "DeletePolicyVersion",
        json!({"PolicyArn": arn, "VersionId": "v1"}),
    )
    .unwrap();
    assert_eq!(
        call(scene, MEMBER, "CreatePolicyVersion", version).unwrap()["PolicyVersion"]["VersionId"],
        "v6"
    );
    assert_eq!(
        call(scene, MEMBER, "DeletePolicy", json!({"PolicyArn": arn})),
        refused("DeleteConflict")
    );
}

#[test]
fn the_password_policy_is_replaced_as_a_whole() {
    let scene = &mut Scene::new();
    assert_eq!(
        call(scene, MEMBER, "GetAccountPasswordPolicy", json!({})),
        refused("NoSuchEntity")
    );
    call(
        scene,
        MEMBER,
        "UpdateAccountPasswordPolicy",
        json!({"MinimumPasswordLength": 14, "MaxPasswordAge": 90}),
    )
    .unwrap();
    call(
        scene,
        MEMBER,
        "UpdateAccountPasswordPolicy",
        json!({"RequireSymbols": true}),
    )
    .unwrap();
    let policy = call(scene, MEMBER, "GetAccountPasswordPolicy", json!({})).unwrap();
    assert_eq!(policy["PasswordPolicy"]["MinimumPasswordLength"], 6);
    assert_eq!(policy["PasswordPolicy"]["RequireSymbols"], true);
    assert_eq!(policy["PasswordPolicy"]["ExpirePasswords"], false);
    assert_eq!(policy["PasswordPolicy"].get("MaxPasswordAge"), None);
    call(scene, MEMBER, "DeleteAccountPasswordPolicy", json!({})).unwrap();
    assert_eq!(
        call(scene, MEMBER, "DeleteAccountPasswordPolicy", json!({})),
        refused("NoSuchEntity")
    );
}

#[test]
fn the_authorization_details_page_through_everything_once() {
    let scene = &mut Scene::new();
    for name in ["A", "B", "C"] {
        call(
            scene,
            MEMBER,
            "CreateRole",
            json!({"RoleName": name, "AssumeRolePolicyDocument": TRUST}),
        )
        .unwrap();
    }
    call(scene, MEMBER, "CreateUser", json!({"UserName": "u"})).unwrap();
    call(
        scene,
        MEMBER,
        "CreatePolicy",
        json!({"PolicyName": "P", "PolicyDocument": READ}),
    )
    .unwrap();
    let attach = json!({"RoleName": "A", "PolicyArn": "arn:aws:iam::aws:policy/SecurityAudit"});
    call(scene, MEMBER, "AttachRolePolicy", attach).unwrap();
    let mut input = json!({"MaxItems": 2});
    let mut seen = Vec::new();
    loop {
        let page = call(
            scene,
            MEMBER,
            "GetAccountAuthorizationDetails",
            input.clone(),
        )
        .unwrap();
        for (list, name) in [
            ("UserDetailList", "UserName"),
            ("RoleDetailList", "RoleName"),
            ("Policies", "PolicyName"),
        ] {
            seen.extend(
                page[list]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|item| item[name].as_str().unwrap().to_owned()),
            );
        }
        assert_eq!(page["IsTruncated"], json!(page.get("Marker").is_some()));
        let Some(marker) = page.get("Marker") else {
            break;
        };
        input["Marker"] = marker.clone();
    }
    assert_eq!(seen, ["u", "A", "B", "C", "P", "SecurityAudit"]);
    let users = call(
        scene,
        MEMBER,
        "GetAccountAuthorizationDetails",
        json!({"Filter": ["User"]}),
    )
    .unwrap();
    assert_eq!(
        (
            users["UserDetailList"].as_array().unwrap().len(),
            users["RoleDetailList"].as_array().unwrap().len()
        ),
        (1, 0)
    );
}

#[test]
fn access_keys_come_and_go() {
    let scene = &mut Scene::new();
    call(
        scene,
        MEMBER,
        "CreateUser",
        json!({"UserName": "u", "Path": "/ci/"}),
    )
    .unwrap();
    let user = json!({"UserName": "u"});
    let key = call(scene, MEMBER, "CreateAccessKey", user.clone()).unwrap();
    let id = key["AccessKey"]["AccessKeyId"].as_str().unwrap().to_owned();
    assert_eq!(
        scene.world.iam.access_key(&id).unwrap().arn,
        "arn:aws:iam::222222222222:user/ci/u"
    );
    call(scene, MEMBER, "CreateAccessKey", user.clone()).unwrap();
    assert_eq!(
        call(scene, MEMBER, "CreateAccessKey", user.clone()),
        refused("LimitExceeded")
    );
    assert_eq!(
        call(scene, MEMBER, "DeleteUser", user),
        refused("DeleteConflict")
    );
    call(
        scene,
        MEMBER,
        "DeleteAccessKey",
        json!({"UserName": "u", "AccessKeyId": id}),
    )
    .unwrap();
    assert!(scene.world.iam.access_key(&id).is_none());
}
