//! Why AWS did not do what it was asked, by what helps.
//!
//! Every error answers one question: when is it worth trying again, and who can help? The kinds are closed and every
//! decision about them is an exhaustive `match`, so that a new kind has to answer too.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What an error from AWS means for the one who called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloudErrorKind {
    /// Too many calls: slow down. AWS did not act.
    Throttled,
    /// Their side or the wire: 5xx, a connection that broke, no answer in time. AWS may have acted.
    Unavailable,
    /// Eventually consistent and not there yet: a young account, a fresh role, a Region being enabled.
    NotReady,
    /// Somebody else is changing the same thing.
    Conflict,
    /// Our role, a service control policy or a bucket policy says no.
    AccessDenied,
    /// A limit of the account or the organization.
    Quota,
    /// AWS finds the request wrong: a fault of the landing zone's settings, or of Landfall.
    Invalid,
    /// The account or the resource is not there any more.
    Gone,
}

/// When the same work is worth doing again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// After this long, whatever happens meanwhile.
    After(Duration),
    /// Only now and then: until somebody does something about it, the answer stays the same.
    Seldom(Duration),
}

impl Retry {
    pub fn delay(self) -> Duration {
        match self {
            Retry::After(delay) | Retry::Seldom(delay) => delay,
        }
    }
}

/// Who can do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Help {
    /// Time alone.
    Nobody,
    /// The one who asked for the account.
    Requester,
    /// Those who run the landing zone.
    PlatformTeam,
    /// AWS Support, usually for a quota.
    AwsSupport,
}

impl CloudErrorKind {
    pub const ALL: [CloudErrorKind; 8] = [
        CloudErrorKind::Throttled,
        CloudErrorKind::Unavailable,
        CloudErrorKind::NotReady,
        CloudErrorKind::Conflict,
        CloudErrorKind::AccessDenied,
        CloudErrorKind::Quota,
        CloudErrorKind::Invalid,
        CloudErrorKind::Gone,
    ];

    /// The stable name: a metric's label, a column's value, a field of the API.
    pub fn name(self) -> &'static str {
        match self {
            CloudErrorKind::Throttled => "throttled",
            CloudErrorKind::Unavailable => "unavailable",
            CloudErrorKind::NotReady => "not_ready",
            CloudErrorKind::Conflict => "conflict",
            CloudErrorKind::AccessDenied => "access_denied",
            CloudErrorKind::Quota => "quota",
            CloudErrorKind::Invalid => "invalid",
            CloudErrorKind::Gone => "gone",
        }
    }

    /// When to try again after `attempts` failures in a row.
    pub fn retry(self, attempts: u32) -> Retry {
        let doubling = |first: u64, most: u64| {
            Duration::from_millis((first << attempts.saturating_sub(1).min(20)).min(most))
        };
        match self {
            CloudErrorKind::Throttled => Retry::After(doubling(1_000, 60_000)),
            CloudErrorKind::Unavailable => Retry::After(doubling(1_000, 60_000)),
            // What takes AWS a while is there at some moment nobody tells of: waits that doubled would miss it by as long
            // as it took.
            CloudErrorKind::NotReady => {
                let wait = 250 * (u64::from(attempts.max(1)) + 1);
                Retry::After(Duration::from_millis(wait.min(15_000)))
            }
            CloudErrorKind::Conflict => Retry::After(doubling(500, 30_000)),
            CloudErrorKind::AccessDenied => Retry::Seldom(doubling(15_000, 900_000)),
            CloudErrorKind::Quota => Retry::Seldom(doubling(60_000, 3_600_000)),
            CloudErrorKind::Invalid => Retry::Seldom(doubling(60_000, 3_600_000)),
            CloudErrorKind::Gone => Retry::After(doubling(5_000, 300_000)),
        }
    }

    /// After how many failures in a row it should have passed long ago: some two minutes.
    pub fn stuck_after(self) -> u32 {
        match self {
            CloudErrorKind::NotReady => 30,
            CloudErrorKind::Throttled
            | CloudErrorKind::Unavailable
            | CloudErrorKind::Conflict
            | CloudErrorKind::AccessDenied
            | CloudErrorKind::Quota
            | CloudErrorKind::Invalid
            | CloudErrorKind::Gone => 10,
        }
    }

    /// Who can help.
    pub fn help(self) -> Help {
        match self {
            CloudErrorKind::Throttled
            | CloudErrorKind::Unavailable
            | CloudErrorKind::NotReady
            | CloudErrorKind::Conflict => Help::Nobody,
            CloudErrorKind::AccessDenied | CloudErrorKind::Invalid | CloudErrorKind::Gone => {
                Help::PlatformTeam
            }
            CloudErrorKind::Quota => Help::AwsSupport,
        }
    }

    /// What that person should do, in one sentence.
    pub fn advice(self) -> &'static str {
        match self {
            CloudErrorKind::Throttled => "Nothing: Landfall slows down and goes on.",
            CloudErrorKind::Unavailable => {
                "Nothing: Landfall tries again; see the AWS Health Dashboard if it lasts."
            }
            CloudErrorKind::NotReady => "Nothing: AWS is still making this available.",
            CloudErrorKind::Conflict => {
                "Nothing: Landfall tries again once the other change is through."
            }
            CloudErrorKind::AccessDenied => {
                "Compare Landfall's role and the service control policies with the action that was refused."
            }
            CloudErrorKind::Quota => "Ask AWS Support to raise the quota that the message names.",
            CloudErrorKind::Invalid => {
                "Correct the landing zone or the baseline; if both are right, report a fault of Landfall."
            }
            CloudErrorKind::Gone => "Find out who closed the account or removed the resource.",
        }
    }
}

/// An error as it is remembered with a cell or a request, and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredError {
    pub kind: CloudErrorKind,
    /// The IAM action that failed, `guardduty:CreateDetector`.
    pub operation: String,
    /// AWS's words, or Landfall's where it was Landfall that stopped.
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_have_an_end() {
        for kind in CloudErrorKind::ALL {
            let delays: Vec<Duration> = (1..40).map(|n| kind.retry(n).delay()).collect();
            assert!(
                delays.windows(2).all(|w| w[0] <= w[1]),
                "{kind:?} never gets more eager"
            );
            assert!(
                delays
                    .iter()
                    .all(|d| *d >= Duration::from_millis(500) && *d <= Duration::from_secs(3_600)),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn what_passes_by_itself_counts_as_stuck_after_minutes() {
        for kind in CloudErrorKind::ALL {
            let tries = 1..kind.stuck_after();
            let waited: Duration = tries.map(|n| kind.retry(n).delay()).sum();
            assert!(
                waited >= Duration::from_secs(90),
                "{kind:?} after {waited:?}"
            );
        }
    }

    #[test]
    fn what_aws_is_not_ready_for_is_missed_by_little() {
        let mut waited = Duration::ZERO;
        for attempt in 1..20 {
            let wait = CloudErrorKind::NotReady.retry(attempt).delay();
            assert!(
                attempt < 5 || wait <= waited / 2,
                "{attempt}: {wait:?} after {waited:?}"
            );
            waited += wait;
        }
    }

    #[test]
    fn what_needs_a_person_is_tried_seldom() {
        for kind in CloudErrorKind::ALL {
            let seldom = matches!(kind.retry(1), Retry::Seldom(_));
            let person = kind.help() != Help::Nobody;
            assert_eq!(seldom, person && kind != CloudErrorKind::Gone, "{kind:?}");
        }
    }
}
