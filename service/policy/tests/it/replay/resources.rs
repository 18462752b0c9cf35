//! What a record tells of the resources that policies ask for, and what stays open.

use serde_json::{Value, json};

use super::{ACCOUNT, call, verdict, with};

#[test]
fn records_tell_some_resources() {
    let given = |source: &str, name: &str, parameters: Value| {
        with(call(source, name), &[("/requestParameters", parameters)])
    };
    let bucket = |name: &str| {
        given(
            "s3",
            name,
            json!({"bucketName": "logs-1", "Host": "logs-1.s3.amazonaws.com"}),
        )
    };
    let object = || {
        given(
            "s3",
            "GetObject",
            json!({"bucketName": "logs-1", "key": "a*b/c"}),
        )
    };
    let role = |name: &str| given("iam", "DeleteRole", json!({"roleName": name}));
    let trail = |name: &str| given("cloudtrail", "StopLogging", json!({"name": name}));
    let query = || {
        let table = "arn:aws:dynamodb:eu-central-1:123456789012:table/orders";
        with(
            call("dynamodb", "Query"),
            &[("/resources", json!([{"ARN": table}]))],
        )
    };
    let invoke = || {
        let function = "arn:aws:lambda:eu-central-1:123456789012:function:mine";
        with(
            call("lambda", "Invoke"),
            &[("/resources", json!([{"ARN": function}]))],
        )
    };
    let decrypt = with(
        call("kms", "Decrypt"),
        &[(
            "/resources",
            json!([{"ARN": "arn:aws:kms:eu-central-1:123456789012:key/1", "accountId": ACCOUNT, "type": "AWS::KMS::Key"}]),
        )],
    );
    for (resource, record, expected) in [
        ("arn:aws:s3:::logs-*", bucket("GetBucketAcl"), "denied"),
        ("arn:aws:s3:::other", bucket("GetBucketAcl"), "unchanged"),
        ("arn:aws:s3:::logs-1/*", bucket("ListObjects"), "unchanged"),
        ("arn:aws:s3:::logs-1/*", object(), "denied"),
        ("arn:aws:s3:::logs-1/a*b/d", object(), "unchanged"),
        (
            "arn:aws:s3:::logs-1/private/*",
            bucket("DeleteObjects"),
            "the resource",
        ),
        ("arn:aws:s3:::logs-1/*", bucket("DeleteObjects"), "denied"),
        ("arn:aws:iam::*:role/Landfall", role("Team"), "unchanged"),
        (
            "arn:aws:iam::*:role/Landfall",
            role("Landfall"),
            "the resource",
        ),
        ("arn:aws:iam::*:role/*", role("Landfall"), "denied"),
        (
            "arn:aws:cloudtrail:*:*:trail/landfall*",
            trail("landfall-org"),
            "denied",
        ),
        (
            "arn:aws:cloudtrail:*:*:trail/landfall*",
            trail("arn:aws:cloudtrail:eu-central-1:123456789012:trail/landfall"),
            "denied",
        ),
        (
            "arn:aws:cloudtrail:*:*:trail/landfall*",
            trail("team"),
            "unchanged",
        ),
        (
            "arn:aws:cloudtrail:*:*:trail/landfall*",
            call("cloudtrail", "StopLogging"),
            "the resource",
        ),
        (
            "arn:aws:cloudtrail:*:*:trail/landfall*",
            given(
                "cloudtrail",
                "PutEventSelectors",
                json!({"trailName": "team"}),
            ),
            "unchanged",
        ),
        (
            "arn:aws:iam::*:role/Landfall",
            given(
                "iam",
                "AddRoleToInstanceProfile",
                json!({"roleName": "Team", "instanceProfileName": "x"}),
            ),
            "the resource",
        ),
        (
            "arn:aws:s3:::secret/*",
            given(
                "s3",
                "CopyObject",
                json!({"bucketName": "logs-1", "key": "x"}),
            ),
            "the resource",
        ),
        // An access point is a resource of its own, by whichever name.
        (
            "arn:aws:s3:::logs-*",
            given(
                "s3",
                "GetBucketAcl",
                json!({"bucketName": "logs-1-s3alias"}),
            ),
            "the resource",
        ),
        (
            "arn:aws:s3:::logs-*",
            given(
                "s3",
                "GetObject",
                json!({"bucketName": "arn:aws:s3:eu-central-1:123456789012:accesspoint/logs", "key": "x"}),
            ),
            "the resource",
        ),
        (
            "arn:aws:s3:::logs-1",
            bucket("CreateAccessPoint"),
            "the resource",
        ),
        // A table is listed for its index, too.
        ("arn:aws:dynamodb:*:*:table/orders*", query(), "denied"),
        ("arn:aws:dynamodb:*:*:table/orders", query(), "the resource"),
        ("arn:aws:dynamodb:*:*:table/other*", query(), "unchanged"),
        ("arn:aws:lambda:*:*:function:mine", invoke(), "the resource"),
        ("arn:aws:lambda:*:*:function:mine*", invoke(), "denied"),
        ("arn:aws:lambda:*:*:function:other*", invoke(), "unchanged"),
        ("arn:aws:kms:*:*:key/1", decrypt.clone(), "denied"),
        ("arn:aws:kms:*:*:key/2", decrypt, "unchanged"),
        (
            "arn:aws:ec2:*:*:instance/*",
            call("ec2", "RunInstances"),
            "denied",
        ),
        (
            "arn:aws:ec2:us-*:*:instance/*",
            call("ec2", "RunInstances"),
            "unchanged",
        ),
        (
            "arn:aws:ec2:*:*:subnet/subnet-1",
            call("ec2", "RunInstances"),
            "the resource",
        ),
        (
            "arn:aws:ec2:*::image/*",
            call("ec2", "RunInstances"),
            "denied",
        ),
        // Not every launch makes a volume or names a key.
        (
            "arn:aws:ec2:*:*:volume/*",
            call("ec2", "RunInstances"),
            "the resource",
        ),
        (
            "arn:aws:ec2:*:*:key-pair/*",
            call("ec2", "RunInstances"),
            "the resource",
        ),
        (
            "arn:aws:ec2:*:*:vpc/*",
            call("ec2", "RunInstances"),
            "unchanged",
        ),
        ("arn:aws:s3:::*", call("ec2", "RunInstances"), "unchanged"),
    ] {
        let statement = json!({"Effect": "Deny", "Action": "*", "Resource": resource});
        assert_eq!(
            verdict(&statement, record.clone()),
            expected,
            "{resource} {record}"
        );
    }
    // Every launch is authorised for its instance, whose metadata options no record tells for certain.
    let imds = json!({"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "arn:aws:ec2:*:*:instance/*",
        "Condition": {"StringNotEquals": {"ec2:MetadataHttpTokens": "required"}}});
    assert_eq!(
        verdict(&imds, call("ec2", "RunInstances")),
        "ec2:metadatahttptokens"
    );
    let copy = json!({"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"});
    assert_eq!(
        verdict(
            &copy,
            given(
                "s3",
                "CopyObject",
                json!({"bucketName": "logs-1", "key": "x"})
            )
        ),
        "denied"
    );
}
