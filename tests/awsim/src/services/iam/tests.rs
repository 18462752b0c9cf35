//! The rules of IAM, one call after the other on a small world.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::answer;
use crate::call::{AccountId, Call, Principal};
use crate::world::{MANAGEMENT_ACCOUNT, Settings, World};

const MEMBER: AccountId = AccountId(222_222_222_222);
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}]}"#;
const READ: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}"#;

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn world() -> World {
    World::new(
        Settings {
            seed: 1,
            create_account: SignedDuration::ZERO,
            time_scale: 1,
        },
        now(),
    )
}

/// What `account` gets for a call: the answer, or the error's code.
fn call(
    world: &mut World,
    account: AccountId,
    operation: &'static str,
    input: Value,
) -> Result<Value, String> {
    let principal = Principal {
        account,
        arn: format!("arn:aws:iam::{account}:user/admin"),
        unique_id: "AIDAEXAMPLE".to_owned(),
        role: None,
        session_policy: None,
        source_identity: None,
        tags: Vec::new(),
    };
    let call = Call {
        service: "iam",
        operation,
        principal: &principal,
        region: "us-east-1",
        now: now(),
        input,
    };
    answer(world, &call).map_err(|error| error.code)
}

fn refused(code: &str) -> Result<Value, String> {
    Err(code.to_owned())
}

#[test]
fn the_world_starts_with_an_administrator_and_the_management_role() {
    let world = world();
    let admin = world.iam.access_key("AWSIMMANAGEMENT0000").unwrap();
    assert_eq!(admin.arn, "arn:aws:iam::111111111111:user/admin");
    assert_eq!(
        world.iam.user_policies(MANAGEMENT_ACCOUNT, "admin").len(),
        1
    );
    let role = world
        .iam
        .role(MANAGEMENT_ACCOUNT, "LandfallManagement")
        .unwrap();
    assert_eq!(
        (role.arn, role.policies.len()),
        ("arn:aws:iam::111111111111:role/LandfallManagement", 1)
    );
    assert!(role.assumable_from <= now());
}

#[test]
fn a_role_lives_and_dies() {
    let world = &mut world();
    let create =
        json!({"RoleName": "Auditor", "Path": "/team/", "AssumeRolePolicyDocument": TRUST});
    let role = call(world, MEMBER, "CreateRole", create.clone()).unwrap();
    assert_eq!(
        role["Role"]["Arn"],
        "arn:aws:iam::222222222222:role/team/Auditor"
    );
    assert!(
        role["Role"]["AssumeRolePolicyDocument"]
            .as_str()
            .unwrap()
            .starts_with("%7B%22Version%22%3A")
    );
    assert!(
        world.iam.role(MEMBER, "Auditor").unwrap().assumable_from > now(),
        "a new role is not assumable at once"
    );
    assert_eq!(
        call(world, MEMBER, "CreateRole", create),
        refused("EntityAlreadyExists")
    );

    let put = json!({"RoleName": "Auditor", "PolicyName": "read", "PolicyDocument": READ});
    call(world, MEMBER, "PutRolePolicy", put).unwrap();
    let attach =
        json!({"RoleName": "Auditor", "PolicyArn": "arn:aws:iam::aws:policy/SecurityAudit"});
    call(world, MEMBER, "AttachRolePolicy", attach.clone()).unwrap();
    assert_eq!(world.iam.role(MEMBER, "Auditor").unwrap().policies.len(), 2);
    let listed = call(
        world,
        MEMBER,
        "ListAttachedRolePolicies",
        json!({"RoleName": "Auditor"}),
    )
    .unwrap();
    assert_eq!(
        listed["AttachedPolicies"],
        json!([{"PolicyName": "SecurityAudit", "PolicyArn": "arn:aws:iam::aws:policy/SecurityAudit"}])
    );

    assert_eq!(
        call(world, MEMBER, "DeleteRole", json!({"RoleName": "Auditor"})),
        refused("DeleteConflict")
    );
    call(world, MEMBER, "DetachRolePolicy", attach).unwrap();
    assert_eq!(
        call(world, MEMBER, "DeleteRole", json!({"RoleName": "Auditor"})),
        refused("DeleteConflict")
    );
    call(
        world,
        MEMBER,
        "DeleteRolePolicy",
        json!({"RoleName": "Auditor", "PolicyName": "read"}),
    )
    .unwrap();
    call(world, MEMBER, "DeleteRole", json!({"RoleName": "Auditor"})).unwrap();
    assert_eq!(
        call(world, MEMBER, "GetRole", json!({"RoleName": "Auditor"})),
        refused("NoSuchEntity")
    );
}

#[test]
fn accounts_do_not_see_each_other() {
    let world = &mut world();
    call(
        world,
        MEMBER,
        "CreateRole",
        json!({"RoleName": "Here", "AssumeRolePolicyDocument": TRUST}),
    )
    .unwrap();
    assert_eq!(
        call(
            world,
            MANAGEMENT_ACCOUNT,
            "GetRole",
            json!({"RoleName": "Here"})
        ),
        refused("NoSuchEntity")
    );
}

#[test]
fn documents_are_checked() {
    let world = &mut world();
    let statement = |members: Value| {
        let mut statement = json!({"Effect": "Allow", "Action": "sts:AssumeRole"});
        statement
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    };
    let trust = [
        ("not JSON", "{".to_owned()),
        ("no principal", statement(json!({}))),
        (
            "a resource",
            statement(json!({"Principal": {"AWS": "111111111111"}, "Resource": "*"})),
        ),
        (
            "an action outside STS",
            statement(json!({"Principal": {"AWS": "111111111111"}, "Action": "s3:GetObject"})),
        ),
        (
            "a role that is not there",
            statement(json!({"Principal": {"AWS": "arn:aws:iam::111111111111:role/Nobody"}})),
        ),
        (
            "a service that is none",
            statement(json!({"Principal": {"Service": "config"}})),
        ),
    ];
    for (what, document) in trust {
        let answer = call(
            world,
            MEMBER,
            "CreateRole",
            json!({"RoleName": "R", "AssumeRolePolicyDocument": document}),
        );
        assert_eq!(answer, refused("MalformedPolicyDocument"), "{what}");
    }
    let there = statement(
        json!({"Principal": {"AWS": "arn:aws:iam::111111111111:role/LandfallManagement"}}),
    );
    call(
        world,
        MEMBER,
        "CreateRole",
        json!({"RoleName": "R", "AssumeRolePolicyDocument": there}),
    )
    .unwrap();
    let identity = [
        (
            "a principal",
            statement(json!({"Principal": "*", "Resource": "*"})),
        ),
        ("no resource", statement(json!({}))),
    ];
    for (what, document) in identity {
        let answer = call(
            world,
            MEMBER,
            "PutRolePolicy",
            json!({"RoleName": "R", "PolicyName": "p", "PolicyDocument": document}),
        );
        assert_eq!(answer, refused("MalformedPolicyDocument"), "{what}");
    }
}

#[test]
fn service_linked_roles_belong_to_their_service() {
    let world = &mut world();
    let create = json!({"AWSServiceName": "config.amazonaws.com"});
    let role = call(world, MEMBER, "CreateServiceLinkedRole", create.clone()).unwrap();
    assert_eq!(
        role["Role"]["Arn"],
        "arn:aws:iam::222222222222:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"
    );
    assert_eq!(
        call(world, MEMBER, "CreateServiceLinkedRole", create),
        refused("InvalidInput")
    );
    assert_eq!(
        call(
            world,
            MEMBER,
            "CreateServiceLinkedRole",
            json!({"AWSServiceName": "shop.amazonaws.com"})
        ),
        refused("InvalidInput")
    );
    let name = json!({"RoleName": "AWSServiceRoleForConfig"});
    assert_eq!(
        call(world, MEMBER, "DeleteRole", name.clone()),
        refused("UnmodifiableEntity")
    );
    let put =
        json!({"RoleName": "AWSServiceRoleForConfig", "PolicyName": "p", "PolicyDocument": READ});
    assert_eq!(
        call(world, MEMBER, "PutRolePolicy", put),
        refused("UnmodifiableEntity")
    );

    world
        .iam
        .ensure_service_linked_role(MEMBER, "guardduty.amazonaws.com", now());
    assert!(
        world
            .iam
            .has_role(MEMBER, "AWSServiceRoleForAmazonGuardDuty")
    );
    let task = call(world, MEMBER, "DeleteServiceLinkedRole", name).unwrap();
    assert_eq!(
        call(world, MEMBER, "GetServiceLinkedRoleDeletionStatus", task).unwrap()["Status"],
        "IN_PROGRESS"
    );
    assert!(!world.iam.has_role(MEMBER, "AWSServiceRoleForConfig"));
}

#[test]
fn a_managed_policy_has_at_most_five_versions() {
    let world = &mut world();
    let policy = call(
        world,
        MEMBER,
        "CreatePolicy",
        json!({"PolicyName": "Read", "PolicyDocument": READ}),
    )
    .unwrap();
    let arn = policy["Policy"]["Arn"].as_str().unwrap().to_owned();
    let version = json!({"PolicyArn": arn, "PolicyDocument": READ, "SetAsDefault": true});
    for number in 2..=5 {
        let created = call(world, MEMBER, "CreatePolicyVersion", version.clone()).unwrap();
        assert_eq!(created["PolicyVersion"]["VersionId"], format!("v{number}"));
    }
    assert_eq!(
        call(world, MEMBER, "CreatePolicyVersion", version.clone()),
        refused("LimitExceeded")
    );
    assert_eq!(
        call(
            world,
            MEMBER,
            "DeletePolicyVersion",
            json!({"PolicyArn": arn, "VersionId": "v5"})
        ),
        refused("DeleteConflict")
    );
    call(
        world,
        MEMBER,
        "DeletePolicyVersion",
        json!({"PolicyArn": arn, "VersionId": "v1"}),
    )
    .unwrap();
    assert_eq!(
        call(world, MEMBER, "CreatePolicyVersion", version).unwrap()["PolicyVersion"]["VersionId"],
        "v6"
    );
    assert_eq!(
        call(world, MEMBER, "DeletePolicy", json!({"PolicyArn": arn})),
        refused("DeleteConflict")
    );
}

#[test]
fn the_password_policy_is_replaced_as_a_whole() {
    let world = &mut world();
    assert_eq!(
        call(world, MEMBER, "GetAccountPasswordPolicy", json!({})),
        refused("NoSuchEntity")
    );
    call(
        world,
        MEMBER,
        "UpdateAccountPasswordPolicy",
        json!({"MinimumPasswordLength": 14, "MaxPasswordAge": 90}),
    )
    .unwrap();
    call(
        world,
        MEMBER,
        "UpdateAccountPasswordPolicy",
        json!({"RequireSymbols": true}),
    )
    .unwrap();
    let policy = call(world, MEMBER, "GetAccountPasswordPolicy", json!({})).unwrap();
    assert_eq!(policy["PasswordPolicy"]["MinimumPasswordLength"], 6);
    assert_eq!(policy["PasswordPolicy"]["RequireSymbols"], true);
    assert_eq!(policy["PasswordPolicy"]["ExpirePasswords"], false);
    assert_eq!(policy["PasswordPolicy"].get("MaxPasswordAge"), None);
    call(world, MEMBER, "DeleteAccountPasswordPolicy", json!({})).unwrap();
    assert_eq!(
        call(world, MEMBER, "DeleteAccountPasswordPolicy", json!({})),
        refused("NoSuchEntity")
    );
}

#[test]
fn the_authorization_details_page_through_everything_once() {
    let world = &mut world();
    for name in ["A", "B", "C"] {
        call(
            world,
            MEMBER,
            "CreateRole",
            json!({"RoleName": name, "AssumeRolePolicyDocument": TRUST}),
        )
        .unwrap();
    }
    call(world, MEMBER, "CreateUser", json!({"UserName": "u"})).unwrap();
    call(
        world,
        MEMBER,
        "CreatePolicy",
        json!({"PolicyName": "P", "PolicyDocument": READ}),
    )
    .unwrap();
    let attach = json!({"RoleName": "A", "PolicyArn": "arn:aws:iam::aws:policy/SecurityAudit"});
    call(world, MEMBER, "AttachRolePolicy", attach).unwrap();
    let mut input = json!({"MaxItems": 2});
    let mut seen = Vec::new();
    loop {
        let page = call(
            world,
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
        world,
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
    let world = &mut world();
    call(
        world,
        MEMBER,
        "CreateUser",
        json!({"UserName": "u", "Path": "/ci/"}),
    )
    .unwrap();
    let user = json!({"UserName": "u"});
    let key = call(world, MEMBER, "CreateAccessKey", user.clone()).unwrap();
    let id = key["AccessKey"]["AccessKeyId"].as_str().unwrap().to_owned();
    assert_eq!(
        world.iam.access_key(&id).unwrap().arn,
        "arn:aws:iam::222222222222:user/ci/u"
    );
    call(world, MEMBER, "CreateAccessKey", user.clone()).unwrap();
    assert_eq!(
        call(world, MEMBER, "CreateAccessKey", user.clone()),
        refused("LimitExceeded")
    );
    assert_eq!(
        call(world, MEMBER, "DeleteUser", user),
        refused("DeleteConflict")
    );
    call(
        world,
        MEMBER,
        "DeleteAccessKey",
        json!({"UserName": "u", "AccessKeyId": id}),
    )
    .unwrap();
    assert!(world.iam.access_key(&id).is_none());
}

#[test]
fn tampering_is_seen_by_the_next_call() {
    let world = &mut world();
    let create = json!({"AWSServiceName": "config.amazonaws.com"});
    call(world, MEMBER, "CreateServiceLinkedRole", create).unwrap();
    let delete = json!({"action": "delete_role", "account": "222222222222", "role": "AWSServiceRoleForConfig"});
    super::tamper(world, &delete, now()).unwrap();
    assert!(!world.iam.has_role(MEMBER, "AWSServiceRoleForConfig"));
    assert!(super::tamper(world, &delete, now()).is_err(), "it is gone");
    call(
        world,
        MEMBER,
        "CreateRole",
        json!({"RoleName": "R", "AssumeRolePolicyDocument": TRUST}),
    )
    .unwrap();
    let edit = json!({"action": "edit_role_trust", "account": "222222222222", "role": "R", "policy": TRUST.replace("111111111111", "333333333333")});
    super::tamper(world, &edit, now()).unwrap();
    let role = call(world, MEMBER, "GetRole", json!({"RoleName": "R"})).unwrap();
    assert!(
        role["Role"]["AssumeRolePolicyDocument"]
            .as_str()
            .unwrap()
            .contains("333333333333")
    );
}
