//! Roles, their documents, and the ones that belong to services.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{MEMBER, READ, TRUST, call, refused};
use crate::services::iam::tamper;
use crate::services::scene::Scene;
use crate::world::MANAGEMENT_ACCOUNT;

#[test]
fn a_role_lives_and_dies() {
    let scene = &mut Scene::new();
    let create =
        json!({"RoleName": "Auditor", "Path": "/team/", "AssumeRolePolicyDocument": TRUST});
    let role = call(scene, MEMBER, "CreateRole", create.clone()).unwrap();
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
        scene
            .world
            .iam
            .role(MEMBER, "Auditor")
            .unwrap()
            .assumable_from
            > scene.now,
        "a new role is not assumable at once"
    );
    assert_eq!(
        call(scene, MEMBER, "CreateRole", create),
        refused("EntityAlreadyExists")
    );

    let put = json!({"RoleName": "Auditor", "PolicyName": "read", "PolicyDocument": READ});
    call(scene, MEMBER, "PutRolePolicy", put).unwrap();
    let attach =
        json!({"RoleName": "Auditor", "PolicyArn": "arn:aws:iam::aws:policy/SecurityAudit"});
    call(scene, MEMBER, "AttachRolePolicy", attach.clone()).unwrap();
    assert_eq!(
        scene
            .world
            .iam
            .role(MEMBER, "Auditor")
            .unwrap()
            .policies
            .len(),
        2
    );
    let listed = call(
        scene,
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
        call(scene, MEMBER, "DeleteRole", json!({"RoleName": "Auditor"})),
        refused("DeleteConflict")
    );
    call(scene, MEMBER, "DetachRolePolicy", attach).unwrap();
    assert_eq!(
        call(scene, MEMBER, "DeleteRole", json!({"RoleName": "Auditor"})),
        refused("DeleteConflict")
    );
    call(
        scene,
        MEMBER,
        "DeleteRolePolicy",
        json!({"RoleName": "Auditor", "PolicyName": "read"}),
    )
    .unwrap();
    call(scene, MEMBER, "DeleteRole", json!({"RoleName": "Auditor"})).unwrap();
    assert_eq!(
        call(scene, MEMBER, "GetRole", json!({"RoleName": "Auditor"})),
        refused("NoSuchEntity")
    );
}

#[test]
fn accounts_do_not_see_each_other() {
    let scene = &mut Scene::new();
    call(
        scene,
        MEMBER,
        "CreateRole",
        json!({"RoleName": "Here", "AssumeRolePolicyDocument": TRUST}),
    )
    .unwrap();
    assert_eq!(
        call(
            scene,
            MANAGEMENT_ACCOUNT,
            "GetRole",
            json!({"RoleName": "Here"})
        ),
        refused("NoSuchEntity")
    );
}

#[test]
fn documents_are_checked() {
    let scene = &mut Scene::new();
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
            scene,
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
        scene,
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
            scene,
            MEMBER,
            "PutRolePolicy",
            json!({"RoleName": "R", "PolicyName": "p", "PolicyDocument": document}),
        );
        assert_eq!(answer, refused("MalformedPolicyDocument"), "{what}");
    }
}

#[test]
fn service_linked_roles_belong_to_their_service() {
    let scene = &mut Scene::new();
    let create = json!({"AWSServiceName": "config.amazonaws.com"});
    let role = call(scene, MEMBER, "CreateServiceLinkedRole", create.clone()).unwrap();
    assert_eq!(
        role["Role"]["Arn"],
        "arn:aws:iam::222222222222:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"
    );
    assert_eq!(
        call(scene, MEMBER, "CreateServiceLinkedRole", create),
        refused("InvalidInput")
    );
    assert_eq!(
        call(
            scene,
            MEMBER,
            "CreateServiceLinkedRole",
            json!({"AWSServiceName": "shop.amazonaws.com"})
        ),
        refused("InvalidInput")
    );
    let name = json!({"RoleName": "AWSServiceRoleForConfig"});
    assert_eq!(
        call(scene, MEMBER, "DeleteRole", name.clone()),
        refused("UnmodifiableEntity")
    );
    let put =
        json!({"RoleName": "AWSServiceRoleForConfig", "PolicyName": "p", "PolicyDocument": READ});
    assert_eq!(
        call(scene, MEMBER, "PutRolePolicy", put),
        refused("UnmodifiableEntity")
    );

    scene
        .world
        .iam
        .ensure_service_linked_role(MEMBER, "guardduty.amazonaws.com", scene.now);
    assert!(
        scene
            .world
            .iam
            .has_role(MEMBER, "AWSServiceRoleForAmazonGuardDuty")
    );
    let task = call(scene, MEMBER, "DeleteServiceLinkedRole", name).unwrap();
    assert_eq!(
        call(scene, MEMBER, "GetServiceLinkedRoleDeletionStatus", task).unwrap()["Status"],
        "IN_PROGRESS"
    );
    assert!(!scene.world.iam.has_role(MEMBER, "AWSServiceRoleForConfig"));
}

#[test]
fn a_service_linked_role_in_use_stays() {
    let scene = &mut Scene::new();
    let name = json!({"RoleName": "AWSServiceRoleForConfig"});
    let create = json!({"AWSServiceName": "config.amazonaws.com"});
    let role = call(scene, MEMBER, "CreateServiceLinkedRole", create).unwrap();
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Service": "config.amazonaws.com"},
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::logs", "arn:aws:s3:::logs/*"],
    }]});
    let recorder = json!({"name": "default", "roleARN": role["Role"]["Arn"]});
    for (call, input) in [
        (("s3", "CreateBucket"), json!({"Bucket": "logs"})),
        (
            ("s3", "PutBucketPolicy"),
            json!({"Bucket": "logs", "Policy": policy.to_string()}),
        ),
        (
            ("config", "PutConfigurationRecorder"),
            json!({"ConfigurationRecorder": recorder}),
        ),
        (
            ("config", "PutDeliveryChannel"),
            json!({"DeliveryChannel": {"name": "default", "s3BucketName": "logs"}}),
        ),
        (
            ("config", "StartConfigurationRecorder"),
            json!({"ConfigurationRecorderName": "default"}),
        ),
    ] {
        scene.call(call, MEMBER, "us-east-1", input).unwrap();
    }
    let task = call(scene, MEMBER, "DeleteServiceLinkedRole", name).unwrap();
    scene.after(SignedDuration::from_mins(1));
    let status = call(scene, MEMBER, "GetServiceLinkedRoleDeletionStatus", task).unwrap();
    assert_eq!(status["Status"], "FAILED");
    assert_eq!(status["Reason"]["RoleUsageList"][0]["Region"], "us-east-1");
    assert!(scene.world.iam.has_role(MEMBER, "AWSServiceRoleForConfig"));
}

#[test]
fn tampering_is_seen_by_the_next_call() {
    let scene = &mut Scene::new();
    let create = json!({"AWSServiceName": "config.amazonaws.com"});
    call(scene, MEMBER, "CreateServiceLinkedRole", create).unwrap();
    let delete = json!({"action": "delete_role", "account": "222222222222", "role": "AWSServiceRoleForConfig"});
    tamper(&mut scene.world, &delete, scene.now).unwrap();
    assert!(!scene.world.iam.has_role(MEMBER, "AWSServiceRoleForConfig"));
    assert!(
        tamper(&mut scene.world, &delete, scene.now).is_err(),
        "it is gone"
    );
    call(
        scene,
        MEMBER,
        "CreateRole",
        json!({"RoleName": "R", "AssumeRolePolicyDocument": TRUST}),
    )
    .unwrap();
    let edit = json!({"action": "edit_role_trust", "account": "222222222222", "role": "R", "policy": TRUST.replace("111111111111", "333333333333")});
    tamper(&mut scene.world, &edit, scene.now).unwrap();
    let role = call(scene, MEMBER, "GetRole", json!({"RoleName": "R"})).unwrap();
    assert!(
        role["Role"]["AssumeRolePolicyDocument"]
            .as_str()
            .unwrap()
            .contains("333333333333")
    );
}
