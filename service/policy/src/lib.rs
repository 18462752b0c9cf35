//! The IAM policy language: parse a document, check it, write it small, and decide requests with it.
//!
//! ```text
//! text ─parse─▶ Policy ─evaluate(request)─▶ Verdict          one document alone
//!                  └──── Layers ─decide(request)─▶ Decision  everything that has a say, in AWS's order
//!                               └explain(request)▶ Explanation  the same, and what each statement had to do with it
//! ```
//!
//! A [`Policy`] is compiled when it is parsed: action patterns are folded to lower case, wildcards and
//! variables are taken apart, and numbers, dates and address ranges are read. So a document that
//! parses cannot fail later, and evaluating it neither fails nor panics.
//!
//! Before policies are attached, [`replay`] says which recorded calls they would have denied, and [`lockout`] whether those who must keep
//! working still can.
//!
//! [`lint`] finds what AWS would take and nobody can have meant, [`pack`] writes many statements as few and short ones, and
//! [`catalogue`] knows IAM's actions and condition keys.
//!
//! What the language means is AWS's to say: the *IAM JSON policy reference* and *Policy evaluation logic*
//! in the IAM User Guide. Where those leave room, the doc comment of the item concerned says what we took.

mod arn;
mod attached;
pub mod catalogue;
mod condition;
mod context;
mod cover;
mod decide;
pub mod decisions;
mod document;
mod element;
mod error;
mod evaluate;
mod explain;
mod glob;
pub mod lint;
pub mod lockout;
mod operand;
pub mod pack;
mod partial;
mod principal;
pub mod replay;
mod session;
mod statement;
mod validate;
mod variables;

pub use attached::{Attached, Cause, Levels};
pub use condition::{Condition, Quantifier};
pub use context::Context;
pub use decide::{Decision, Denial, Layer, Layers, Miss, Reason, StatementRef, decide};
pub use document::{Policy, Version};
pub use error::PolicyError;
pub use evaluate::{Request, Verdict};
pub use explain::{Explanation, Fit, Gap, Trace, explain};
pub use glob::Glob;
pub use principal::{PrincipalElement, PrincipalKind, PrincipalType, PrincipalView, Reach};
pub use session::allow_actions;
pub use statement::{Effect, Selection, Statement};
pub use validate::Kind;
pub use variables::Template;
