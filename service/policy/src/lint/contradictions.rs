//! Conditions of one statement that no request can meet together.

use super::{Lint, Place, Severity};
use crate::{Condition, operand};

/// Keys of which a request never has both: through a VPC endpoint there is no public address, and a user who signs in
/// for itself has no federation.
const APART: [(&str, &str); 4] = [
    ("aws:SourceIp", "aws:SourceVpc"),
    ("aws:SourceIp", "aws:SourceVpce"),
    ("aws:SourceIp", "aws:VpcSourceIp"),
    ("aws:username", "aws:FederatedProvider"),
];

impl Lint<'_> {
    pub(super) fn contradictions(&mut self, place: Place<'_>) {
        let conditions = place.statement.conditions();
        for (index, condition) in conditions.iter().enumerate() {
            for earlier in conditions.get(..index).unwrap_or_default() {
                if let Some(problem) =
                    clash(earlier, condition).or_else(|| clash(condition, earlier))
                {
                    let names = ["Condition", condition.operator(), condition.key()];
                    self.add(
                        ("impossible-condition", Severity::Error),
                        self.pointer(place.index, &names, None),
                        format!(
                            "no request meets this and {} {}: {problem}",
                            earlier.operator(),
                            earlier.key()
                        ),
                        "write one of them, or two statements",
                    );
                }
            }
        }
    }
}

/// Why no request meets both, if that is so. To be asked both ways round.
fn clash(one: &Condition, other: &Condition) -> Option<String> {
    let needed =
        |condition: &Condition| needs_key(condition).then(|| condition.key().to_ascii_lowercase());
    if let (Some(first), Some(second)) = (needed(one), needed(other)) {
        let apart = APART
            .iter()
            .any(|(a, b)| first == a.to_ascii_lowercase() && second == b.to_ascii_lowercase());
        if apart {
            return Some(format!(
                "no request has both {} and {}",
                one.key(),
                other.key()
            ));
        }
    }
    if !one.key().eq_ignore_ascii_case(other.key()) {
        return None;
    }
    let absent = one.base() == "Null"
        && one
            .values()
            .iter()
            .all(|value| value.eq_ignore_ascii_case("true"));
    if absent && needs_key(other) {
        return Some("the one wants the key to be missing, the other needs it".to_owned());
    }
    let comparable = |condition: &Condition| {
        let fixed = condition.values().iter().all(|value| !value.contains("${"));
        condition.quantifier().is_none() && fixed
    };
    if !comparable(one) || !comparable(other) || !needs_key(one) {
        return None;
    }
    let (values, others) = (one.values(), other.values());
    match (one.base(), other.base()) {
        ("StringEquals", "StringEquals" | "StringEqualsIgnoreCase" | "StringLike")
        | ("ArnEquals" | "ArnLike", "ArnEquals" | "ArnLike")
        | ("Bool", "Bool")
            if needs_key(other) || other.if_exists() =>
        {
            let exact = values.iter().all(|value| !value.contains(['*', '?']));
            let none = exact && !values.iter().any(|value| admits(other, value));
            none.then(|| "they have no value in common".to_owned())
        }
        ("StringEquals", "StringNotEquals" | "StringNotEqualsIgnoreCase" | "StringNotLike")
        | ("ArnEquals" | "ArnLike", "ArnNotEquals" | "ArnNotLike") => {
            let exact = values.iter().all(|value| !value.contains(['*', '?']));
            let none = exact && values.iter().all(|value| !admits(other, value));
            none.then(|| "the one excludes every value of the other".to_owned())
        }
        (low, high)
            if low.starts_with("NumericGreaterThan") && high.starts_with("NumericLessThan") =>
        {
            let numbers = |values: &[String]| -> Option<Vec<f64>> {
                values.iter().map(|value| operand::number(value)).collect()
            };
            let least = numbers(values)?.into_iter().reduce(f64::min)?;
            let most = numbers(others)?.into_iter().reduce(f64::max)?;
            let both = low.ends_with("Equals") && high.ends_with("Equals");
            (least > most || least == most && !both)
                .then(|| format!("nothing lies between {least} and {most}"))
        }
        (low, high) if low.starts_with("DateGreaterThan") && high.starts_with("DateLessThan") => {
            let dates = |values: &[String]| -> Option<Vec<operand::Moment>> {
                values.iter().map(|value| operand::date(value)).collect()
            };
            let least = dates(values)?.into_iter().min()?;
            let most = dates(others)?.into_iter().max()?;
            let both = low.ends_with("Equals") && high.ends_with("Equals");
            (least > most || least == most && !both)
                .then(|| "no moment lies between them".to_owned())
        }
        _ => None,
    }
}

/// Whether the condition holds for a request whose key has this value.
fn admits(condition: &Condition, value: &str) -> bool {
    let context = crate::Context::new().with(condition.key(), value);
    condition.holds(&context)
}

/// Whether only a request that has the key meets it.
fn needs_key(condition: &Condition) -> bool {
    if condition.base() == "Null" {
        return condition
            .values()
            .iter()
            .all(|value| value.eq_ignore_ascii_case("false"));
    }
    !condition.holds(&crate::Context::new())
}
