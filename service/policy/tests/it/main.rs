//! The policy language from outside, in one binary.

mod conditions;
mod documents;
mod laws;
mod precedence;
mod scp;
