//! Policy variables: `${aws:username}`, with a default `${aws:username, 'nobody'}`,
//! and the escapes `${*}`, `${?}` and `${$}`.
//!
//! AWS replaces them in `Resource` and in the values of string and ARN conditions, and only in documents of
//! version 2012-10-17 (*IAM policy elements: Variables and tags*). What a variable brings in is text:
//! a `*` in a user's name is no wildcard. A variable without a value makes its pattern match nothing at all.

use std::borrow::Cow;

use crate::Context;
use crate::glob::{self, Case, Shape, Symbol};

/// A string of a policy that may hold wildcards and variables.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    source: String,
    case: Case,
    pattern: Pattern,
}

#[derive(Clone, Debug, PartialEq)]
enum Pattern {
    Fixed(Shape),
    Varying(Vec<Part>),
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Symbols(Vec<Symbol>),
    /// A condition key in lower case, and what stands in when the request has no single value for it.
    Variable {
        key: String,
        default: Option<String>,
    },
}

/// How to read a string of a policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Whether `*` and `?` are wildcards.
    pub(crate) wildcards: bool,
    /// Whether `${…}` is a variable, which it is from version 2012-10-17 on.
    pub(crate) variables: bool,
    pub(crate) case: Case,
}

impl Template {
    /// Takes `source` apart. The error says what to write instead.
    pub(crate) fn compile(source: &str, reading: Reading) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut run = Vec::new();
        let mut rest = source;
        while let Some(c) = rest.chars().next() {
            if reading.variables
                && let Some(body) = rest.strip_prefix("${")
            {
                let (reference, after) = Reference::parse(body)?;
                rest = after;
                match reference {
                    Reference::Literal(c) => run.push(Symbol::Char(c)),
                    Reference::Variable { key, default } => {
                        if !run.is_empty() {
                            parts.push(Part::Symbols(std::mem::take(&mut run)));
                        }
                        parts.push(Part::Variable { key, default });
                    }
                }
                continue;
            }
            run.push(match c {
                '*' if reading.wildcards => Symbol::Any,
                '?' if reading.wildcards => Symbol::One,
                c => Symbol::Char(reading.case.fold(c)),
            });
            rest = &rest[c.len_utf8()..];
        }
        let pattern = if parts.is_empty() {
            Pattern::Fixed(Shape::of(run))
        } else {
            if !run.is_empty() {
                parts.push(Part::Symbols(run));
            }
            Pattern::Varying(parts)
        };
        Ok(Template {
            source: source.to_owned(),
            case: reading.case,
            pattern,
        })
    }

    /// The string as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether `text` as a whole fits, with the variables of this request filled in.
    pub fn matches(&self, text: &str, context: &Context) -> bool {
        match &self.pattern {
            Pattern::Fixed(shape) => shape.matches(text, self.case),
            Pattern::Varying(parts) => resolve(parts, self.case, context)
                .is_some_and(|symbols| glob::matches(&symbols, text, self.case)),
        }
    }

    /// The pattern with the variables of this request filled in. `None` if one has no value.
    pub(crate) fn symbols(&self, context: &Context) -> Option<Cow<'_, [Symbol]>> {
        match &self.pattern {
            Pattern::Fixed(Shape::General(symbols)) => Some(Cow::Borrowed(symbols)),
            Pattern::Fixed(Shape::Anything) => Some(Cow::Borrowed(&[Symbol::Any])),
            Pattern::Fixed(Shape::Exact(text)) => Some(text.chars().map(Symbol::Char).collect()),
            Pattern::Fixed(Shape::Prefix(text)) => Some(
                text.chars()
                    .map(Symbol::Char)
                    .chain([Symbol::Any])
                    .collect(),
            ),
            Pattern::Varying(parts) => resolve(parts, self.case, context).map(Cow::Owned),
        }
    }

    /// Whether the pattern is the same for every request.
    pub(crate) fn is_fixed(&self) -> bool {
        matches!(self.pattern, Pattern::Fixed(_))
    }
}

fn resolve(parts: &[Part], case: Case, context: &Context) -> Option<Vec<Symbol>> {
    let mut symbols = Vec::new();
    for part in parts {
        match part {
            Part::Symbols(run) => symbols.extend_from_slice(run),
            Part::Variable { key, default } => {
                let value = context.single(key).or(default.as_deref())?;
                symbols.extend(value.chars().map(|c| Symbol::Char(case.fold(c))));
            }
        }
    }
    Some(symbols)
}

enum Reference {
    Literal(char),
    Variable {
        key: String,
        default: Option<String>,
    },
}

impl Reference {
    /// Reads what follows `${`, up to and with its `}`, and returns what comes after.
    fn parse(body: &str) -> Result<(Reference, &str), String> {
        for c in ['*', '?', '$'] {
            if let Some(rest) = body.strip_prefix(c).and_then(|rest| rest.strip_prefix('}')) {
                return Ok((Reference::Literal(c), rest));
            }
        }
        let end = body.find([',', '}']).ok_or_else(|| {
            format!(
                "`${{{body}` is not closed: write `}}` after the variable, or `${{$}}` for a dollar sign"
            )
        })?;
        let name = body[..end].trim();
        let well_formed = name.split_once(':').is_some_and(|(prefix, key)| {
            !prefix.is_empty() && !key.is_empty() && !name.contains(['$', '{'])
        });
        if !well_formed {
            return Err(format!(
                "`${{{name}}}` is no policy variable: write a condition key such as `${{aws:username}}`, or `${{$}}` for a dollar sign"
            ));
        }
        let key = name.to_lowercase();
        let rest = &body[end..];
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((Reference::Variable { key, default: None }, after));
        }
        let quoted = rest
            .trim_start_matches(',')
            .trim_start()
            .strip_prefix('\'')
            .and_then(|rest| rest.split_once('\''));
        match quoted.map(|(default, after)| (default, after.trim_start().strip_prefix('}'))) {
            Some((default, Some(after))) => {
                let default = Some(default.to_owned());
                Ok((Reference::Variable { key, default }, after))
            }
            _ => Err(format!(
                "the default of `{name}` is not well formed: write `${{{name}, 'default'}}`"
            )),
        }
    }
}
