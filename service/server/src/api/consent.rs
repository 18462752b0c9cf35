//! What waivers and exemptions have in common for their callers.

use jiff::Timestamp;
use landfall_model::consent::{Consent, ConsentState, Decision, Objection, Word as Stored};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::problem::{Kind, Problem};
use crate::store::{Proposed, Settled};

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

/// Whether it was added, what was asked for as a `waiver` or an `exemption`, or who asked for as much before. `about` tells the id
/// and the consent of that one.
pub(super) fn proposed<T>(
    proposed: Proposed<T>,
    noun: &str,
    about: impl Fn(&T) -> (Uuid, &Consent),
    now: Timestamp,
) -> Result<(), Problem> {
    let Proposed::Already(other) = proposed else {
        return Ok(());
    };
    let (id, consent) = about(&other);
    let (by, end) = (&consent.requested_by, consent.expires_at);
    let detail = if consent.state(now) == ConsentState::InForce {
        format!(
            "The {noun} {id}, proposed by {by}, is in force and says as much until {end:.0}. One that ends later may follow it."
        )
    } else {
        format!(
            "The {noun} {id}, proposed by {by}, says as much until {end:.0} and waits for a decision. Have it approved, or revoke it \
             to propose another."
        )
    };
    Err(Problem::asked_already(id, detail))
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
