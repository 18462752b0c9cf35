//! Bucket policies: what they may say, and whom they let in.

use serde_json::{Value, json};

use super::{OTHER, call, policy, refused, scene};
use crate::services::s3::tamper;
use crate::services::scene::Scene;
use crate::world::MANAGEMENT_ACCOUNT;

#[test]
fn a_bucket_policy_speaks_of_its_bucket() {
    let mut scene = scene();
    let service = json!({"Service": "cloudtrail.amazonaws.com"});
    let cases = [
        (
            "another bucket",
            json!([{"Effect": "Allow", "Principal": service, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::other/*"}]),
        ),
        (
            "a bucket whose name goes on",
            json!([{"Effect": "Allow", "Principal": service, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::logs-2/*"}]),
        ),
        (
            "no principal",
            json!([{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::logs/*"}]),
        ),
        (
            "no resource",
            json!([{"Effect": "Allow", "Principal": service, "Action": "s3:PutObject"}]),
        ),
        (
            "another service's action",
            json!([{"Effect": "Allow", "Principal": service, "Action": "ec2:RunInstances", "Resource": "arn:aws:s3:::logs"}]),
        ),
        (
            "a role that is not there",
            json!([{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:role/Nobody"}, "Action": "s3:*", "Resource": "arn:aws:s3:::logs"}]),
        ),
    ];
    for (what, statements) in cases {
        assert_eq!(
            call(
                &mut scene,
                MANAGEMENT_ACCOUNT,
                "PutBucketPolicy",
                policy(&statements)
            ),
            refused("MalformedPolicy"),
            "{what}"
        );
    }
    let good = policy(
        &json!([{"Effect": "Allow", "Principal": service, "Action": "s3:GetBucketAcl", "Resource": "arn:aws:s3:::logs"}]),
    );
    call(
        &mut scene,
        MANAGEMENT_ACCOUNT,
        "PutBucketPolicy",
        good.clone(),
    )
    .unwrap();
    let read = call(
        &mut scene,
        MANAGEMENT_ACCOUNT,
        "GetBucketPolicy",
        json!({"Bucket": "logs"}),
    )
    .unwrap();
    assert_eq!(
        read["Policy"], good["Policy"],
        "the text comes back as it was"
    );
}

#[test]
fn a_public_policy_is_blocked_while_the_block_is_on() {
    let mut scene = scene();
    let open = |condition: Value| {
        let mut statement = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::logs/*"});
        if !condition.is_null() {
            statement["Condition"] = condition;
        }
        policy(&json!([statement]))
    };
    let organization = json!({"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}});
    call(
        &mut scene,
        MANAGEMENT_ACCOUNT,
        "PutBucketPolicy",
        open(organization),
    )
    .unwrap();
    let status = |scene: &mut Scene| {
        call(
            scene,
            MANAGEMENT_ACCOUNT,
            "GetBucketPolicyStatus",
            json!({"Bucket": "logs"}),
        )
        .unwrap()
    };
    assert_eq!(status(&mut scene)["PolicyStatus"]["IsPublic"], false);
    let anybody = json!({"StringLike": {"aws:PrincipalOrgID": "*"}});
    for condition in [
        Value::Null,
        anybody,
        json!({"Bool": {"aws:SecureTransport": "true"}}),
    ] {
        assert_eq!(
            call(
                &mut scene,
                MANAGEMENT_ACCOUNT,
                "PutBucketPolicy",
                open(condition)
            ),
            refused("AccessDenied")
        );
    }
    call(
        &mut scene,
        MANAGEMENT_ACCOUNT,
        "DeletePublicAccessBlock",
        json!({"Bucket": "logs"}),
    )
    .unwrap();
    call(
        &mut scene,
        MANAGEMENT_ACCOUNT,
        "PutBucketPolicy",
        open(Value::Null),
    )
    .unwrap();
    assert_eq!(status(&mut scene)["PolicyStatus"]["IsPublic"], true);
}

#[test]
fn another_account_needs_the_bucket_policy() {
    let mut scene = scene();
    let list = json!({"Bucket": "logs"});
    assert_eq!(
        call(&mut scene, OTHER, "ListObjectsV2", list.clone()),
        refused("AccessDenied")
    );
    let open = json!([{"Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Action": ["s3:ListBucket", "s3:*Policy"], "Resource": "arn:aws:s3:::logs"}]);
    call(
        &mut scene,
        MANAGEMENT_ACCOUNT,
        "PutBucketPolicy",
        policy(&open),
    )
    .unwrap();
    call(&mut scene, OTHER, "ListObjectsV2", list.clone()).unwrap();
    assert_eq!(
        call(&mut scene, OTHER, "GetBucketVersioning", list.clone()),
        refused("AccessDenied")
    );
    assert_eq!(
        call(&mut scene, OTHER, "GetBucketPolicy", list.clone()),
        refused("MethodNotAllowed")
    );
    let shut = json!([{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::logs", "arn:aws:s3:::logs/*"]}]);
    call(
        &mut scene,
        MANAGEMENT_ACCOUNT,
        "PutBucketPolicy",
        policy(&shut),
    )
    .unwrap();
    assert_eq!(
        call(
            &mut scene,
            MANAGEMENT_ACCOUNT,
            "ListObjectsV2",
            list.clone()
        ),
        refused("AccessDenied")
    );
    // The scene calls as root, who can always repair the policy.
    call(
        &mut scene,
        MANAGEMENT_ACCOUNT,
        "DeleteBucketPolicy",
        list.clone(),
    )
    .unwrap();
    call(&mut scene, MANAGEMENT_ACCOUNT, "ListObjectsV2", list).unwrap();
}

#[test]
fn a_service_delivers_as_the_policy_says() {
    let mut scene = scene();
    let trail = "arn:aws:cloudtrail:eu-central-1:111111111111:trail/org";
    let statement = json!([{
        "Effect": "Allow",
        "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::logs/AWSLogs/o-abcdefghij/*",
        "Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control", "aws:SourceArn": trail}},
    }]);
    let object = "arn:aws:s3:::logs/AWSLogs/o-abcdefghij/222222222222/x";
    let right = [
        ("s3:x-amz-acl", "bucket-owner-full-control"),
        ("aws:SourceArn", trail),
    ];
    let service = "cloudtrail.amazonaws.com";
    assert!(
        !scene
            .world
            .s3
            .lets_service("logs", service, "s3:PutObject", object, &right),
        "no policy lets nobody in"
    );
    call(
        &mut scene,
        MANAGEMENT_ACCOUNT,
        "PutBucketPolicy",
        policy(&statement),
    )
    .unwrap();
    let s3 = &scene.world.s3;
    assert!(s3.lets_service("logs", service, "s3:PutObject", object, &right));
    assert!(
        !s3.lets_service(
            "logs",
            "config.amazonaws.com",
            "s3:PutObject",
            object,
            &right
        ),
        "another service"
    );
    assert!(
        !s3.lets_service(
            "logs",
            service,
            "s3:GetBucketAcl",
            "arn:aws:s3:::logs",
            &right
        ),
        "another action"
    );
    assert!(
        !s3.lets_service(
            "logs",
            service,
            "s3:PutObject",
            "arn:aws:s3:::logs/AWSLogs/222222222222/x",
            &right
        ),
        "another prefix"
    );
    assert!(
        !s3.lets_service("logs", service, "s3:PutObject", object, &right[..1]),
        "no source"
    );
    assert!(
        !s3.lets_service("none", service, "s3:PutObject", object, &right),
        "no bucket"
    );
}

#[test]
fn tampering_is_seen_by_the_next_call() {
    let mut scene = scene();
    let tamper = |scene: &mut Scene, request: Value| tamper(&mut scene.world, &request, scene.now);
    let open = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::logs/*"}]});
    tamper(
        &mut scene,
        json!({"action": "set_bucket_policy", "bucket": "logs", "policy": open.to_string()}),
    )
    .unwrap();
    let bucket = json!({"Bucket": "logs"});
    let status = call(
        &mut scene,
        MANAGEMENT_ACCOUNT,
        "GetBucketPolicyStatus",
        bucket.clone(),
    )
    .unwrap();
    assert_eq!(status["PolicyStatus"]["IsPublic"], true);
    tamper(
        &mut scene,
        json!({"action": "remove_public_access_block", "bucket": "logs"}),
    )
    .unwrap();
    assert_eq!(
        call(
            &mut scene,
            MANAGEMENT_ACCOUNT,
            "GetPublicAccessBlock",
            bucket.clone()
        ),
        refused("NoSuchPublicAccessBlockConfiguration")
    );
    tamper(
        &mut scene,
        json!({"action": "delete_bucket", "bucket": "logs"}),
    )
    .unwrap();
    assert_eq!(
        call(&mut scene, MANAGEMENT_ACCOUNT, "HeadBucket", bucket),
        refused("NoSuchBucket")
    );
    let taken = json!({"action": "take_bucket_name", "bucket": "logs", "account": "999999999999", "region": "us-east-1"});
    tamper(&mut scene, taken).unwrap();
    let create = json!({"Bucket": "logs", "CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}});
    assert_eq!(
        call(&mut scene, MANAGEMENT_ACCOUNT, "CreateBucket", create),
        refused("BucketAlreadyExists")
    );
    assert!(tamper(&mut scene, json!({"action": "no_such", "bucket": "logs"})).is_err());
    assert!(
        tamper(
            &mut scene,
            json!({"action": "delete_bucket", "bucket": "none"})
        )
        .is_err()
    );
}
