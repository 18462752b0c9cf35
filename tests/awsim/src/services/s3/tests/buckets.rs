//! Buckets and their settings.

use serde_json::{Value, json};

use super::{OTHER, call, refused, scene};
use crate::services::scene::Scene;
use crate::world::MANAGEMENT_ACCOUNT;

#[test]
fn a_bucket_is_made_where_the_endpoint_is() {
    let cases = [
        ("us-east-1", None, Ok(())),
        (
            "us-east-1",
            Some("us-east-1"),
            Err("InvalidLocationConstraint"),
        ),
        (
            "us-east-1",
            Some("eu-west-1"),
            Err("IllegalLocationConstraintException"),
        ),
        ("eu-west-1", None, Err("IllegalLocationConstraintException")),
        ("eu-west-1", Some("eu-west-1"), Ok(())),
        ("eu-west-1", Some("EU"), Ok(())),
        (
            "eu-west-1",
            Some("eu-west-2"),
            Err("IllegalLocationConstraintException"),
        ),
    ];
    for (region, constraint, expected) in cases {
        let mut scene = Scene::new();
        let mut input = json!({"Bucket": "here"});
        if let Some(constraint) = constraint {
            input["CreateBucketConfiguration"] = json!({"LocationConstraint": constraint});
        }
        let answer = scene.call(("s3", "CreateBucket"), OTHER, region, input);
        assert_eq!(
            answer.map(|_| ()).map_err(|error| error.code),
            expected.map_err(str::to_owned),
            "{constraint:?} in {region}"
        );
    }
}

#[test]
fn names_belong_to_all_of_aws() {
    let mut scene = scene();
    let create = json!({"Bucket": "logs", "CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}});
    assert_eq!(
        call(
            &mut scene,
            MANAGEMENT_ACCOUNT,
            "CreateBucket",
            create.clone()
        ),
        refused("BucketAlreadyOwnedByYou")
    );
    assert_eq!(
        call(&mut scene, OTHER, "CreateBucket", create),
        refused("BucketAlreadyExists")
    );
    // us-east-1 alone lets the owner create again.
    for _ in 0..2 {
        scene
            .call(
                ("s3", "CreateBucket"),
                OTHER,
                "us-east-1",
                json!({"Bucket": "again"}),
            )
            .unwrap();
    }
    for name in [
        "ab",
        "Logs",
        "a_b",
        "-ab",
        "ab-",
        "a..b",
        "192.168.5.4",
        "xn--ab",
        "ab-s3alias",
        &"a".repeat(64),
    ] {
        let answer = scene.call(
            ("s3", "CreateBucket"),
            OTHER,
            "us-east-1",
            json!({"Bucket": name}),
        );
        assert_eq!(
            answer.map_err(|error| error.code),
            refused("InvalidBucketName"),
            "{name}"
        );
    }
    assert_eq!(scene.world.s3.owner("logs"), Some(MANAGEMENT_ACCOUNT));
    assert_eq!(scene.world.s3.owner("nobody"), None);
}

#[test]
fn a_bucket_answers_in_its_own_region() {
    let mut scene = scene();
    let head = scene.call(
        ("s3", "HeadBucket"),
        MANAGEMENT_ACCOUNT,
        "eu-west-1",
        json!({"Bucket": "logs"}),
    );
    let error = head.unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.status),
        ("PermanentRedirect", 301)
    );
    assert_eq!(
        call(
            &mut scene,
            MANAGEMENT_ACCOUNT,
            "HeadBucket",
            json!({"Bucket": "logs"})
        )
        .unwrap()["BucketRegion"],
        "eu-central-1"
    );
    assert_eq!(
        call(
            &mut scene,
            MANAGEMENT_ACCOUNT,
            "HeadBucket",
            json!({"Bucket": "none"})
        ),
        refused("NoSuchBucket")
    );
    let wrong_owner = json!({"Bucket": "logs", "ExpectedBucketOwner": "222222222222"});
    assert_eq!(
        call(&mut scene, MANAGEMENT_ACCOUNT, "HeadBucket", wrong_owner),
        refused("AccessDenied")
    );
}

#[test]
fn a_new_bucket_is_private_and_encrypted() {
    let mut scene = scene();
    let mut get = |operation| {
        call(
            &mut scene,
            MANAGEMENT_ACCOUNT,
            operation,
            json!({"Bucket": "logs"}),
        )
    };
    let block = get("GetPublicAccessBlock").unwrap();
    for setting in [
        "BlockPublicAcls",
        "IgnorePublicAcls",
        "BlockPublicPolicy",
        "RestrictPublicBuckets",
    ] {
        assert_eq!(
            block["PublicAccessBlockConfiguration"][setting], true,
            "{setting}"
        );
    }
    let encryption = get("GetBucketEncryption").unwrap();
    let rule = &encryption["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"];
    assert_eq!(rule["SSEAlgorithm"], "AES256");
    let ownership = get("GetBucketOwnershipControls").unwrap();
    assert_eq!(
        ownership["OwnershipControls"]["Rules"][0]["ObjectOwnership"],
        "BucketOwnerEnforced"
    );
    assert_eq!(get("GetBucketVersioning"), Ok(json!({})));
    assert_eq!(get("GetBucketLogging"), Ok(json!({})));
    assert_eq!(get("GetBucketPolicy"), refused("NoSuchBucketPolicy"));
    assert_eq!(get("GetBucketTagging"), refused("NoSuchTagSet"));
    assert_eq!(
        get("GetBucketLifecycleConfiguration"),
        refused("NoSuchLifecycleConfiguration")
    );
    get("DeletePublicAccessBlock").unwrap();
    assert_eq!(
        get("GetPublicAccessBlock"),
        refused("NoSuchPublicAccessBlockConfiguration")
    );
    get("DeleteBucketOwnershipControls").unwrap();
    assert_eq!(
        get("GetBucketOwnershipControls"),
        refused("OwnershipControlsNotFoundError")
    );
}

#[test]
fn lifecycle_rules_need_an_action_and_get_an_id() {
    let mut scene = scene();
    let put = |rules: Value| json!({"Bucket": "logs", "LifecycleConfiguration": {"Rules": rules}});
    let idle = put(json!([{"Status": "Enabled", "Filter": {}}]));
    assert_eq!(
        call(
            &mut scene,
            MANAGEMENT_ACCOUNT,
            "PutBucketLifecycleConfiguration",
            idle
        ),
        refused("InvalidRequest")
    );
    let expire = put(json!([{"Status": "Enabled", "Filter": {}, "Expiration": {"Days": 365}}]));
    call(
        &mut scene,
        MANAGEMENT_ACCOUNT,
        "PutBucketLifecycleConfiguration",
        expire,
    )
    .unwrap();
    let rules = call(
        &mut scene,
        MANAGEMENT_ACCOUNT,
        "GetBucketLifecycleConfiguration",
        json!({"Bucket": "logs"}),
    )
    .unwrap();
    assert_eq!(rules["Rules"][0]["Expiration"]["Days"], 365);
    assert!(rules["Rules"][0]["ID"].is_string());
}
