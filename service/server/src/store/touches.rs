//! Touches: who last changed what a cell is about, as an event told.
//!
//! An event may be late, lost, repeated or wrong, so a touch does two things and no third: it makes the cell due, and it
//! remembers a name. The touch itself only stands here, wakes the target and tells the pass that may be at work on it; a pass
//! makes the cell due under its lease. A pass that looked just before, or looks this very moment, cannot overwrite it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio::sync::broadcast;

use landfall_model::cell::CellKey;
use landfall_model::ids::{ControlId, Region, TargetId};

use super::error::StoreError;
use super::lease::{self, Lease, wake_in};
use super::sql::{BadColumn, Builder, Row, Stored, Value, query};
use super::{Store, Tell, chunks};

/// A change by somebody else that an event told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    pub key: CellKey,
    /// The name of the call: `DeleteDetector`.
    pub event: String,
    /// The ARN of who called.
    pub actor: String,
    /// Where from: an address, or the name of an AWS service that called on somebody's behalf.
    pub source_ip: Option<String>,
    /// When it was called, by AWS's clock, which tells whole seconds.
    pub at: Timestamp,
}

/// A touch and whose cell it is about.
struct TargetTouch {
    target: TargetId,
    touch: Touch,
}

impl Stored for TargetTouch {
    const TABLE: &'static str = "touch";
    const KEY: &'static str = "target_id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(TargetTouch {
            target: row.name("target_id")?,
            touch: Touch {
                key: CellKey {
                    region: row.name("region")?,
                    control: row.name("control")?,
                },
                event: row.text("event")?,
                actor: row.text("actor")?,
                source_ip: row.maybe_text("source_ip")?,
                at: row.time("at")?,
            },
        })
    }
}

const SELECT: &str =
    "select target_id, region, control, event, actor, source_ip, at from touch where ";

impl Store {
    /// Remembers touches of a target's cells, and has the target looked at now. Of several touches of one cell the
    /// latest by AWS's clock is kept, in whatever order they arrive. Each key at most once. `false` when there is no such
    /// target.
    pub async fn touch(
        &self,
        target: TargetId,
        touches: &[Touch],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db().begin().await?;
        if !lease::lock(&mut tx, target).await? {
            return Ok(false);
        }
        for touches in chunks(touches) {
            let mut upsert = Builder::new(
                "insert into touch (target_id, region, control, event, actor, source_ip, at, pending) values ",
            );
            upsert.rows(touches.iter().map(|touch| -> [Value; 8] {
                [
                    target.into(),
                    touch.key.region.as_str().into(),
                    touch.key.control.as_str().into(),
                    touch.event.as_str().into(),
                    touch.actor.as_str().into(),
                    touch.source_ip.as_deref().into(),
                    touch.at.into(),
                    true.into(),
                ]
            }));
            upsert.push(
                " on conflict (target_id, region, control) do update set pending = excluded.pending,
                    event = case when excluded.at >= touch.at then excluded.event else touch.event end,
                    actor = case when excluded.at >= touch.at then excluded.actor else touch.actor end,
                    source_ip = case when excluded.at >= touch.at then excluded.source_ip else touch.source_ip end,
                    at = case when excluded.at >= touch.at then excluded.at else touch.at end",
            );
            tx.execute(upsert.query()).await?;
        }
        wake_in(&mut tx, target, now, 0).await?;
        self.commit(tx, &[Tell::Due, Tell::Touched(target)]).await?;
        Ok(true)
    }

    /// Hears from now on of targets that were touched.
    pub fn hear_touches(&self) -> broadcast::Receiver<TargetId> {
        self.0.signals.touched.subscribe()
    }

    /// Makes due what was touched since this was last asked, and says who touched it; `None` when the lease is lost.
    pub async fn take_touches(
        &self,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<Option<Vec<Touch>>, StoreError> {
        // Most passes find nothing, and need no transaction for it.
        let pending = || {
            let mut pending = Builder::new(SELECT);
            pending.push("target_id = ").value(lease.target);
            pending.push(" and pending");
            pending
        };
        let mut any = pending();
        any.push(" limit 1");
        if self.db().one::<TargetTouch>(any.query()).await?.is_none() {
            return Ok(Some(Vec::new()));
        }
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(None);
        };
        let touched = tx.all::<TargetTouch>(pending().query()).await?;
        let due = query(
            "update cell set due_at = $1 where target_id = $2 and due_at > $1
                and (region, control) in (select region, control from touch where target_id = $2 and pending)",
        );
        tx.execute(due.bind(now).bind(lease.target)).await?;
        let taken = query("update touch set pending = $1 where target_id = $2 and pending");
        tx.execute(taken.bind(false).bind(lease.target)).await?;
        tx.commit().await?;
        Ok(Some(touched.into_iter().map(|of| of.touch).collect()))
    }

    /// Who last touched a cell.
    pub async fn last_touch(
        &self,
        target: TargetId,
        region: &Region,
        control: &ControlId,
    ) -> Result<Option<Touch>, StoreError> {
        let mut one = Builder::new(SELECT);
        one.push("target_id = ").value(target);
        one.push(" and region = ").value(region.as_str());
        one.push(" and control = ").value(control.as_str());
        let one: Option<TargetTouch> = self.db().one(one.query()).await?;
        Ok(one.map(|of| of.touch))
    }

    /// Who last touched the cells of a target.
    pub async fn touches_of(
        &self,
        target: TargetId,
    ) -> Result<BTreeMap<CellKey, Touch>, StoreError> {
        let mut all = Builder::new(SELECT);
        all.push("target_id = ").value(target);
        let all: Vec<TargetTouch> = self.db().all(all.query()).await?;
        let keyed = all.into_iter().map(|of| (of.touch.key.clone(), of.touch));
        Ok(keyed.collect())
    }

    /// Who last touched cells of several targets, such as a page of a list.
    pub async fn last_touches(
        &self,
        cells: &[(TargetId, CellKey)],
    ) -> Result<BTreeMap<(TargetId, CellKey), Touch>, StoreError> {
        let mut touches = BTreeMap::new();
        for cells in chunks(cells) {
            let mut some = Builder::new(SELECT);
            some.push("(target_id, region, control) in (values ");
            some.rows(cells.iter().map(|(target, key)| -> [Value; 3] {
                [
                    (*target).into(),
                    key.region.as_str().into(),
                    key.control.as_str().into(),
                ]
            }));
            some.push(")");
            let some: Vec<TargetTouch> = self.db().all(some.query()).await?;
            let keyed = some
                .into_iter()
                .map(|of| ((of.target, of.touch.key.clone()), of.touch));
            touches.extend(keyed);
        }
        Ok(touches)
    }
}
