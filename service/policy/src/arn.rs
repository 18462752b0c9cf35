//! Patterns of ARNs, as the operators `ArnLike` and `ArnEquals` (which are the same) read them.

use crate::Context;
use crate::glob::{Pattern, Symbol};
use crate::variables::{Reading, Template};

/// The parts of an ARN that colons separate; the sixth takes the rest.
const PARTS: usize = 6;

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
