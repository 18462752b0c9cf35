//! What a replay keeps for speed.

use serde_json::{Value, json};

use super::{ACCOUNT, call, organization, policy, replay, with};

/// Verdicts that are kept for records that look alike are those of each record alone.
#[test]
fn what_is_kept_changes_no_verdict() {
    let deny = |resource: &str, condition: Value| {
        policy(
            &json!({"Effect": "Deny", "Action": "*", "Resource": resource, "Condition": condition}),
        )
    };
    let organization = organization(
        &[],
        &[
            deny("arn:aws:cloudtrail:*:*:trail/landfall*", json!({})),
            deny("arn:aws:s3:::logs/a/*", json!({})),
            deny("arn:aws:iam::*:role/Landfall*", json!({})),
            deny("arn:aws:kms:*:*:key/1", json!({})),
            deny("arn:aws:s3:::home/${aws:username}/*", json!({})),
            deny("*", json!({"StringEquals": {"aws:username": "nobody"}})),
            deny(
                "*",
                json!({"StringEquals": {"aws:userid": "${aws:SourceIdentity}:x"}}),
            ),
            deny(
                "*",
                json!({"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}, "Bool": {"aws:ViaAWSService": "false"}}),
            ),
            deny(
                "*",
                json!({"DateGreaterThan": {"aws:CurrentTime": "2026-11-20T00:00:00Z"}}),
            ),
        ],
    );
    let given = |source: &str, name: &str, parameters: Value| {
        with(call(source, name), &[("/requestParameters", parameters)])
    };
    let mut records = vec![call("cloudtrail", "StopLogging"), call("s3", "GetObject")];
    for name in ["landfall", "team"] {
        records.push(given("cloudtrail", "StopLogging", json!({"name": name})));
        records.push(given(
            "cloudtrail",
            "PutEventSelectors",
            json!({"trailName": name}),
        ));
    }
    for (bucket, key) in [
        ("logs", "a/1"),
        ("logs", "b/1"),
        ("home", "Alice/1"),
        ("home", "Bob/1"),
        ("other", "a/1"),
    ] {
        let get = given("s3", "GetObject", json!({"bucketName": bucket, "key": key}));
        for name in ["Alice", "Bob"] {
            let arn = format!("arn:aws:iam::{ACCOUNT}:user/{name}");
            let user = json!({"type": "IAMUser", "principalId": "AIDA1", "arn": arn, "accountId": ACCOUNT, "userName": name});
            records.push(with(get.clone(), &[("/userIdentity", user)]));
        }
    }
    for role in ["Landfall", "Team"] {
        records.push(given("iam", "DeleteRole", json!({"roleName": role})));
    }
    for key in ["1", "2"] {
        let arn = format!("arn:aws:kms:eu-central-1:{ACCOUNT}:key/{key}");
        records.push(with(
            call("kms", "Decrypt"),
            &[("/resources", json!([{"ARN": arn}]))],
        ));
    }
    let stop = || call("ec2", "StopInstances");
    for (pointer, value) in [
        ("/sourceIPAddress", json!("198.51.100.7")),
        ("/sourceIPAddress", json!("ec2.amazonaws.com")),
        ("/userIdentity/invokedBy", json!("ec2.amazonaws.com")),
        ("/eventTime", json!("2026-11-21T00:00:00Z")),
        ("/userIdentity/sessionContext/sourceIdentity", json!("jane")),
        ("/userIdentity/sessionContext/sourceIdentity", json!("john")),
        ("/userIdentity/principalId", json!("jane:x")),
    ] {
        records.push(with(stop(), &[(pointer, value.clone())]));
        records.push(with(
            stop(),
            &[
                (pointer, value),
                ("/userIdentity/principalId", json!("john:x")),
            ],
        ));
    }
    let alone: Vec<_> = records
        .iter()
        .map(|record| {
            let totals = replay(&organization, std::slice::from_ref(record)).totals;
            (totals.denied, totals.uncertain, totals.unchanged)
        })
        .collect();
    assert!(alone.contains(&(1, 0, 0)) && alone.contains(&(0, 1, 0)) && alone.contains(&(0, 0, 1)));
    for (one, first) in records.iter().zip(&alone) {
        for (other, second) in records.iter().zip(&alone) {
            let totals = replay(&organization, &[one.clone(), other.clone()]).totals;
            assert_eq!(
                (totals.denied, totals.uncertain, totals.unchanged),
                (first.0 + second.0, first.1 + second.1, first.2 + second.2),
                "{one} {other}"
            );
        }
    }
}
