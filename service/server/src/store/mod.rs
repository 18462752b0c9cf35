//! Everything that Landfall remembers, in SQLite or PostgreSQL.
//!
//! # What do we store, and why
//!
//! A restart must lose nothing that AWS cannot tell again, and must not make anybody wait for what AWS can tell only
//! slowly. So there are three sorts of rows:
//!
//! * **What only we know**: who asked for which account and why, what was decided, the intent to call `CreateAccount`,
//!   history, tokens. Losing it would be losing the product, or making an account twice. An intent is committed before
//!   the call that it announces.
//! * **What AWS knows too, and is dear to ask**: what each cell was last seen to be, and the assets. Looking at 5,000
//!   accounts in 17 Regions takes hours of rate limits; reading it back takes a moment. It may be stale, and says
//!   since when; it may be unknown, and says so.
//! * **Who works on what**: leases, due times, replicas. Losing it costs a repeated look.
//!
//! What follows from other columns is not stored: no status, no counts, no "is overdue". `Cell::status` derives it, for
//! the API, the pages and the metrics alike, so two of them can never disagree.
//!
//! # Leases
//!
//! A target, an account or the organization, is worked on by one replica at a time. `claim` hands out `Lease`s; each carries
//! a number, the fence, that the row carries as well and that grows with every claim. Whoever writes a result shows the
//! lease, and the write takes place in one transaction with the look at the fence; a worker that slept through the end of
//! its lease hears `LeaseState::Lost` and has changed nothing. A lease also carries the generation of the wish it works
//! for: one that was raised meanwhile is not completed by it.
//!
//! No transaction waits for anything but the database.
//!
//! # Two databases, one text
//!
//! The statements are written once, in the SQL that both understand, over four types of values: text, integers (times
//! are milliseconds since 1970), booleans and JSON (`sql`). What has to differ stands side by side in `dialect`. Where
//! PostgreSQL needs row locks to keep two writers apart, SQLite's single writer does so anyway (`db`).
//!
//! Woken by `Notify` and a broadcast channel inside a process; on PostgreSQL `listen` feeds both from the other replicas.

mod accounts;
mod assets;
mod cells;
mod closures;
mod consent;
mod creation;
mod db;
mod decisions;
mod dialect;
mod drift;
mod error;
mod events;
mod exemptions;
mod lease;
mod listen;
mod pauses;
mod pins;
mod place;
mod plan_work;
mod plans;
mod repair;
mod replicas;
mod replies;
mod requests;
mod results;
mod rollout_accounts;
mod rollouts;
mod scp_pins;
mod sql;
mod tokens;
mod touches;
mod waivers;
mod wishes;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use landfall_model::baseline::Baseline;
use landfall_model::ids::Revision;
use landfall_model::rollout::Pin;
use landfall_model::scp::ScpSet;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

pub use accounts::{Account, AccountFilter, PhaseCount, Purpose};
pub use assets::{AssetFilter, AssetReport, AssetRow, AssetVersion, Lookup};
pub use cells::{CellCount, TargetCell, Unchanged};
pub use closures::ClosureBegun;
pub use consent::{Proposed, Settled};
pub use creation::Begun;
pub use db::{LITE_MIGRATIONS, PG_MIGRATIONS};
pub use decisions::{Decided, Decision};
pub use drift::{DriftFilter, DriftedCell, OVERDUE, Unseen, Whose};
pub use error::StoreError;
pub use events::{Event, HistoryFilter, LANDFALL, NewEvent};
pub use exemptions::{AtWork, ExemptionFilter};
pub use lease::{Lease, LeaseState, Target};
pub use pauses::{Pause, PauseCount};
pub use pins::PinCount;
pub use plan_work::{PlanWork, PlannedCell, Seen, TargetPlan};
pub use plans::{Deed, NewPlan, Plan, PlanCell, PlanCounts, PlanTarget};
pub use repair::{AskedRepair, RepairScope};
pub use replies::StoredReply;
pub use requests::{Added, Idempotency, NewRequest};
pub use results::Results;
pub use rollout_accounts::RolloutAccount;
pub use rollouts::{Course, Rollout, RolloutDecided};
pub use tokens::{ApiToken, NewToken, Role};
pub use touches::Touch;
pub use waivers::WaiverFilter;
pub use wishes::{Judged, NewWish, Verdict, Wish, WishAction, Wished};

use db::{Db, Tx};
use dialect::Dialect;
use listen::{Signals, Tell};
use pins::Revisions;
use sql::query;

/// Landfall's memory. A clone is the same store.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    db: Db,
    signals: Signals,
    baselines: Revisions<Pin, Baseline>,
    scps: Revisions<Revision, Arc<ScpSet>>,
    listener: Option<AbortHandle>,
    /// Whether the last sign of life could not be written.
    mute: AtomicBool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Of `limit` + 1 rows: the one too many only says that there is more.
    fn of(mut items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> String) -> Self {
        let limit = limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(cursor) } else { None };
        Page { items, next }
    }
}

impl Store {
    /// Opens the database at `url`: `sqlite://landfall.db`, or `postgres://user@host/name`. It has to be there, except
    /// that a SQLite file is made. The schema is not touched: `migrate` does that.
    pub async fn open(url: &str) -> Result<Store, StoreError> {
        let db = Db::open(url)?;
        db.rows(query("select 1 as one")).await?;
        let signals = Signals::new();
        let listener = match db.pg() {
            None => None,
            Some(pool) => Some(listen::spawn(pool, db.place().clone(), signals.clone()).await?),
        };
        Ok(Store(Arc::new(Inner {
            db,
            signals,
            baselines: Revisions::default(),
            scps: Revisions::default(),
            listener,
            mute: AtomicBool::new(false),
        })))
    }

    /// Brings the schema up to date. Several processes may do so at once.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.db().migrate().await
    }

    /// How many of this program's migrations the database has not seen: 0 when the schema is up to date.
    pub async fn migrations_to_come(&self) -> Result<usize, StoreError> {
        self.db().migrations_to_come().await
    }

    /// Whether the database answers, and soon: who asks has other servers to go to, and no patience.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.db().ping().await
    }

    /// Whether the database took what a replica writes every few seconds: one with a full disk still answers.
    pub fn takes_writes(&self) -> bool {
        !self.0.mute.load(Ordering::Relaxed)
    }

    /// Waits for what is under way and closes all connections. Whatever is asked afterwards is `Unavailable`.
    pub async fn close(&self) {
        self.db().close().await;
    }

    /// Signals that something may have become due, here or on another replica. It wakes those who wait already:
    /// make the `notified()` future before asking `next_due`.
    pub fn due_notify(&self) -> Arc<Notify> {
        Arc::clone(&self.0.signals.due)
    }

    fn db(&self) -> &Db {
        &self.0.db
    }

    fn dialect(&self) -> &'static Dialect {
        self.db().dialect()
    }

    /// Commits, and then tells those concerned, on this replica and on the others.
    async fn commit(&self, mut tx: Tx, tell: &[Tell]) -> Result<(), StoreError> {
        for tell in tell {
            listen::notify(&mut tx, *tell).await?;
        }
        tx.commit().await?;
        for tell in tell {
            self.0.signals.tell(*tell);
        }
        Ok(())
    }
}

/// Rows for one statement: SQLite takes 32,766 values in one, PostgreSQL 65,535, and no table has more than 32 columns.
fn chunks<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    rows.chunks(1000)
}
