//! Packing: what it makes of statements, that it changes no decision, and that it is never longer than what anybody would do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use landfall_policy::lint::Limits;
use landfall_policy::pack::{PackError, Source, pack};
use landfall_policy::{Effect, Layers, Policy, Request, Verdict, decide};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::laws::{asked, statement};

fn source(name: &str, statements: &[Value]) -> Source {
    let document = json!({ "Version": "2012-10-17", "Statement": statements });
    Source {
        name: name.to_owned(),
        policy: Policy::parse(&document.to_string())
            .unwrap_or_else(|error| panic!("{document}: {error}")),
    }
}

fn deny(sid: &str, rest: &str) -> Value {
    serde_json::from_str(&format!(r#"{{"Sid":"{sid}","Effect":"Deny",{rest}}}"#)).unwrap()
}

const FRAME: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

/// Statements of one source, and the statements they become.
#[test]
fn what_becomes_of_statements() {
    let rows: &[(&[&str], &[&str])] = &[
        // Sorted, without Sid, without what another covers.
        (
            &[
                r#""Action":["s3:PutObject","S3:putobject","s3:Get*","s3:GetObject"],"Resource":["arn:aws:s3:::b/*","arn:aws:s3:::b/x"]"#,
            ],
            &[r#""Action":["S3:putobject","s3:Get*"],"Resource":"arn:aws:s3:::b/*""#],
        ),
        // The same but for the actions.
        (
            &[
                r#""Action":"s3:A","Resource":"*""#,
                r#""Action":["s3:C","s3:B"],"Resource":"*""#,
            ],
            &[r#""Action":["s3:A","s3:B","s3:C"],"Resource":"*""#],
        ),
        // The same but for the resources.
        (
            &[
                r#""NotAction":"s3:A","Resource":"arn:aws:s3:::b""#,
                r#""NotAction":"s3:A","Resource":"arn:aws:s3:::a""#,
            ],
            &[r#""NotAction":"s3:A","Resource":["arn:aws:s3:::a","arn:aws:s3:::b"]"#],
        ),
        // The same but for a condition's values.
        (
            &[
                r#""Action":"s3:A","Resource":"*","Condition":{"StringEquals":{"aws:k":"b"},"Bool":{"aws:l":"true"}}"#,
                r#""Action":"s3:A","Resource":"*","Condition":{"Bool":{"aws:l":true},"StringEquals":{"aws:k":["a"]}}"#,
            ],
            &[
                r#""Action":"s3:A","Resource":"*","Condition":{"Bool":{"aws:l":"true"},"StringEquals":{"aws:k":["a","b"]}}"#,
            ],
        ),
        // Covered by another.
        (
            &[
                r#""Action":"s3:A","Resource":"arn:aws:s3:::b""#,
                r#""Action":"s3:*","Resource":"*""#,
            ],
            &[r#""Action":"s3:*","Resource":"*""#],
        ),
        // What must stay apart: exceptions, negated values, `ForAllValues`, different conditions.
        (
            &[
                r#""NotAction":"s3:A","Resource":"*""#,
                r#""NotAction":"s3:B","Resource":"*""#,
            ],
            &[
                r#""NotAction":"s3:A","Resource":"*""#,
                r#""NotAction":"s3:B","Resource":"*""#,
            ],
        ),
        (
            &[
                r#""Action":"s3:A","Resource":"*","Condition":{"StringNotEquals":{"aws:k":"a"}}"#,
                r#""Action":"s3:A","Resource":"*","Condition":{"StringNotEquals":{"aws:k":"b"}}"#,
            ],
            &[
                r#""Action":"s3:A","Resource":"*","Condition":{"StringNotEquals":{"aws:k":"a"}}"#,
                r#""Action":"s3:A","Resource":"*","Condition":{"StringNotEquals":{"aws:k":"b"}}"#,
            ],
        ),
        (
            &[
                r#""Action":"s3:A","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:k":"a"}}"#,
                r#""Action":"s3:A","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:k":"b"}}"#,
            ],
            &[
                r#""Action":"s3:A","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:k":"a"}}"#,
                r#""Action":"s3:A","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:k":"b"}}"#,
            ],
        ),
        (
            &[
                r#""Action":"s3:A","Resource":"arn:aws:s3:::a""#,
                r#""Action":"s3:B","Resource":"arn:aws:s3:::b""#,
            ],
            &[
                r#""Action":"s3:A","Resource":"arn:aws:s3:::a""#,
                r#""Action":"s3:B","Resource":"arn:aws:s3:::b""#,
            ],
        ),
    ];
    for (written, expected) in rows {
        let statements: Vec<Value> = written
            .iter()
            .enumerate()
            .map(|(index, rest)| deny(&format!("S{index}"), rest))
            .collect();
        let packed = pack(&[source("a", &statements)], Limits::default()).unwrap();
        let expected: Vec<String> = expected
            .iter()
            .map(|rest| format!(r#"{{"Effect":"Deny",{rest}}}"#))
            .collect();
        let expected = FRAME.replace("[]", &format!("[{}]", expected.join(",")));
        assert_eq!(packed.policies.len(), 1);
        assert_eq!(packed.policies[0].text, expected);
        assert_eq!(packed.policies[0].policy.to_minified(), expected);
    }
}

#[test]
fn each_statement_knows_where_it_came_from() {
    let sources = [
        source(
            "one",
            &[
                deny("A", r#""Action":"s3:A","Resource":"*""#),
                deny("B", r#""NotAction":"s3:*","Resource":"*""#),
            ],
        ),
        source(
            "two",
            &[
                deny("C", r#""Action":"s3:C","Resource":"*""#),
                deny("D", r#""Action":"s3:C","Resource":"arn:aws:s3:::b""#),
            ],
        ),
    ];
    let packed = pack(&sources, Limits::default()).unwrap();
    let origins = |statement| -> Vec<String> {
        packed
            .origins(0, statement)
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    assert_eq!(packed.policies[0].policy.statements().len(), 2);
    assert_eq!(
        origins(0),
        [
            "statement `A` of `one`",
            "statement `C` of `two`",
            "statement `D` of `two`"
        ]
    );
    assert_eq!(origins(1), ["statement `B` of `one`"]);
    assert!(packed.origins(0, 2).is_empty() && packed.origins(1, 0).is_empty());
}

/// Of two that say the same in other words, always the same one stays; and what is covered by what is covered in turn is not lost.
#[test]
fn of_equals_the_same_one_stays() {
    let once = deny("A", r#""Action":"s3:*","Resource":"*""#);
    let again = deny("B", r#""Action":"s3:**","Resource":"*""#);
    let text = |statements: &[Value]| {
        pack(&[source("a", statements)], Limits::default())
            .unwrap()
            .policies[0]
            .text
            .clone()
    };
    assert_eq!(text(&[once.clone(), again.clone()]), text(&[again, once]));

    let narrow = deny("A", r#""Action":"s3:A","Resource":"*""#);
    let wider = deny("B", r#""Action":["s3:A","s3:B"],"Resource":"*""#);
    let widest = deny("C", r#""NotAction":"iam:*","Resource":"*""#);
    let packed = pack(&[source("a", &[narrow, wider, widest])], Limits::default()).unwrap();
    assert_eq!(packed.origins(0, 0).len(), 3, "{:?}", packed.policies[0]);
}

#[test]
fn what_does_not_fit_is_refused_with_figures() {
    let many: Vec<Value> = (0..12)
        .map(|number| {
            let resource = format!("arn:aws:s3:::{}{number}", "x".repeat(400));
            deny(
                &format!("S{number}"),
                &format!(r#""Action":"s3:A{number}","Resource":"{resource}""#),
            )
        })
        .collect();
    let limits = |characters, attached| Limits {
        characters,
        attached,
    };
    let sources = [source("many", &many)];
    let packed = pack(&sources, limits(1_100, 6)).unwrap();
    assert_eq!(packed.policies.len(), 6);
    assert!(
        packed
            .policies
            .iter()
            .all(|policy| policy.text.len() <= 1_100)
    );
    let error = pack(&sources, limits(1_100, 5)).unwrap_err();
    let characters = packed.characters();
    let figures = PackError::TooMany {
        statements: 12,
        characters,
        needed: 6,
        room: 5,
        limit: 1_100,
    };
    assert_eq!(error, figures);
    assert!(error.to_string().contains("free 1 attachments"), "{error}");

    // A statement that is too long is cut in its lists, and refused where there is nothing to cut.
    let actions: Vec<String> = (0..40)
        .map(|number| format!("s3:Action{number:02}"))
        .collect();
    let long = [source(
        "long",
        &[json!({"Sid": "Long", "Effect": "Deny", "Action": actions, "Resource": "*"})],
    )];
    let packed = pack(&long, limits(300, 10)).unwrap();
    let listed: Vec<String> = packed
        .policies
        .iter()
        .flat_map(|policy| policy.policy.statements())
        .flat_map(|statement| statement.actions().patterns())
        .map(|action| action.as_str().to_owned())
        .collect();
    assert_eq!(
        listed.iter().collect::<BTreeSet<_>>(),
        actions.iter().collect()
    );
    let inverted = [source(
        "long",
        &[json!({"Sid": "Long", "Effect": "Deny", "NotAction": actions, "Resource": "*"})],
    )];
    let error = pack(&inverted, limits(300, 10)).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("statement `Long` of `long` is "),
        "{error}"
    );
    let old = Source {
        name: "old".to_owned(),
        policy: Policy::parse(r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#)
            .unwrap(),
    };
    assert!(matches!(
        pack(&[old], limits(300, 10)),
        Err(PackError::Version { .. })
    ));
    assert_eq!(pack(&[], Limits::default()).unwrap().policies, []);
}

/// The lengths of the three ways that anybody would think of. `None` where one cannot be done.
fn simple_strategies(sources: &[Source], limits: Limits) -> [Option<usize>; 3] {
    let first_fit = |statements: &[String]| -> Option<usize> {
        let mut policies: Vec<usize> = Vec::new();
        for statement in statements {
            let length = statement.chars().count();
            if FRAME.len() + length > limits.characters {
                return None;
            }
            match policies
                .iter_mut()
                .find(|used| **used + 1 + length <= limits.characters)
            {
                Some(used) => *used += 1 + length,
                None => policies.push(FRAME.len() + length),
            }
        }
        (policies.len() <= limits.attached).then(|| policies.iter().sum())
    };
    let whole: Vec<usize> = sources
        .iter()
        .map(|source| source.policy.to_minified().chars().count())
        .collect();
    let each_file = (whole.len() <= limits.attached
        && whole.iter().all(|length| *length <= limits.characters))
    .then(|| whole.iter().sum());

    let all: Vec<Value> = sources
        .iter()
        .flat_map(|source| {
            let value = serde_json::to_value(&source.policy).unwrap();
            value["Statement"].as_array().unwrap().clone()
        })
        .collect();
    let concatenated: Vec<String> = all.iter().map(Value::to_string).collect();

    let mut merged: BTreeMap<String, Value> = BTreeMap::new();
    for (number, statement) in all.iter().enumerate() {
        let mut statement = statement.clone();
        let fields = statement.as_object_mut().unwrap();
        fields.remove("Sid");
        let action = fields.remove("Action");
        let key = match &action {
            Some(_) => json!(fields).to_string(),
            None => format!("{number} {}", json!(fields)),
        };
        let listed = match action {
            Some(Value::Array(listed)) => listed,
            one => one.into_iter().collect(),
        };
        let entry = merged.entry(key).or_insert_with(|| json!(fields));
        if !listed.is_empty() {
            let earlier = entry["Action"].as_array().cloned().unwrap_or_default();
            entry["Action"] = json!([earlier, listed].concat());
        }
    }
    let merged: Vec<String> = merged.values().map(Value::to_string).collect();
    [each_file, first_fit(&concatenated), first_fit(&merged)]
}

fn sources() -> impl Strategy<Value = Vec<Source>> {
    prop::collection::vec(prop::collection::vec(statement(false), 1..8), 1..6).prop_map(|files| {
        files
            .into_iter()
            .enumerate()
            .map(|(file, mut statements)| {
                for (number, statement) in statements.iter_mut().enumerate() {
                    statement["Sid"] = json!(format!("S{number}"));
                }
                source(&format!("file-{file}"), &statements)
            })
            .collect()
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    prop_oneof![
        Just(Limits::default()),
        Just(Limits {
            characters: 700,
            attached: 100
        }),
        Just(Limits {
            characters: 1_000,
            attached: 100
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn packed_policies_decide_as_their_sources(
        sources in sources(),
        limits in limits(),
        requests in prop::collection::vec(asked(), 1..8),
    ) {
        let packed = pack(&sources, limits).unwrap();
        let level = |policies: Vec<&Policy>| vec![policies.into_iter().map(|policy| Arc::new(policy.clone())).collect::<Vec<_>>()];
        let before = level(sources.iter().map(|source| &source.policy).collect());
        let after = level(packed.policies.iter().map(|policy| &policy.policy).collect());
        for (principal, action, resource, context) in &requests {
            let request = Request { principal, action, resource, context };
            for policy in &packed.policies {
                // What a packed statement does, one of those that it came from does.
                let (index, effect) = match policy.policy.evaluate(&request) {
                    Verdict::Deny { statement } => (statement, Effect::Deny),
                    Verdict::Allow { statement, .. } => (statement, Effect::Allow),
                    Verdict::Silent => continue,
                };
                let explained = policy.origins[index].iter().any(|origin| {
                    let source = sources.iter().find(|source| source.name == origin.source).unwrap();
                    let own = &source.policy.statements()[origin.statement];
                    assert_eq!(own.sid(), origin.sid.as_deref());
                    let json = serde_json::to_value(own).unwrap();
                    let alone = self::source("alone", &[json]).policy;
                    match alone.evaluate(&request) {
                        Verdict::Deny { .. } => effect == Effect::Deny,
                        Verdict::Allow { .. } => effect == Effect::Allow,
                        Verdict::Silent => false,
                    }
                });
                prop_assert!(explained, "{} {:?}", policy.text, policy.origins[index]);
            }
            let outcome = |scps: &[Vec<Arc<Policy>>]| {
                let layers = Layers { scps, ..Layers::default() };
                match decide(&layers, &request).denial() {
                    None => "allowed",
                    Some(denial) => match (&denial.layer, &denial.reason) {
                        (landfall_policy::Layer::Scp { .. }, landfall_policy::Reason::Explicit(_)) => "denied",
                        (landfall_policy::Layer::Scp { .. }, _) => "not allowed",
                        _ => "allowed by SCPs",
                    },
                }
            };
            prop_assert_eq!(outcome(&before), outcome(&after));
        }
    }

    #[test]
    fn packed_policies_are_short_and_complete(sources in sources(), limits in limits()) {
        let packed = pack(&sources, limits).unwrap();
        let shortest = simple_strategies(&sources, limits).into_iter().flatten().min();
        prop_assert!(shortest.is_none_or(|shortest| packed.characters() <= shortest), "{} > {:?}", packed.characters(), shortest);
        let origins: BTreeSet<(&str, usize)> = packed
            .policies
            .iter()
            .flat_map(|policy| policy.origins.iter().flatten())
            .map(|origin| (origin.source.as_str(), origin.statement))
            .collect();
        let statements: usize = sources.iter().map(|source| source.policy.statements().len()).sum();
        prop_assert_eq!(origins.len(), statements);
        for policy in &packed.policies {
            prop_assert!(policy.text.chars().count() <= limits.characters);
            prop_assert_eq!(policy.policy.to_minified(), policy.text.clone());
            prop_assert_eq!(policy.policy.statements().len(), policy.origins.len());
        }
    }

    #[test]
    fn the_order_of_what_is_packed_does_not_matter(sources in sources(), limits in limits()) {
        let texts = |sources: &[Source]| -> Vec<String> {
            pack(sources, limits).unwrap().policies.into_iter().map(|policy| policy.text).collect()
        };
        fn reversed(value: &Value) -> Value {
            match value {
                Value::Array(items) => items.iter().rev().map(reversed).collect(),
                Value::Object(fields) => Value::Object(fields.iter().map(|(name, value)| (name.clone(), reversed(value))).collect()),
                other => other.clone(),
            }
        }
        let mut others: Vec<Source> = sources
            .iter()
            .map(|source| {
                let value = reversed(&serde_json::to_value(&source.policy).unwrap());
                Source { name: source.name.clone(), policy: serde_json::from_value(value).unwrap() }
            })
            .collect();
        others.reverse();
        prop_assert_eq!(texts(&sources), texts(&others));
    }
}
