//! Whether one pattern, list or statement surely speaks of all that another speaks of.
//!
//! The answers are safe, not complete: *yes* is true for every request, *no* may only mean that it could not be shown. What is
//! built on it (lint, packing) leaves things as they are where the answer is no.

use crate::glob::{Glob, Symbol};
use crate::statement::Selection;
use crate::variables::Template;
use crate::{Condition, Statement};

/// A pattern of actions or resources that can be compared with another.
pub(crate) trait Pattern {
    /// Its steps, if they are the same for every request.
    fn steps(&self) -> Option<Vec<Symbol>>;
    /// Whether its wildcards reach as far as those of a plain pattern do.
    fn is_plain(&self) -> bool;
    /// The pattern as it was written.
    fn source(&self) -> &str;
    /// The same for two that are written alike.
    fn text(&self) -> String;
    /// Whether two are written alike.
    fn is_same(&self, other: &Self) -> bool;
}

impl Pattern for Glob {
    fn steps(&self) -> Option<Vec<Symbol>> {
        Some(self.symbols())
    }

    fn is_plain(&self) -> bool {
        true
    }

    fn source(&self) -> &str {
        self.as_str()
    }

    /// Actions ignore case.
    fn text(&self) -> String {
        crate::glob::fold(self.as_str())
    }

    fn is_same(&self, other: &Self) -> bool {
        self.is_pattern_of(other)
    }
}

impl Pattern for Template {
    fn steps(&self) -> Option<Vec<Symbol>> {
        self.fixed()
    }

    fn is_plain(&self) -> bool {
        !self.is_confined()
    }

    fn source(&self) -> &str {
        self.as_str()
    }

    fn text(&self) -> String {
        self.as_str().to_owned()
    }

    fn is_same(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

/// Whether everything that fits `inner` fits `outer`.
pub(crate) fn pattern<P: Pattern>(outer: &P, inner: &P) -> bool {
    if outer.is_same(inner) {
        return true;
    }
    // Most patterns have no wildcard, and cover nothing but themselves.
    if !outer.source().contains(['*', '?']) {
        return false;
    }
    let Some(wide) = outer.steps().filter(|_| outer.is_plain()) else {
        return false;
    };
    match inner.steps() {
        Some(narrow) => fits(&wide, &narrow),
        // Whatever the variable stands for.
        None => wide == [Symbol::Any],
    }
}

/// Reads `inner` as a text of which a `*` is a character that only a `*` fits, and a `?` one that `?` fits too.
fn fits(outer: &[Symbol], inner: &[Symbol]) -> bool {
    // The states of `outer` that can be reached, as numbers of its steps taken.
    let mut states = vec![false; outer.len() + 1];
    let skip = |states: &mut [bool]| {
        for index in 0..outer.len() {
            if states.get(index) == Some(&true)
                && outer.get(index) == Some(&Symbol::Any)
                && let Some(next) = states.get_mut(index + 1)
            {
                *next = true;
            }
        }
    };
    if let Some(first) = states.first_mut() {
        *first = true;
    }
    skip(&mut states);
    for symbol in inner {
        let mut next = vec![false; outer.len() + 1];
        for (index, step) in outer.iter().enumerate() {
            if states.get(index) != Some(&true) {
                continue;
            }
            let to = match (step, symbol) {
                (Symbol::Any, _) => index,
                (Symbol::One, Symbol::One) => index + 1,
                (Symbol::One, Symbol::Byte(byte)) if byte.is_ascii() => index + 1,
                (Symbol::Byte(wanted), Symbol::Byte(byte)) if wanted == byte => index + 1,
                _ => continue,
            };
            if let Some(state) = next.get_mut(to) {
                *state = true;
            }
        }
        skip(&mut next);
        states = next;
    }
    states.last() == Some(&true)
}

/// Whether no text fits both.
pub(crate) fn disjoint<P: Pattern>(one: &P, other: &P) -> bool {
    match (one.steps(), other.steps()) {
        (Some(one), Some(other)) => !meet(&one, &other, false),
        _ => false,
    }
}

/// Whether no text fits both where the wildcards of `other` stand for no colon.
pub(crate) fn disjoint_from_name<P: Pattern>(one: &P, other: &P) -> bool {
    match (one.steps(), other.steps()) {
        (Some(one), Some(other)) => !meet(&one, &other, true),
        _ => false,
    }
}

/// Whether some text fits both patterns. `named`: the wildcards of `other` stand for no colon.
fn meet(one: &[Symbol], other: &[Symbol], named: bool) -> bool {
    let width = other.len() + 1;
    let mut seen = vec![false; (one.len() + 1) * width];
    let mut open = vec![(0, 0)];
    while let Some((i, j)) = open.pop() {
        match seen.get_mut(i * width + j) {
            Some(seen) if !*seen => *seen = true,
            _ => continue,
        }
        let (a, b) = (one.get(i), other.get(j));
        if a.is_none() && b.is_none() {
            return true;
        }
        if a == Some(&Symbol::Any) {
            open.push((i + 1, j));
        }
        if b == Some(&Symbol::Any) {
            open.push((i, j + 1));
        }
        let (Some(a), Some(b)) = (a, b) else { continue };
        let same = match (a, b) {
            (Symbol::Byte(a), Symbol::Byte(b)) => a == b,
            (Symbol::Byte(b':'), _) => !named,
            _ => true,
        };
        if same {
            let next_i = if *a == Symbol::Any { i } else { i + 1 };
            let next_j = if *b == Symbol::Any { j } else { j + 1 };
            open.push((next_i, next_j));
            // A `?` stands for a whole character, which may be several bytes of the other.
            if *a == Symbol::One && matches!(b, Symbol::Byte(byte) if !byte.is_ascii()) {
                open.push((i, j + 1));
            }
            if *b == Symbol::One && matches!(a, Symbol::Byte(byte) if !byte.is_ascii()) {
                open.push((i + 1, j));
            }
        }
    }
    false
}

/// Whether `outer` covers all that `inner` covers.
pub(crate) fn selection<P: Pattern>(outer: &Selection<P>, inner: &Selection<P>) -> bool {
    let covered = |by: &[P], narrow: &P| by.iter().any(|wide| pattern(wide, narrow));
    match (outer, inner) {
        (Selection::Only(outer), Selection::Only(inner)) => {
            inner.iter().all(|narrow| covered(outer, narrow))
        }
        (Selection::Only(outer), Selection::AllBut(_)) => outer.iter().any(is_everything),
        (Selection::AllBut(outer), Selection::Only(inner)) => {
            let apart = |narrow| outer.iter().all(|spared| disjoint(spared, narrow));
            inner.iter().all(apart)
        }
        (Selection::AllBut(outer), Selection::AllBut(inner)) => {
            outer.iter().all(|spared| covered(inner, spared))
        }
    }
}

/// Whether everything fits the pattern.
pub(crate) fn is_everything<P: Pattern>(pattern: &P) -> bool {
    pattern
        .steps()
        .is_some_and(|steps| !steps.is_empty() && steps.iter().all(|step| *step == Symbol::Any))
}

/// Whether a request that meets `stricter` meets `looser` too.
pub(crate) fn condition(looser: &Condition, stricter: &Condition) -> bool {
    let (loose, strict) = (looser.operator(), stricter.operator());
    let same = loose == strict || loose.strip_suffix("IfExists") == Some(strict);
    if !same || !looser.key().eq_ignore_ascii_case(stricter.key()) {
        return false;
    }
    let within = |one: &Condition, other: &Condition| {
        one.values()
            .iter()
            .all(|value| other.values().contains(value))
    };
    if looser.is_negated() {
        within(looser, stricter)
    } else {
        within(stricter, looser)
    }
}

/// Whether `outer` has the same effect and applies wherever `inner` does.
pub(crate) fn statement(outer: &Statement, inner: &Statement) -> bool {
    outer.effect() == inner.effect() && applies(outer, inner)
}

/// Whether `outer` applies wherever `inner` does, whatever their effects.
pub(crate) fn applies(outer: &Statement, inner: &Statement) -> bool {
    let resources = || match (outer.resources(), inner.resources()) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(outer), Some(inner)) => selection(outer, inner),
    };
    // What is cheap and mostly fails comes first.
    outer.conditions().iter().all(|looser| {
        let mut conditions = inner.conditions().iter();
        conditions.any(|stricter| condition(looser, stricter))
    }) && outer.principal() == inner.principal()
        && resources()
        && selection(outer.actions(), inner.actions())
}

#[cfg(test)]
mod tests {
    use super::{applies, disjoint, pattern};
    use crate::Policy;
    use crate::glob::Glob;

    #[test]
    fn patterns() {
        for (outer, inner, covers, apart) in [
            ("s3:*", "s3:Get*", true, false),
            ("s3:*", "S3:getobject", true, false),
            ("s3:Get*", "s3:*", false, false),
            ("s3:?et*", "s3:Get*", true, false),
            ("s3:Ge?", "s3:Ge*", false, false),
            ("s3:*Object", "s3:Get*", false, false),
            ("s3:Get*", "s3:Put*", false, true),
            ("s3:*Tag", "s3:Get*Acl", false, true),
            ("s3:?", "s3:??", false, true),
            ("*", "s3:x", true, false),
            ("**", "*", true, false),
            ("*", "**", true, false),
            ("a*b*c", "a*bc", true, false),
            ("a*bc", "a*b*c", false, false),
        ] {
            let (outer, inner) = (Glob::new(outer), Glob::new(inner));
            assert_eq!(pattern(&outer, &inner), covers, "{outer} covers {inner}");
            assert_eq!(disjoint(&outer, &inner), apart, "{outer} and {inner}");
            assert_eq!(disjoint(&inner, &outer), apart, "{inner} and {outer}");
        }
    }

    #[test]
    fn statements() {
        let rows = [
            (
                r#""Action":"s3:*","Resource":"*""#,
                r#""Action":["s3:Get*","s3:Put*"],"Resource":"arn:aws:s3:::b""#,
                true,
            ),
            (
                r#""Action":"s3:*","Resource":"arn:aws:s3:::b*""#,
                r#""Action":"s3:Get*","Resource":"arn:aws:s3:::b/x""#,
                true,
            ),
            (
                r#""Action":"s3:*","Resource":"arn:aws:s3:::b""#,
                r#""Action":"s3:Get*","Resource":"*""#,
                false,
            ),
            (
                r#""NotAction":"iam:*","Resource":"*""#,
                r#""Action":"s3:Get*","Resource":"*""#,
                true,
            ),
            (
                r#""NotAction":"s3:GetObject","Resource":"*""#,
                r#""Action":"s3:Get*","Resource":"*""#,
                false,
            ),
            (
                r#""NotAction":"s3:*","Resource":"*""#,
                r#""NotAction":["s3:*","iam:*"],"Resource":"*""#,
                true,
            ),
            (
                r#""NotAction":["s3:*","iam:*"],"Resource":"*""#,
                r#""NotAction":"s3:*","Resource":"*""#,
                false,
            ),
            (
                r#""Action":"*","Resource":"*""#,
                r#""NotAction":"s3:*","NotResource":"arn:aws:s3:::b""#,
                true,
            ),
            (
                r#""Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:k":["a","b"]}}"#,
                r#""Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"AWS:K":"a"}}"#,
                true,
            ),
            (
                r#""Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:k":"a"}}"#,
                r#""Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:k":["a","b"]}}"#,
                false,
            ),
            (
                r#""Action":"s3:*","Resource":"*","Condition":{"StringNotEquals":{"aws:k":"a"}}"#,
                r#""Action":"s3:*","Resource":"*","Condition":{"StringNotEquals":{"aws:k":["a","b"]}}"#,
                true,
            ),
            (
                r#""Action":"s3:*","Resource":"*","Condition":{"BoolIfExists":{"aws:k":"true"}}"#,
                r#""Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:k":"true"},"Null":{"aws:l":"true"}}"#,
                true,
            ),
            (
                r#""Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:k":"true"}}"#,
                r#""Action":"s3:*","Resource":"*","Condition":{"BoolIfExists":{"aws:k":"true"}}"#,
                false,
            ),
            (
                r#""Action":"s3:*","Resource":"*""#,
                r#""Action":"s3:*","Resource":"arn:aws:s3:::${aws:username}""#,
                true,
            ),
            (
                r#""Action":"s3:*","Resource":"arn:aws:s3:::*""#,
                r#""Action":"s3:*","Resource":"arn:aws:s3:::${aws:username}""#,
                false,
            ),
            (
                r#""Action":"s3:*","Resource":"arn:aws:s?:::*""#,
                r#""Action":"s3:*","Resource":"arn:aws:s3:::b""#,
                false,
            ),
        ];
        for (outer, inner, expected) in rows {
            let document = format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny",{outer}}},{{"Effect":"Deny",{inner}}}]}}"#
            );
            let policy = Policy::parse(&document).unwrap();
            let [outer, inner] = policy.statements() else {
                panic!("two statements")
            };
            assert_eq!(applies(outer, inner), expected, "{document}");
        }
    }
}
