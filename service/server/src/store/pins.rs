//! Which revision of which baseline a target is to have, and what each revision says.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use landfall_model::baseline::Baseline;
use landfall_model::event::EventKind;
use landfall_model::ids::{Revision, TargetId};
use landfall_model::rollout::Pin;
use serde_json::{Value as Json, json};

use super::db::Tx;
use super::error::StoreError;
use super::events::{self, NewEvent};
use super::lease::{self, Lease, LeaseState};
use super::sql::{BadColumn, Builder, Query, Row, Stored, Value, query};
use super::{Store, Tell, chunks};

/// What revisions say, each read once: it never changes, no revision is ever removed, and few are in use at a time.
pub(super) struct Revisions<K, V>(Mutex<BTreeMap<K, V>>);

impl<K, V> Default for Revisions<K, V> {
    fn default() -> Self {
        Revisions(Mutex::default())
    }
}

impl<K: Ord + Clone, V: Clone> Revisions<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<V> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).cloned()
    }

    pub(super) fn add(&self, key: &K, said: &V) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(key.clone(), said.clone());
    }
}

/// How many targets have a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinCount {
    pub pin: Pin,
    pub targets: u64,
}

/// A revision as it was stored.
struct StoredRevision(Baseline);

impl Stored for StoredRevision {
    const TABLE: &'static str = "baseline_revision";
    const KEY: &'static str = "revision";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        let content: Json = row.json("content")?;
        Baseline::stored(
            row.text("name")?,
            Revision::stored(row.text("revision")?),
            content,
        )
        .map(StoredRevision)
        .map_err(|error| BadColumn::new("content", error))
    }
}

impl Stored for PinCount {
    const TABLE: &'static str = "pin";
    const KEY: &'static str = "revision";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(PinCount {
            pin: pin(row, "baseline", "revision")?,
            targets: row.number("n")?,
        })
    }
}

/// Whose a pin is.
struct TargetPin(TargetId, Pin);

impl Stored for TargetPin {
    const TABLE: &'static str = "pin";
    const KEY: &'static str = "target_id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(TargetPin(
            row.name("target_id")?,
            pin(row, "baseline", "revision")?,
        ))
    }
}

/// A pin of two columns.
pub(super) fn pin(row: &Row, baseline: &str, revision: &str) -> Result<Pin, BadColumn> {
    Ok(Pin {
        baseline: row.text(baseline)?,
        revision: Revision::stored(row.text(revision)?),
    })
}

impl Store {
    /// Remembers what each revision says, unless it is known.
    pub async fn keep_revisions(
        &self,
        baselines: &[&Baseline],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut keep = Builder::new(
            "insert into baseline_revision (name, revision, content, first_seen_at) values ",
        );
        keep.rows(baselines.iter().map(|baseline| -> [Value; 4] {
            [
                baseline.name.as_str().into(),
                baseline.revision.as_str().into(),
                Value::json(&baseline.content()),
                now.into(),
            ]
        }));
        keep.push(" on conflict (name, revision) do nothing");
        self.db().execute(keep.query()).await?;
        Ok(())
    }

    /// What a revision says; `None` where it was never seen.
    pub async fn baseline_revision(&self, pin: &Pin) -> Result<Option<Baseline>, StoreError> {
        let revisions = &self.0.baselines;
        if let Some(known) = revisions.get(pin) {
            return Ok(Some(known));
        }
        let one = query(
            "select name, revision, content from baseline_revision where name = $1 and revision = $2",
        );
        let one = one.bind(pin.baseline.as_str()).bind(pin.revision.as_str());
        let stored = self.db().one::<StoredRevision>(one).await?;
        Ok(stored.map(|StoredRevision(baseline)| {
            revisions.add(pin, &baseline);
            baseline
        }))
    }

    /// The revision that a target is pinned to; `None` where it is to none yet.
    pub async fn pinned(&self, target: TargetId) -> Result<Option<Baseline>, StoreError> {
        let one = query("select target_id, baseline, revision from pin where target_id = $1");
        match self.db().one::<TargetPin>(one.bind(target)).await? {
            Some(TargetPin(_, pin)) => self.baseline_revision(&pin).await,
            None => Ok(None),
        }
    }

    /// The pins of some targets.
    pub async fn pins(&self, targets: &[TargetId]) -> Result<BTreeMap<TargetId, Pin>, StoreError> {
        let mut pins = BTreeMap::new();
        for targets in chunks(targets) {
            let mut some =
                Builder::new("select target_id, baseline, revision from pin where target_id in (");
            some.list(targets.iter().map(|target| Value::from(*target)))
                .push(")");
            let some: Vec<TargetPin> = self.db().all(some.query()).await?;
            pins.extend(some.into_iter().map(|TargetPin(target, pin)| (target, pin)));
        }
        Ok(pins)
    }

    /// How many accounts have which revision, by name and revision.
    pub async fn pin_counts(&self) -> Result<Vec<PinCount>, StoreError> {
        let counts = query(
            "select baseline, revision, count(*) as n from pin where target_id <> 'organization'
             group by baseline, revision order by baseline, revision",
        );
        self.db().all(counts).await
    }

    /// Pins the lease's target, and tells why in its history. Who works on it now is who asks, so its generation stays.
    pub async fn pin(
        &self,
        lease: &Lease,
        to: &Pin,
        why: &str,
        now: Timestamp,
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        tx.execute(put(lease.target, to, now)).await?;
        let event = pinned_event(lease.target, to, why);
        events::append(&mut tx, &[event], now).await?;
        self.commit(tx, &[Tell::Events(lease.target)]).await?;
        Ok(LeaseState::Held)
    }

    /// Pins the organization, and has it looked at when that is another revision than before. `true` when it is.
    pub async fn pin_organization(&self, to: &Pin, now: Timestamp) -> Result<bool, StoreError> {
        let target = TargetId::Organization;
        let mut tx = self.db().begin().await?;
        lease::lock(&mut tx, target).await?;
        let same = query(
            "select target_id, baseline, revision from pin
             where target_id = $1 and baseline = $2 and revision = $3",
        )
        .bind(target)
        .bind(to.baseline.as_str())
        .bind(to.revision.as_str());
        if tx.one::<TargetPin>(same).await?.is_some() {
            tx.rollback().await?;
            return Ok(false);
        }
        pin_in(&mut tx, target, to, "as the files say at start", now).await?;
        self.commit(tx, &[Tell::Due, Tell::Events(target)]).await?;
        Ok(true)
    }

    /// Has everybody looked at, by now, who is pinned to a revision.
    pub async fn wake_pinned(&self, to: &Pin, now: Timestamp) -> Result<(), StoreError> {
        let who = query(
            "select target_id, baseline, revision from pin where baseline = $1 and revision = $2",
        );
        let who = who.bind(to.baseline.as_str()).bind(to.revision.as_str());
        for TargetPin(target, _) in self.db().all(who).await? {
            self.wake(target, now).await?;
        }
        Ok(())
    }
}

/// Pins a target that is locked, tells why, and wants something else of it.
pub(super) async fn pin_in(
    tx: &mut Tx,
    target: TargetId,
    to: &Pin,
    why: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(put(target, to, now)).await?;
    events::append(tx, &[pinned_event(target, to, why)], now).await?;
    lease::wake_in(tx, target, now, 1).await
}

fn put(target: TargetId, to: &Pin, now: Timestamp) -> Query {
    query(
        "insert into pin (target_id, baseline, revision, pinned_at) values ($1, $2, $3, $4)
         on conflict (target_id) do update set baseline = excluded.baseline, revision = excluded.revision,
            pinned_at = excluded.pinned_at",
    )
    .bind(target)
    .bind(to.baseline.as_str())
    .bind(to.revision.as_str())
    .bind(now)
}

fn pinned_event(target: TargetId, to: &Pin, why: &str) -> NewEvent {
    let sentence = format!("The baseline is {to}, {why}");
    NewEvent {
        detail: json!(to),
        ..NewEvent::new(target, EventKind::Pinned, sentence)
    }
}
