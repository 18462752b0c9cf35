//! The time in the simulated AWS: the wall clock plus what tests have put it forward by.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

#[derive(Default)]
pub struct Clock {
    offset_milliseconds: AtomicI64,
}

impl Clock {
    pub fn now(&self) -> Timestamp {
        let offset = SignedDuration::from_millis(self.offset_milliseconds.load(Ordering::Relaxed));
        Timestamp::now()
            .saturating_add(offset)
            .unwrap_or(Timestamp::MAX)
    }

    /// Puts the clock forward (or, negative, back). Whatever waits for a time sees it come at once.
    pub fn advance(&self, duration: SignedDuration) {
        let milliseconds = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        self.offset_milliseconds
            .fetch_add(milliseconds, Ordering::Relaxed);
    }

    /// Back to the wall clock.
    pub fn reset(&self) {
        self.offset_milliseconds.store(0, Ordering::Relaxed);
    }
}
