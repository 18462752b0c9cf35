//! The rules of S3, one call after the other on a small world.

use serde_json::{Value, json};

use crate::call::AccountId;
use crate::services::scene::Scene;
use crate::world::MANAGEMENT_ACCOUNT;

const OTHER: AccountId = AccountId(222_222_222_222);

/// What `account` gets for a call in eu-central-1: the answer, or the error's code.
fn call(
    scene: &mut Scene,
    account: AccountId,
    operation: &'static str,
    input: Value,
) -> Result<Value, String> {
    scene
        .call(("s3", operation), account, "eu-central-1", input)
        .map_err(|error| error.code)
}

fn refused(code: &str) -> Result<Value, String> {
    Err(code.to_owned())
}

/// A scene with the bucket `logs` of the management account in eu-central-1.
fn scene() -> Scene {
    let mut scene = Scene::new();
    let create = json!({"Bucket": "logs", "CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}});
    call(&mut scene, MANAGEMENT_ACCOUNT, "CreateBucket", create).unwrap();
    scene
}

fn policy(statements: Value) -> Value {
    json!({"Bucket": "logs", "Policy": json!({"Version": "2012-10-17", "Statement": statements}).to_string()})
}

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
                policy(statements)
            ),
            refused("MalformedPolicy"),
            "{what}"
        );
    }
    let good = policy(
        json!([{"Effect": "Allow", "Principal": service, "Action": "s3:GetBucketAcl", "Resource": "arn:aws:s3:::logs"}]),
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
        policy(json!([statement]))
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
        policy(open),
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
        policy(shut),
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
        policy(statement),
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

#[test]
fn objects_keep_their_versions() {
    let mut scene = scene();
    let mut on = |operation, input: Value| call(&mut scene, MANAGEMENT_ACCOUNT, operation, input);
    let object = json!({"Bucket": "logs", "Key": "a/b"});
    let put = |body: &str| json!({"Bucket": "logs", "Key": "a/b", "Body": body});
    on("PutObject", put("b25l")).unwrap();
    on(
        "PutBucketVersioning",
        json!({"Bucket": "logs", "VersioningConfiguration": {"Status": "Enabled"}}),
    )
    .unwrap();
    let second = on("PutObject", put("dHdv")).unwrap();
    assert_eq!(on("GetObject", object.clone()).unwrap()["Body"], "dHdv");
    let first = json!({"Bucket": "logs", "Key": "a/b", "VersionId": "null"});
    assert_eq!(on("GetObject", first.clone()).unwrap()["Body"], "b25l");
    let marker = on("DeleteObject", object.clone()).unwrap();
    assert_eq!(on("GetObject", object), refused("NoSuchKey"));
    assert_eq!(
        on("DeleteBucket", json!({"Bucket": "logs"})),
        refused("BucketNotEmpty")
    );
    for id in [&json!("null"), &second["VersionId"], &marker["VersionId"]] {
        on(
            "DeleteObject",
            json!({"Bucket": "logs", "Key": "a/b", "VersionId": id}),
        )
        .unwrap();
    }
    on("DeleteBucket", json!({"Bucket": "logs"})).unwrap();
    assert_eq!(
        on("GetBucketLocation", json!({"Bucket": "logs"})),
        refused("NoSuchBucket")
    );
}

#[test]
fn lists_page_and_roll_up() {
    let mut scene = scene();
    for key in ["a/1", "a/2", "b", "c/1", "d"] {
        let put = json!({"Bucket": "logs", "Key": key, "Body": "eA=="});
        call(&mut scene, MANAGEMENT_ACCOUNT, "PutObject", put).unwrap();
    }
    let mut input = json!({"Bucket": "logs", "Delimiter": "/", "MaxKeys": 1});
    let mut seen = Vec::new();
    loop {
        let page = call(
            &mut scene,
            MANAGEMENT_ACCOUNT,
            "ListObjectsV2",
            input.clone(),
        )
        .unwrap();
        for (list, name) in [("Contents", "Key"), ("CommonPrefixes", "Prefix")] {
            seen.extend(
                page[list]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|item| item[name].as_str().unwrap().to_owned()),
            );
        }
        let Some(token) = page.get("NextContinuationToken") else {
            break;
        };
        input["ContinuationToken"] = token.clone();
    }
    assert_eq!(seen, ["a/", "b", "c/", "d"]);
}

#[test]
fn a_versioned_bucket_can_be_emptied() {
    let mut scene = scene();
    let mut on = |operation, input: Value| call(&mut scene, MANAGEMENT_ACCOUNT, operation, input);
    let versioning = json!({"Bucket": "logs", "VersioningConfiguration": {"Status": "Enabled"}});
    on("PutBucketVersioning", versioning).unwrap();
    for key in ["a", "b"] {
        on(
            "PutObject",
            json!({"Bucket": "logs", "Key": key, "Body": "eA=="}),
        )
        .unwrap();
    }
    let delete = |objects: Value| json!({"Bucket": "logs", "Delete": {"Objects": objects}});
    let marked = on("DeleteObjects", delete(json!([{"Key": "a"}]))).unwrap();
    assert_eq!(marked["Deleted"][0]["DeleteMarker"], true);
    let mut input = json!({"Bucket": "logs", "MaxKeys": 1});
    let mut seen = 0;
    loop {
        let page = on("ListObjectVersions", input.clone()).unwrap();
        for item in ["Versions", "DeleteMarkers"]
            .iter()
            .flat_map(|list| page[list].as_array().unwrap())
        {
            seen += 1;
            on(
                "DeleteObjects",
                delete(json!([{"Key": item["Key"], "VersionId": item["VersionId"]}])),
            )
            .unwrap();
        }
        let Some(marker) = page.get("NextKeyMarker") else {
            break;
        };
        input["KeyMarker"] = marker.clone();
    }
    assert_eq!(seen, 3);
    on("DeleteBucket", json!({"Bucket": "logs"})).unwrap();
}

#[test]
fn tampering_is_seen_by_the_next_call() {
    let mut scene = scene();
    let tamper =
        |scene: &mut Scene, request: Value| super::tamper(&mut scene.world, &request, scene.now);
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
