//! Impact replay from log files to reports. Records have the form of the CloudTrail User Guide's examples.

mod counted;
mod in_force;
mod kept;
mod keys;
mod log_files;
mod resources;

use std::collections::BTreeMap;
use std::sync::Arc;

use landfall_policy::lint::Limits;
use landfall_policy::pack::{Source, pack};
use landfall_policy::replay::{Change, GROUPS, Organization, Place, Replay, Report};
use landfall_policy::{Attached, Cause, Levels, Policy};
use serde_json::{Value, json};

use crate::scp;

pub(crate) const ACCOUNT: &str = "123456789012";

/// A call by a session of `arn:aws:iam::123456789012:role/teams/Deploy`.
pub(crate) fn call(source: &str, name: &str) -> Value {
    json!({
        "eventVersion": "1.09",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAIDPPEZS35WEXAMPLE:job-7",
            "arn": "arn:aws:sts::123456789012:assumed-role/Deploy/job-7",
            "accountId": ACCOUNT,
            "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROAIDPPEZS35WEXAMPLE",
                    "arn": "arn:aws:iam::123456789012:role/teams/Deploy",
                    "accountId": ACCOUNT,
                    "userName": "Deploy"
                },
                "attributes": {"creationDate": "2026-11-02T01:06:28Z", "mfaAuthenticated": "false"}
            }
        },
        "eventTime": "2026-11-02T01:10:00Z",
        "eventSource": format!("{source}.amazonaws.com"),
        "eventName": name,
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "203.0.113.64",
        "userAgent": "aws-cli/2.13.5 Python/3.11.4",
        "requestParameters": null,
        "responseElements": null,
        "requestID": "4dcaf8a1-0000-4000-8000-000000000001",
        "eventID": "6fa2f8a1-0000-4000-8000-000000000001",
        "readOnly": false,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
        "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256", "clientProvidedHostHeader": "ec2.eu-central-1.amazonaws.com"}
    })
}

/// `call` with these values at JSON pointers; null takes the field away.
pub(crate) fn with(mut call: Value, values: &[(&str, Value)]) -> Value {
    for (pointer, value) in values {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let parent = call.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        if value.is_null() {
            parent.remove(field);
        } else {
            parent.insert(field.to_owned(), value.clone());
        }
    }
    call
}

pub(crate) fn policy(statements: &Value) -> Policy {
    Policy::parse(&json!({"Version": "2012-10-17", "Statement": statements}).to_string()).unwrap()
}

pub(crate) fn organization(before: &[Policy], after: &[Policy]) -> Organization {
    let levels = |policies: &[Policy]| -> Levels {
        let full = || {
            Arc::new(Attached::new(
                "FullAWSAccess",
                Policy::parse(scp::FULL_AWS_ACCESS).unwrap(),
            ))
        };
        let own = policies
            .iter()
            .map(|policy| Arc::new(Attached::new("own", policy.clone())));
        vec![vec![full()], [full()].into_iter().chain(own).collect()]
    };
    let place = Place {
        org_path: Some("o-example/r-ab12/ou-ab12-apps/".to_owned()),
        before: levels(before),
        after: levels(after),
    };
    Organization {
        id: Some("o-example".to_owned()),
        management_account: Some("999999999999".to_owned()),
        accounts: BTreeMap::from([(ACCOUNT.to_owned(), Arc::new(place))]),
        principal_tags: BTreeMap::new(),
    }
}

pub(crate) fn replay(organization: &Organization, records: &[Value]) -> Report {
    let mut replay = Replay::new(organization, GROUPS);
    replay
        .log_file(&json!({"Records": records}).to_string())
        .unwrap();
    let report = replay.report();
    assert!(report.totals.is_consistent(), "{:?}", report.totals);
    let mut singly = Replay::new(organization, GROUPS);
    records
        .iter()
        .rev()
        .for_each(|record| singly.record(&record.to_string()));
    assert_eq!(singly.report(), report, "the order counts, or the form");
    report
}

/// What becomes of a call under one new statement: `unchanged`, `denied`, or what it depends on.
pub(crate) fn verdict(statement: &Value, record: Value) -> String {
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

fn deny(action: &str) -> Policy {
    policy(&json!({"Sid": "DenyIt", "Effect": "Deny", "Action": action, "Resource": "*"}))
}

#[test]
fn calls_are_counted_by_who_and_what_and_where() {
    let organization = organization(&[], &[deny("ec2:*")]);
    let at = |time: &str, id: &str| vec![("/eventTime", json!(time)), ("/eventID", json!(id))];
    let run = || call("ec2", "RunInstances");
    let elsewhere = with(run(), &[("/awsRegion", json!("us-west-2"))]);
    let report = replay(
        &organization,
        &[
            with(run(), &at("2026-11-03T00:00:00Z", "b")),
            with(run(), &at("2026-11-01T00:00:00Z", "c")),
            with(run(), &at("2026-11-01T00:00:00Z", "a")),
            elsewhere,
            call("s3", "ListBuckets"),
        ],
    );
    let totals = &report.totals;
    assert_eq!((totals.records, totals.denied, totals.unchanged), (5, 4, 1));
    let [most, least] = report.groups.as_slice() else {
        panic!("{:?}", report.groups)
    };
    assert_eq!(
        (
            most.count,
            most.region.as_str(),
            least.count,
            least.region.as_str()
        ),
        (3, "eu-central-1", 1, "us-west-2")
    );
    assert_eq!(
        (
            most.first.as_str(),
            most.last.as_str(),
            most.example.as_str()
        ),
        ("2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z", "a")
    );
    assert_eq!(
        (most.account.as_str(), most.principal.as_str()),
        (ACCOUNT, "arn:aws:iam::123456789012:role/teams/Deploy")
    );
    assert_eq!(
        (most.actions.clone(), most.verdict().as_str()),
        (vec!["ec2:RunInstances".to_owned()], "denied")
    );
    assert_eq!(most.causes[0].to_string(), "statement `DenyIt` of `own`");
}

#[test]
fn a_denial_is_told_in_the_words_of_its_source() {
    let sources = [
        ("a", "DenyA", "ec2:RunInstances"),
        ("b", "DenyB", "ec2:StopInstances"),
    ]
    .map(|(name, sid, action)| Source {
        name: name.to_owned(),
        policy: policy(&json!({"Sid": sid, "Effect": "Deny", "Action": action, "Resource": "*"})),
    });
    let packed = pack(&sources, Limits::default()).unwrap();
    let mut organization = organization(&[], &[]);
    let place = Arc::get_mut(organization.accounts.get_mut(ACCOUNT).unwrap()).unwrap();
    let attached = Attached::packed("landfall-packed-0", packed.policies[0].clone());
    place.after[1].push(Arc::new(attached));
    let report = replay(&organization, &[call("ec2", "RunInstances")]);
    let Cause::Statement {
        origins, level: 1, ..
    } = &report.groups[0].causes[0]
    else {
        panic!("{:?}", report.groups)
    };
    assert_eq!(origins.len(), 2);
    assert_eq!(
        report.groups[0].causes[0].to_string(),
        "statement `DenyA` of `a` with statement `DenyB` of `b` (packed into `landfall-packed-0`)"
    );
}

#[test]
fn the_reverse_is_told_too() {
    let report = replay(
        &organization(&[deny("ec2:*")], &[deny("s3:*")]),
        &[call("ec2", "RunInstances"), call("s3", "ListBuckets")],
    );
    let changes: Vec<(Change, String)> = report
        .groups
        .iter()
        .map(|group| (group.change, group.actions.concat()))
        .collect();
    assert_eq!(
        changes,
        [
            (Change::Denied, "s3:ListAllMyBuckets".to_owned()),
            (Change::Allowed, "ec2:RunInstances".to_owned())
        ]
    );
    let nothing = Policy::parse(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#,
    )
    .unwrap();
    let mut narrowed = organization(&[], &[]);
    let place = Arc::get_mut(narrowed.accounts.get_mut(ACCOUNT).unwrap()).unwrap();
    place.after[1] = vec![Arc::new(Attached::new("only-s3", nothing))];
    let report = replay(
        &narrowed,
        &[call("ec2", "RunInstances"), call("s3", "ListBuckets")],
    );
    assert_eq!(report.groups[0].causes, [Cause::NoAllow { level: 1 }]);
    assert_eq!((report.totals.denied, report.totals.unchanged), (1, 1));
}

#[test]
fn a_report_is_bounded() {
    let organization = organization(&[], &[deny("*")]);
    let mut replay = Replay::new(&organization, 3);
    for role in 0..10 {
        let arn = format!("arn:aws:iam::123456789012:role/r{role}");
        let record = with(
            call("ec2", "RunInstances"),
            &[("/userIdentity/sessionContext/sessionIssuer/arn", json!(arn))],
        );
        replay.record(&record.to_string());
    }
    let report = replay.report();
    assert_eq!((report.groups.len(), report.totals.denied), (3, 10));
    assert_eq!(report.other, BTreeMap::from([(Change::Denied, 7)]));
}
