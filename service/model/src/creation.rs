//! Creating an account exactly once.
//!
//! `CreateAccount` has no idempotency token: a repeated call makes a second account. So the intent and its time are
//! written first, the call carries a tag with the request's id, and the answer's `car-…` id is written next. Whoever
//! finds an intent without an id looks for the account, by tag and by e-mail, before ever calling again.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::cloud_error::Help;
use crate::ids::AccountId;

/// The tag of an account that names the request which made it.
pub const REQUEST_TAG: &str = "landfall:request";

/// How fast AWS makes accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreationPace {
    /// Creations that an organization may have in flight.
    pub in_flight: usize,
    /// `CreateAccount` calls that may follow each other at once.
    pub burst: i32,
    /// The time until the next call after them.
    pub refill: SignedDuration,
    /// How long an account may take to show in Organizations' lists. A creation that nobody sees after this long was
    /// never begun.
    pub settle: SignedDuration,
    /// How often a creation in flight is asked about.
    pub poll: SignedDuration,
}

impl CreationPace {
    /// AWS's own: Organizations quotas, "Member accounts you can concurrently create", and throttling limits, 0.1 a
    /// second with a burst of 3.
    pub const AWS: CreationPace = CreationPace {
        in_flight: 5,
        burst: 3,
        refill: SignedDuration::from_secs(10),
        settle: SignedDuration::from_secs(60),
        poll: SignedDuration::from_secs(2),
    };

    /// That of an AWS whose time passes `times` times as fast.
    pub fn hastened(self, times: u32) -> Self {
        let shorter =
            |duration: SignedDuration| duration / i32::try_from(times.max(1)).unwrap_or(i32::MAX);
        CreationPace {
            refill: shorter(self.refill),
            settle: shorter(self.settle),
            poll: shorter(self.poll),
            ..self
        }
    }

    /// When the next `CreateAccount` may be sent, given the times of the last ones and how many are in flight; `None`
    /// for now.
    ///
    /// The times come from the database, where every replica wrote its intent: so the slowest bucket of AWS is shared by
    /// all replicas and survives a restart without a coordinator.
    pub fn earliest_create(
        &self,
        mut recent: Vec<Timestamp>,
        in_flight: usize,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if in_flight >= self.in_flight {
            return Some(now + self.poll);
        }
        recent.sort_unstable();
        let burst = f64::from(self.burst);
        let mut tokens = burst;
        let mut last: Option<Timestamp> = None;
        let refill = |tokens: f64, from: Timestamp, to: Timestamp| {
            (tokens + to.duration_since(from).as_secs_f64() / self.refill.as_secs_f64()).min(burst)
        };
        for at in recent {
            if let Some(before) = last {
                tokens = refill(tokens, before, at);
            }
            tokens = (tokens - 1.0).max(0.0);
            last = Some(at);
        }
        let last = last?;
        tokens = refill(tokens, last, now);
        // A hair over a whole token, for the clocks of two sides never agree to the millisecond.
        let missing = 1.0 - tokens;
        (missing > 1e-9).then(|| {
            now + SignedDuration::from_millis(
                (missing * self.refill.as_millis() as f64).ceil() as i64 + 20,
            )
        })
    }

    /// How far back `earliest_create` needs to look.
    pub fn bucket_window(&self) -> SignedDuration {
        self.refill * (self.burst + 1)
    }
}

impl Default for CreationPace {
    fn default() -> Self {
        CreationPace::AWS
    }
}

/// What is remembered of an account's creation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creation {
    /// When `CreateAccount` was about to be called. From here on the account may exist.
    pub intended_at: Option<Timestamp>,
    /// The `car-…` id of AWS's answer.
    pub status_id: Option<String>,
}

/// What Organizations shows of a creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// A creation that is, or may be, this request's is not finished.
    InProgress,
    Exists(AccountId),
    Failed(CreateFailure),
    /// The e-mail belongs to an account of the organization that this request did not make.
    TakenBy(AccountId),
    Nothing,
}

/// The reasons with which Organizations ends a creation (`CreateAccountStatus.FailureReason`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateFailure {
    /// AWS's word, `EMAIL_ALREADY_EXISTS`.
    pub reason: String,
}

/// What to do about a failed creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureAction {
    /// AWS stumbled: ask again.
    Again,
    /// AWS is still checking the organization: ask again much later.
    Later,
    /// Somebody has to change something first.
    Stop(Help),
}

impl CreateFailure {
    /// When it is worth asking again, and who can help otherwise. A reason that AWS adds later stops the request:
    /// repeating an unknown failure could make accounts without end.
    pub fn action(&self) -> FailureAction {
        match self.reason.as_str() {
            "INTERNAL_FAILURE" | "CONCURRENT_ACCOUNT_MODIFICATION" => FailureAction::Again,
            "PENDING_BUSINESS_VALIDATION" => FailureAction::Later,
            "EMAIL_ALREADY_EXISTS" | "INVALID_EMAIL" => FailureAction::Stop(Help::Requester),
            "ACCOUNT_LIMIT_EXCEEDED" => FailureAction::Stop(Help::AwsSupport),
            _ => FailureAction::Stop(Help::PlatformTeam),
        }
    }

    /// What happened and what to do, for the one who reads the request.
    pub fn sentence(&self) -> String {
        match self.reason.as_str() {
            "EMAIL_ALREADY_EXISTS" => {
                "The root e-mail is taken by an account elsewhere in AWS; it must be unique across all of AWS. Choose another e-mail and retry the request.".to_owned()
            }
            "INVALID_EMAIL" => "AWS does not accept the root e-mail. Correct it and retry the request.".to_owned(),
            "ACCOUNT_LIMIT_EXCEEDED" => {
                "The organization has as many accounts as its quota allows. Ask AWS Support to raise `Default maximum number of accounts`, then retry the request.".to_owned()
            }
            "PENDING_BUSINESS_VALIDATION" => "AWS is still validating the business behind the organization.".to_owned(),
            other => format!("AWS Organizations refused the account: {other}. The platform team must mend this in the management account, then retry the request."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    const AWS: CreationPace = CreationPace::AWS;

    #[test]
    fn three_at_once_then_one_every_ten_seconds() {
        assert_eq!(AWS.earliest_create(vec![], 0, at(0)), None);
        assert_eq!(AWS.earliest_create(vec![at(0), at(0)], 2, at(0)), None);
        let burst = vec![at(0), at(0), at(0)];
        let fourth = AWS
            .earliest_create(burst.clone(), 3, at(0))
            .expect("the burst is used up");
        assert!(fourth > at(9) && fourth < at(11), "{fourth}");
        assert_eq!(AWS.earliest_create(burst.clone(), 3, at(10)), None);
        let used_again = vec![at(0), at(0), at(0), at(10)];
        assert!(AWS.earliest_create(used_again, 3, at(11)).is_some());
        assert_eq!(
            AWS.hastened(10).earliest_create(burst, 3, at(1)),
            None,
            "ten times as fast"
        );
    }

    #[test]
    fn never_more_than_five_in_flight() {
        assert_eq!(
            AWS.earliest_create(vec![at(-500)], AWS.in_flight, at(0)),
            Some(at(0) + AWS.poll)
        );
    }

    #[test]
    fn every_documented_reason_has_somebody_who_can_help() {
        for (reason, action) in [
            ("INTERNAL_FAILURE", FailureAction::Again),
            ("CONCURRENT_ACCOUNT_MODIFICATION", FailureAction::Again),
            ("PENDING_BUSINESS_VALIDATION", FailureAction::Later),
            ("EMAIL_ALREADY_EXISTS", FailureAction::Stop(Help::Requester)),
            ("INVALID_EMAIL", FailureAction::Stop(Help::Requester)),
            (
                "ACCOUNT_LIMIT_EXCEEDED",
                FailureAction::Stop(Help::AwsSupport),
            ),
            ("INVALID_ADDRESS", FailureAction::Stop(Help::PlatformTeam)),
            (
                "MISSING_PAYMENT_INSTRUMENT",
                FailureAction::Stop(Help::PlatformTeam),
            ),
            (
                "A_REASON_OF_NEXT_YEAR",
                FailureAction::Stop(Help::PlatformTeam),
            ),
        ] {
            let failure = CreateFailure {
                reason: reason.to_owned(),
            };
            assert_eq!(failure.action(), action, "{reason}");
            assert!(failure.sentence().len() > 20);
        }
    }
}
