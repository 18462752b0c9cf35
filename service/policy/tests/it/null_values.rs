//! What an empty string is: a null dataset to set operators, to `Null` and to variables, and a value to the others.

use landfall_policy::{Context, Policy, PrincipalView, Request};

fn holds(condition: &str, keys: &[(&str, &[&str])]) -> bool {
    let document = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}}}"#
    );
    let mut context = Context::new();
    for (key, values) in keys {
        context.set_all(key, values.iter().copied());
    }
    Policy::parse(&document).unwrap().allows(&Request {
        principal: &PrincipalView::root("111122223333"),
        action: "s3:ListBucket",
        resource: "*",
        context: &context,
    })
}

#[test]
fn empty_strings() {
    let rows: &[(&str, &[&str], bool)] = &[
        (r#"{"ForAllValues:StringEquals":{"k":"a"}}"#, &[""], true),
        (
            r#"{"ForAllValues:StringEquals":{"k":"a"}}"#,
            &["", ""],
            true,
        ),
        (
            r#"{"ForAllValues:StringEquals":{"k":"a"}}"#,
            &["", "a"],
            false,
        ),
        (r#"{"ForAllValues:StringNotEquals":{"k":""}}"#, &[""], true),
        (r#"{"ForAnyValue:StringNotEquals":{"k":"a"}}"#, &[""], false),
        (r#"{"ForAnyValue:StringEquals":{"k":""}}"#, &[""], false),
        (
            r#"{"ForAnyValue:StringEqualsIfExists":{"k":"a"}}"#,
            &[""],
            false,
        ),
        (r#"{"Null":{"k":"false"}}"#, &[""], false),
        (r#"{"Null":{"k":"true"}}"#, &[""], true),
        (r#"{"Null":{"k":"true"}}"#, &["", "a"], false),
        (r#"{"StringEquals":{"k":["","home/"]}}"#, &[""], true),
        (r#"{"StringNotEquals":{"k":"a"}}"#, &[""], true),
        (r#"{"StringEqualsIfExists":{"k":"a"}}"#, &[""], false),
    ];
    for (condition, values, expected) in rows {
        assert_eq!(
            holds(condition, &[("k", values)]),
            *expected,
            "{condition} with {values:?}"
        );
    }
}

#[test]
fn an_empty_variable_has_no_value() {
    for (condition, tag, expected) in [
        (
            r#"{"StringEquals":{"k":"${aws:PrincipalTag/t}"}}"#,
            "",
            false,
        ),
        (
            r#"{"StringNotEquals":{"k":"${aws:PrincipalTag/t}"}}"#,
            "",
            true,
        ),
        (
            r#"{"StringEquals":{"k":"${aws:PrincipalTag/t, 'x'}"}}"#,
            "",
            true,
        ),
        (
            r#"{"StringEquals":{"k":"${aws:PrincipalTag/t, 'y'}"}}"#,
            "x",
            true,
        ),
    ] {
        let keys: &[(&str, &[&str])] = &[("k", &["x"]), ("aws:PrincipalTag/t", &[tag])];
        assert_eq!(holds(condition, keys), expected, "{condition} with `{tag}`");
    }
}
