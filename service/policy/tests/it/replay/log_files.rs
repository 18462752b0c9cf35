//! Files with many records, whole and broken.

use landfall_policy::replay::{GROUPS, Replay};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{ACCOUNT, call, deny, organization, policy, replay};

#[test]
fn what_lookup_events_answers_is_taken_as_log_files_are() {
    let organization = organization(&[], &[deny("ec2:*")]);
    let records = [call("ec2", "RunInstances"), call("s3", "ListBuckets")];
    let events = records.each_ref().map(|record| {
        json!({"EventId": record["eventID"], "EventName": record["eventName"], "ReadOnly": "false", "Resources": [],
            "CloudTrailEvent": record.to_string()})
    });
    let mut looked_up = Replay::new(&organization, GROUPS);
    let answer = json!({"Events": events, "NextToken": "x"}).to_string();
    looked_up.log_file(&answer).unwrap();
    assert_eq!(looked_up.report(), replay(&organization, &records));

    let mut strange = Replay::new(&organization, GROUPS);
    let events = json!([{"CloudTrailEvent": "{"}, {"EventId": "x"}, 7, {"CloudTrailEvent": records[0].to_string()}]);
    strange
        .log_file(&json!({"Events": events}).to_string())
        .unwrap();
    let totals = strange.report().totals;
    assert_eq!((totals.unjudged.unreadable, totals.denied), (3, 1));
    assert!(totals.is_consistent());
}

#[test]
fn a_broken_log_file_says_where() {
    let organization = organization(&[], &[deny("*")]);
    let record = call("ec2", "RunInstances").to_string();
    for (text, after, place) in [
        (
            format!("{{\"Records\":[\n{record},\n{record},\n{{"),
            2,
            "line 4",
        ),
        (
            format!("{{\"Records\":[{record},\n{}", &record[..99]),
            1,
            "line 2 column 99",
        ),
        (
            format!("{{\"Records\":[{record}]}}\n more"),
            1,
            "line 2 column 2",
        ),
        (r#"{"Records":7}"#.to_owned(), 0, "line 1"),
        (r#"{"Events":{}}"#.to_owned(), 0, "line 1"),
        (r#"{"Trails":[]}"#.to_owned(), 0, "neither"),
        ("[]".to_owned(), 0, "line 1"),
        ("\u{1f}\u{8b}\u{8}".to_owned(), 0, "line 1 column 1"),
        (String::new(), 0, "line 1 column 0"),
    ] {
        let mut replay = Replay::new(&organization, GROUPS);
        let error = replay.log_file(&text).unwrap_err();
        assert_eq!(error.after, after, "{text}");
        let error = error.to_string();
        assert!(
            error.contains("Records") && error.contains(place),
            "{error}"
        );
        let totals = replay.report().totals;
        assert_eq!((totals.denied, totals.unjudged.unreadable), (after, 1));
        // Others go on.
        let whole = json!({"Records": [call("ec2", "RunInstances")]}).to_string();
        replay.log_file(&whole).unwrap();
        let totals = replay.report().totals;
        assert_eq!((totals.denied, totals.unjudged.unreadable), (after + 1, 1));
        assert!(totals.is_consistent());
    }
}

/// JSON of every form, with the names of a record's fields.
fn anything() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-z0-9:/*${}.-]{0,12}",
        prop::sample::select(vec![
            "AssumedRole",
            "ec2.amazonaws.com",
            "RunInstances",
            "s3.amazonaws.com",
            "PutObject",
            "arn:aws:iam::123456789012:role/x",
            ACCOUNT,
            "AwsApiCall"
        ])
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 48, 8, |inner| {
        let name = prop::sample::select(vec![
            "userIdentity",
            "type",
            "arn",
            "accountId",
            "sessionContext",
            "sessionIssuer",
            "attributes",
            "eventTime",
            "eventSource",
            "eventName",
            "awsRegion",
            "requestParameters",
            "bucketName",
            "key",
            "roleName",
            "resources",
            "ARN",
            "tlsDetails",
            "recipientAccountId",
            "errorCode",
            "x",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..8).prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

proptest! {
    #[test]
    fn no_record_is_too_strange(record in anything(), field in 0_usize..12, value in anything(), text in ".{0,40}") {
        let organization = organization(
            &[deny("iam:*")],
            &[deny("ec2:*"), policy(&json!({"Effect": "Deny", "NotAction": "sts:*", "NotResource": "arn:aws:s3:::${aws:PrincipalTag/team}/*",
                "Condition": {"StringNotLike": {"aws:PrincipalArn": "*", "aws:UserAgent": "${aws:username}"}, "Bool": {"aws:SecureTransport": "false"}}}))],
        );
        let mut replay = Replay::new(&organization, 8);
        replay.record(&record.to_string());
        replay.record(&text);
        let mut near = call("s3", "PutObject");
        let fields = near.as_object_mut().unwrap();
        let name = fields.keys().nth(field).unwrap().clone();
        fields.insert(name, value);
        replay.record(&near.to_string());
        let file = json!({"Records": [record, near]}).to_string();
        prop_assert!(replay.log_file(&file).is_ok());
        prop_assert_eq!(replay.report().totals.records, 5);
        prop_assert!(replay.report().totals.is_consistent());
    }
}
