//! Conditions: all operators of *IAM JSON policy elements: Condition operators*.
//!
//! An operator's name has up to three parts: a quantifier (`ForAllValues:`, `ForAnyValue:`), the comparison,
//! and `IfExists`. What a key that the request lacks means:
//!
//! | operator | key is absent |
//! | --- | --- |
//! | `StringEquals` and other positive ones | does not hold |
//! | `StringNotEquals` and other negated ones | holds |
//! | `…IfExists` | holds |
//! | `ForAllValues:…` | holds: there is no value that fails |
//! | `ForAnyValue:…` | does not hold, not even a negated one |
//! | `Null` | holds for `true` |
//!
//! To a set operator and to `Null` a key that has nothing but empty strings is absent too: AWS calls that a null dataset.
//! Other operators compare the empty string.

use std::net::IpAddr;

use crate::arn::ArnPattern;
use crate::element::Element;
use crate::operand::{self, Moment, Network};
use crate::variables::{Reading, Template};
use crate::{Context, PolicyError};

/// How many of a key's several values must meet a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// `ForAllValues:`
    All,
    /// `ForAnyValue:`
    Any,
}

/// One operator on one key: holds if any of the values fits (or none, for a negated operator).
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    operator: Operator,
    key: String,
    /// `key` in lower case, as [`Context`] keeps it.
    lookup: String,
    values: Vec<String>,
    operand: Operand,
}

#[derive(Clone, Debug, PartialEq)]
struct Operator {
    name: String,
    quantifier: Option<Quantifier>,
    comparison: Comparison,
    negated: bool,
    if_exists: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Text { wildcards: bool, ignore_case: bool },
    Number(Order),
    Date(Order),
    Truth,
    Binary,
    Address,
    Arn,
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn holds<T: PartialOrd + Copy>(self, actual: T, wanted: T) -> bool {
        match self {
            Order::Equal => actual == wanted,
            Order::Less => actual < wanted,
            Order::LessOrEqual => actual <= wanted,
            Order::Greater => actual > wanted,
            Order::GreaterOrEqual => actual >= wanted,
        }
    }
}

const fn text(wildcards: bool, ignore_case: bool) -> Comparison {
    Comparison::Text {
        wildcards,
        ignore_case,
    }
}

/// Name, comparison, and whether it is negated.
const COMPARISONS: [(&str, Comparison, bool); 27] = [
    ("StringEquals", text(false, false), false),
    ("StringNotEquals", text(false, false), true),
    ("StringEqualsIgnoreCase", text(false, true), false),
    ("StringNotEqualsIgnoreCase", text(false, true), true),
    ("StringLike", text(true, false), false),
    ("StringNotLike", text(true, false), true),
    ("NumericEquals", Comparison::Number(Order::Equal), false),
    ("NumericNotEquals", Comparison::Number(Order::Equal), true),
    ("NumericLessThan", Comparison::Number(Order::Less), false),
    (
        "NumericLessThanEquals",
        Comparison::Number(Order::LessOrEqual),
        false,
    ),
    (
        "NumericGreaterThan",
        Comparison::Number(Order::Greater),
        false,
    ),
    (
        "NumericGreaterThanEquals",
        Comparison::Number(Order::GreaterOrEqual),
        false,
    ),
    ("DateEquals", Comparison::Date(Order::Equal), false),
    ("DateNotEquals", Comparison::Date(Order::Equal), true),
    ("DateLessThan", Comparison::Date(Order::Less), false),
    (
        "DateLessThanEquals",
        Comparison::Date(Order::LessOrEqual),
        false,
    ),
    ("DateGreaterThan", Comparison::Date(Order::Greater), false),
    (
        "DateGreaterThanEquals",
        Comparison::Date(Order::GreaterOrEqual),
        false,
    ),
    ("Bool", Comparison::Truth, false),
    ("BinaryEquals", Comparison::Binary, false),
    ("IpAddress", Comparison::Address, false),
    ("NotIpAddress", Comparison::Address, true),
    ("ArnEquals", Comparison::Arn, false),
    ("ArnNotEquals", Comparison::Arn, true),
    // AWS documents that ArnEquals and ArnLike behave alike.
    ("ArnLike", Comparison::Arn, false),
    ("ArnNotLike", Comparison::Arn, true),
    ("Null", Comparison::Null, false),
];

impl Operator {
    fn parse(name: &str) -> Result<Self, String> {
        let (quantifier, rest) = if let Some(rest) = name.strip_prefix("ForAllValues:") {
            (Some(Quantifier::All), rest)
        } else if let Some(rest) = name.strip_prefix("ForAnyValue:") {
            (Some(Quantifier::Any), rest)
        } else {
            (None, name)
        };
        let (base, if_exists) = match rest.strip_suffix("IfExists") {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let found = COMPARISONS.iter().find(|(known, _, _)| *known == base);
        let Some((_, comparison, negated)) = found else {
            let near = COMPARISONS
                .iter()
                .find(|(known, _, _)| known.eq_ignore_ascii_case(base));
            return Err(match near {
                Some((known, _, _)) => format!("`{name}` is no operator: write `{known}`"),
                None => format!(
                    "`{name}` is no operator: write one such as `StringEquals`, `ArnLike`, `Bool` or `Null`"
                ),
            });
        };
        if *comparison == Comparison::Null && (if_exists || quantifier.is_some()) {
            return Err(format!(
                "`{name}` is no operator: write `Null`, which asks itself whether the key exists"
            ));
        }
        Ok(Operator {
            name: name.to_owned(),
            quantifier,
            comparison: *comparison,
            negated: *negated,
            if_exists,
        })
    }
}

/// The values, read for their comparison.
#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Texts(Vec<Template>),
    Numbers(Vec<f64>),
    Dates(Vec<Moment>),
    Truths(Vec<bool>),
    Blobs(Vec<Vec<u8>>),
    Networks(Vec<Network>),
    Arns(Vec<ArnPattern>),
}

impl Operand {
    fn parse(
        comparison: Comparison,
        values: &[(String, Element<'_>)],
        variables: bool,
    ) -> Result<Self, PolicyError> {
        fn read<T>(
            values: &[(String, Element<'_>)],
            parse: impl Fn(&str) -> Result<T, String>,
        ) -> Result<Vec<T>, PolicyError> {
            values
                .iter()
                .map(|(value, element)| parse(value).map_err(|problem| element.error(problem)))
                .collect()
        }
        fn wanted<T>(
            wanted: &str,
            parse: impl Fn(&str) -> Option<T>,
        ) -> impl Fn(&str) -> Result<T, String> {
            move |value| {
                parse(value)
                    .ok_or_else(|| format!("`{value}` does not suit the operator: write {wanted}"))
            }
        }
        Ok(match comparison {
            Comparison::Text {
                wildcards,
                ignore_case,
            } => {
                let reading = Reading {
                    wildcards,
                    variables,
                    ignore_case,
                };
                Operand::Texts(read(values, |value| Template::compile(value, reading))?)
            }
            Comparison::Arn => {
                Operand::Arns(read(values, |value| ArnPattern::compile(value, variables))?)
            }
            Comparison::Number(_) => {
                Operand::Numbers(read(values, wanted("a number", operand::number))?)
            }
            Comparison::Date(_) => Operand::Dates(read(
                values,
                wanted("a date such as `2026-11-21T09:30:00Z`", operand::date),
            )?),
            Comparison::Truth
                if variables && values.iter().any(|(value, _)| value.contains("${")) =>
            {
                let reading = Reading {
                    wildcards: false,
                    variables,
                    ignore_case: true,
                };
                Operand::Texts(read(values, |value| Template::compile(value, reading))?)
            }
            Comparison::Truth | Comparison::Null => {
                Operand::Truths(read(values, wanted("`true` or `false`", operand::truth))?)
            }
            Comparison::Address => Operand::Networks(read(
                values,
                wanted("an address range such as `203.0.113.0/24`", Network::parse),
            )?),
            Comparison::Binary => Operand::Blobs(read(values, wanted("Base64", operand::base64))?),
        })
    }
}

impl Condition {
    /// Reads a `Condition` element into its conditions, all of which must hold.
    pub(crate) fn parse_all(
        element: &Element<'_>,
        variables: bool,
    ) -> Result<Vec<Condition>, PolicyError> {
        let mut conditions = Vec::new();
        for (name, block) in element.fields("an object of operators")? {
            let operator = Operator::parse(name).map_err(|problem| block.error(problem))?;
            for (key, element) in block.fields("an object of condition keys and their values")? {
                if key.is_empty() {
                    return Err(element.error(
                        "the condition key is empty: write one such as `aws:PrincipalArn`",
                    ));
                }
                let values = element
                    .items()
                    .into_iter()
                    .map(|item| Ok((item.scalar()?, item)))
                    .collect::<Result<Vec<_>, PolicyError>>()?;
                let operand = Operand::parse(operator.comparison, &values, variables)?;
                conditions.push(Condition {
                    operator: operator.clone(),
                    key: key.to_owned(),
                    lookup: key.to_lowercase(),
                    values: values.into_iter().map(|(value, _)| value).collect(),
                    operand,
                });
            }
        }
        Ok(conditions)
    }

    /// The operator's whole name, `ForAnyValue:StringLike`.
    pub fn operator(&self) -> &str {
        &self.operator.name
    }

    /// `ForAllValues:` or `ForAnyValue:`, if there is one.
    pub fn quantifier(&self) -> Option<Quantifier> {
        self.operator.quantifier
    }

    /// Whether the operator is a `…Not…` one.
    pub(crate) fn is_negated(&self) -> bool {
        self.operator.negated
    }

    /// The operator without its quantifier and `IfExists`: `StringLike`.
    pub(crate) fn base(&self) -> &str {
        let name = self.operator.name.as_str();
        let name = name.split_once(':').map_or(name, |(_, rest)| rest);
        name.strip_suffix("IfExists").unwrap_or(name)
    }

    /// Whether it ends with `IfExists`.
    pub(crate) fn if_exists(&self) -> bool {
        self.operator.if_exists
    }

    /// The condition key as it was written.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The values as they were written.
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// The condition keys, in lower case, that the outcome depends on: its own and the variables of its values.
    pub(crate) fn asks(&self) -> impl Iterator<Item = &str> {
        let texts = match &self.operand {
            Operand::Texts(texts) => texts.as_slice(),
            _ => &[],
        };
        let arns = match &self.operand {
            Operand::Arns(arns) => arns.as_slice(),
            _ => &[],
        };
        let variables = texts.iter().flat_map(Template::variables);
        [self.lookup.as_str()]
            .into_iter()
            .chain(variables)
            .chain(arns.iter().flat_map(ArnPattern::variables))
    }

    /// Whether the request meets the condition.
    pub fn holds(&self, context: &Context) -> bool {
        let actual = context.values(&self.lookup);
        let null = actual.iter().all(String::is_empty);
        if self.operator.comparison == Comparison::Null {
            return matches!(&self.operand, Operand::Truths(absent) if absent.contains(&null));
        }
        let negated = self.operator.negated;
        let quantifier = self.operator.quantifier;
        if actual.is_empty() {
            return self.operator.if_exists
                || match quantifier {
                    Some(Quantifier::All) => true,
                    Some(Quantifier::Any) => false,
                    None => negated,
                };
        }
        if null && let Some(quantifier) = quantifier {
            return quantifier == Quantifier::All;
        }
        let mut meets = actual
            .iter()
            .map(|value| self.fits(value, context) != negated);
        match quantifier {
            Some(Quantifier::All) => meets.all(|met| met),
            Some(Quantifier::Any) => meets.any(|met| met),
            // A key that should have one value has several: a negated operator stays the negation of the positive one.
            None if negated => meets.all(|met| met),
            None => meets.any(|met| met),
        }
    }

    /// Whether `actual` fits any of the values, before negation.
    fn fits(&self, actual: &str, context: &Context) -> bool {
        match (&self.operand, self.operator.comparison) {
            (Operand::Texts(_), Comparison::Truth) if operand::truth(actual).is_none() => false,
            (Operand::Texts(texts), _) => texts.iter().any(|text| text.matches(actual, context)),
            (Operand::Arns(arns), _) => arns.iter().any(|arn| arn.matches(actual, context)),
            (Operand::Numbers(wanted), Comparison::Number(order)) => operand::number(actual)
                .is_some_and(|actual| wanted.iter().any(|wanted| order.holds(actual, *wanted))),
            (Operand::Dates(wanted), Comparison::Date(order)) => operand::date(actual)
                .is_some_and(|actual| wanted.iter().any(|wanted| order.holds(actual, *wanted))),
            (Operand::Truths(wanted), _) => {
                operand::truth(actual).is_some_and(|actual| wanted.contains(&actual))
            }
            (Operand::Networks(networks), _) => actual
                .parse::<IpAddr>()
                .is_ok_and(|actual| networks.iter().any(|network| network.contains(actual))),
            // The request's value is given as Base64 too.
            (Operand::Blobs(blobs), _) => {
                operand::base64(actual).is_some_and(|actual| blobs.contains(&actual))
            }
            (Operand::Numbers(_) | Operand::Dates(_), _) => false,
        }
    }
}
