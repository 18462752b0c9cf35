//! Time as an argument.

use std::time::Duration;

use jiff::Timestamp;

/// Where the engine and the API get the time from.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Lets time pass between two looks at the database, or until a cell of this pass is due.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the engine waits"
)]
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
