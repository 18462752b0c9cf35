//! A clock that can be put forward.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use landfall_server::engine::clock::{Clock, SystemClock};

/// The real time, and what was added to it.
#[derive(Default)]
pub struct Forward(AtomicI64);

impl Forward {
    /// Puts the clock forward, for good.
    pub fn forward(&self, by: SignedDuration) {
        let seconds = by.as_secs();
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for Forward {
    fn now(&self) -> Timestamp {
        SystemClock.now() + SignedDuration::from_secs(self.0.load(Ordering::Relaxed))
    }
}
