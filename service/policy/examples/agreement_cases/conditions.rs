//! Condition keys with their values, and conditions of every operator.

use landfall_policy::Context;
use serde_json::{Map, Value, json};

use crate::random::Random;
use crate::statements::Asked;

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Type {
    Text,
    Number,
    Date,
    Truth,
    Binary,
    Address,
    Arn,
    Several,
}

pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Type,
    /// Values that requests have.
    values: &'static [&'static str],
}

const fn key(name: &'static str, kind: Type, values: &'static [&'static str]) -> Key {
    Key { name, kind, values }
}

pub(crate) const KEYS: [Key; 18] = [
    key(
        "aws:RequestedRegion",
        Type::Text,
        &["eu-west-1", "us-east-1", "eu-west-10"],
    ),
    key(
        "aws:PrincipalTag/team",
        Type::Text,
        &["blue", "alice", "*", "bl?e", "", "Blue"],
    ),
    key(
        "aws:ResourceTag/owner",
        Type::Text,
        &["alice", "blue", "$", "a*b"],
    ),
    key(
        "s3:prefix",
        Type::Text,
        &["", "home/", "home/alice/", "${x}"],
    ),
    key(
        "aws:UserAgent",
        Type::Text,
        &["aws-cli/2 (linux)", "console.amazonaws.com", "^.*$"],
    ),
    key(
        "s3:max-keys",
        Type::Number,
        &["10", "10.0", "0", "-1", "3600", "0.5"],
    ),
    key(
        "aws:MultiFactorAuthAge",
        Type::Number,
        &["3599", "3600", "86400"],
    ),
    key(
        "aws:CurrentTime",
        Type::Date,
        &[
            "2026-11-22T10:00:00Z",
            "2026-11-22T11:00:00+01:00",
            "2026-01-01T00:00:00Z",
        ],
    ),
    key("aws:EpochTime", Type::Date, &["1795341600", "1767225600"]),
    key("aws:SecureTransport", Type::Truth, &["true", "false"]),
    key(
        "aws:MultiFactorAuthPresent",
        Type::Truth,
        &["true", "false", "True"],
    ),
    key(
        "aws:SourceIp",
        Type::Address,
        &[
            "203.0.113.7",
            "198.51.100.1",
            "2001:db8::7",
            "2001:db9::1",
            "10.0.0.1",
        ],
    ),
    key("aws:VpcSourceIp", Type::Address, &["10.0.0.1", "10.1.2.3"]),
    key(
        "aws:SourceArn",
        Type::Arn,
        &[
            "arn:aws:sns:eu-west-1:111122223333:topic",
            "arn:aws:sns:eu-west-1:111122223333:topic:sub",
            "arn:aws:s3:::bucket-one",
        ],
    ),
    key("aws:PrincipalArn", Type::Arn, &[]),
    key("kms:Blob", Type::Binary, &["QmluYXJ5", "QQ=="]),
    key(
        "aws:TagKeys",
        Type::Several,
        &["team|cost", "team", "team|cost|stage", "", "other"],
    ),
    key(
        "aws:CalledVia",
        Type::Several,
        &[
            "athena.amazonaws.com|glue.amazonaws.com",
            "cloudformation.amazonaws.com",
        ],
    ),
];

/// The keys that follow from who asks, and some of the others.
pub(crate) fn context(random: &mut Random, asked: &Asked) -> Context {
    let mut context = Context::of(&asked.view);
    for key in KEYS.iter().filter(|key| !key.values.is_empty()) {
        if random.percent(30) {
            continue;
        }
        let values = *random.pick(key.values);
        if key.kind == Type::Several {
            context.set_all(key.name, values.split('|'));
        } else {
            context.set(key.name, values);
        }
    }
    // A condition written for another type of key than it meets.
    if random.percent(4) {
        context.set("aws:SourceIp", "cloudformation.amazonaws.com");
    }
    if random.percent(4) {
        context.set("aws:SourceArn", "no-arn");
    }
    context
}

/// Operators for each type, without quantifier and `IfExists`.
const OPERATORS: [(&str, Type); 27] = [
    ("StringEquals", Type::Text),
    ("StringNotEquals", Type::Text),
    ("StringEqualsIgnoreCase", Type::Text),
    ("StringNotEqualsIgnoreCase", Type::Text),
    ("StringLike", Type::Text),
    ("StringNotLike", Type::Text),
    ("NumericEquals", Type::Number),
    ("NumericNotEquals", Type::Number),
    ("NumericLessThan", Type::Number),
    ("NumericLessThanEquals", Type::Number),
    ("NumericGreaterThan", Type::Number),
    ("NumericGreaterThanEquals", Type::Number),
    ("DateEquals", Type::Date),
    ("DateNotEquals", Type::Date),
    ("DateLessThan", Type::Date),
    ("DateLessThanEquals", Type::Date),
    ("DateGreaterThan", Type::Date),
    ("DateGreaterThanEquals", Type::Date),
    ("Bool", Type::Truth),
    ("BinaryEquals", Type::Binary),
    ("IpAddress", Type::Address),
    ("NotIpAddress", Type::Address),
    ("ArnEquals", Type::Arn),
    ("ArnNotEquals", Type::Arn),
    ("ArnLike", Type::Arn),
    ("ArnNotLike", Type::Arn),
    ("Null", Type::Text),
];

pub(crate) fn element(random: &mut Random, asked: &Asked, variables: bool) -> Value {
    let mut element: Map<String, Value> = Map::new();
    for _ in 0..=random.below(2) {
        let (base, kind) = *random.pick(&OPERATORS);
        let mistyped = random.percent(3);
        let fitting = |key: &&Key| {
            base == "Null"
                || mistyped
                || key.kind == kind
                || (key.kind == Type::Several && kind == Type::Text)
        };
        let keys: Vec<&Key> = KEYS.iter().filter(fitting).collect();
        let key = *random.pick(&keys);
        let several = key.kind == Type::Several;
        let quantifier = match random.below(100) {
            _ if base == "Null" => "",
            0..45 if several => "ForAllValues:",
            45..95 if several => "ForAnyValue:",
            0..4 => "ForAllValues:",
            4..8 => "ForAnyValue:",
            _ => "",
        };
        let if_exists = if base != "Null" && random.percent(20) {
            "IfExists"
        } else {
            ""
        };
        let operator = format!("{quantifier}{base}{if_exists}");
        let values: Vec<Value> = (0..=random.below(3))
            .map(|_| value(random, base, kind, key, asked, variables))
            .collect();
        let values = match values.as_slice() {
            [only] if random.percent(60) => only.clone(),
            _ => json!(values),
        };
        let name = if random.percent(10) {
            key.name.to_uppercase()
        } else {
            key.name.to_owned()
        };
        let block = element.entry(operator).or_insert_with(|| json!({}));
        if let Value::Object(block) = block
            && !block
                .keys()
                .any(|earlier| earlier.eq_ignore_ascii_case(&name))
        {
            block.insert(name, values);
        }
    }
    Value::Object(element)
}

fn value(
    random: &mut Random,
    base: &str,
    kind: Type,
    key: &Key,
    asked: &Asked,
    variables: bool,
) -> Value {
    if base == "Null" {
        return if random.percent(30) {
            json!(random.percent(50))
        } else {
            json!(random.pick(&["true", "false"]))
        };
    }
    match kind {
        Type::Number if random.percent(30) => json!(random.pick(&[10, 3600, 0, -1])),
        Type::Number => json!(random.pick(&["10", "10.0", "3599", "3600.5", "-1", "86400"])),
        Type::Date => json!(random.pick(&[
            "2026-11-22T10:00:00Z",
            "2026-11-22",
            "2026-11",
            "2026",
            "2026-01-01T01:00+01:00",
            "2026-11-22T09:59:59.999Z",
            "1795341600",
            "2027-01-01T00:00:00Z",
        ])),
        Type::Truth if random.percent(30) => json!(random.percent(50)),
        Type::Truth if variables && random.percent(10) => json!("${aws:SecureTransport}"),
        Type::Truth => json!(random.pick(&["true", "false", "TRUE"])),
        Type::Binary => json!(random.pick(&["QmluYXJ5", "QQ==", "Qg=="])),
        Type::Address => json!(random.pick(&[
            "203.0.113.0/24",
            "203.0.113.7",
            "0.0.0.0/0",
            "::/0",
            "2001:DB8::/32",
            "2001:DB8:0::7",
            "10.0.0.0/8",
            "198.51.100.0/31",
        ])),
        Type::Arn => {
            let own = asked.view.issuer_arn().or(asked.view.arn());
            let plain = [
                "arn:aws:sns:*:*:topic",
                "arn:aws:sns:eu-west-1:11112222333?:topic*",
                "arn:aws:s3:::bucket-*",
                "arn:aws:iam::*:role/ci/*",
                "arn:aws:iam::111122223333:user/*/alice",
                "arn:*:iam::*:root",
                "arn:aws:iam::111122223333:role/c?/Deploy",
                "arn:aws:*:*:*:*",
            ];
            match random.below(10) {
                0 => json!("arn:aws:iam::111122223333:user/team/${aws:username}"),
                1 => json!("arn:aws:s3:::bucket-${aws:PrincipalTag/team, 'one'}"),
                2 | 3 => json!(own.unwrap_or("arn:aws:iam::111122223333:role/None")),
                _ => json!(random.pick(&plain)),
            }
        }
        Type::Text | Type::Several => {
            let known = key.values.iter().flat_map(|values| values.split('|'));
            let known: Vec<&str> = known.collect();
            let plain = if known.is_empty() {
                "alice"
            } else {
                random.pick(&known)
            };
            // What comes from a request and looks like a variable is none in a policy.
            let plain = plain.replace("${x}", "x");
            match random.below(14) {
                0 => json!("${aws:username}"),
                1 => json!("${aws:PrincipalTag/team}"),
                2 => json!("${aws:PrincipalTag/team, 'blue'}"),
                3 => json!("${*}"),
                4 => json!("${$}{x}"),
                5 => json!("home/${aws:username}/"),
                6 => json!("bl${?}e"),
                7 => json!(plain.to_uppercase()),
                8 => json!(format!("{}*", plain.chars().take(2).collect::<String>())),
                9 => json!(format!("?{}", plain.chars().skip(1).collect::<String>())),
                10 => json!("*"),
                _ => json!(plain),
            }
        }
    }
}
