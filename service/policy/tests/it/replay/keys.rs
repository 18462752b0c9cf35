//! What a record tells of the condition keys that policies ask for, and what stays open.

use serde_json::{Value, json};

use super::{ACCOUNT, call, verdict, with};

fn statement(condition: &Value) -> Value {
    json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition})
}

const SESSION: &str = "/userIdentity/sessionContext";
const INVOKED: &str = "/userIdentity/invokedBy";

fn user() -> Value {
    let user = json!({"type": "IAMUser", "principalId": "AIDAJ45Q7YFFAREXAMPLE", "arn": "arn:aws:iam::123456789012:user/Alice", "accountId": ACCOUNT, "accessKeyId": "AKIAIOSFODNN7EXAMPLE", "userName": "Alice"});
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
            "aws:requestedregion",
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
        // Not every service names the endpoint.
        (
            json!({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
            given("/sourceIPAddress", json!("10.1.2.3")),
            "aws:sourceip",
        ),
        (
            json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}}),
            given("/sourceIPAddress", json!("100.64.2.3")),
            "aws:sourcevpce",
        ),
        (
            json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}}),
            stop(),
            "denied",
        ),
        (
            json!({"Null": {"aws:SourceVpc": "true"}}),
            given("/sourceIPAddress", json!("fd00::1")),
            "aws:sourcevpc",
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
        // What stands there in place of what the client said.
        (
            json!({"StringNotLike": {"aws:UserAgent": "aws-cli/*"}}),
            given("/userAgent", json!("signin.amazonaws.com")),
            "aws:useragent",
        ),
        (
            json!({"StringNotLike": {"aws:UserAgent": "aws-cli/*"}}),
            given("/userAgent", json!("[aws-cli/2.13.5]")),
            "aws:useragent",
        ),
        (
            json!({"StringNotLike": {"aws:UserAgent": "aws-cli/*"}}),
            given("/userAgent", json!("AWS Internal")),
            "aws:useragent",
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
            json!({"Null": {"aws:TokenIssueTime": "true"}}),
            user(),
            "denied",
        ),
        // A service that calls for a user does so with temporary credentials, and so does the console.
        (
            json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}),
            with(user(), &[(INVOKED, json!("athena.amazonaws.com"))]),
            "aws:multifactorauthpresent",
        ),
        (
            json!({"Null": {"aws:TokenIssueTime": "true"}}),
            with(
                user(),
                &[("/userIdentity/accessKeyId", json!("ASIAIOSFODNN7EXAMPLE"))],
            ),
            "aws:tokenissuetime",
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
