//! Plans as people see and decide on them. What the engine does for them is in `plan_work`.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use landfall_controls::control::PlannedChange;
use landfall_model::account::Phase;
use landfall_model::cell::CellKey;
use landfall_model::cloud_error::StoredError;
use landfall_model::ids::{AccountId, Revision, TargetId};
use landfall_model::plan::{CellOutcome, PlanScope, PlanState, TargetStage};

use super::error::StoreError;
use super::sql::{BadColumn, Builder, Row, Stored, Value, query};
use super::{Page, Store, Tell, chunks};

/// How long a plan that nobody had applied is kept: some time after it stopped to hold, for who made it to read.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A plan to remember; its targets wait to be looked at.
#[derive(Clone, Debug)]
pub struct NewPlan<'a> {
    /// A UUID of version 7: lists are in its order.
    pub id: Uuid,
    pub scope: &'a PlanScope,
    pub targets: &'a [TargetId],
    pub made_by: &'a str,
}

/// A plan, and how far it has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub id: Uuid,
    pub scope: PlanScope,
    pub made: Deed,
    pub approved: Option<Deed>,
    /// Who said that it be applied.
    pub applied: Option<Deed>,
    pub counts: PlanCounts,
}

/// Who did something, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    pub by: String,
    pub at: Timestamp,
}

/// What a plan's targets and cells add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanCounts {
    /// How many targets are in each stage; a stage without any is left out.
    pub stages: Vec<(TargetStage, u64)>,
    /// Targets with something to change.
    pub targets_to_change: u64,
    pub cells_in_sync: u64,
    /// Accepted deviations, which are not looked at.
    pub cells_waived: u64,
    pub cells_to_change: u64,
    pub cells_unseen: u64,
    pub changes: u64,
    /// Cells whose changes were all applied.
    pub cells_applied: u64,
}

impl Plan {
    pub fn state(&self) -> PlanState {
        let stages = self.counts.stages.iter().map(|(stage, _)| *stage);
        PlanState::of(self.applied.is_some(), stages)
    }
}

/// A target of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanTarget {
    pub target: TargetId,
    /// AWS's number and the name; nothing for the organization.
    pub account: Option<(AccountId, String)>,
    pub stage: TargetStage,
    /// The baseline that it was compared with, and its revision.
    pub baseline: Option<(String, Revision)>,
    pub cells_in_sync: u64,
    /// Accepted deviations, which are not looked at.
    pub cells_waived: u64,
    /// Why it could not be looked at, was refused or failed.
    pub reason: Option<String>,
}

/// A cell that a plan would change, or that could not be looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanCell {
    pub target: TargetId,
    /// AWS's number; nothing for the organization.
    pub account: Option<AccountId>,
    pub key: CellKey,
    /// The desired state.
    pub revision: Option<Revision>,
    /// What AWS had, as a hash.
    pub observed: Option<Revision>,
    pub changes: Vec<PlannedChange>,
    /// Why it could not be looked at.
    pub error: Option<StoredError>,
    pub outcome: Option<CellOutcome>,
}

const SELECT: &str = "select p.id, p.scope, p.made_by, p.made_at, p.approved_by, p.approved_at, p.applied_by, p.applied_at,
    cast((select coalesce(sum(t.cells_in_sync), 0) from plan_target t where t.plan_id = p.id) as bigint) as cells_in_sync,
    cast((select coalesce(sum(t.cells_waived), 0) from plan_target t where t.plan_id = p.id) as bigint) as cells_waived,
    (select count(distinct c.target_id) from plan_cell c where c.plan_id = p.id and c.error is null) as targets_to_change,
    (select count(*) from plan_cell c where c.plan_id = p.id and c.error is null) as cells_to_change,
    (select count(*) from plan_cell c where c.plan_id = p.id and c.error is not null) as cells_unseen,
    (select count(*) from plan_cell c where c.plan_id = p.id
        and cast(c.outcome ->> 'outcome' as text) in ('applied', 'differs')) as cells_applied";

impl Stored for Plan {
    const TABLE: &'static str = "plan";
    const KEY: &'static str = "id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        let deed = |by: Option<String>, at: Option<Timestamp>| Some(Deed { by: by?, at: at? });
        Ok(Plan {
            id: row.name("id")?,
            scope: row.json("scope")?,
            made: Deed {
                by: row.text("made_by")?,
                at: row.time("made_at")?,
            },
            approved: deed(
                row.maybe_text("approved_by")?,
                row.maybe_time("approved_at")?,
            ),
            applied: deed(row.maybe_text("applied_by")?, row.maybe_time("applied_at")?),
            counts: PlanCounts {
                stages: TargetStage::ALL
                    .into_iter()
                    .map(|stage| Ok((stage, row.number(stage.name())?)))
                    .filter(|counted| !matches!(counted, Ok((_, 0))))
                    .collect::<Result<_, BadColumn>>()?,
                targets_to_change: row.number("targets_to_change")?,
                cells_in_sync: row.number("cells_in_sync")?,
                cells_waived: row.number("cells_waived")?,
                cells_to_change: row.number("cells_to_change")?,
                cells_unseen: row.number("cells_unseen")?,
                changes: row.number("changes")?,
                cells_applied: row.number("cells_applied")?,
            },
        })
    }
}

impl Stored for PlanTarget {
    const TABLE: &'static str = "plan_target";
    const KEY: &'static str = "target_id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        let number: Option<AccountId> = row.maybe_name("account_id")?;
        let baseline = row.maybe_text("baseline")?;
        let revision = row.maybe_text("baseline_revision")?.map(Revision::stored);
        Ok(PlanTarget {
            target: row.name("target_id")?,
            account: number.zip(row.maybe_text("name")?),
            stage: row.word("stage")?,
            baseline: baseline.zip(revision),
            cells_in_sync: row.number("cells_in_sync")?,
            cells_waived: row.number("cells_waived")?,
            reason: row.maybe_text("reason")?,
        })
    }
}

impl Stored for PlanCell {
    const TABLE: &'static str = "plan_cell";
    const KEY: &'static str = "target_id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(PlanCell {
            target: row.name("target_id")?,
            account: row.maybe_name("account_id")?,
            key: CellKey {
                region: row.name("region")?,
                control: row.name("control")?,
            },
            revision: row.maybe_text("revision")?.map(Revision::stored),
            observed: row.maybe_text("observed")?.map(Revision::stored),
            changes: row.json("changes")?,
            error: row.maybe_json("error")?,
            outcome: row.maybe_json("outcome")?,
        })
    }
}

struct Count(u64);

impl Stored for Count {
    const TABLE: &'static str = "account";
    const KEY: &'static str = "n";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(Count(row.number("n")?))
    }
}

impl Store {
    /// Remembers a plan; each of its targets waits to be looked at.
    pub async fn add_plan(&self, new: &NewPlan<'_>, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        let insert =
            query("insert into plan (id, scope, made_by, made_at) values ($1, $2, $3, $4)");
        let insert = insert
            .bind(new.id)
            .bind(Value::json(new.scope))
            .bind(new.made_by)
            .bind(now);
        tx.execute(insert).await?;
        for targets in chunks(new.targets) {
            let mut insert = Builder::new(
                "insert into plan_target (plan_id, target_id, stage, cells_in_sync, cells_waived) values ",
            );
            insert.rows(targets.iter().map(|target| {
                [
                    new.id.into(),
                    (*target).into(),
                    TargetStage::Looking.name().into(),
                    0_i64.into(),
                    0_i64.into(),
                ]
            }));
            tx.execute(insert.query()).await?;
        }
        self.commit(tx, &[Tell::Due]).await
    }

    pub async fn plan(&self, id: Uuid) -> Result<Option<Plan>, StoreError> {
        let mut one = self.select_plans();
        one.push(" where p.id = ").value(id);
        self.db().one(one.query()).await
    }

    /// Plans, newest first. `cursor` is the `next` of the page before.
    pub async fn plans(&self, cursor: Option<&str>, limit: u32) -> Result<Page<Plan>, StoreError> {
        let mut list = self.select_plans();
        if let Some(cursor) = cursor {
            list.push(" where p.id < ").value(cursor);
        }
        list.push(" order by p.id desc limit ")
            .value(limit.saturating_add(1));
        let plans = self.db().all(list.query()).await?;
        Ok(Page::of(plans, limit, |plan: &Plan| plan.id.to_string()))
    }

    fn select_plans(&self) -> Builder {
        let mut select = Builder::new(SELECT);
        for stage in TargetStage::ALL {
            select
                .push(", (select count(*) from plan_target t where t.plan_id = p.id and t.stage = ")
                .value(stage.name())
                .push(") as ")
                .push(stage.name());
        }
        select
            .push(", cast((select coalesce(sum(")
            .push(self.dialect().array_length)
            .push("(c.changes)), 0) from plan_cell c where c.plan_id = p.id) as bigint) as changes from plan p");
        select
    }

    /// A plan's targets. `cursor` is the `next` of the page before.
    pub async fn plan_targets(
        &self,
        plan: Uuid,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<PlanTarget>, StoreError> {
        let mut list = Builder::new(
            "select t.target_id, a.account_id, a.name, t.stage, t.baseline, t.baseline_revision, t.cells_in_sync, t.cells_waived, t.reason
             from plan_target t left join account a on a.id = t.target_id where t.plan_id = ",
        );
        list.value(plan);
        if let Some(cursor) = cursor {
            list.push(" and t.target_id > ").value(cursor);
        }
        list.push(" order by t.target_id limit ")
            .value(limit.saturating_add(1));
        let targets = self.db().all(list.query()).await?;
        Ok(Page::of(targets, limit, |target: &PlanTarget| {
            target.target.to_string()
        }))
    }

    /// The cells that a plan would change or could not look at, of one target or of all. `cursor` is the `next` of the
    /// page before.
    pub async fn plan_cells(
        &self,
        plan: Uuid,
        targets: &[TargetId],
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<PlanCell>, StoreError> {
        let mut list = Builder::new(
            "select c.target_id, a.account_id, c.region, c.control, c.revision, c.observed, c.changes, c.error, c.outcome
             from plan_cell c left join account a on a.id = c.target_id where c.plan_id = ",
        );
        list.value(plan);
        if !targets.is_empty() {
            list.push(" and c.target_id in (")
                .list(targets.iter().map(|target| Value::from(*target)))
                .push(")");
        }
        if let Some((target, region, control)) = cursor.and_then(place) {
            list.push(" and (c.target_id, c.region, c.control) > (")
                .list([target.into(), region.into(), control.into()])
                .push(")");
        }
        list.push(" order by c.target_id, c.region, c.control limit ")
            .value(limit.saturating_add(1));
        let cells = self.db().all(list.query()).await?;
        Ok(Page::of(cells, limit, |cell: &PlanCell| {
            format!("{}|{}|{}", cell.target, cell.key.region, cell.key.control)
        }))
    }

    /// The accounts in a plan that would be changed and are paused.
    pub async fn paused_in_plan(&self, plan: Uuid) -> Result<Vec<PlanTarget>, StoreError> {
        let paused = query(
            "select t.target_id, a.account_id, a.name, t.stage, t.baseline, t.baseline_revision, t.cells_in_sync, t.cells_waived, t.reason
             from plan_target t join target on target.id = t.target_id left join account a on a.id = t.target_id
             where t.plan_id = $1 and target.paused_at is not null and exists (
                select 1 from plan_cell c where c.plan_id = t.plan_id and c.target_id = t.target_id and c.error is null)
             order by t.target_id",
        );
        self.db().all(paused.bind(plan)).await
    }

    /// Records that somebody besides its maker agrees to a plan. `false` when somebody did already, when its maker tries,
    /// or when it is applied.
    pub async fn approve_plan(
        &self,
        plan: Uuid,
        by: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let approve = query(
            "update plan set approved_by = $1, approved_at = $2
             where id = $3 and approved_at is null and applied_at is null and made_by <> $1",
        );
        let approved = approve.bind(by).bind(now).bind(plan);
        Ok(self.db().execute(approved).await? > 0)
    }

    /// Records that a plan is to be applied, now and never again: each target with something to change waits for it.
    /// `false` when somebody said so before, or the plan is not yet made.
    pub async fn apply_plan(
        &self,
        plan: Uuid,
        by: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db().begin().await?;
        let asked = query(
            "update plan set applied_by = $1, applied_at = $2 where id = $3 and applied_at is null
                and not exists (select 1 from plan_target t where t.plan_id = $3 and t.stage = 'looking')",
        );
        if tx.execute(asked.bind(by).bind(now).bind(plan)).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        let waiting = query(
            "update plan_target set stage = 'applying' where plan_id = $1 and stage = 'planned' and exists (
                select 1 from plan_cell c
                where c.plan_id = $1 and c.target_id = plan_target.target_id and c.error is null)",
        );
        tx.execute(waiting.bind(plan)).await?;
        self.commit(tx, &[Tell::Due]).await?;
        Ok(true)
    }

    /// How many accounts are governed.
    pub async fn governed_accounts(&self) -> Result<u64, StoreError> {
        let governed = query("select count(*) as n from account where phase = $1");
        let count: Option<Count> = self.db().one(governed.bind(Phase::Governed.name())).await?;
        Ok(count.map_or(0, |count| count.0))
    }

    /// Forgets plans that nobody had applied and that have long stopped to hold.
    pub(super) async fn forget_plans(&self, now: Timestamp) -> Result<(), StoreError> {
        let forget = query("delete from plan where applied_at is null and made_at < $1");
        self.db().execute(forget.bind(now - KEPT)).await?;
        Ok(())
    }
}

/// A place in the list of cells; a cursor that is not one begins at the beginning.
fn place(cursor: &str) -> Option<(&str, &str, &str)> {
    let mut parts = cursor.split('|');
    Some((parts.next()?, parts.next()?, parts.next()?))
}
