//! Patterns of ARNs: as the operators `ArnLike` and `ArnEquals` (which are the same) read them, and as `Resource` does.

use crate::Context;
use crate::glob::{Pattern, Symbol};
use crate::variables::{Reading, Template};

/// The parts of an ARN that colons separate; the sixth takes the rest.
pub(crate) const PARTS: usize = 6;

/// A pattern that is compared part by part: a wildcard does not reach over a colon, except in the last part.
/// A pattern of `*` alone fits every ARN; any other with fewer than six parts fits none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ArnPattern {
    Anything,
    Parts(Vec<Pattern>),
    Varying(Template),
}

impl ArnPattern {
    /// The error says what to write instead.
    pub(crate) fn compile(source: &str, variables: bool) -> Result<Self, String> {
        let template = Template::compile(
            source,
            Reading {
                wildcards: true,
                variables,
                ignore_case: false,
            },
        )?;
        let Some(symbols) = template.fixed() else {
            return Ok(ArnPattern::Varying(template));
        };
        if symbols == [Symbol::Any] {
            return Ok(ArnPattern::Anything);
        }
        let parts: Vec<&[Symbol]> = split(&symbols).collect();
        match parts.first() {
            Some(first) if parts.len() == PARTS && Pattern::new(first).matches("arn") => Ok(
                ArnPattern::Parts(parts.into_iter().map(Pattern::new).collect()),
            ),
            _ => Err(format!(
                "`{source}` fits no ARN: write all six parts, such as `arn:aws:iam::*:role/NAME`"
            )),
        }
    }

    /// The condition keys, in lower case, that it has as variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        let template = match self {
            ArnPattern::Anything | ArnPattern::Parts(_) => None,
            ArnPattern::Varying(template) => Some(template),
        };
        template.into_iter().flat_map(Template::variables)
    }

    /// Whether `text` is an ARN that fits, with the variables of this request filled in.
    pub(crate) fn matches(&self, text: &str, context: &Context) -> bool {
        let parts = || text.splitn(PARTS, ':');
        if parts().count() < PARTS || !text.starts_with("arn:") {
            return false;
        }
        match self {
            ArnPattern::Anything => true,
            ArnPattern::Parts(patterns) => {
                let mut parts = parts();
                patterns
                    .iter()
                    .all(|pattern| parts.next().is_some_and(|part| pattern.matches(part)))
            }
            ArnPattern::Varying(template) => template.resolve(context).is_some_and(|symbols| {
                let mut patterns = split(&symbols);
                parts().all(|part| {
                    patterns
                        .next()
                        .is_some_and(|pattern| Pattern::new(pattern).matches(part))
                })
            }),
        }
    }
}

fn split(symbols: &[Symbol]) -> impl Iterator<Item = &[Symbol]> {
    symbols.splitn(PARTS, |symbol| *symbol == Symbol::Byte(b':'))
}

/// How many colons stand in a pattern as text.
pub(crate) fn colons(symbols: &[Symbol]) -> usize {
    symbols
        .iter()
        .filter(|symbol| **symbol == Symbol::Byte(b':'))
        .count()
}

/// Whether a value of `Resource` has a wildcard that must not reach over a colon ([`fits_resource`]).
pub(crate) fn is_confined(symbols: &[Symbol]) -> bool {
    let mut colons = 0;
    let mut rest = symbols.iter().peekable();
    while let Some(symbol) = rest.next() {
        match symbol {
            Symbol::Byte(b':') => colons += 1,
            Symbol::Byte(_) => {}
            _ if colons >= PARTS - 1 => return false,
            Symbol::One => return true,
            // A `*` that ends its part "can expand to match beyond the colon boundaries".
            Symbol::Any => match rest.peek() {
                None | Some(Symbol::Byte(b':')) => {}
                Some(_) => return true,
            },
        }
    }
    false
}

/// Whether an ARN fits a value of `Resource` (*IAM JSON policy elements: Resource*): wildcards stay within the part of the
/// ARN that they stand in, but for a `*` that ends its part, and in the last part nothing holds them.
///
/// All states that the pattern can be in are carried along at once: the time is at most the product of both lengths.
pub(crate) fn fits_resource(symbols: &[Symbol], text: &str) -> bool {
    let mut part = 1;
    let steps: Vec<(Symbol, bool)> = symbols
        .iter()
        .enumerate()
        .map(|(index, symbol)| {
            if *symbol == Symbol::Byte(b':') {
                part += 1;
            }
            let ends = matches!(symbols.get(index + 1), None | Some(Symbol::Byte(b':')));
            (*symbol, part >= PARTS || (*symbol == Symbol::Any && ends))
        })
        .collect();
    // States are numbers of steps taken. A `*` may also stand for nothing.
    let skip = |states: &mut Vec<bool>| {
        for (index, (symbol, _)) in steps.iter().enumerate() {
            if *symbol == Symbol::Any
                && states.get(index) == Some(&true)
                && let Some(next) = states.get_mut(index + 1)
            {
                *next = true;
            }
        }
    };
    let mut states = vec![false; steps.len() + 1];
    if let Some(first) = states.first_mut() {
        *first = true;
    }
    skip(&mut states);
    for character in text.chars() {
        let mut bytes = [0; 4];
        // A character of several bytes is one to a wildcard, and so many to text.
        let encoded = character.encode_utf8(&mut bytes).as_bytes();
        let mut next = vec![false; steps.len() + 1];
        for (index, (symbol, over_colons)) in steps.iter().enumerate() {
            if states.get(index) != Some(&true) {
                continue;
            }
            let to = match symbol {
                Symbol::Any if *over_colons || character != ':' => index,
                Symbol::One if *over_colons || character != ':' => index + 1,
                Symbol::Byte(_) => {
                    let here = steps.get(index..index + encoded.len());
                    let same = here.is_some_and(|here| {
                        here.iter()
                            .zip(encoded)
                            .all(|((symbol, _), byte)| *symbol == Symbol::Byte(*byte))
                    });
                    if !same {
                        continue;
                    }
                    index + encoded.len()
                }
                Symbol::Any | Symbol::One => continue,
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

#[cfg(test)]
mod tests {
    use super::{fits_resource, is_confined};
    use crate::glob::Symbol;

    fn symbols(pattern: &str) -> Vec<Symbol> {
        pattern
            .bytes()
            .map(|byte| match byte {
                b'*' => Symbol::Any,
                b'?' => Symbol::One,
                byte => Symbol::Byte(byte),
            })
            .collect()
    }

    #[test]
    fn wildcards_of_resources_stay_in_their_part() {
        let role = "arn:aws:iam::111122223333:role/a:b";
        for (pattern, confined, fits) in [
            ("*", false, true),
            ("arn:aws:iam:*", false, true),
            ("arn:aws:iam::*:role/a:b", false, true),
            ("arn:aws:iam::1*3:role/*", true, true),
            ("arn:aws:iam::1*:b", false, true),
            ("arn:aws:iam::1*a:b", true, false),
            ("arn:aws:i*b", true, false),
            ("arn:aws:ia?::111122223333:role/a:b", true, true),
            ("arn:aws:iam:?111122223333:role/a:b", true, false),
            ("arn:aws:iam::111122223333:role/a?b", false, true),
            ("arn:aws:iam::111122223333:ro*b", false, true),
            ("arn:aws:iam::111122223333:role/a", false, false),
        ] {
            assert_eq!(is_confined(&symbols(pattern)), confined, "{pattern}");
            assert_eq!(fits_resource(&symbols(pattern), role), fits, "{pattern}");
        }
        assert!(fits_resource(
            &symbols("arn:a:s?:::ü*ß?"),
            "arn:a:sß:::üxß\u{1F600}"
        ));
        assert!(!fits_resource(&symbols("arn:a:s?:::x"), "arn:a:sßß:::x"));
    }
}
