//! Word from other replicas: PostgreSQL's `listen` and `notify`. SQLite has one replica, and nothing to hear.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::{Notify, broadcast};
use tokio::task::AbortHandle;

use landfall_model::ids::TargetId;

use super::Tell;
use super::db::Tx;
use super::error::StoreError;
use super::sql::query;

const DUE: &str = "landfall_due";
const EVENTS: &str = "landfall_events";

/// How long to wait before trying to listen again.
const AGAIN: Duration = Duration::from_secs(1);

/// Has the others told when the transaction is through.
pub(super) async fn notify(tx: &mut Tx, tell: Tell) -> Result<(), StoreError> {
    let Some(notify) = tx.dialect().notify else {
        return Ok(());
    };
    let notify = match tell {
        Tell::Due => query(notify).bind(DUE).bind(""),
        Tell::Events(target) => query(notify).bind(EVENTS).bind(target),
    };
    tx.rows(notify).await?;
    Ok(())
}

/// Listens until aborted. What was missed while the connection was gone is made good by waking everybody who waits for
/// due targets: they look for themselves.
#[expect(
    clippy::disallowed_methods,
    reason = "a lost connection to the database cannot be waited for in the database"
)]
pub(super) async fn spawn(
    pool: &PgPool,
    due: &Arc<Notify>,
    changed: &broadcast::Sender<TargetId>,
) -> Result<AbortHandle, StoreError> {
    let mut listener = PgListener::connect_with(pool).await?;
    // Otherwise closing the pool would wait for this connection for ever.
    listener.ignore_pool_close_event(false);
    listener.listen_all([DUE, EVENTS]).await?;
    let (due, changed) = (Arc::clone(due), changed.clone());
    let task = tokio::spawn(async move {
        loop {
            match listener.try_recv().await {
                Ok(Some(notification)) if notification.channel() == DUE => due.notify_waiters(),
                Ok(Some(notification)) => match notification.payload().parse() {
                    // Nobody has to be listening.
                    Ok(target) => drop(changed.send(target)),
                    Err(error) => tracing::warn!(%error, "heard of events of no target"),
                },
                Ok(None) => due.notify_waiters(),
                Err(sqlx::Error::PoolClosed) => return,
                Err(error) => {
                    tracing::warn!(%error, "cannot hear of other replicas' work; trying again");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    });
    Ok(task.abort_handle())
}
