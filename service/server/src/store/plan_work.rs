//! What the engine does for plans: it claims their targets, and writes down what it saw and did, under the lease.
//!
//! A claim for a plan is a lease like any other, so a target is never worked on for a plan and in a pass at a time. But
//! it makes nothing due: the target's former due time is kept as a wake-up, and stands again when it is given back.
//! A paused target may be claimed, since looking changes nothing.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use landfall_model::baseline::Baseline;
use landfall_model::cell::CellKey;
use landfall_model::ids::{ControlId, Region, Revision};
use landfall_model::plan::{CellOutcome, PlanScope, TargetStage};

use super::error::StoreError;
use super::lease::{CLAIMED, Lease, LeaseState};
use super::plans::PlanCell;
use super::sql::{BadColumn, Builder, Row, Stored, Value, query};
use super::{Store, Tell, chunks};

/// What a plan wants of a target.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanWork {
    pub plan: Uuid,
    pub scope: PlanScope,
    /// When it was asked for: what AWS says from then on counts as a look.
    pub since: Timestamp,
    /// Who had it applied; `None` while it is only looked at.
    pub applied_by: Option<String>,
    /// Whether some of its changes may have been applied.
    pub begun: bool,
}

/// What was seen of a target.
#[derive(Clone, Debug)]
pub struct TargetPlan<'a> {
    pub baseline: &'a Baseline,
    pub cells_in_sync: usize,
    /// Accepted deviations, which were not looked at.
    pub cells_waived: usize,
    /// Those that differ, and those that could not be looked at.
    pub cells: &'a [PlannedCell],
}

/// What a plan remembers of a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedCell {
    pub key: CellKey,
    pub revision: Option<Revision>,
    pub seen: Seen,
}

/// What came of a look for a plan.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    Differs {
        /// A hash of what AWS had.
        observed: Revision,
        changes: Vec<landfall_controls::control::PlannedChange>,
    },
    Not(landfall_model::cloud_error::StoredError),
}

impl Stored for PlanWork {
    const TABLE: &'static str = "plan";
    const KEY: &'static str = "id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        let stage: TargetStage = row.word("stage")?;
        let applied_by = row.maybe_text("applied_by")?;
        let applied_at = row.maybe_time("applied_at")?;
        Ok(PlanWork {
            plan: row.name("id")?,
            scope: row.json("scope")?,
            since: applied_at.unwrap_or(row.time("made_at")?),
            applied_by: applied_by.filter(|_| stage == TargetStage::Applying),
            begun: row.maybe_time("begun_at")?.is_some(),
        })
    }
}

impl Store {
    /// Takes up to `limit` targets that a plan wants something of, for `lease_for`; none that somebody works on.
    pub async fn claim_for_plans(
        &self,
        owner: Uuid,
        now: Timestamp,
        limit: u32,
        lease_for: SignedDuration,
    ) -> Result<Vec<Lease>, StoreError> {
        // As for what is due: a look first.
        let waiting =
            "select target_id from plan_target where stage in ('looking', 'applying') limit 1";
        if self.db().rows(query(waiting)).await?.is_empty() {
            return Ok(Vec::new());
        }
        let mut claim = Builder::new("update target set leased_by = ");
        claim
            .value(owner)
            .push(", leased_until = ")
            .value(now + lease_for)
            .push(", due_since = ")
            .value(now)
            .push(
                ", woken_at = case when woken_at < due_at then woken_at else due_at end, due_at = ",
            )
            .value(now + lease_for)
            .push(
                ", fence = fence + 1
                 where id in (select id from target where (leased_until is null or leased_until <= ",
            )
            .value(now)
            .push(
                ") and id in (select target_id from plan_target where stage in ('looking', 'applying'))
                 order by id limit ",
            )
            .value(limit)
            .push(self.dialect().for_claim)
            .push(CLAIMED);
        self.db().returning(claim.query()).await
    }

    /// Gives a target back that was claimed for plans: it is due when it would have been.
    pub async fn give_back(&self, lease: Lease) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(&lease).await? else {
            return Ok(LeaseState::Lost);
        };
        let given = query(
            "update target set leased_by = null, leased_until = null,
                due_at = case when woken_at is null then due_at else woken_at end, woken_at = null
             where id = $1",
        );
        tx.execute(given.bind(lease.target)).await?;
        self.commit(tx, &[Tell::Due]).await?;
        Ok(LeaseState::Held)
    }

    /// What plans want of a lease's target, the oldest first.
    pub async fn plan_work(&self, lease: &Lease) -> Result<Option<PlanWork>, StoreError> {
        let work = query(
            "select p.id, p.scope, p.made_at, p.applied_by, p.applied_at, t.stage, t.begun_at
             from plan_target t join plan p on p.id = t.plan_id
             where t.target_id = $1 and t.stage in ('looking', 'applying') order by p.id limit 1",
        );
        self.db().one(work.bind(lease.target)).await
    }

    /// The cells of a lease's target that a plan would change.
    pub async fn cells_to_apply(
        &self,
        lease: &Lease,
        plan: Uuid,
    ) -> Result<Vec<PlanCell>, StoreError> {
        let cells = query(
            "select target_id, null as account_id, region, control, revision, observed, changes, error, outcome
             from plan_cell where plan_id = $1 and target_id = $2 and error is null order by region, control",
        );
        self.db().all(cells.bind(plan).bind(lease.target)).await
    }

    /// Records what was seen of a lease's target: it is planned.
    pub async fn put_plan(
        &self,
        lease: &Lease,
        plan: Uuid,
        seen: &TargetPlan<'_>,
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        let planned = query(
            "update plan_target set stage = 'planned', baseline = $1, baseline_revision = $2, cells_in_sync = $3,
                cells_waived = $4
             where plan_id = $5 and target_id = $6",
        )
        .bind(seen.baseline.name.as_str())
        .bind(seen.baseline.revision.as_str())
        .bind(i64::try_from(seen.cells_in_sync).unwrap_or(i64::MAX))
        .bind(i64::try_from(seen.cells_waived).unwrap_or(i64::MAX))
        .bind(plan)
        .bind(lease.target);
        tx.execute(planned).await?;
        for cells in chunks(seen.cells) {
            let mut insert = Builder::new(
                "insert into plan_cell (plan_id, target_id, region, control, revision, observed, changes, error) values ",
            );
            insert.rows(cells.iter().map(|cell| {
                let (observed, changes, error) = match &cell.seen {
                    Seen::Differs { observed, changes } => {
                        (Some(observed), changes.as_slice(), None)
                    }
                    Seen::Not(error) => (None, [].as_slice(), Some(error)),
                };
                [
                    plan.into(),
                    lease.target.into(),
                    cell.key.region.as_str().into(),
                    cell.key.control.as_str().into(),
                    cell.revision.as_ref().map(Revision::as_str).into(),
                    observed.map(Revision::as_str).into(),
                    Value::json(&changes),
                    Value::maybe_json(error),
                ]
            }));
            tx.execute(insert.query()).await?;
        }
        tx.commit().await?;
        Ok(LeaseState::Held)
    }

    /// Records that the first change of a lease's target is about to be applied.
    pub async fn begin_changes(
        &self,
        lease: &Lease,
        plan: Uuid,
        now: Timestamp,
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        let begun = query(
            "update plan_target set begun_at = $1 where plan_id = $2 and target_id = $3 and begun_at is null",
        );
        tx.execute(begun.bind(now).bind(plan).bind(lease.target))
            .await?;
        tx.commit().await?;
        Ok(LeaseState::Held)
    }

    /// Records what became of some cells of a lease's target.
    pub async fn put_outcomes(
        &self,
        lease: &Lease,
        plan: Uuid,
        outcomes: &[(CellKey, CellOutcome)],
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        for (key, outcome) in outcomes {
            let put = query(
                "update plan_cell set outcome = $1
                 where plan_id = $2 and target_id = $3 and region = $4 and control = $5",
            )
            .bind(Value::json(outcome))
            .bind(plan)
            .bind(lease.target)
            .bind(Region::as_str(&key.region))
            .bind(ControlId::as_str(&key.control));
            tx.execute(put).await?;
        }
        tx.commit().await?;
        Ok(LeaseState::Held)
    }

    /// Records how it ended with a lease's target, and why.
    pub async fn end_plan_target(
        &self,
        lease: &Lease,
        plan: Uuid,
        stage: TargetStage,
        reason: Option<&str>,
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        let end = query(
            "update plan_target set stage = $1, reason = $2 where plan_id = $3 and target_id = $4",
        )
        .bind(stage.name())
        .bind(reason)
        .bind(plan)
        .bind(lease.target);
        tx.execute(end).await?;
        tx.commit().await?;
        Ok(LeaseState::Held)
    }
}
