//! What waivers and exemptions have in common for their callers.

use jiff::Timestamp;
use landfall_model::consent::{ConsentState, Decision, Objection, Word as Stored};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::problem::{Kind, Problem};
use crate::store::Settled;

/// What somebody said, and when.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Word {
    pub by: String,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Empty where none was given.
    pub reason: String,
}

impl From<Stored> for Word {
    fn from(word: Stored) -> Self {
        Word {
            by: word.by,
            at: word.at,
            reason: word.reason,
        }
    }
}

/// The states that a list asks for: one, or those that have not ended, or all.
pub(super) fn states(state: Option<&str>, ended: bool) -> Result<Vec<ConsentState>, Problem> {
    match state {
        Some(name) => {
            let state = ConsentState::from_name(name).ok_or_else(|| {
                let names = ConsentState::ALL.map(ConsentState::name).join(", ");
                Problem::bad_parameter("state", format!("is one of {names}"))
            })?;
            Ok(vec![state])
        }
        None if ended => Ok(Vec::new()),
        None => Ok(vec![ConsentState::Proposed, ConsentState::InForce]),
    }
}

/// What was decided, or why it was not: of a `waiver` or an `exemption`, `own` being the problem of who approves their own.
pub(super) fn settled<T>(
    settled: Settled<T>,
    decision: Decision,
    (noun, own, id): (&str, Kind, Uuid),
) -> Result<T, Problem> {
    match settled {
        Settled::Done(done) => Ok(done),
        Settled::NotFound => Err(Problem::not_found(format_args!("{noun} {id}"))),
        Settled::Refused(Objection::Own) => Err(Problem::new(
            own,
            format!("You proposed this {noun}: somebody else has to approve it."),
        )),
        Settled::Refused(Objection::WrongState(state)) => {
            let possible = match decision {
                Decision::Approve | Decision::Reject => "only a proposed one can be decided on",
                Decision::Revoke => "only a proposed one or one in force can be revoked",
            };
            Err(Problem::new(
                Kind::WrongState,
                format!(
                    "The {noun} is {}; {possible}.",
                    state.name().replace('_', " ")
                ),
            ))
        }
    }
}
