//! What a record tells of the keys and the resources that policies ask for, and what stays open.

use std::collections::BTreeMap;

use landfall_policy::replay::Change;
use serde_json::{Value, json};

use crate::replay::{ACCOUNT, call, organization, policy, replay, with};

/// What becomes of a call under one new statement: `unchanged`, `denied`, or what it depends on.
fn verdict(statement: &Value, record: Value) -> String {
    let mut organization = organization(&[], &[policy(statement)]);
    organization.principal_tags = BTreeMap::from([(
        "arn:aws:iam::123456789012:role/teams/Deploy".to_owned(),
        BTreeMap::from([("Team".to_owned(), "blue".to_owned())]),
    )]);
    let report = replay(&organization, &[record]);
    match report.groups.as_slice() {
        [] => "unchanged".to_owned(),
        [group] if group.unless.is_empty() => group.verdict(),
        [group] => group.unless.join(", "),
        groups => panic!("{groups:?}"),
    }
}

fn statement(condition: &Value) -> Value {
    json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition})
}

const SESSION: &str = "/userIdentity/sessionContext";
const INVOKED: &str = "/userIdentity/invokedBy";

fn user() -> Value {
    let user = json!({"type": "IAMUser", "principalId": "AIDAJ45Q7YFFAREXAMPLE", "arn": "arn:aws:iam::123456789012:user/Alice", "accountId": ACCOUNT, "userName": "Alice"});
    with(call("ec2", "StopInstances"), &[("/userIdentity", user)])
}

#[test]
fn records_tell_condition_keys() {
    let stop = || call("ec2", "StopInstances");
    let given = |pointer: &str, value: Value| with(stop(), &[(pointer, value)]);
    let federated = json!({"type": "FederatedUser", "principalId": "123456789012:Bob", "arn": "arn:aws:sts::123456789012:federated-user/Bob", "accountId": ACCOUNT,
        "sessionContext": {"sessionIssuer": {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/Alice"}}});
    let root = json!({"type": "Root", "principalId": ACCOUNT, "arn": "arn:aws:iam::123456789012:root", "accountId": ACCOUNT});
    for (condition, record, expected) in [
        // Who calls.
        (
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/teams/Deploy"}}),
            stop(),
            "denied",
        ),
        (
            json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/teams/*"}}),
            stop(),
            "unchanged",
        ),
        (
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/Deploy"}}),
            given("/userIdentity/sessionContext/sessionIssuer", Value::Null),
            "aws:principalarn",
        ),
        (
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:sts::*:federated-user/Bob"}}),
            given("/userIdentity", federated),
            "denied",
        ),
        (
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:root"}}),
            given("/userIdentity", root.clone()),
            "denied",
        ),
        (
            json!({"StringEquals": {"aws:PrincipalType": "Account"}}),
            given("/userIdentity", root),
            "denied",
        ),
        (
            json!({"StringEquals": {"aws:PrincipalType": "AssumedRole"}}),
            stop(),
            "denied",
        ),
        (
            json!({"StringEquals": {"aws:username": "Alice"}}),
            user(),
            "denied",
        ),
        (
            json!({"StringLike": {"aws:username": "*"}}),
            stop(),
            "unchanged",
        ),
        (
            json!({"StringLike": {"aws:userid": "*:job-7"}}),
            stop(),
            "denied",
        ),
        (
            json!({"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}),
            stop(),
            "denied",
        ),
        (
            json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-example"}}),
            stop(),
            "unchanged",
        ),
        (
            json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-example/*/ou-ab12-apps/*"}}),
            stop(),
            "denied",
        ),
        (
            json!({"StringEquals": {"aws:PrincipalTag/team": "blue"}}),
            stop(),
            "denied",
        ),
        (
            json!({"StringEquals": {"aws:PrincipalTag/stage": "blue"}}),
            stop(),
            "aws:principaltag/stage",
        ),
        (
            json!({"StringEquals": {"aws:PrincipalTag/team": "blue"}}),
            user(),
            "aws:principaltag/team",
        ),
        (
            json!({"StringEquals": {"aws:SourceIdentity": "jane"}}),
            given("/userIdentity/sessionContext/sourceIdentity", json!("jane")),
            "denied",
        ),
        (
            json!({"Null": {"aws:SourceIdentity": "true"}}),
            stop(),
            "denied",
        ),
        (
            json!({"Bool": {"aws:PrincipalIsAWSService": "true"}}),
            stop(),
            "unchanged",
        ),
        // Through whom.
        (
            json!({"Bool": {"aws:ViaAWSService": "false"}}),
            stop(),
            "denied",
        ),
        (
            json!({"Bool": {"aws:ViaAWSService": "false"}}),
            given(INVOKED, json!("cloudformation.amazonaws.com")),
            "aws:viaawsservice",
        ),
        (
            json!({"Bool": {"aws:ViaAWSService": "false"}}),
            with(user(), &[(INVOKED, json!("cloudformation.amazonaws.com"))]),
            "unchanged",
        ),
        (json!({"Null": {"aws:CalledVia": "true"}}), stop(), "denied"),
        // Where, when and how.
        (
            json!({"StringNotEquals": {"aws:RequestedRegion": "eu-central-1"}}),
            stop(),
            "unchanged",
        ),
        (
            json!({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}),
            given("/awsRegion", json!("aws-global")),
            "denied",
        ),
        (
            json!({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}),
            given("/awsRegion", Value::Null),
            "aws:requestedregion",
        ),
        (
            json!({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
            stop(),
            "unchanged",
        ),
        (
            json!({"NotIpAddress": {"aws:SourceIp": "198.51.100.0/24"}}),
            stop(),
            "denied",
        ),
        (
            json!({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
            given("/sourceIPAddress", json!("cloudformation.amazonaws.com")),
            "aws:sourceip",
        ),
        (
            json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
            given("/vpcEndpointId", json!("vpce-1a2b3c4d")),
            "unchanged",
        ),
        (
            json!({"StringEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}}),
            given("/vpcEndpointId", json!("vpce-1a2b3c4d")),
            "denied",
        ),
        (
            json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}}),
            given("/vpcEndpointId", json!("vpce-1a2b3c4d")),
            "aws:sourcevpc",
        ),
        (
            json!({"StringLike": {"aws:UserAgent": "aws-cli/*"}}),
            stop(),
            "denied",
        ),
        (
            json!({"DateGreaterThan": {"aws:CurrentTime": "2026-11-02T01:09:59Z"}}),
            stop(),
            "denied",
        ),
        (
            json!({"DateGreaterThan": {"aws:CurrentTime": "2026-11-02T01:10:00Z"}}),
            stop(),
            "unchanged",
        ),
        (
            json!({"DateLessThan": {"aws:EpochTime": "1793581801"}}),
            stop(),
            "denied",
        ),
        (
            json!({"DateLessThan": {"aws:EpochTime": "1793581800"}}),
            stop(),
            "unchanged",
        ),
        (
            json!({"DateLessThan": {"aws:CurrentTime": "2026-11-02T01:10:00Z"}}),
            given("/eventTime", json!("yesterday")),
            "aws:currenttime",
        ),
        (
            json!({"DateLessThan": {"aws:TokenIssueTime": "2026-11-02T02:00:00Z"}}),
            stop(),
            "denied",
        ),
        (
            json!({"Bool": {"aws:SecureTransport": "false"}}),
            stop(),
            "unchanged",
        ),
        (
            json!({"Bool": {"aws:SecureTransport": "false"}}),
            given("/tlsDetails", Value::Null),
            "aws:securetransport",
        ),
        (
            json!({"Bool": {"aws:MultiFactorAuthPresent": "false"}}),
            stop(),
            "denied",
        ),
        (
            json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}),
            user(),
            "denied",
        ),
        (
            json!({"Bool": {"aws:MultiFactorAuthPresent": "false"}}),
            user(),
            "unchanged",
        ),
        (
            json!({"Bool": {"aws:MultiFactorAuthPresent": "false"}}),
            given(SESSION, json!({})),
            "aws:multifactorauthpresent",
        ),
        (
            json!({"NumericLessThan": {"ec2:RoleDelivery": "2.0"}}),
            given("/userIdentity/sessionContext/ec2RoleDelivery", json!("1.0")),
            "denied",
        ),
        (
            json!({"NumericLessThan": {"ec2:RoleDelivery": "2.0"}}),
            stop(),
            "unchanged",
        ),
        // What records do not tell.
        (
            json!({"StringNotEquals": {"aws:ResourceTag/stage": "test"}}),
            stop(),
            "aws:resourcetag/stage",
        ),
        (
            json!({"StringEquals": {"ec2:ResourceTag/stage": "prod"}}),
            stop(),
            "ec2:resourcetag/stage",
        ),
        (
            json!({"StringEquals": {"s3:prefix": "x"}}),
            stop(),
            "unchanged",
        ),
        (
            json!({"StringEquals": {"aws:PrincipalAccount": "111111111111", "aws:ResourceTag/stage": "test"}}),
            stop(),
            "unchanged",
        ),
        (
            json!({"StringEquals": {"aws:userid": "${aws:ResourceTag/owner}"}}),
            stop(),
            "aws:resourcetag/owner",
        ),
        (
            json!({"StringNotEquals": {"aws:ResourceTag/stage": "test"}, "Bool": {"aws:ViaAWSService": "false"}}),
            stop(),
            "aws:resourcetag/stage",
        ),
    ] {
        let shown = format!("{condition} {record}");
        assert_eq!(verdict(&statement(&condition), record), expected, "{shown}");
    }
}

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

/// A call that went through was denied by nothing that was in force.
#[test]
fn what_was_in_force_leaves_no_doubt() {
    let tagged = |action: Value| json!({"Effect": "Deny", "Action": action, "Resource": "*", "Condition": {"StringNotEquals": {"aws:ResourceTag/stage": "test"}}});
    let root = json!({"Effect": "Deny", "Action": "iam:*", "Resource": "*"});
    for (before, after, uncertain) in [
        (json!([]), json!([tagged(json!("ec2:*"))]), 1),
        (
            json!([tagged(json!("ec2:*"))]),
            json!([tagged(json!("ec2:*")), root]),
            0,
        ),
        (
            json!([tagged(json!("*"))]),
            json!([tagged(json!(["ec2:StopInstances", "s3:*"]))]),
            0,
        ),
        (
            json!([tagged(json!("s3:*"))]),
            json!([tagged(json!("ec2:*"))]),
            1,
        ),
    ] {
        let policies = |statements: &Value| -> Vec<_> {
            let statements = statements.as_array().unwrap().iter();
            statements
                .map(|statement| policy(&json!([statement])))
                .collect()
        };
        let organization = organization(&policies(&before), &policies(&after));
        let report = replay(&organization, &[call("ec2", "StopInstances")]);
        assert_eq!(report.totals.uncertain, uncertain, "{before} {after}");
    }
}

/// Where the old policies deny a call that went through they were not in force, and nothing follows from them.
#[test]
fn what_was_not_in_force_settles_nothing() {
    let tagged = || {
        policy(
            &json!({"Effect": "Deny", "Action": "ec2:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:ResourceTag/stage": "test"}}}),
        )
    };
    let plain = policy(&json!({"Effect": "Deny", "Action": "ec2:*", "Resource": "*"}));
    let report = replay(
        &organization(&[plain, tagged()], &[tagged()]),
        &[call("ec2", "StopInstances")],
    );
    assert_eq!(report.groups[0].change, Change::MayBeAllowed);
    assert_eq!(report.groups[0].unless, ["aws:resourcetag/stage"]);
}
