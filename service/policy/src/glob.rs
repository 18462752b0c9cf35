//! Patterns with `*` (any run of characters, also none) and `?` (any one character).

use std::fmt;

/// One step of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Symbol {
    Char(char),
    /// `*`
    Any,
    /// `?`
    One,
}

/// Whether `A` and `a` are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Sensitive,
    /// The pattern must have been folded; the text is folded while it is read.
    Folded,
}

impl Case {
    pub(crate) fn fold(self, c: char) -> char {
        match self {
            Case::Sensitive => c,
            Case::Folded if c.is_ascii() => c.to_ascii_lowercase(),
            Case::Folded => {
                let mut lower = c.to_lowercase();
                match (lower.next(), lower.next()) {
                    (Some(single), None) => single,
                    _ => c,
                }
            }
        }
    }
}

/// Whether `text` as a whole fits `pattern`.
///
/// On a mismatch only the latest `*` takes one character more. Earlier ones need not be tried again, so the
/// time is at most the product of both lengths, whatever the pattern.
pub(crate) fn matches(pattern: &[Symbol], text: &str, case: Case) -> bool {
    let mut at = 0;
    let mut rest = text.chars();
    let mut retry = None;
    loop {
        let symbol = pattern.get(at);
        if symbol == Some(&Symbol::Any) {
            at += 1;
            if at == pattern.len() {
                return true;
            }
            retry = Some((at, rest.clone()));
            continue;
        }
        let mut after = rest.clone();
        let Some(c) = after.next() else {
            return pattern[at..].iter().all(|symbol| *symbol == Symbol::Any);
        };
        let fits = match symbol {
            Some(Symbol::Char(wanted)) => *wanted == case.fold(c),
            Some(Symbol::One) => true,
            Some(Symbol::Any) | None => false,
        };
        if fits {
            at += 1;
            rest = after;
        } else {
            let Some((resume, from)) = &mut retry else {
                return false;
            };
            from.next();
            rest = from.clone();
            at = *resume;
        }
    }
}

/// The steps of a pattern without variables, folded for `case`.
pub(crate) fn symbols(pattern: &str, case: Case) -> Vec<Symbol> {
    pattern
        .chars()
        .map(|c| match c {
            '*' => Symbol::Any,
            '?' => Symbol::One,
            c => Symbol::Char(case.fold(c)),
        })
        .collect()
}

/// An action pattern such as `s3:Get*`. It ignores case, as IAM does for actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    source: String,
    shape: Shape,
}

/// What most patterns come down to, so that most comparisons end at the first character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Anything,
    Exact(String),
    Prefix(String),
    General(Vec<Symbol>),
}

impl Shape {
    /// `symbols` must be folded already where case is to be ignored.
    pub(crate) fn of(symbols: Vec<Symbol>) -> Shape {
        let literal = |symbols: &[Symbol]| {
            symbols
                .iter()
                .map(|symbol| match symbol {
                    Symbol::Char(c) => Some(*c),
                    Symbol::Any | Symbol::One => None,
                })
                .collect::<Option<String>>()
        };
        if symbols == [Symbol::Any] {
            return Shape::Anything;
        }
        if let Some(exact) = literal(&symbols) {
            return Shape::Exact(exact);
        }
        if let Some((Symbol::Any, front)) = symbols.split_last()
            && let Some(prefix) = literal(front)
        {
            return Shape::Prefix(prefix);
        }
        Shape::General(symbols)
    }

    pub(crate) fn matches(&self, text: &str, case: Case) -> bool {
        match (self, case) {
            (Shape::Anything, _) => true,
            (Shape::Exact(exact), Case::Sensitive) => exact == text,
            (Shape::Prefix(prefix), Case::Sensitive) => text.starts_with(prefix.as_str()),
            (Shape::Exact(exact), Case::Folded) => {
                exact.chars().eq(text.chars().map(|c| case.fold(c)))
            }
            (Shape::Prefix(prefix), Case::Folded) => {
                let mut text = text.chars();
                prefix
                    .chars()
                    .all(|wanted| text.next().is_some_and(|c| case.fold(c) == wanted))
            }
            (Shape::General(symbols), case) => matches(symbols, text, case),
        }
    }
}

impl Glob {
    /// Every string is a pattern.
    pub fn new(pattern: &str) -> Self {
        Glob {
            source: pattern.to_owned(),
            shape: Shape::of(symbols(pattern, Case::Folded)),
        }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether `text` as a whole fits. Case does not count.
    pub fn matches(&self, text: &str) -> bool {
        self.shape.matches(text, Case::Folded)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}
