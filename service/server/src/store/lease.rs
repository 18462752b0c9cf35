//! Targets and leases on them: who works on what, and what is due when.
//!
//! `due_at` is the only clock of the engine. While a lease is held it is the lease's end, so a target whose worker died
//! becomes due by itself; wake-ups that come meanwhile are kept in `woken_at` and count at release. Wake-ups coalesce:
//! a target is due once, however often it was woken.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use landfall_model::cloud_error::StoredError;
use landfall_model::ids::TargetId;

use super::db::Tx;
use super::error::StoreError;
use super::pauses::Pause;
use super::sql::{BadColumn, Builder, Row, Stored, Value, query};
use super::{Store, Tell};

/// The right to work on a target, until another replica takes it over. Only `Store::claim` makes one, and whoever
/// writes a result has to show it.
#[derive(Debug)]
pub struct Lease {
    pub target: TargetId,
    /// What is wanted, as of the claim.
    pub generation: i64,
    /// Whether something else is wanted since the last pass that tried everything: what rests is worth trying now.
    pub wanted_anew: bool,
    /// Passes since the last one that ended without an error, this one included.
    pub attempts: u32,
    /// When the target became due: an answer of AWS's from before that does not count as a look.
    pub due_since: Timestamp,
    owner: Uuid,
    fence: i64,
}

/// Whether a write that showed a lease took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "after a lost lease nothing was written, and another replica may be at work"]
pub enum LeaseState {
    Held,
    /// Somebody else has, or had, the target since: nothing was written.
    Lost,
}

/// A target as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub id: TargetId,
    /// Raised whenever something else is wanted.
    pub generation: i64,
    /// The generation that a whole pass was last completed for.
    pub observed_generation: i64,
    /// When it is looked at next; while somebody works on it, when that must end.
    pub due_at: Timestamp,
    pub attempts: u32,
    pub leased_by: Option<Uuid>,
    pub leased_until: Option<Timestamp>,
    pub paused: Option<Pause>,
    pub last_error: Option<StoredError>,
}

impl Stored for Target {
    const TABLE: &'static str = "target";
    const KEY: &'static str = "id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(Target {
            id: row.name("id")?,
            generation: row.integer("generation")?,
            observed_generation: row.integer("observed_generation")?,
            due_at: row.time("due_at")?,
            attempts: row.number("attempts")?,
            leased_by: row.maybe_name("leased_by")?,
            leased_until: row.maybe_time("leased_until")?,
            paused: Pause::read(row)?,
            last_error: row.maybe_json("last_error")?,
        })
    }
}

/// What a claim gives back of each target: the end of its statement.
pub(super) const CLAIMED: &str =
    ") returning id, generation, tried_generation, attempts, due_since, leased_by, fence";

impl Stored for Lease {
    const TABLE: &'static str = "target";
    const KEY: &'static str = "id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(Lease {
            target: row.name("id")?,
            generation: row.integer("generation")?,
            wanted_anew: row.integer("generation")? > row.integer("tried_generation")?,
            attempts: row.number("attempts")?,
            due_since: row.time("due_since")?,
            owner: row.name("leased_by")?,
            fence: row.integer("fence")?,
        })
    }
}

pub(super) const SELECT: &str =
    "select id, generation, observed_generation, due_at, attempts, leased_by, leased_until,
    paused_at, paused_by, paused_reason, paused_until, last_error from target";

/// The answer of a query for one moment.
struct Moment(Option<Timestamp>);

impl Stored for Moment {
    const TABLE: &'static str = "target";
    const KEY: &'static str = "moment";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(Moment(row.maybe_time("moment")?))
    }
}

impl Store {
    /// Takes up to `limit` targets that are due, the longest due first, for `lease_for`. No target is ever given to two
    /// owners at a time. A target whose lease ran out is due again. One that somebody is writing to this very moment may be
    /// passed over; it stays due.
    pub async fn claim(
        &self,
        owner: Uuid,
        now: Timestamp,
        limit: u32,
        lease_for: SignedDuration,
    ) -> Result<Vec<Lease>, StoreError> {
        // Most who ask find nothing, and a look does not stand in line with those who write.
        let due = query("select id from target where paused_at is null and due_at <= $1 limit 1");
        if self.db().rows(due.bind(now)).await?.is_empty() {
            return Ok(Vec::new());
        }
        let mut claim = Builder::new("update target set leased_by = ");
        claim
            .value(owner)
            .push(", leased_until = ")
            .value(now + lease_for);
        claim
            .push(", due_since = due_at, due_at = ")
            .value(now + lease_for);
        claim.push(
            ", woken_at = null, fence = fence + 1, attempts = attempts + 1
             where id in (select id from target where paused_at is null and due_at <= ",
        );
        claim
            .value(now)
            .push(" order by due_at limit ")
            .value(limit);
        claim.push(self.dialect().for_claim);
        claim.push(CLAIMED);
        self.db().returning(claim.query()).await
    }

    /// Makes a lease last until `until`.
    pub async fn renew(&self, lease: &Lease, until: Timestamp) -> Result<LeaseState, StoreError> {
        let renewed = query(
            "update target set leased_until = $1, due_at = $1
             where id = $2 and leased_by = $3 and fence = $4",
        )
        .bind(until)
        .bind(lease.target)
        .bind(lease.owner)
        .bind(lease.fence);
        Ok(LeaseState::of(self.db().execute(renewed).await?))
    }

    /// Gives a target back, to be looked at again at `due_at`, or earlier when it was woken meanwhile.
    ///
    /// `completed` says that everything the lease's generation wants is there. A generation that was raised during the
    /// lease is not completed by it. `error` is why the pass did not get through; without one `attempts` begins anew.
    pub async fn release(
        &self,
        lease: Lease,
        due_at: Timestamp,
        completed: bool,
        error: Option<&StoredError>,
    ) -> Result<LeaseState, StoreError> {
        let released = query(
            "update target set leased_by = null, leased_until = null, woken_at = null,
                due_at = case when woken_at < $1 then woken_at else $1 end,
                observed_generation = case when $2 and observed_generation < $3 then $3 else observed_generation end,
                attempts = case when $4 then attempts else 0 end,
                last_error = $5
             where id = $6 and leased_by = $7 and fence = $8",
        )
        .bind(due_at)
        .bind(completed)
        .bind(lease.generation)
        .bind(error.is_some())
        .bind(Value::maybe_json(error))
        .bind(lease.target)
        .bind(lease.owner)
        .bind(lease.fence);
        let state = LeaseState::of(self.db().execute(released).await?);
        // Other replicas need not hear of it: at worst they look at the lease's former end, and this one is alive.
        self.due_notify().notify_waiters();
        Ok(state)
    }

    /// Remembers that a pass has tried everything for its generation: cells that are still not in sync rest as their
    /// errors say.
    pub async fn tried(&self, lease: &Lease) -> Result<LeaseState, StoreError> {
        let tried = query(
            "update target set tried_generation = $1 where id = $2 and leased_by = $3 and fence = $4",
        )
        .bind(lease.generation)
        .bind(lease.target)
        .bind(lease.owner)
        .bind(lease.fence);
        Ok(LeaseState::of(self.db().execute(tried).await?))
    }

    /// Has a target looked at by `at` at the latest.
    pub async fn wake(&self, target: TargetId, at: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        wake_in(&mut tx, target, at, 0).await?;
        self.commit(tx, &[Tell::Due]).await
    }

    /// Says that something else is wanted of a target now: whoever is at work on it completes nothing.
    pub async fn want(&self, target: TargetId, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        wake_in(&mut tx, target, now, 1).await?;
        self.commit(tx, &[Tell::Due]).await
    }

    /// When the next target is due, or the next lease ends; `None` when there is nothing to wait for.
    ///
    /// To miss no wake-up, take `due_notify().notified()` first, then ask this, then wait for either.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let next = query("select min(due_at) as moment from target where paused_at is null");
        Ok(self.db().one::<Moment>(next).await?.and_then(|next| next.0))
    }

    /// A target as it stands.
    pub async fn target(&self, id: TargetId) -> Result<Option<Target>, StoreError> {
        let mut one = Builder::new(SELECT);
        one.push(" where id = ").value(id);
        self.db().one(one.query()).await
    }

    /// Several at once, in no order; one that is not there is left out.
    pub async fn targets(
        &self,
        ids: impl Iterator<Item = TargetId>,
    ) -> Result<Vec<Target>, StoreError> {
        let mut some = Builder::new(SELECT);
        some.push(" where id in (")
            .list(ids.map(Value::from))
            .push(")");
        self.db().all(some.query()).await
    }

    /// Sees to it that the organization is among the targets; due at `now` when it is new.
    pub async fn ensure_organization(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        let insert = query(
            "insert into target (id, kind, due_at) values ($1, 'organization', $2)
             on conflict (id) do nothing",
        );
        tx.execute(insert.bind(TargetId::Organization).bind(now))
            .await?;
        self.commit(tx, &[Tell::Due]).await
    }
}

impl LeaseState {
    fn of(rows: u64) -> Self {
        match rows {
            0 => LeaseState::Lost,
            _ => LeaseState::Held,
        }
    }
}

impl Store {
    /// Begins a transaction under a lease, where it is still held: then nobody can take it until the transaction is through.
    pub(super) async fn under(&self, lease: &Lease) -> Result<Option<Tx>, StoreError> {
        let mut tx = self.db().begin().await?;
        let mut held = Builder::new("select id from target where id = ");
        held.value(lease.target)
            .push(" and leased_by = ")
            .value(lease.owner)
            .push(" and fence = ")
            .value(lease.fence)
            .push(tx.dialect().for_update);
        let held = !tx.rows(held.query()).await?.is_empty();
        Ok(held.then_some(tx))
    }
}

/// Locks a target without a lease, for what people do to it. `false` when there is none.
pub(super) async fn lock(tx: &mut Tx, target: TargetId) -> Result<bool, StoreError> {
    let mut locked = Builder::new("select id from target where id = ");
    locked.value(target).push(tx.dialect().for_update);
    Ok(!tx.rows(locked.query()).await?.is_empty())
}

/// The statement that makes targets due at `at`: now where nobody works on them, otherwise once they are given back. Which
/// targets is to follow: what their ids are equal to, or in.
pub(super) fn waking(at: Timestamp, raise: i64) -> Builder {
    let mut wake = Builder::new("update target set generation = generation + ");
    wake.value(raise)
        .push(", due_at = case when leased_by is null and due_at > ")
        .value(at)
        .push(" then ")
        .value(at)
        .push(" else due_at end, woken_at = case when leased_by is not null and (woken_at is null or woken_at > ")
        .value(at)
        .push(") then ")
        .value(at)
        .push(" else woken_at end where id ");
    wake
}

/// Has a target looked at by `at`, and raises its generation by `raise`.
pub(super) async fn wake_in(
    tx: &mut Tx,
    target: TargetId,
    at: Timestamp,
    raise: i64,
) -> Result<(), StoreError> {
    let mut wake = waking(at, raise);
    wake.push("= ").value(target);
    tx.execute(wake.query()).await?;
    Ok(())
}

/// Takes a target away from whoever works on it, because a person decided otherwise; due at `now`.
pub(super) async fn revoke(
    tx: &mut Tx,
    target: TargetId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let revoke = query(
        "update target set leased_by = null, leased_until = null, woken_at = null, fence = fence + 1,
            generation = generation + 1, attempts = 0, due_at = $1, last_error = null
         where id = $2",
    );
    tx.execute(revoke.bind(now).bind(target)).await?;
    Ok(())
}
