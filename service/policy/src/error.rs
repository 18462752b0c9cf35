//! What is wrong with a policy document.

/// One thing that is wrong with a policy document, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", if pointer.is_empty() { "the document" } else { pointer.as_str() })]
pub struct PolicyError {
    /// Where it stands, as a JSON pointer (RFC 6901). Empty for the document as a whole.
    pub pointer: String,
    /// What is wrong and what to write instead, without the place.
    pub problem: String,
}

impl PolicyError {
    pub(crate) fn new(pointer: &str, problem: impl Into<String>) -> Self {
        PolicyError {
            pointer: pointer.to_owned(),
            problem: problem.into(),
        }
    }
}
