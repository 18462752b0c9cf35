//! Patterns with `*` (any run of characters, also none) and `?` (any one character).

use std::fmt;

/// One step of a pattern. Bytes of UTF-8: the first byte of a character is never the later byte of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Symbol {
    Byte(u8),
    /// `*`
    Any,
    /// `?`
    One,
}

/// The steps of literal text.
pub(crate) fn literal(text: &str) -> impl Iterator<Item = Symbol> {
    text.bytes().map(Symbol::Byte)
}

/// Lower case, character by character: what two texts have in common that differ in case alone.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        text.chars().flat_map(char::to_lowercase).collect()
    }
}

/// A pattern, ready to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// What stands before the first wildcard: most comparisons end there.
    head: Vec<u8>,
    /// Empty, or beginning with a wildcard.
    tail: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// Literal text; never empty.
    Run(Vec<u8>),
    /// `*`
    Any,
    /// `?`
    One,
}

impl Pattern {
    pub(crate) fn new(symbols: &[Symbol]) -> Self {
        let mut head = Vec::new();
        let mut tail = Vec::new();
        for symbol in symbols {
            match (symbol, tail.last_mut()) {
                (Symbol::Any, _) => tail.push(Piece::Any),
                (Symbol::One, _) => tail.push(Piece::One),
                (Symbol::Byte(byte), None) => head.push(*byte),
                (Symbol::Byte(byte), Some(Piece::Run(run))) => run.push(*byte),
                (Symbol::Byte(byte), Some(Piece::Any | Piece::One)) => {
                    tail.push(Piece::Run(vec![*byte]))
                }
            }
        }
        Pattern { head, tail }
    }

    pub(crate) fn symbols(&self) -> Vec<Symbol> {
        let mut symbols: Vec<Symbol> = self.head.iter().copied().map(Symbol::Byte).collect();
        for piece in &self.tail {
            match piece {
                Piece::Run(run) => symbols.extend(run.iter().copied().map(Symbol::Byte)),
                Piece::Any => symbols.push(Symbol::Any),
                Piece::One => symbols.push(Symbol::One),
            }
        }
        symbols
    }

    /// Whether `text` as a whole fits.
    pub(crate) fn matches(&self, text: &str) -> bool {
        match text.as_bytes().strip_prefix(self.head.as_slice()) {
            Some(rest) => tail_matches(&self.tail, rest),
            None => false,
        }
    }
}

/// On a mismatch only the latest `*` takes one character more. Earlier ones need not be tried again, so the
/// time is at most the product of both lengths, whatever the pattern.
fn tail_matches(pieces: &[Piece], text: &[u8]) -> bool {
    let mut left = pieces;
    let mut rest = text;
    // What stands behind the latest `*`, and the text that this was last tried on.
    let mut retry: Option<(&[Piece], &[u8])> = None;
    loop {
        let after = match left.split_first() {
            Some((Piece::Any, [])) => return true,
            Some((Piece::Any, behind)) => {
                let Some(start) = next_start(behind, rest) else {
                    return false;
                };
                retry = Some((behind, start));
                (left, rest) = (behind, start);
                continue;
            }
            Some((Piece::Run(run), _)) => rest.strip_prefix(run.as_slice()),
            Some((Piece::One, _)) => after_character(rest),
            None if rest.is_empty() => return true,
            None => None,
        };
        if let Some(after) = after {
            left = left.get(1..).unwrap_or_default();
            rest = after;
        } else {
            let Some((behind, tried)) = retry else {
                return false;
            };
            let Some(start) = after_character(tried).and_then(|longer| next_start(behind, longer))
            else {
                return false;
            };
            retry = Some((behind, start));
            (left, rest) = (behind, start);
        }
    }
}

/// The first place in `text` where the pieces behind a `*` can begin. Literal text begins only where its first byte is.
fn next_start<'t>(behind: &[Piece], text: &'t [u8]) -> Option<&'t [u8]> {
    let Some(Piece::Run(run)) = behind.first() else {
        return Some(text);
    };
    let at = text.iter().position(|byte| run.first() == Some(byte))?;
    text.get(at..)
}

/// What follows the first character of `text`. `None` if there is none.
fn after_character(text: &[u8]) -> Option<&[u8]> {
    let (_, rest) = text.split_first()?;
    let later_bytes = rest
        .iter()
        .take_while(|byte| **byte & 0b1100_0000 == 0b1000_0000)
        .count();
    rest.get(later_bytes..)
}

/// An action pattern such as `s3:Get*`. It ignores case, as IAM does for actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    source: String,
    /// In lower case.
    pattern: Pattern,
}

impl Glob {
    /// Every string is a pattern.
    pub fn new(pattern: &str) -> Self {
        let symbols: Vec<Symbol> = fold(pattern)
            .bytes()
            .map(|byte| match byte {
                b'*' => Symbol::Any,
                b'?' => Symbol::One,
                byte => Symbol::Byte(byte),
            })
            .collect();
        Glob {
            source: pattern.to_owned(),
            pattern: Pattern::new(&symbols),
        }
    }

    pub(crate) fn symbols(&self) -> Vec<Symbol> {
        self.pattern.symbols()
    }

    /// Whether both are the same but for case.
    pub(crate) fn is_pattern_of(&self, other: &Glob) -> bool {
        self.pattern == other.pattern
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether `text` as a whole fits. Case does not count.
    pub fn matches(&self, text: &str) -> bool {
        self.matches_folded(&fold(text))
    }

    /// [`matches`](Self::matches) for a text that is folded already.
    pub(crate) fn matches_folded(&self, text: &str) -> bool {
        self.pattern.matches(text)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}
