//! The policy language from outside, in one binary.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod conditions;
mod documents;
mod examples;
mod explain;
mod laws;
mod lint;
mod lint_statements;
mod lockout;
mod null_values;
mod pack;
mod precedence;
mod principals;
#[path = "../../examples/shared/random.rs"]
mod random;
mod replay;
mod resources;
mod scp;
mod scp_mutations;
mod scp_units;
mod variables;
