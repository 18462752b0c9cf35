//! The servers that work on this database, and what may be forgotten.

use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::Store;
use super::error::StoreError;
use super::sql::{BadColumn, Row, Stored, query};

/// A replica that was not heard of for this long does not count.
const ALIVE: SignedDuration = SignedDuration::from_secs(30);

/// How long the answer to an `Idempotency-Key` is kept.
const REPLIES: SignedDuration = SignedDuration::from_hours(24);

/// How long a call of `CreateAccount` is kept; the bucket looks back less than a minute.
const CREATE_CALLS: SignedDuration = SignedDuration::from_hours(1);

/// How long a touch is remembered: as long as somebody may ask who it was.
const TOUCHES: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How long a call of `CloseAccount` is kept: AWS counts over thirty days.
const CLOSE_CALLS: SignedDuration = SignedDuration::from_hours(31 * 24);

struct Count(u32);

impl Stored for Count {
    const TABLE: &'static str = "replica";
    const KEY: &'static str = "n";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(Count(row.number("n")?))
    }
}

impl Store {
    /// Says that a replica is alive; worth doing every ten seconds.
    pub async fn heartbeat(&self, replica: Uuid, now: Timestamp) -> Result<(), StoreError> {
        let seen = query(
            "insert into replica (id, seen_at) values ($1, $2)
             on conflict (id) do update set seen_at = excluded.seen_at",
        );
        let written = self.db().execute(seen.bind(replica).bind(now)).await;
        self.0.mute.store(written.is_err(), Ordering::Relaxed);
        written.map(drop)
    }

    /// How many replicas share the work, and so AWS's rate limits: those heard of in the last 30 seconds, at least one.
    pub async fn live_replicas(&self, now: Timestamp) -> Result<u32, StoreError> {
        let alive = query("select count(*) as n from replica where seen_at > $1");
        let count = self.db().one::<Count>(alive.bind(now - ALIVE)).await?;
        Ok(count.map_or(1, |count| count.0.max(1)))
    }

    /// Says that a replica stops.
    pub async fn goodbye(&self, replica: Uuid) -> Result<(), StoreError> {
        let gone = query("delete from replica where id = $1");
        self.db().execute(gone.bind(replica)).await?;
        Ok(())
    }

    /// Forgets what has lost its meaning: old answers, old calls, replicas that are no more. Worth doing every hour.
    pub async fn forget_old(&self, now: Timestamp) -> Result<(), StoreError> {
        for (forget, age) in [
            ("delete from idempotency where created_at < $1", REPLIES),
            ("delete from create_call where called_at < $1", CREATE_CALLS),
            ("delete from close_call where called_at < $1", CLOSE_CALLS),
            ("delete from replica where seen_at < $1", CREATE_CALLS),
            ("delete from touch where at < $1", TOUCHES),
        ] {
            self.db().execute(query(forget).bind(now - age)).await?;
        }
        self.forget_plans(now).await
    }
}
