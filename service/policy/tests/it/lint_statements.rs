//! What lint says of conditions that contradict each other, and of statements that others make needless.

use crate::lint::{deny, scp};

/// Pairs of conditions of one statement, and whether a request can meet both.
#[test]
fn contradictions() {
    let rows = [
        (
            r#""StringEquals":{"aws:PrincipalTag/t":"a"},"StringLike":{"aws:PrincipalTag/t":"b*"}"#,
            false,
        ),
        (
            r#""StringEquals":{"aws:PrincipalTag/t":["a","bc"]},"StringLike":{"aws:PrincipalTag/t":"b*"}"#,
            true,
        ),
        (
            r#""StringEquals":{"aws:PrincipalTag/t":"a"},"StringEqualsIgnoreCase":{"AWS:principaltag/t":"A"}"#,
            true,
        ),
        (
            r#""StringEquals":{"aws:PrincipalTag/t":["a","b"]},"StringNotEquals":{"aws:PrincipalTag/t":["a","b","c"]}"#,
            false,
        ),
        (
            r#""StringEquals":{"aws:PrincipalTag/t":["a","b"]},"StringNotEquals":{"aws:PrincipalTag/t":"a"}"#,
            true,
        ),
        (
            r#""StringEquals":{"aws:PrincipalTag/t":"a"},"StringNotLike":{"aws:PrincipalTag/t":"*"}"#,
            false,
        ),
        (
            r#""StringEqualsIfExists":{"aws:PrincipalTag/t":"a"},"StringNotEquals":{"aws:PrincipalTag/t":"a"}"#,
            true,
        ),
        (
            r#""StringEquals":{"aws:PrincipalTag/t":"a"},"StringEqualsIfExists":{"aws:PrincipalTag/t":"b"}"#,
            false,
        ),
        (
            r#""StringEquals":{"aws:PrincipalTag/t":"${aws:username}"},"StringNotEquals":{"aws:PrincipalTag/t":"${aws:username}"}"#,
            true,
        ),
        (
            r#""Null":{"aws:PrincipalTag/t":"true"},"StringEquals":{"aws:PrincipalTag/t":"a"}"#,
            false,
        ),
        (
            r#""Null":{"aws:PrincipalTag/t":"true"},"StringNotEquals":{"aws:PrincipalTag/t":"a"}"#,
            true,
        ),
        (
            r#""Null":{"aws:PrincipalTag/t":"true"},"StringEqualsIfExists":{"aws:PrincipalTag/t":"a"}"#,
            true,
        ),
        (
            r#""NumericGreaterThan":{"aws:MultiFactorAuthAge":"3600"},"NumericLessThan":{"aws:MultiFactorAuthAge":"60"}"#,
            false,
        ),
        (
            r#""NumericGreaterThanEquals":{"aws:MultiFactorAuthAge":"60"},"NumericLessThanEquals":{"aws:MultiFactorAuthAge":"60"}"#,
            true,
        ),
        (
            r#""NumericGreaterThan":{"aws:MultiFactorAuthAge":"60"},"NumericLessThanEquals":{"aws:MultiFactorAuthAge":"60"}"#,
            false,
        ),
        (
            r#""DateGreaterThan":{"aws:CurrentTime":"2026-02-01"},"DateLessThan":{"aws:CurrentTime":"2026-01-01"}"#,
            false,
        ),
        (
            r#""DateGreaterThan":{"aws:CurrentTime":"2026-01-01"},"DateLessThan":{"aws:CurrentTime":"2026-02-01"}"#,
            true,
        ),
        (
            r#""ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/x"},"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/*"}"#,
            false,
        ),
        (
            r#""ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/*"},"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/x"}"#,
            true,
        ),
        (
            r#""Bool":{"aws:SecureTransport":"true"},"BoolIfExists":{"aws:SecureTransport":"false"}"#,
            false,
        ),
        (
            r#""IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"StringEquals":{"aws:SourceVpce":"vpce-1"}"#,
            false,
        ),
        (
            r#""NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"},"StringEquals":{"aws:SourceVpce":"vpce-1"}"#,
            true,
        ),
    ];
    for (conditions, possible) in rows {
        let findings = deny(&format!(
            r#""Action":"sqs:*","Resource":"*","Condition":{{{conditions}}}"#
        ));
        let found = findings
            .iter()
            .any(|finding| finding.code == "impossible-condition");
        assert_eq!(found, !possible, "{conditions}: {findings:#?}");
    }
}

#[test]
fn statements_that_others_make_needless() {
    let statement = |sid: &str, effect: &str, rest: &str| {
        format!(r#"{{"Sid":"{sid}","Effect":"{effect}",{rest}}}"#)
    };
    let wide = statement("Wide", "Deny", r#""Action":"sqs:*","Resource":"*""#);
    let narrow = statement(
        "Narrow",
        "Deny",
        r#""Action":"sqs:DeleteQueue","Resource":"arn:aws:sqs:*:*:q""#,
    );
    let same = statement("Same", "Deny", r#""Action":"sqs:*","Resource":"*""#);
    let allow = statement(
        "Allow",
        "Allow",
        r#""Action":"sqs:SendMessage","Resource":"*""#,
    );
    let other = statement("Other", "Allow", r#""Action":"sns:Publish","Resource":"*""#);
    let when =
        r#""Action":"sqs:*","Resource":"*","Condition":{"Bool":{"aws:ViaAWSService":"true"}}"#;
    let sometimes = statement("Sometimes", "Deny", when);
    for (statements, expected) in [
        (
            [&wide, &narrow],
            Some(("shadowed", "/Statement/1", "`Wide`")),
        ),
        (
            [&narrow, &wide],
            Some(("shadowed", "/Statement/0", "`Wide`")),
        ),
        ([&wide, &same], Some(("shadowed", "/Statement/1", "`Wide`"))),
        (
            [&wide, &sometimes],
            Some(("shadowed", "/Statement/1", "`Wide`")),
        ),
        ([&sometimes, &narrow], None),
        (
            [&wide, &allow],
            Some(("allow-without-effect", "/Statement/1", "`Wide`")),
        ),
        ([&sometimes, &allow], None),
        ([&wide, &other], None),
    ] {
        let findings = scp(&format!("{},{}", statements[0], statements[1]));
        let found: Vec<_> = findings
            .iter()
            .map(|f| (f.code, f.pointer.as_str()))
            .collect();
        match expected {
            None => assert_eq!(found, [], "{statements:?}"),
            Some((code, pointer, by)) => {
                assert_eq!(found, [(code, pointer)], "{statements:?}");
                assert!(findings[0].problem.contains(by), "{}", findings[0]);
            }
        }
    }
}
