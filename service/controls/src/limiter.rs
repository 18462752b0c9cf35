//! The token buckets in front of AWS.
//!
//! AWS throttles by account, Region and operation. A call waits here for its token *before* it is signed and sent, so
//! that throttling is the exception. A throttled answer says that AWS's bucket is empty, so ours is too, until the next
//! token comes. Retrying a throttled call is decided here, and nowhere else: the SDK's own retries are off, since they would
//! spend three blind attempts where the right answer is to wait.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use landfall_model::ids::{AccountId, Region};
use tokio::time::Instant;

use crate::limits::{self, Rate};

/// The least time until the first token of a bucket that AWS says is empty: some fill in no time.
const SHUT: Duration = Duration::from_millis(100);

type Key = (AccountId, Region, &'static str);

/// All buckets of this process.
#[derive(Debug)]
pub struct Limiter {
    buckets: Mutex<BTreeMap<Key, Bucket>>,
    /// Live replicas: accounts that all of them call share their buckets evenly.
    replicas: AtomicU32,
    /// How many times as fast as AWS's its buckets fill.
    speed: AtomicU32,
}

impl Default for Limiter {
    fn default() -> Self {
        Limiter {
            buckets: Mutex::default(),
            replicas: AtomicU32::new(1),
            speed: AtomicU32::new(1),
        }
    }
}

#[derive(Debug)]
struct Bucket {
    /// Tokens at `at`. Negative while callers wait for tokens that are still to come.
    tokens: f64,
    at: Instant,
    rate: Rate,
}

impl Bucket {
    fn refill(&mut self, now: Instant) {
        if let Some(passed) = now.checked_duration_since(self.at) {
            self.tokens =
                (self.tokens + passed.as_secs_f64() * self.rate.per_second).min(self.rate.burst);
            self.at = now;
        }
    }

    /// Whether it is as good as a new one.
    fn is_full(&self, now: Instant) -> bool {
        let passed = now.checked_duration_since(self.at);
        passed.is_some_and(|passed| {
            self.tokens + passed.as_secs_f64() * self.rate.per_second >= self.rate.burst
        })
    }
}

impl Limiter {
    /// How many replicas share the organization's accounts.
    pub fn set_replicas(&self, replicas: u32) {
        self.replicas.store(replicas.max(1), Ordering::Relaxed);
    }

    /// Fills all buckets `times` times as fast as AWS does: for a simulated AWS whose time is shortened.
    pub fn hasten(&self, times: u32) {
        self.speed.store(times.max(1), Ordering::Relaxed);
    }

    /// Takes a token and says how long to wait until it is good. Callers are served in the order they ask.
    ///
    /// `shared`: the account is called by every replica, so this one takes only its part of the rate.
    pub fn reserve(
        &self,
        account: &AccountId,
        region: &Region,
        action: &'static str,
        shared: bool,
        now: Instant,
    ) -> Duration {
        let (name, rate) = limits::bucket(action);
        let parts = if shared {
            f64::from(self.replicas.load(Ordering::Relaxed))
        } else {
            1.0
        };
        let speed = f64::from(self.speed.load(Ordering::Relaxed));
        let rate = Rate {
            per_second: rate.per_second * speed / parts,
            burst: (rate.burst / parts).max(1.0),
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets
            .entry((account.clone(), region.clone(), name))
            .or_insert(Bucket {
                tokens: rate.burst,
                at: now,
                rate,
            });
        bucket.rate = rate;
        bucket.refill(now);
        bucket.tokens -= 1.0;
        let debt = (-bucket.tokens).max(0.0);
        // A bucket that is shut has its time in the future.
        bucket.at.saturating_duration_since(now) + Duration::from_secs_f64(debt / rate.per_second)
    }

    /// AWS said *too many*: its bucket is empty.
    ///
    /// Longer waits after several such answers would only add up where most calls are throttled: AWS fills the bucket at a
    /// known rate.
    pub fn throttled(
        &self,
        account: &AccountId,
        region: &Region,
        action: &'static str,
        now: Instant,
    ) {
        let (name, _) = limits::bucket(action);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(&(account.clone(), region.clone(), name)) {
            bucket.refill(now);
            bucket.tokens = bucket.tokens.min(0.0);
            let token = Duration::from_secs_f64(1.0 / bucket.rate.per_second);
            bucket.at = bucket.at.max(now + SHUT.saturating_sub(token));
        }
    }

    /// Forgets buckets that are full again: hundreds of accounts have a hundred each.
    pub fn forget_full(&self, now: Instant) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.retain(|_, bucket| !bucket.is_full(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> AccountId {
        "111111111111".parse().unwrap()
    }

    fn region() -> Region {
        "us-east-1".parse().unwrap()
    }

    const MOVE: &str = "organizations:MoveAccount";

    #[test]
    fn a_burst_then_the_rate() {
        let limiter = Limiter::default();
        let now = Instant::now();
        let waits: Vec<u128> = (0..5)
            .map(|_| {
                limiter
                    .reserve(&account(), &region(), MOVE, false, now)
                    .as_millis()
            })
            .collect();
        assert_eq!(waits, [0, 0, 0, 500, 1000]);
        let later = now + Duration::from_secs(10);
        assert_eq!(
            limiter.reserve(&account(), &region(), MOVE, false, later),
            Duration::ZERO
        );
    }

    #[test]
    fn where_time_is_shortened_buckets_fill_faster() {
        let limiter = Limiter::default();
        limiter.hasten(10);
        let now = Instant::now();
        let waits: Vec<u128> = (0..5)
            .map(|_| {
                limiter
                    .reserve(&account(), &region(), MOVE, false, now)
                    .as_millis()
            })
            .collect();
        assert_eq!(waits, [0, 0, 0, 50, 100]);
    }

    #[test]
    fn buckets_are_of_one_account_and_region() {
        let limiter = Limiter::default();
        let now = Instant::now();
        for _ in 0..3 {
            limiter.reserve(&account(), &region(), MOVE, false, now);
        }
        assert!(limiter.reserve(&account(), &region(), MOVE, false, now) > Duration::ZERO);
        assert_eq!(
            limiter.reserve(&account(), &"eu-west-1".parse().unwrap(), MOVE, false, now),
            Duration::ZERO
        );
        assert_eq!(
            limiter.reserve(
                &"222222222222".parse().unwrap(),
                &region(),
                MOVE,
                false,
                now
            ),
            Duration::ZERO
        );
    }

    #[test]
    fn a_throttled_bucket_is_empty_until_a_token_has_come() {
        // Two come in a second, and a hundred.
        for (action, waits) in [(MOVE, [500, 1_000]), ("sts:AssumeRole", [100, 110])] {
            let limiter = Limiter::default();
            let mut now = Instant::now();
            let reserve = |now| limiter.reserve(&account(), &region(), action, false, now);
            assert_eq!(reserve(now), Duration::ZERO);
            for _ in 0..3 {
                limiter.throttled(&account(), &region(), action, now);
                for wait in waits {
                    assert_eq!(reserve(now), Duration::from_millis(wait), "{action}");
                }
                now += Duration::from_secs(5);
            }
        }
    }

    #[test]
    fn only_full_buckets_are_forgotten() {
        let limiter = Limiter::default();
        let now = Instant::now();
        let reserve = |now| limiter.reserve(&account(), &region(), MOVE, false, now);
        let kept = |at| {
            limiter.forget_full(at);
            limiter.buckets.lock().unwrap().len()
        };
        for _ in 0..5 {
            reserve(now);
        }
        limiter.throttled(&account(), &region(), MOVE, now);
        let seconds = Duration::from_secs;
        assert_eq!(kept(now), 1);
        // Two tokens come in a second, and three fit in.
        assert_eq!(kept(now + seconds(2)), 1);
        assert_eq!(kept(now + seconds(3)), 0);
        assert_eq!(reserve(now + seconds(3)), Duration::ZERO);
    }

    #[test]
    fn replicas_share_what_they_all_call() {
        let limiter = Limiter::default();
        limiter.set_replicas(3);
        let now = Instant::now();
        assert_eq!(
            limiter.reserve(&account(), &region(), MOVE, true, now),
            Duration::ZERO
        );
        assert_eq!(
            limiter
                .reserve(&account(), &region(), MOVE, true, now)
                .as_millis(),
            1500
        );
    }
}
