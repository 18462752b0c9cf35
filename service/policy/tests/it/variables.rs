//! Policy variables in conditions and resources.

use landfall_policy::{Context, Policy, PrincipalView, Request, Verdict};

use crate::conditions::{applies, check};

#[test]
fn variables() {
    let alice: &[(&str, &str)] = &[("aws:username", "alice"), ("k", "alice")];
    let star: &[(&str, &str)] = &[("aws:username", "*"), ("k", "bob")];
    check(&[
        (r#"{"StringEquals":{"k":"${aws:username}"}}"#, alice, true),
        (r#"{"StringEquals":{"k":"${AWS:UserName}"}}"#, alice, true),
        (r#"{"StringLike":{"k":"${aws:username}"}}"#, star, false),
        (
            r#"{"StringEquals":{"k":"${aws:username}"}}"#,
            &[("k", "alice")],
            false,
        ),
        (
            r#"{"StringNotEquals":{"k":"${aws:username}"}}"#,
            &[("k", "alice")],
            true,
        ),
        (
            r#"{"StringEquals":{"k":"${aws:username, 'alice'}"}}"#,
            &[("k", "alice")],
            true,
        ),
        (
            r#"{"StringEquals":{"k":"${aws:username,'nobody'}"}}"#,
            alice,
            true,
        ),
        (
            r#"{"StringEquals":{"k":"${aws:username}"}}"#,
            &[("aws:username", "a|b"), ("k", "a")],
            false,
        ),
        (r#"{"StringLike":{"k":"${*}"}}"#, &[("k", "x")], false),
        (r#"{"StringLike":{"k":"${*}"}}"#, &[("k", "*")], true),
        (
            r#"{"StringLike":{"k":"${$}{?${?}"}}"#,
            &[("k", "${x?")],
            true,
        ),
        (
            r#"{"StringEqualsIgnoreCase":{"k":"${aws:username}"}}"#,
            &[("aws:username", "ALICE"), ("k", "Alice")],
            true,
        ),
        (
            r#"{"StringEquals":{"k":"${aws:PrincipalTag/cost center}"}}"#,
            &[("aws:PrincipalTag/cost center", "7"), ("k", "7")],
            true,
        ),
    ]);
    let home = "arn:aws:s3:::bucket/${aws:username}/*";
    let file = "arn:aws:s3:::bucket/alice/file";
    assert!(applies(home, "{}", file, alice));
    assert!(!applies(home, "{}", file, star));
    assert!(!applies(home, "{}", file, &[]));
}

#[test]
fn the_older_version_has_no_variables() {
    let document = r#"{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}"}}"#;
    let policy = Policy::parse(document).unwrap();
    let context = Context::new().with("aws:username", "alice");
    for (resource, expected) in [
        ("arn:aws:s3:::b/alice", false),
        ("arn:aws:s3:::b/${aws:username}", true),
    ] {
        let request = Request {
            principal: &PrincipalView::root("111122223333"),
            action: "s3:GetObject",
            resource,
            context: &context,
        };
        assert_eq!(policy.allows(&request), expected, "{resource}");
    }
}

/// A resource that no variable could be filled in for is none of the excluded ones.
#[test]
fn an_empty_variable_excludes_nothing() {
    let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","NotResource":"arn:aws:s3:::b/${aws:username}"}}"#;
    let policy = Policy::parse(document).unwrap();
    let denied = |context: &Context| {
        let principal = PrincipalView::root("111122223333");
        let verdict = policy.evaluate(&Request {
            principal: &principal,
            action: "s3:GetObject",
            resource: "arn:aws:s3:::b/alice",
            context,
        });
        verdict == Verdict::Deny { statement: 0 }
    };
    assert!(denied(&Context::new()));
    assert!(!denied(&Context::new().with("aws:username", "alice")));
}
