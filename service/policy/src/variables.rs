//! Policy variables: `${aws:username}`, with a default `${aws:username, 'nobody'}`,
//! and the escapes `${*}`, `${?}` and `${$}`.
//!
//! AWS replaces them in `Resource` and in the values of string and ARN conditions, and only in documents of
//! version 2012-10-17 (*IAM policy elements: Variables and tags*). What a variable brings in is text:
//! a `*` in a user's name is no wildcard. A variable without a value makes its pattern match nothing at all; an empty
//! string is no value.

use crate::glob::{self, Pattern, Symbol};
use crate::{Context, arn};

/// A string of a policy that may hold wildcards and variables.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    source: String,
    ignore_case: bool,
    /// Whether wildcards must be held to the parts of an ARN that they stand in ([`arn::fits_resource`]).
    confined: bool,
    text: Text,
}

#[derive(Clone, Debug, PartialEq)]
enum Text {
    /// The same for every request.
    Fixed(Pattern),
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
    pub(crate) ignore_case: bool,
}

/// Takes `source` apart. The error says what to write instead.
fn parts(source: &str, reading: Reading) -> Result<Vec<Part>, String> {
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
                Reference::Literal(byte) => run.push(Symbol::Byte(byte)),
                Reference::Variable { key, default } => {
                    parts.push(Part::Symbols(std::mem::take(&mut run)));
                    parts.push(Part::Variable { key, default });
                }
            }
            continue;
        }
        let (character, after) = rest.split_at(c.len_utf8());
        rest = after;
        match c {
            '*' if reading.wildcards => run.push(Symbol::Any),
            '?' if reading.wildcards => run.push(Symbol::One),
            _ if reading.ignore_case => run.extend(glob::literal(&glob::fold(character))),
            _ => run.extend(glob::literal(character)),
        }
    }
    parts.push(Part::Symbols(run));
    Ok(parts)
}

impl Template {
    /// Reads `source`. The error says what to write instead.
    pub(crate) fn compile(source: &str, reading: Reading) -> Result<Self, String> {
        let parts = parts(source, reading)?;
        let text = match parts.as_slice() {
            [Part::Symbols(symbols)] => Text::Fixed(Pattern::new(symbols)),
            _ => Text::Varying(parts),
        };
        Ok(Template {
            source: source.to_owned(),
            ignore_case: reading.ignore_case,
            confined: false,
            text,
        })
    }

    /// Reads a value of `Resource` or `NotResource`. `complete`: whether an ARN of fewer than six parts stands for all that
    /// begin so, as it does in policies of principals.
    pub(crate) fn compile_resource(
        source: &str,
        variables: bool,
        complete: bool,
    ) -> Result<Self, String> {
        let reading = Reading {
            wildcards: true,
            variables,
            ignore_case: false,
        };
        let mut parts = parts(source, reading)?;
        if complete && source.starts_with("arn:") {
            let (mut colons, mut last) = (0, None);
            for part in &parts {
                match part {
                    Part::Symbols(run) => {
                        colons += arn::colons(run);
                        last = run.last().copied().or(last);
                    }
                    Part::Variable { .. } => last = None,
                }
            }
            if last != Some(Symbol::Any) {
                let missing = (arn::PARTS - 1).saturating_sub(colons);
                parts.push(Part::Symbols(
                    [Symbol::Byte(b':'), Symbol::Any].repeat(missing),
                ));
            }
        }
        let text = match fixed(&parts) {
            Some(symbols) => Text::Fixed(Pattern::new(&symbols)),
            None => Text::Varying(parts),
        };
        let confined = match &text {
            Text::Fixed(pattern) => arn::is_confined(&pattern.symbols()),
            Text::Varying(_) => true,
        };
        Ok(Template {
            source: source.to_owned(),
            ignore_case: false,
            confined,
            text,
        })
    }

    pub(crate) fn is_confined(&self) -> bool {
        self.confined
    }

    /// The string as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether `text` as a whole fits, with the variables of this request filled in.
    pub fn matches(&self, text: &str, context: &Context) -> bool {
        if self.ignore_case {
            self.fits(&glob::fold(text), context)
        } else {
            self.fits(text, context)
        }
    }

    fn fits(&self, text: &str, context: &Context) -> bool {
        let held = |symbols: &[Symbol]| !self.confined || arn::fits_resource(symbols, text);
        match &self.text {
            Text::Fixed(pattern) => {
                pattern.matches(text) && (!self.confined || held(&pattern.symbols()))
            }
            Text::Varying(_) => self
                .resolve(context)
                .is_some_and(|symbols| Pattern::new(&symbols).matches(text) && held(&symbols)),
        }
    }

    /// The condition keys, in lower case, that it has as variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        let parts = match &self.text {
            Text::Fixed(_) => &[],
            Text::Varying(parts) => parts.as_slice(),
        };
        parts.iter().filter_map(|part| match part {
            Part::Symbols(_) => None,
            Part::Variable { key, .. } => Some(key.as_str()),
        })
    }

    /// The pattern, if it is the same for every request.
    pub(crate) fn fixed(&self) -> Option<Vec<Symbol>> {
        match &self.text {
            Text::Fixed(pattern) => Some(pattern.symbols()),
            Text::Varying(_) => None,
        }
    }

    /// The pattern with the variables of this request filled in. `None` if one has no value.
    pub(crate) fn resolve(&self, context: &Context) -> Option<Vec<Symbol>> {
        let parts = match &self.text {
            Text::Fixed(pattern) => return Some(pattern.symbols()),
            Text::Varying(parts) => parts,
        };
        let mut symbols = Vec::new();
        for part in parts {
            match part {
                Part::Symbols(run) => symbols.extend_from_slice(run),
                Part::Variable { key, default } => {
                    let value = context
                        .single(key)
                        .filter(|value| !value.is_empty())
                        .or(default.as_deref())?;
                    if self.ignore_case {
                        symbols.extend(glob::literal(&glob::fold(value)));
                    } else {
                        symbols.extend(glob::literal(value));
                    }
                }
            }
        }
        Some(symbols)
    }
}

/// The symbols, if no part is a variable.
fn fixed(parts: &[Part]) -> Option<Vec<Symbol>> {
    let mut symbols = Vec::new();
    for part in parts {
        match part {
            Part::Symbols(run) => symbols.extend_from_slice(run),
            Part::Variable { .. } => return None,
        }
    }
    Some(symbols)
}

enum Reference {
    Literal(u8),
    Variable {
        key: String,
        default: Option<String>,
    },
}

impl Reference {
    /// Reads what follows `${`, up to and with its `}`, and returns what comes after.
    fn parse(body: &str) -> Result<(Reference, &str), String> {
        for (byte, escape) in [(b'*', "*}"), (b'?', "?}"), (b'$', "$}")] {
            if let Some(rest) = body.strip_prefix(escape) {
                return Ok((Reference::Literal(byte), rest));
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
