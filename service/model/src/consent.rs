//! What somebody asks for, somebody else agrees to, and ends by itself: the life that waivers and exemptions have in common.
//!
//! It is proposed, then approved or rejected; what is approved may be revoked, and all of it expires. Nothing is ever
//! removed. What state it is in follows from what was decided and from the time.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What somebody said, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    pub by: String,
    pub at: Timestamp,
    /// Empty where none was given.
    pub reason: String,
}

/// Who asked for something, until when, and what was said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    pub requested_by: String,
    pub requested_at: Timestamp,
    pub expires_at: Timestamp,
    pub approved: Option<Word>,
    pub rejected: Option<Word>,
    pub revoked: Option<Word>,
}

/// Where it is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentState {
    /// Somebody has to agree.
    Proposed,
    /// It holds.
    InForce,
    Rejected,
    /// Taken back before its time.
    Revoked,
    /// Its time is over, whether it was approved or not.
    Expired,
}

impl ConsentState {
    pub const ALL: [ConsentState; 5] = [
        ConsentState::Proposed,
        ConsentState::InForce,
        ConsentState::Rejected,
        ConsentState::Revoked,
        ConsentState::Expired,
    ];

    /// The word in JSON and in filters.
    pub fn name(self) -> &'static str {
        match self {
            ConsentState::Proposed => "proposed",
            ConsentState::InForce => "in_force",
            ConsentState::Rejected => "rejected",
            ConsentState::Revoked => "revoked",
            ConsentState::Expired => "expired",
        }
    }

    pub fn from_name(name: &str) -> Option<ConsentState> {
        ConsentState::ALL
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// What can be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Approve,
    Reject,
    Revoke,
}

impl Decision {
    /// The word for what was done, which is also the column's.
    pub fn past(self) -> &'static str {
        match self {
            Decision::Approve => "approved",
            Decision::Reject => "rejected",
            Decision::Revoke => "revoked",
        }
    }
}

/// Whether two names stand for one person: letters that differ in case alone make nobody else.
pub fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Why somebody cannot decide so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objection {
    /// Who asks does not agree to it.
    Own,
    /// It is in a state in which this cannot be decided.
    WrongState(ConsentState),
}

impl Consent {
    /// What was just asked for.
    pub fn asked(by: impl Into<String>, at: Timestamp, expires_at: Timestamp) -> Self {
        Consent {
            requested_by: by.into(),
            requested_at: at,
            expires_at,
            approved: None,
            rejected: None,
            revoked: None,
        }
    }

    pub fn state(&self, now: Timestamp) -> ConsentState {
        if self.rejected.is_some() {
            ConsentState::Rejected
        } else if self.revoked.is_some() {
            ConsentState::Revoked
        } else if self.expires_at <= now {
            ConsentState::Expired
        } else if self.approved.is_some() {
            ConsentState::InForce
        } else {
            ConsentState::Proposed
        }
    }

    /// Whether `by` may decide so now. Which roles may decide at all is another question.
    pub fn may(&self, decision: Decision, by: &str, now: Timestamp) -> Result<(), Objection> {
        let state = self.state(now);
        match (decision, state) {
            (Decision::Approve, ConsentState::Proposed) if is_same(by, &self.requested_by) => {
                Err(Objection::Own)
            }
            (Decision::Approve | Decision::Reject, ConsentState::Proposed)
            | (Decision::Revoke, ConsentState::Proposed | ConsentState::InForce) => Ok(()),
            (
                Decision::Approve | Decision::Reject,
                ConsentState::InForce
                | ConsentState::Rejected
                | ConsentState::Revoked
                | ConsentState::Expired,
            )
            | (
                Decision::Revoke,
                ConsentState::Rejected | ConsentState::Revoked | ConsentState::Expired,
            ) => Err(Objection::WrongState(state)),
        }
    }

    /// Whether somebody who asks for this gets nothing that he does not have or is not asking for already: the other waits for a
    /// decision, or is in force and lasts as long. (What is in force and ends earlier may be followed by another without a gap.)
    pub fn adds_nothing_to(&self, other: &Consent, now: Timestamp) -> bool {
        match other.state(now) {
            ConsentState::Proposed => true,
            ConsentState::InForce => self.expires_at <= other.expires_at,
            ConsentState::Rejected | ConsentState::Revoked | ConsentState::Expired => false,
        }
    }

    /// Puts a decision down.
    pub fn decide(&mut self, decision: Decision, word: Word) {
        let said = match decision {
            Decision::Approve => &mut self.approved,
            Decision::Reject => &mut self.rejected,
            Decision::Revoke => &mut self.revoked,
        };
        *said = Some(word);
    }
}

/// What is wrong with an end: it lies in the future, and not later than the landing zone allows.
pub fn check_expiry(
    expires_at: Timestamp,
    now: Timestamp,
    longest_days: u16,
) -> Result<(), String> {
    let longest = SignedDuration::from_hours(24 * i64::from(longest_days));
    if expires_at <= now {
        Err("must be in the future".to_owned())
    } else if expires_at > now + longest {
        Err(format!(
            "must be within {longest_days} days, as the landing zone sets it: at {:.0} at the latest",
            now + longest
        ))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(days: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * days)
    }

    fn word(days: i64) -> Option<Word> {
        Some(Word {
            by: "bob".to_owned(),
            at: at(days),
            reason: String::new(),
        })
    }

    fn proposed() -> Consent {
        Consent::asked("alice", at(0), at(10))
    }

    fn approved() -> Consent {
        Consent {
            approved: word(1),
            ..proposed()
        }
    }

    #[test]
    fn the_state_follows_from_what_was_decided_and_when() {
        let rejected = Consent {
            rejected: word(1),
            ..proposed()
        };
        let revoked = Consent {
            revoked: word(2),
            ..approved()
        };
        for (consent, day, state) in [
            (&proposed(), 2, "proposed"),
            (&proposed(), 10, "expired"),
            (&approved(), 9, "in_force"),
            (&approved(), 10, "expired"),
            (&rejected, 2, "rejected"),
            (&rejected, 20, "rejected"),
            (&revoked, 20, "revoked"),
        ] {
            assert_eq!(consent.state(at(day)).name(), state, "{consent:?}");
        }
    }

    #[test]
    fn who_asks_does_not_approve_and_every_decision_has_its_time() {
        use Decision::{Approve, Reject, Revoke};

        let wrong = |state| Err(Objection::WrongState(state));
        for (consent, decision, by, day, answer) in [
            (proposed(), Approve, "bob", 2, Ok(())),
            (proposed(), Approve, "alice", 2, Err(Objection::Own)),
            (proposed(), Approve, "Alice", 2, Err(Objection::Own)),
            (proposed(), Reject, "bob", 2, Ok(())),
            (proposed(), Revoke, "alice", 2, Ok(())),
            (proposed(), Approve, "bob", 10, wrong(ConsentState::Expired)),
            (approved(), Approve, "bob", 2, wrong(ConsentState::InForce)),
            (approved(), Revoke, "alice", 2, Ok(())),
            (
                approved(),
                Revoke,
                "alice",
                10,
                wrong(ConsentState::Expired),
            ),
        ] {
            assert_eq!(consent.may(decision, by, at(day)), answer);
        }
    }

    #[test]
    fn one_that_waits_is_enough_and_one_in_force_may_be_followed_by_a_longer_one() {
        for (other, day, ends, nothing_new) in [
            (proposed(), 2, 20, true),
            (proposed(), 10, 20, false),
            (approved(), 2, 9, true),
            (approved(), 2, 10, true),
            (approved(), 2, 11, false),
            (approved(), 10, 11, false),
        ] {
            let new = Consent::asked("carol", at(day), at(ends));
            let told = new.adds_nothing_to(&other, at(day));
            assert_eq!(told, nothing_new, "{other:?} on day {day}");
        }
    }

    #[test]
    fn it_ends_and_not_too_late() {
        for (day, ok) in [(0, false), (1, true), (180, true), (181, false)] {
            assert_eq!(check_expiry(at(day), at(0), 180).is_ok(), ok, "day {day}");
        }
    }
}
