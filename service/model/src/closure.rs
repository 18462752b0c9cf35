//! Closing accounts no faster than AWS lets us.
//!
//! `CloseAccount` is counted over thirty days, three may be under way, and calls come at most every twenty seconds. The
//! calls are written down in the database, so the plan holds for all replicas together and survives a restart.

use jiff::{SignedDuration, Timestamp};

/// How fast AWS closes accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosurePace {
    /// Closures that an organization may have under way.
    pub in_flight: usize,
    /// The time until the next call.
    pub refill: SignedDuration,
    /// Over which calls are counted.
    pub window: SignedDuration,
    /// How often a closure under way is looked at.
    pub poll: SignedDuration,
}

impl ClosurePace {
    /// AWS's own: Organizations quotas, "Member accounts that you can close", and throttling limits, 0.05 a second.
    pub const AWS: ClosurePace = ClosurePace {
        in_flight: 3,
        refill: SignedDuration::from_secs(20),
        window: SignedDuration::from_hours(30 * 24),
        poll: SignedDuration::from_secs(15),
    };

    /// That of an AWS whose time passes `times` times as fast. What AWS counts over days it counts by its own clock.
    pub fn hastened(self, times: u32) -> Self {
        let times = i32::try_from(times.max(1)).unwrap_or(i32::MAX);
        ClosurePace {
            refill: self.refill / times,
            poll: self.poll / times,
            ..self
        }
    }

    /// How many accounts may be closed within the window: the higher of 250 and a fifth of the members, at most 1,000.
    pub fn quota(members: usize) -> usize {
        (members / 5).clamp(250, 1_000)
    }

    /// When `CloseAccount` may be called next, given the calls of the window; `None` for now.
    pub fn earliest_close(
        &self,
        mut calls: Vec<Timestamp>,
        in_flight: usize,
        members: usize,
        now: Timestamp,
    ) -> Option<Timestamp> {
        calls.retain(|call| *call > now - self.window);
        calls.sort_unstable();
        let quota = ClosurePace::quota(members);
        let counted = calls
            .len()
            .checked_sub(quota)
            .map(|over| calls[over] + self.window);
        let rate = calls.last().map(|last| *last + self.refill);
        let room = (in_flight >= self.in_flight).then(|| now + self.poll);
        [counted, rate, room]
            .into_iter()
            .flatten()
            .max()
            .filter(|at| *at > now)
    }
}

impl Default for ClosurePace {
    fn default() -> Self {
        ClosurePace::AWS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWS: ClosurePace = ClosurePace::AWS;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn the_quota_grows_with_the_organization() {
        for (members, quota) in [(1, 250), (1_250, 250), (2_000, 400), (9_000, 1_000)] {
            assert_eq!(ClosurePace::quota(members), quota, "{members} members");
        }
    }

    #[test]
    fn one_call_in_twenty_seconds_and_three_under_way() {
        assert_eq!(AWS.earliest_close(vec![], 0, 10, at(0)), None);
        assert_eq!(AWS.earliest_close(vec![at(0)], 1, 10, at(5)), Some(at(20)));
        assert_eq!(AWS.earliest_close(vec![at(0)], 1, 10, at(20)), None);
        let three = vec![at(-60), at(-40), at(-20)];
        assert_eq!(
            AWS.earliest_close(three.clone(), 3, 10, at(0)),
            Some(at(0) + AWS.poll)
        );
        assert_eq!(AWS.earliest_close(three, 2, 10, at(0)), None);
    }

    #[test]
    fn the_251st_waits_until_the_first_is_thirty_days_old() {
        let calls: Vec<Timestamp> = (0..250).map(|n| at(n * 3_600)).collect();
        let now = at(250 * 3_600);
        let next = AWS.earliest_close(calls.clone(), 0, 500, now);
        assert_eq!(next, Some(at(0) + AWS.window));
        assert_eq!(
            AWS.earliest_close(calls.clone(), 0, 500, at(0) + AWS.window),
            None
        );
        assert_eq!(
            AWS.earliest_close(calls, 0, 2_000, now),
            None,
            "a fifth of the members"
        );
    }
}
