//! Each operator, what a missing key means, and sets: the rules that AWS documents, one a row.

use landfall_policy::{Context, Policy, PrincipalView, Request};

/// Whether a statement with this `Condition` applies to a request with these keys. Values are parted by `|`.
fn holds(condition: &str, keys: &[(&str, &str)]) -> bool {
    applies("*", condition, "arn:aws:s3:::bucket/key", keys)
}

pub(crate) fn applies(
    resource: &str,
    condition: &str,
    requested: &str,
    keys: &[(&str, &str)],
) -> bool {
    let document = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"s3:GetObject","Resource":"{resource}","Condition":{condition}}}}}"#
    );
    let policy = Policy::parse(&document).unwrap_or_else(|error| panic!("{document}: {error}"));
    let mut context = Context::new();
    for (key, values) in keys {
        context.set_all(key, values.split('|').filter(|value| !value.is_empty()));
    }
    policy.allows(&Request {
        principal: &PrincipalView::root("111122223333"),
        action: "s3:GetObject",
        resource: requested,
        context: &context,
    })
}

/// A `Condition`, the request's keys, and whether it holds.
pub(crate) type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], bool);

#[track_caller]
pub(crate) fn check(rows: &[Row<'_>]) {
    for (condition, keys, expected) in rows {
        assert_eq!(
            holds(condition, keys),
            *expected,
            "{condition} with {keys:?}"
        );
    }
}

#[test]
fn strings() {
    check(&[
        (r#"{"StringEquals":{"k":"a"}}"#, &[("k", "a")], true),
        (r#"{"StringEquals":{"k":"a"}}"#, &[("k", "A")], false),
        (r#"{"StringEquals":{"k":["a","b"]}}"#, &[("k", "b")], true),
        (r#"{"StringEquals":{"k":"a*"}}"#, &[("k", "ab")], false),
        (r#"{"StringEquals":{"k":"a*"}}"#, &[("k", "a*")], true),
        (r#"{"StringEquals":{"K":"a"}}"#, &[("k", "a")], true),
        (
            r#"{"StringEquals":{"k":["a"],"l":["b"]}}"#,
            &[("k", "a"), ("l", "c")],
            false,
        ),
        (
            r#"{"StringEquals":{"k":"a"},"StringLike":{"l":"b*"}}"#,
            &[("k", "a"), ("l", "bc")],
            true,
        ),
        (r#"{"StringEquals":{"k":"a"}}"#, &[], false),
        (r#"{"StringEquals":{"k":[]}}"#, &[("k", "a")], false),
        (
            r#"{"StringNotEquals":{"k":["a","b"]}}"#,
            &[("k", "b")],
            false,
        ),
        (
            r#"{"StringNotEquals":{"k":["a","b"]}}"#,
            &[("k", "c")],
            true,
        ),
        (r#"{"StringNotEquals":{"k":"a"}}"#, &[], true),
        (
            r#"{"StringEqualsIgnoreCase":{"k":"Straße"}}"#,
            &[("k", "STRAßE")],
            true,
        ),
        (
            r#"{"StringNotEqualsIgnoreCase":{"k":"A"}}"#,
            &[("k", "a")],
            false,
        ),
        (r#"{"StringLike":{"k":"a?c*"}}"#, &[("k", "abcdef")], true),
        (r#"{"StringLike":{"k":"a?c*"}}"#, &[("k", "ac")], false),
        (r#"{"StringLike":{"k":"a"}}"#, &[("k", "ab")], false),
        (
            r#"{"StringNotLike":{"k":["a*","b*"]}}"#,
            &[("k", "bc")],
            false,
        ),
        (r#"{"StringNotLike":{"k":"a*"}}"#, &[], true),
    ]);
}

#[test]
fn numbers_dates_truths() {
    check(&[
        (r#"{"NumericEquals":{"k":"10"}}"#, &[("k", "10.0")], true),
        (r#"{"NumericEquals":{"k":10}}"#, &[("k", "10")], true),
        (r#"{"NumericNotEquals":{"k":10}}"#, &[("k", "10")], false),
        (r#"{"NumericNotEquals":{"k":10}}"#, &[], true),
        (
            r#"{"NumericLessThan":{"k":"3600"}}"#,
            &[("k", "3599.5")],
            true,
        ),
        (
            r#"{"NumericLessThan":{"k":"3600"}}"#,
            &[("k", "3600")],
            false,
        ),
        (r#"{"NumericLessThan":{"k":"3600"}}"#, &[], false),
        (
            r#"{"NumericLessThan":{"k":"3600"}}"#,
            &[("k", "soon")],
            false,
        ),
        (
            r#"{"NumericLessThanEquals":{"k":"3600"}}"#,
            &[("k", "3600")],
            true,
        ),
        (r#"{"NumericGreaterThan":{"k":"-1"}}"#, &[("k", "0")], true),
        (
            r#"{"NumericGreaterThanEquals":{"k":"5"}}"#,
            &[("k", "4")],
            false,
        ),
        (
            r#"{"DateEquals":{"k":"2026-11-21T09:30:00Z"}}"#,
            &[("k", "2026-11-21T10:30:00+01:00")],
            true,
        ),
        (
            r#"{"DateEquals":{"k":"2026-11-21"}}"#,
            &[("k", "2026-11-21T00:00Z")],
            true,
        ),
        (
            r#"{"DateEquals":{"k":"1970-01-02"}}"#,
            &[("k", "86400")],
            true,
        ),
        (
            r#"{"DateNotEquals":{"k":"2026-11-21"}}"#,
            &[("k", "2026-11-21T00:00:00.001Z")],
            true,
        ),
        (
            r#"{"DateLessThan":{"k":"2026-03-01"}}"#,
            &[("k", "2026-02-28T23:59:59Z")],
            true,
        ),
        (
            r#"{"DateLessThan":{"k":"2024-03-01"}}"#,
            &[("k", "2024-02-29T23:59:59.999Z")],
            true,
        ),
        (
            r#"{"DateGreaterThan":{"k":"2026-11-21T09:30:00Z"}}"#,
            &[("k", "2026-11-21T09:30:00Z")],
            false,
        ),
        (
            r#"{"DateGreaterThanEquals":{"k":"2026-11-21T09:30:00Z"}}"#,
            &[("k", "1795253400")],
            true,
        ),
        (
            r#"{"DateLessThanEquals":{"k":"2026-11-21T09:30:00Z"}}"#,
            &[("k", "never")],
            false,
        ),
        (r#"{"Bool":{"k":"true"}}"#, &[("k", "true")], true),
        (r#"{"Bool":{"k":false}}"#, &[("k", "False")], true),
        (r#"{"Bool":{"k":"false"}}"#, &[], false),
        (r#"{"BoolIfExists":{"k":"false"}}"#, &[], true),
        (r#"{"BoolIfExists":{"k":"false"}}"#, &[("k", "true")], false),
        (
            r#"{"BinaryEquals":{"k":"QmluYXJ5"}}"#,
            &[("k", "QmluYXJ5")],
            true,
        ),
        (
            r#"{"BinaryEquals":{"k":"QmluYXJ5"}}"#,
            &[("k", "QmluYXJ6")],
            false,
        ),
        // The same bytes, written otherwise.
        (
            r#"{"BinaryEquals":{"k":"+/+/QQ=="}}"#,
            &[("k", "-_-_QQ")],
            true,
        ),
        (
            r#"{"BinaryEquals":{"k":"QQ=="}}"#,
            &[("k", "no Base64")],
            false,
        ),
        (
            r#"{"Bool":{"k":"${aws:MultiFactorAuthPresent}"}}"#,
            &[("k", "TRUE"), ("aws:MultiFactorAuthPresent", "true")],
            true,
        ),
        (
            r#"{"Bool":{"k":"${aws:MultiFactorAuthPresent}"}}"#,
            &[("k", "yes"), ("aws:MultiFactorAuthPresent", "yes")],
            false,
        ),
        (r#"{"Null":{"k":"true"}}"#, &[], true),
        (r#"{"Null":{"k":"true"}}"#, &[("k", "a")], false),
        (r#"{"Null":{"k":false}}"#, &[("k", "a")], true),
        (r#"{"Null":{"k":"false"}}"#, &[("k", "")], false),
    ]);
}

#[test]
fn addresses_and_arns() {
    let role = "arn:aws:iam::111122223333:role/team/Deploy";
    check(&[
        (
            r#"{"IpAddress":{"k":"203.0.113.0/24"}}"#,
            &[("k", "203.0.113.255")],
            true,
        ),
        (
            r#"{"IpAddress":{"k":"203.0.113.0/24"}}"#,
            &[("k", "203.0.114.0")],
            false,
        ),
        (
            r#"{"IpAddress":{"k":"203.0.113.7"}}"#,
            &[("k", "203.0.113.7")],
            true,
        ),
        (
            r#"{"IpAddress":{"k":"0.0.0.0/0"}}"#,
            &[("k", "198.51.100.1")],
            true,
        ),
        (
            r#"{"IpAddress":{"k":"0.0.0.0/0"}}"#,
            &[("k", "2001:db8::1")],
            false,
        ),
        (
            r#"{"IpAddress":{"k":"2001:DB8:1234:5678::/64"}}"#,
            &[("k", "2001:db8:1234:5678::9")],
            true,
        ),
        (
            r#"{"IpAddress":{"k":["10.0.0.0/8","2001:db8::/32"]}}"#,
            &[("k", "2001:db9::1")],
            false,
        ),
        (r#"{"IpAddress":{"k":"::/0"}}"#, &[("k", "::1")], true),
        (
            r#"{"NotIpAddress":{"k":["192.0.2.0/24","203.0.113.0/24"]}}"#,
            &[("k", "203.0.113.5")],
            false,
        ),
        (
            r#"{"NotIpAddress":{"k":"192.0.2.0/24"}}"#,
            &[("k", "203.0.113.5")],
            true,
        ),
        (r#"{"NotIpAddress":{"k":"192.0.2.0/24"}}"#, &[], true),
        (
            r#"{"IpAddress":{"k":"192.0.2.0/24"}}"#,
            &[("k", "AWS Internal")],
            false,
        ),
        (
            r#"{"ArnEquals":{"k":"arn:aws:iam::*:role/team/*"}}"#,
            &[("k", role)],
            true,
        ),
        (
            r#"{"ArnLike":{"k":"arn:aws:iam::*:role/Deploy"}}"#,
            &[("k", role)],
            false,
        ),
        (
            r#"{"ArnLike":{"k":"arn:aws:*:role/team/Deploy:::"}}"#,
            &[("k", role)],
            false,
        ),
        (
            r#"{"ArnLike":{"k":"arn:aws:iam::11112222333?:role/*"}}"#,
            &[("k", role)],
            true,
        ),
        (
            r#"{"ArnLike":{"k":"arn:aws:sns:*:*:topic"}}"#,
            &[("k", "arn:aws:sns:eu-west-1:111122223333:topic:sub")],
            false,
        ),
        (
            r#"{"ArnLike":{"k":"arn:aws:sns:*:*:topic*"}}"#,
            &[("k", "arn:aws:sns:eu-west-1:111122223333:topic:sub")],
            true,
        ),
        (r#"{"ArnLike":{"k":"*"}}"#, &[("k", role)], true),
        (r#"{"ArnLike":{"k":"*"}}"#, &[("k", "no ARN")], false),
        (
            r#"{"ArnNotLike":{"k":"arn:aws:iam::*:role/team/*"}}"#,
            &[("k", role)],
            false,
        ),
        (
            r#"{"ArnNotLike":{"k":"arn:aws:iam::*:role/other"}}"#,
            &[("k", role)],
            true,
        ),
        (
            r#"{"ArnNotEquals":{"k":"arn:aws:iam::*:role/other"}}"#,
            &[],
            true,
        ),
        (
            r#"{"ArnLike":{"k":"${aws:PrincipalArn}"}}"#,
            &[("k", role), ("aws:PrincipalArn", role)],
            true,
        ),
    ]);
}

#[test]
fn sets_and_missing_keys() {
    check(&[
        (
            r#"{"ForAllValues:StringEquals":{"k":["a","b"]}}"#,
            &[("k", "a|b")],
            true,
        ),
        (
            r#"{"ForAllValues:StringEquals":{"k":["a","b"]}}"#,
            &[("k", "a|c")],
            false,
        ),
        (
            r#"{"ForAllValues:StringEquals":{"k":["a","b"]}}"#,
            &[],
            true,
        ),
        (
            r#"{"ForAllValues:StringNotEquals":{"k":"a"}}"#,
            &[("k", "b|c")],
            true,
        ),
        (
            r#"{"ForAllValues:StringNotEquals":{"k":"a"}}"#,
            &[("k", "a|c")],
            false,
        ),
        (
            r#"{"ForAnyValue:StringEquals":{"k":["a","b"]}}"#,
            &[("k", "c|b")],
            true,
        ),
        (
            r#"{"ForAnyValue:StringEquals":{"k":["a","b"]}}"#,
            &[("k", "c|d")],
            false,
        ),
        (r#"{"ForAnyValue:StringEquals":{"k":"a"}}"#, &[], false),
        (r#"{"ForAnyValue:StringNotEquals":{"k":"a"}}"#, &[], false),
        (
            r#"{"ForAnyValue:StringNotEquals":{"k":"a"}}"#,
            &[("k", "a|b")],
            true,
        ),
        (
            r#"{"ForAnyValue:StringNotEquals":{"k":"a"}}"#,
            &[("k", "a")],
            false,
        ),
        (
            r#"{"ForAnyValue:StringLike":{"k":"o-a/*"}}"#,
            &[("k", "o-b/r/|o-a/r/ou/")],
            true,
        ),
        (
            r#"{"ForAnyValue:StringEqualsIfExists":{"k":"a"}}"#,
            &[],
            true,
        ),
        (r#"{"StringEqualsIfExists":{"k":"a"}}"#, &[], true),
        (
            r#"{"StringEqualsIfExists":{"k":"a"}}"#,
            &[("k", "b")],
            false,
        ),
        (r#"{"StringNotEqualsIfExists":{"k":"a"}}"#, &[], true),
        (r#"{"StringNotEquals":{"k":"a"}}"#, &[("k", "a|b")], false),
        (r#"{"StringEquals":{"k":"a"}}"#, &[("k", "a|b")], true),
        (
            r#"{"ArnLikeIfExists":{"k":"arn:aws:iam::*:role/x"}}"#,
            &[],
            true,
        ),
        (
            r#"{"ForAllValues:StringLike":{"aws:TagKeys":["team","cost*"]}}"#,
            &[("aws:tagkeys", "team|cost-center")],
            true,
        ),
    ]);
}
