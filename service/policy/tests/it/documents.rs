//! What parses, what is refused and where, how it is written, and what each kind of policy may say.

use landfall_policy::{Kind, Policy, Version, allow_actions};

#[test]
fn a_document_is_read_and_written_in_canonical_form() {
    let text = r#"
    {
      "Statement": [
        {
          "NotResource": ["arn:aws:s3:::b"],
          "Condition": { "Bool": { "aws:SecureTransport": [false] }, "NumericLessThan": { "k": [1, "2.5"] } },
          "NotAction": ["s3:Get*", "s3:List*"],
          "Principal": { "AWS": ["111122223333"], "Service": "config.amazonaws.com" },
          "Effect": "Deny",
          "Sid": "One"
        },
        { "Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*" }
      ],
      "Id": "id",
      "Version": "2012-10-17"
    }"#;
    let policy = Policy::parse(text).unwrap();
    assert_eq!(policy.version(), Some(Version::V2012));
    assert_eq!(policy.id(), Some("id"));
    assert_eq!(policy.statements()[0].sid(), Some("One"));
    assert_eq!(
        policy.to_string(),
        concat!(
            r#"{"Version":"2012-10-17","Id":"id","Statement":[{"Sid":"One","Effect":"Deny","#,
            r#""Principal":{"AWS":"111122223333","Service":"config.amazonaws.com"},"NotAction":["s3:Get*","s3:List*"],"#,
            r#""NotResource":"arn:aws:s3:::b","Condition":{"Bool":{"aws:SecureTransport":"false"},"NumericLessThan":{"k":["1","2.5"]}}},"#,
            r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#
        )
    );
    let through_serde: Policy =
        serde_json::from_value(serde_json::to_value(&policy).unwrap()).unwrap();
    assert_eq!(through_serde.statements().len(), 2);
}

#[test]
fn every_error_says_where_and_what_to_write() {
    let statement = |inner: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{inner}]}}"#);
    let condition = |inner: &str| {
        statement(&format!(
            r#"{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{inner}}}"#
        ))
    };
    let principal = |inner: &str| {
        statement(&format!(
            r#"{{"Effect":"Allow","Action":"*","Principal":{inner}}}"#
        ))
    };
    let resource = |inner: &str| {
        statement(&format!(
            r#"{{"Effect":"Allow","Action":"*","Resource":{inner}}}"#
        ))
    };
    let rows: Vec<(String, &str, &str)> = vec![
        (String::new(), "", "not JSON"),
        ("{".to_owned(), "", "not JSON"),
        ("[]".to_owned(), "", "a list: write an object"),
        ("{}".to_owned(), "", "Statement is missing"),
        (r#"{"Statement":[]}"#.to_owned(), "/Statement", "empty"),
        (
            r#"{"Statement":1}"#.to_owned(),
            "/Statement",
            "a number: write a statement",
        ),
        (
            r#"{"Version":"2013-01-01","Statement":[]}"#.to_owned(),
            "/Version",
            "`2012-10-17`",
        ),
        (
            r#"{"version":"2012-10-17"}"#.to_owned(),
            "/version",
            "no element of a policy",
        ),
        (
            r#"{"Statement":[],"Statement":[]}"#.to_owned(),
            "",
            "`Statement` stands here twice",
        ),
        (
            statement(r#"{"Action":"*","Resource":"*"}"#),
            "/Statement/0",
            "Effect is missing",
        ),
        (
            statement(r#"{"Effect":"allow","Action":"*"}"#),
            "/Statement/0/Effect",
            "`Allow` or `Deny`",
        ),
        (
            statement(r#"{"Effect":"Allow","Resource":"*"}"#),
            "/Statement/0",
            "Action is missing",
        ),
        (
            statement(r#"{"Effect":"Allow","Actions":"*"}"#),
            "/Statement/0/Actions",
            "no element of a statement",
        ),
        (
            statement(r#"{"Effect":"Allow","Action":[]}"#),
            "/Statement/0/Action",
            "list is empty",
        ),
        (
            statement(r#"{"Effect":"Allow","Action":["a:b",""]}"#),
            "/Statement/0/Action/1",
            "empty",
        ),
        (
            statement(r#"{"Effect":"Allow","Action":"*","NotAction":"*"}"#),
            "/Statement/0/NotAction",
            "exclude each other",
        ),
        (
            statement(r#"{"Effect":"Allow","Action":"*","Resource":"*","NotResource":"*"}"#),
            "/Statement/0/NotResource",
            "exclude each other",
        ),
        (
            statement(r#"{"Effect":"Allow","Action":"*","Sid":null}"#),
            "/Statement/0/Sid",
            "null: write a string",
        ),
        (
            principal(r#""111122223333""#),
            "/Statement/0/Principal",
            r#"write {"AWS": "111122223333"}"#,
        ),
        (
            principal(r#"{"Aws":"*"}"#),
            "/Statement/0/Principal/Aws",
            "no type of principal",
        ),
        (
            principal(r#"{"AWS":[]}"#),
            "/Statement/0/Principal/AWS",
            "names nobody",
        ),
        (principal("{}"), "/Statement/0/Principal", "names nobody"),
        (
            resource(r#""arn:aws:s3:::${aws:username""#),
            "/Statement/0/Resource",
            "not closed",
        ),
        (
            resource(r#"["*","arn:aws:s3:::${user}"]"#),
            "/Statement/0/Resource/1",
            "no policy variable",
        ),
        (
            resource(r#""arn:aws:s3:::${aws:username, x}""#),
            "/Statement/0/Resource",
            "write `${aws:username, 'default'}`",
        ),
        (
            condition(r#"{"StringEqual":{"k":"a"}}"#),
            "/Statement/0/Condition/StringEqual",
            "no operator",
        ),
        (
            condition(r#"{"stringequals":{"k":"a"}}"#),
            "/Statement/0/Condition/stringequals",
            "write `StringEquals`",
        ),
        (
            condition(r#"{"NullIfExists":{"k":"true"}}"#),
            "/Statement/0/Condition/NullIfExists",
            "write `Null`",
        ),
        (
            condition(r#"{"StringEquals":"a"}"#),
            "/Statement/0/Condition/StringEquals",
            "a string: write an object",
        ),
        (
            condition(r#"{"StringEquals":{"k":"a","k":"b"}}"#),
            "/Statement/0/Condition/StringEquals",
            "`k` stands here twice",
        ),
        (
            condition(r#"{"StringEquals":{"a/b~c":{}}}"#),
            "/Statement/0/Condition/StringEquals/a~1b~0c",
            "an object: write a string",
        ),
        (
            condition(r#"{"Bool":{"k":"yes"}}"#),
            "/Statement/0/Condition/Bool/k",
            "`true` or `false`",
        ),
        (
            condition(r#"{"NumericEquals":{"k":["1","NaN"]}}"#),
            "/Statement/0/Condition/NumericEquals/k/1",
            "a number",
        ),
        (
            condition(r#"{"DateLessThan":{"k":"2026-02-29"}}"#),
            "/Statement/0/Condition/DateLessThan/k",
            "a date",
        ),
        (
            condition(r#"{"BinaryEquals":{"k":"QR=="}}"#),
            "/Statement/0/Condition/BinaryEquals/k",
            "Base64",
        ),
        (
            condition(r#"{"IpAddress":{"k":"10.0.0.0/33"}}"#),
            "/Statement/0/Condition/IpAddress/k",
            "an address range",
        ),
        (
            condition(r#"{"ArnLike":{"k":"arn:aws:iam::role/x"}}"#),
            "/Statement/0/Condition/ArnLike/k",
            "all six parts",
        ),
    ];
    for (document, pointer, problem) in rows {
        let error = Policy::parse(&document).expect_err(&document);
        assert_eq!(error.pointer, pointer, "{document}: {error}");
        assert!(error.problem.contains(problem), "{document}: {error}");
    }
}

#[test]
fn each_kind_has_its_rules() {
    use Kind::{Boundary, Identity, Resource, ResourceControl, ServiceControl, Session, Trust};
    let plain = r#"{"Effect":"Deny","Action":"s3:*","Resource":"*"}"#;
    let everyone = r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}"#;
    let trust =
        r#"{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}"#;
    let rows: Vec<(&str, &[Kind])> = vec![
        (plain, &[Identity, Boundary, Session, ServiceControl]),
        (everyone, &[Resource, ResourceControl]),
        (trust, &[Trust, Resource]),
        (
            r#"{"Effect":"Deny","NotAction":"s3:*","NotResource":"arn:aws:s3:::b"}"#,
            &[Identity, Boundary, Session, ServiceControl],
        ),
        (r#"{"Effect":"Deny","Action":"s3","Resource":"*"}"#, &[]),
        (r#"{"Effect":"Deny","Action":"s3:","Resource":"*"}"#, &[]),
        (
            r#"{"Effect":"Deny","Action":"s3:*","Resource":"bucket"}"#,
            &[],
        ),
        (r#"{"Effect":"Deny","Action":"s3:*"}"#, &[]),
        (
            r#"{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3"}"#,
            &[Identity, Boundary],
        ),
        (
            r#"{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:*"}"#,
            &[Identity, Boundary, Session, ServiceControl],
        ),
        (
            r#"{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:ViaAWSService":"true","AWS:viaawsservice":"false"}}}"#,
            &[],
        ),
        (
            r#"{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:ViaAWSService":"true"},"BoolIfExists":{"AWS:viaawsservice":"false"}}}"#,
            &[Identity, Boundary, Session, ServiceControl],
        ),
        (
            r#"{"Sid":"a b","Effect":"Deny","Action":"s3:*","Resource":"*"}"#,
            &[],
        ),
        (
            r#"{"Sid":"a b","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}"#,
            &[Resource],
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}"#,
            &[Resource],
        ),
        (
            r#"{"Effect":"Allow","NotPrincipal":{"AWS":"111122223333"},"Action":"s3:*","Resource":"*"}"#,
            &[],
        ),
        (
            r#"{"Effect":"Deny","NotPrincipal":{"AWS":"111122223333"},"Action":"s3:*","Resource":"*"}"#,
            &[Resource],
        ),
        (
            r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/*"},"Action":"sts:AssumeRole"}"#,
            &[],
        ),
        (
            r#"{"Effect":"Allow","Principal":{"AWS":"AROAEXAMPLEEXAMPLE"},"Action":"sts:AssumeRole"}"#,
            &[Trust, Resource],
        ),
        (
            r#"{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"iam:PassRole"}"#,
            &[Resource],
        ),
        (
            r#"{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}"#,
            &[Resource],
        ),
    ];
    for (statement, accepted) in rows {
        let policy = Policy::parse(&format!(
            r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#
        ))
        .unwrap();
        for kind in [
            Identity,
            Boundary,
            Session,
            ServiceControl,
            Resource,
            ResourceControl,
            Trust,
        ] {
            let problems = policy.problems(kind);
            assert_eq!(
                problems.is_empty(),
                accepted.contains(&kind),
                "{statement} as {kind:?}: {problems:?}"
            );
            assert_eq!(policy.validate(kind).err(), problems.into_iter().next());
        }
    }
}

#[test]
fn sids_stand_once_in_a_document() {
    let twice = r#"{"Statement":[{"Sid":"A","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"A","Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let error = Policy::parse(twice)
        .unwrap()
        .validate(Kind::Identity)
        .unwrap_err();
    assert_eq!(error.pointer, "/Statement/1/Sid");
}

#[test]
fn identity_policies_have_no_id() {
    let document = r#"{"Id":"x","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let policy = Policy::parse(document).unwrap();
    for (kind, refused) in [
        (Kind::Identity, true),
        (Kind::Boundary, true),
        (Kind::Session, true),
        (Kind::ServiceControl, false),
    ] {
        let problems = policy.problems(kind);
        assert_eq!(
            problems.iter().any(|problem| problem.pointer == "/Id"),
            refused,
            "{kind:?}"
        );
    }
}

#[test]
fn session_policies_are_short() {
    let rows: [(&[&str], &str); 6] = [
        // To the first, the `*` of the second is one character like any other: that proves nothing.
        (
            &["s3:Ge??", "s3:Ge*t"],
            r#""Effect":"Allow","Action":["s3:Ge*t","s3:Ge??"]"#,
        ),
        (
            &["s3:GetObject"],
            r#""Effect":"Allow","Action":"s3:GetObject""#,
        ),
        (
            &["s3:PutObject", "iam:GetRole", "S3:putobject"],
            r#""Effect":"Allow","Action":["iam:GetRole","S3:putobject"]"#,
        ),
        (
            &["s3:GetObject", "s3:Get*", "s3:GetObject*"],
            r#""Effect":"Allow","Action":"s3:Get*""#,
        ),
        (
            &["s3:*", "s3:**", "s3:Ge?", "s3:Ge*"],
            r#""Effect":"Allow","Action":"s3:*""#,
        ),
        (&[], r#""Effect":"Deny","Action":"*""#),
    ];
    for (actions, expected) in rows {
        let policy = allow_actions(actions.iter().copied());
        assert_eq!(
            policy.to_minified(),
            format!(r#"{{"Version":"2012-10-17","Statement":[{{{expected},"Resource":"*"}}]}}"#)
        );
        policy.validate(Kind::Session).unwrap();
    }
}
