//! Word of changes: to those who wait on this replica, and from the others over PostgreSQL's `listen` and `notify`. SQLite
//! has one replica, and nothing to hear.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgNotification, PgPool};
use tokio::sync::{Notify, broadcast};
use tokio::task::AbortHandle;

use landfall_model::ids::TargetId;

use super::db::Tx;
use super::error::StoreError;
use super::place::Place;
use super::sql::query;

const DUE: &str = "landfall_due";
const EVENTS: &str = "landfall_events";
const TOUCHED: &str = "landfall_touched";

/// How long to wait before trying to listen again.
const AGAIN: Duration = Duration::from_secs(1);

/// Whom a transaction concerns besides the rows that it writes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tell {
    /// Those who wait for something to be due.
    Due,
    /// Those who follow this target's history.
    Events(TargetId),
    /// Whoever works on this target: some of its cells were touched.
    Touched(TargetId),
}

/// Where those wait who are to be told.
#[derive(Clone)]
pub(super) struct Signals {
    pub(super) due: Arc<Notify>,
    pub(super) changed: broadcast::Sender<TargetId>,
    pub(super) touched: broadcast::Sender<TargetId>,
}

impl Signals {
    pub(super) fn new() -> Self {
        Signals {
            due: Arc::default(),
            changed: broadcast::channel(1024).0,
            touched: broadcast::channel(1024).0,
        }
    }

    /// Tells those on this replica. Nobody has to be listening.
    pub(super) fn tell(&self, tell: Tell) {
        match tell {
            Tell::Due => self.due.notify_waiters(),
            Tell::Events(target) => drop(self.changed.send(target)),
            Tell::Touched(target) => drop(self.touched.send(target)),
        }
    }
}

/// Has the others told when the transaction is through.
pub(super) async fn notify(tx: &mut Tx, tell: Tell) -> Result<(), StoreError> {
    let Some(notify) = tx.dialect().notify else {
        return Ok(());
    };
    let notify = match tell {
        Tell::Due => query(notify).bind(DUE).bind(""),
        Tell::Events(target) => query(notify).bind(EVENTS).bind(target),
        Tell::Touched(target) => query(notify).bind(TOUCHED).bind(target),
    };
    tx.rows(notify).await?;
    Ok(())
}

/// What another replica told; `None` for what this version does not know.
fn heard(notification: &PgNotification) -> Option<Tell> {
    let target = || notification.payload().parse().ok();
    match notification.channel() {
        DUE => Some(Tell::Due),
        EVENTS => target().map(Tell::Events),
        TOUCHED => target().map(Tell::Touched),
        _ => None,
    }
}

/// Listens until aborted. What was missed while the connection was gone is made good by waking everybody who waits for
/// due targets: they look for themselves.
#[expect(
    clippy::disallowed_methods,
    reason = "a lost connection to the database cannot be waited for in the database"
)]
pub(super) async fn spawn(
    pool: &PgPool,
    place: Place,
    signals: Signals,
) -> Result<AbortHandle, StoreError> {
    let mut listener = place.named(PgListener::connect_with(pool).await).await?;
    // Otherwise closing the pool would wait for this connection for ever.
    listener.ignore_pool_close_event(false);
    let listening = listener.listen_all([DUE, EVENTS, TOUCHED]).await;
    place.named(listening).await?;
    let task = tokio::spawn(async move {
        loop {
            match listener.try_recv().await {
                Ok(Some(notification)) => match heard(&notification) {
                    Some(tell) => signals.tell(tell),
                    None => tracing::warn!(
                        channel = notification.channel(),
                        "heard what cannot be understood from another replica"
                    ),
                },
                Ok(None) => signals.tell(Tell::Due),
                Err(sqlx::Error::PoolClosed) => return,
                Err(error) => {
                    let error = place.error(error).await;
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "cannot hear of other replicas' work; trying again"
                    );
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    });
    Ok(task.abort_handle())
}
