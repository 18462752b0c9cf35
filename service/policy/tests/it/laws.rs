//! Laws that hold for every document and every text.

use std::sync::Arc;

use landfall_policy::lint::{Limits, lint};
use landfall_policy::pack::{Source, pack};
use landfall_policy::{
    Context, Decision, Glob, Kind, Layers, Policy, PrincipalView, Request, Verdict, allow_actions,
    decide, explain,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Texts that fit a regular expression. Read once; a bare string would be read again for every case.
pub(crate) fn text(pattern: &str) -> BoxedStrategy<String> {
    prop::string::string_regex(pattern).unwrap().boxed()
}

fn one_or_many(items: impl Strategy<Value = String> + 'static) -> BoxedStrategy<Value> {
    prop::collection::vec(items, 1..4)
        .prop_flat_map(|items| {
            let one = json!(items[0]);
            prop_oneof![Just(json!(items)), Just(one)]
        })
        .boxed()
}

fn action() -> BoxedStrategy<String> {
    prop_oneof![Just("*".to_owned()), "(s3|iam):(Get|Put|\\*|\\?){1,3}",].boxed()
}

fn resource() -> BoxedStrategy<String> {
    prop_oneof![
        Just("*".to_owned()),
        text("arn:aws:s3:::(b|\\*|\\?|/|\\$\\{aws:username\\}|\\$\\{aws:username, 'b'\\}|\\$\\{\\*\\}){1,4}"),
    ]
    .boxed()
}

fn principal() -> BoxedStrategy<Value> {
    prop_oneof![
        Just(json!("*")),
        one_or_many(text(
            "(\\*|111122223333|arn:aws:iam::111122223333:(root|role/R|user/b))"
        ))
        .prop_map(|names| json!({ "AWS": names })),
        Just(json!({ "Service": "s3.amazonaws.com", "AWS": "444455556666" })),
    ]
    .boxed()
}

fn condition() -> BoxedStrategy<Value> {
    let key = text("(aws:username|k|K)");
    let set = text("(ForAllValues:|ForAnyValue:|)");
    let exists = text("(IfExists|)");
    let test = prop_oneof![
        (
            text("String(Not|)(Equals|EqualsIgnoreCase|Like)"),
            one_or_many(text("[ab*?]{0,3}(\\$\\{aws:username\\}|)")),
        ),
        (
            text("Numeric(Equals|LessThan|GreaterThanEquals)"),
            one_or_many(text("[0-9]{1,3}(\\.5|)")),
        ),
        (text("Bool"), one_or_many(text("(true|false)"))),
        (
            text("(Not|)IpAddress"),
            one_or_many(text("10\\.0\\.0\\.[0-9]/(8|24|32)")),
        ),
        (
            text("Arn(Not|)(Like|Equals)"),
            one_or_many(text("arn:aws:iam::[1*]:(role|\\*)/[ab?]")),
        ),
    ];
    (set, test, exists, key)
        .prop_map(|(set, (operator, values), exists, key)| {
            json!({ format!("{set}{operator}{exists}"): { key: values } })
        })
        .boxed()
}

pub(crate) fn statement(with_principal: bool) -> BoxedStrategy<Value> {
    (
        any::<[bool; 5]>(),
        one_or_many(action()),
        one_or_many(resource()),
        principal(),
        condition(),
    )
        .prop_map(move |(flags, action, resource, principal, condition)| {
            let [
                allow,
                not_action,
                not_resource,
                not_principal,
                has_condition,
            ] = flags;
            let pick = |inverted, plain: &str| {
                if inverted {
                    format!("Not{plain}")
                } else {
                    plain.to_owned()
                }
            };
            let mut statement = json!({
                "Effect": if allow { "Allow" } else { "Deny" },
                pick(not_action, "Action"): action,
                pick(not_resource, "Resource"): resource,
            });
            if with_principal {
                statement[pick(not_principal, "Principal")] = principal;
            }
            if has_condition {
                statement["Condition"] = condition;
            }
            statement
        })
        .boxed()
}

pub(crate) fn document(with_principal: bool) -> BoxedStrategy<String> {
    (
        prop::collection::vec(statement(with_principal), 1..5),
        prop::option::of(prop_oneof![Just("2012-10-17"), Just("2008-10-17")]),
        prop::option::of(text("[a-z]{1,4}")),
    )
        .prop_map(|(statements, version, id)| {
            let mut document = json!({ "Statement": statements });
            if let Some(version) = version {
                document["Version"] = json!(version);
            }
            if let Some(id) = id {
                document["Id"] = json!(id);
            }
            document.to_string()
        })
        .boxed()
}

fn who() -> BoxedStrategy<PrincipalView> {
    let session = PrincipalView::role_session("arn:aws:iam::111122223333:role/R", "s").unwrap();
    let user = PrincipalView::from_arn("arn:aws:iam::111122223333:user/b").unwrap();
    prop_oneof![
        Just(session),
        Just(user),
        Just(PrincipalView::root("111122223333")),
        Just(PrincipalView::service("s3.amazonaws.com")),
        Just(PrincipalView::anonymous()),
    ]
    .boxed()
}

fn context() -> BoxedStrategy<Context> {
    let value = text("(a|b|ab|\\*|7|3\\.5|true|10\\.0\\.0\\.7|arn:aws:iam::1:role/a)");
    (
        prop::collection::vec(value, 0..3),
        prop::option::of(text("[ab*]{1,2}")),
    )
        .prop_map(|(values, username)| {
            let mut context = Context::new();
            context.set_all("k", values);
            if let Some(username) = username {
                context.set("aws:username", username);
            }
            context
        })
        .boxed()
}

pub(crate) fn asked() -> BoxedStrategy<(PrincipalView, String, String, Context)> {
    (
        who(),
        text("(s3|iam):(Get|Put){1,2}"),
        text("arn:aws:s3:::[b/*]{1,4}"),
        context(),
    )
        .boxed()
}

/// Any JSON, with names from the policy language among its own.
fn any_json() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text(".{0,12}").prop_map(Value::from),
        text("(\\*|Allow|Deny|2012-10-17|\\$\\{[a-z:,' }]{0,6}|[0-9:T/.Z+-]{0,12})")
            .prop_map(Value::from),
    ];
    let name = text(
        "(Version|Id|Statement|Sid|Effect|Action|NotAction|Resource|Principal|AWS|Condition|(ForAllValues:|)(StringLike|DateEquals|IpAddress|Bool|Null|ArnLike|NumericEquals)|[a-z]{0,3})",
    );
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
    .boxed()
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in text(".*"), json in any_json()) {
        let _ = Policy::parse(&text);
        let statements = json!({ "Version": "2012-10-17", "Statement": [json] }).to_string();
        for text in [json.to_string(), statements] {
            if let Ok(policy) = Policy::parse(&text) {
                for kind in [Kind::Identity, Kind::Resource, Kind::Trust, Kind::ServiceControl, Kind::ResourceControl] {
                    let _ = policy.validate(kind);
                }
            }
        }
    }

    /// A policy that was right until somebody changed a few characters: nothing that takes it panics.
    #[test]
    fn a_broken_document_is_read_or_refused(
        text in document(true),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..8_usize, text("(.{0,3}|[\\[\\]{}\",:*?$]{0,3}|\\$\\{[a-z:]{0,4}\\}?)")), 1..5),
        (principal, action, resource, context) in asked(),
    ) {
        let mut text = text;
        for (at, length, piece) in changes {
            let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let from = at.index(bounds.len());
            let to = (from + length).min(bounds.len() - 1);
            text.replace_range(bounds[from]..bounds[to], &piece);
        }
        let Ok(policy) = Policy::parse(&text) else {
            return Ok(());
        };
        for kind in [Kind::Identity, Kind::Resource, Kind::Trust, Kind::ServiceControl, Kind::ResourceControl, Kind::Session, Kind::Boundary] {
            prop_assert!(policy.problems(kind).iter().all(|problem| !problem.to_string().is_empty()));
            prop_assert!(lint(&text, kind, Limits::OLDER).is_ok());
        }
        let request = Request { principal: &principal, action: &action, resource: &resource, context: &context };
        let layers = Layers { resource: Some(&policy), boundary: Some(&policy), ..Layers::default() };
        prop_assert_eq!(explain(&layers, &request).decision, decide(&layers, &request));
        if let Ok(packed) = pack(&[Source { name: "a".to_owned(), policy: policy.clone() }], Limits::default()) {
            let denies = |policy: &Policy| matches!(policy.evaluate(&request), Verdict::Deny { .. });
            prop_assert_eq!(packed.policies.iter().any(|packed| denies(&packed.policy)), denies(&policy));
        }
    }

    #[test]
    fn any_value_in_any_condition_is_compared(
        operator in text("(String(Equals|Like|EqualsIgnoreCase)|Numeric(LessThan)|Date(LessThan|Equals)|Bool|IpAddress|ArnLike|BinaryEquals)"),
        wanted in text("(.{0,12}|[0-9:T/.Z+-]{0,24})"),
        actual in text("(.{0,12}|[0-9:T/.Z+-]{0,24}|arn:.{0,12})"),
    ) {
        let document = json!({ "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": { operator: { "k": wanted } } } });
        if let Ok(policy) = Policy::parse(&document.to_string()) {
            let context = Context::new().with("k", actual.clone());
            let principal = PrincipalView::from_arn(&actual).unwrap_or_else(PrincipalView::anonymous);
            let _ = policy.evaluate(&Request { principal: &principal, action: &actual, resource: &wanted, context: &context });
        }
    }

    #[test]
    fn what_is_written_is_read_back(text in document(true)) {
        let policy = Policy::parse(&text).unwrap();
        let minified = policy.to_minified();
        let again = Policy::parse(&minified).unwrap();
        prop_assert_eq!(&again, &policy);
        prop_assert_eq!(again.to_minified(), minified);
        let through_serde: Policy = serde_json::from_str(&serde_json::to_string(&policy).unwrap()).unwrap();
        prop_assert_eq!(through_serde, policy);
    }

    #[test]
    fn minified_is_not_longer_and_means_the_same(text in document(true), (principal, action, resource, context) in asked()) {
        let policy = Policy::parse(&text).unwrap();
        let minified = policy.to_minified();
        prop_assert!(minified.len() <= text.len());
        let request = Request { principal: &principal, action: &action, resource: &resource, context: &context };
        prop_assert_eq!(Policy::parse(&minified).unwrap().evaluate(&request), policy.evaluate(&request));
    }

    #[test]
    fn a_further_deny_never_widens(
        text in document(false),
        mut denied in statement(false),
        (principal, action, resource, context) in asked(),
    ) {
        denied["Effect"] = json!("Deny");
        let policy = Policy::parse(&text).unwrap();
        let mut narrower: Value = serde_json::from_str(&text).unwrap();
        narrower["Statement"].as_array_mut().unwrap().push(denied);
        let narrower = Policy::parse(&narrower.to_string()).unwrap();
        let request = Request { principal: &principal, action: &action, resource: &resource, context: &context };
        prop_assert!(policy.allows(&request) || !narrower.allows(&request));
        let denies = |policy: &Policy| matches!(policy.evaluate(&request), Verdict::Deny { .. });
        prop_assert!(denies(&narrower) || !denies(&policy));
    }

    #[test]
    fn the_order_of_statements_does_not_matter(text in document(true), (principal, action, resource, context) in asked()) {
        let mut reversed: Value = serde_json::from_str(&text).unwrap();
        reversed["Statement"].as_array_mut().unwrap().reverse();
        let request = Request { principal: &principal, action: &action, resource: &resource, context: &context };
        let verdict = |text: &str| match Policy::parse(text).unwrap().evaluate(&request) {
            Verdict::Allow { reach, .. } => format!("allow {reach:?}"),
            Verdict::Deny { .. } => "deny".to_owned(),
            Verdict::Silent => "silent".to_owned(),
        };
        prop_assert_eq!(verdict(&text), verdict(&reversed.to_string()));
    }

    /// SCPs, boundary and session policy only ever take away; and whatever denies is named.
    #[test]
    fn limits_never_widen(
        identity in document(false),
        limit in document(false),
        resource_policy in prop::option::of(document(true)),
        (principal, action, resource, context) in asked(),
        owner in prop::option::of(text("(111122223333|444455556666)")),
    ) {
        let identity = [Arc::new(Policy::parse(&identity).unwrap())];
        let limit = Policy::parse(&limit).unwrap();
        let resource_policy = resource_policy.map(|text| Policy::parse(&text).unwrap());
        let scps = [vec![Arc::new(limit.clone())]];
        let free = Layers {
            identity: &identity,
            resource: resource_policy.as_ref(),
            resource_account: owner.as_deref(),
            ..Layers::default()
        };
        let request = Request { principal: &principal, action: &action, resource: &resource, context: &context };
        let limited = [
            Layers { boundary: Some(&limit), ..free },
            Layers { session: Some(&limit), ..free },
            Layers { scps: &scps, ..free },
            Layers { rcps: &scps, ..free },
            Layers { resource_must_allow: true, ..free },
        ];
        for limited in limited {
            if let Decision::Denied(denial) = decide(&free, &request) {
                prop_assert!(!decide(&limited, &request).is_allowed());
                prop_assert!(!denial.to_string().is_empty());
            }
        }
    }

    #[test]
    fn a_pattern_matches_as_the_plain_definition_says(pattern in text("[ab*?]{0,8}"), text in text("[abAB]{0,8}")) {
        fn fits(pattern: &[u8], text: &[u8]) -> bool {
            match (pattern.split_first(), text.split_first()) {
                (None, None) => true,
                (Some((b'*', rest)), _) => fits(rest, text) || (!text.is_empty() && fits(pattern, &text[1..])),
                (Some((b'?', rest)), Some((_, others))) => fits(rest, others),
                (Some((wanted, rest)), Some((found, others))) => wanted.eq_ignore_ascii_case(found) && fits(rest, others),
                (None, Some(_)) | (Some(_), None) => false,
            }
        }
        prop_assert_eq!(Glob::new(&pattern).matches(&text), fits(pattern.as_bytes(), text.as_bytes()));
    }

    #[test]
    fn a_session_policy_allows_exactly_its_actions(
        actions in prop::collection::vec(text("(s3|S3|iam):(Get|get|Put|\\*|\\?){1,3}"), 0..6),
        asked in text("(s3|iam):(Get|Put){1,3}"),
    ) {
        let policy = allow_actions(actions.iter().map(String::as_str));
        let principal = PrincipalView::root("111122223333");
        let request = Request { principal: &principal, action: &asked, resource: "*", context: &Context::new() };
        let expected = actions.iter().any(|action| Glob::new(action).matches(&asked));
        prop_assert_eq!(policy.allows(&request), expected);
    }
}

/// A matcher that tries all places for all wildcards would not come back from this one.
#[test]
fn a_pattern_of_many_wildcards_is_no_trap() {
    let glob = Glob::new(&"a*".repeat(64));
    assert!(!glob.matches(&format!("{}b", "a".repeat(63))));
    assert!(glob.matches(&"a".repeat(5_000)));
}
