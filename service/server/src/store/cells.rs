//! Cells: what was last seen of each control on each target in each Region.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use landfall_model::cell::{Cell, CellKey, CellWaiver};
use landfall_model::cloud_error::{CloudErrorKind, StoredError};
use landfall_model::ids::{ControlId, Revision, TargetId};
use landfall_model::repair::Repairs;

use super::db::Tx;
use super::error::StoreError;
use super::lease::{Lease, LeaseState};
use super::sql::{BadColumn, Builder, Row, Stored, Value};
use super::{Store, chunks};

/// A cell and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetCell {
    pub target: TargetId,
    pub cell: Cell,
}

/// How many cells of a control have a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellCount {
    pub control: ControlId,
    /// One of `CellStatus::NAMES`.
    pub status: &'static str,
    pub cells: u64,
}

pub(super) const SELECT: &str = "select target_id, region, control, revision, known, observed, observed_at, drift, drifted_since,
    desired, repair_asked_at, repairs, repaired_at, waiver_id, waived_until, waiting_for, error, attempts, due_at
    from cell";

impl Stored for TargetCell {
    const TABLE: &'static str = "cell";
    const KEY: &'static str = "target_id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(TargetCell {
            target: row.name("target_id")?,
            cell: Cell {
                key: CellKey {
                    region: row.name("region")?,
                    control: row.name("control")?,
                },
                revision: Revision::stored(row.text("revision")?),
                known: row.boolean("known")?,
                observed: row.maybe_json_text("observed")?,
                observed_at: row.maybe_time("observed_at")?,
                drift: row.json("drift")?,
                drifted_since: row.maybe_time("drifted_since")?,
                desired: row.maybe_json_text("desired")?,
                repair_asked_at: row.maybe_time("repair_asked_at")?,
                repairs: Repairs {
                    in_a_row: row.number("repairs")?,
                    last_at: row.maybe_time("repaired_at")?,
                },
                waiver: match row.maybe_name("waiver_id")? {
                    None => None,
                    Some(id) => Some(CellWaiver {
                        id,
                        until: row.time("waived_until")?,
                    }),
                },
                waiting_for: row.maybe_name("waiting_for")?,
                error: row.maybe_json("error")?,
                attempts: row.number("attempts")?,
                due_at: row.time("due_at")?,
            },
        })
    }
}

/// All that a status depends on: see `alike`.
pub(super) const STATUS_COLUMNS: &str = "known, attempts, cast(error ->> 'kind' as text) as error_kind, waiting_for is not null as waits,
    waiver_id is not null as waived, repairs, cast(drift as text) = '[]' as in_order";

/// What those columns are made of, for counting.
pub(super) const STATUS_GROUPS: &str =
    "known, attempts, cast(error ->> 'kind' as text), waiting_for is not null,
    waiver_id is not null, repairs, cast(drift as text) = '[]'";

/// A cell with the status of one that `STATUS_COLUMNS` were read of, and nothing else of it: so `Cell::status` decides
/// also where cells are not read as a whole.
pub(super) fn alike(row: &Row) -> Result<Cell, BadColumn> {
    let control: ControlId = row.name("control")?;
    let error_kind: Option<CloudErrorKind> = row.maybe_word("error_kind")?;
    let key = CellKey {
        region: row.name("region")?,
        control: control.clone(),
    };
    Ok(Cell {
        known: row.boolean("known")?,
        drift: match row.boolean("in_order")? {
            true => Vec::new(),
            false => vec![String::new()],
        },
        repairs: Repairs {
            in_a_row: row.number("repairs")?,
            last_at: None,
        },
        waiver: row.boolean("waived")?.then_some(CellWaiver {
            id: Uuid::nil(),
            until: Timestamp::UNIX_EPOCH,
        }),
        waiting_for: row.boolean("waits")?.then_some(control),
        error: error_kind.map(|kind| StoredError {
            kind,
            operation: String::new(),
            message: String::new(),
            request_id: None,
        }),
        attempts: row.number("attempts")?,
        ..Cell::unseen(key, Revision::stored(""), Timestamp::UNIX_EPOCH)
    })
}

impl Stored for CellCount {
    const TABLE: &'static str = "cell";
    const KEY: &'static str = "control";

    /// Cells that are alike in everything that a status depends on are counted together.
    fn read(row: &Row) -> Result<Self, BadColumn> {
        let alike = alike(row)?;
        Ok(CellCount {
            status: alike.status().name(),
            control: alike.key.control,
            cells: row.number("n")?,
        })
    }
}

/// Which cell, and whether it is settled.
struct Standing(CellKey, bool);

impl Stored for Standing {
    const TABLE: &'static str = "cell";
    const KEY: &'static str = "control";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        let alike = alike(row)?;
        let settled = alike.status().is_settled();
        Ok(Standing(alike.key, settled))
    }
}

/// A cell that a look found as it stands in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unchanged {
    pub key: CellKey,
    /// When it was looked at.
    pub observed_at: Timestamp,
    pub due_at: Timestamp,
}

/// Writes down that cells are as they were. One statement for many: the earliest of their times stand for all.
pub(super) async fn saw_in(
    tx: &mut Tx,
    target: TargetId,
    cells: &[Unchanged],
) -> Result<(), StoreError> {
    for cells in chunks(cells) {
        let observed_at = cells.iter().map(|cell| cell.observed_at).min();
        let due_at = cells.iter().map(|cell| cell.due_at).min();
        let mut saw = Builder::new("update cell set observed_at = ");
        saw.value(observed_at)
            .push(", due_at = ")
            .value(due_at)
            .push(
                ", repair_asked_at = case
                    when known and error is null and drifted_since is null and repair_asked_at <= ",
            )
            .value(observed_at)
            .push(" then null else repair_asked_at end where target_id = ")
            .value(target)
            .push(" and (region, control) in (values ")
            .rows(cells.iter().map(|cell| -> [Value; 2] {
                [
                    cell.key.region.as_str().into(),
                    cell.key.control.as_str().into(),
                ]
            }))
            .push(")");
        tx.execute(saw.query()).await?;
    }
    Ok(())
}

/// Writes down the state of a target's cells. Each key at most once.
///
/// A wish for repair is not the engine's to write: it may have come while the cell was looked at. It is fulfilled by a look
/// after it that found the cell in sync, and over where a waiver accepts what differs: it is not for the waiver's end.
pub(super) async fn put_in(
    tx: &mut Tx,
    target: TargetId,
    cells: &[Cell],
) -> Result<(), StoreError> {
    for cells in chunks(cells) {
        let mut upsert = Builder::new(
            "insert into cell (target_id, region, control, revision, known, observed, observed_at, drift,
                drifted_since, desired, repairs, repaired_at, waiver_id, waived_until, waiting_for, error, attempts,
                due_at) values ",
        );
        upsert.rows(cells.iter().map(|cell| values(target, cell)));
        upsert.push(
            " on conflict (target_id, region, control) do update set revision = excluded.revision,
                known = excluded.known, observed = excluded.observed, observed_at = excluded.observed_at,
                drift = excluded.drift, drifted_since = excluded.drifted_since, desired = excluded.desired,
                repairs = excluded.repairs, repaired_at = excluded.repaired_at, waiver_id = excluded.waiver_id,
                waived_until = excluded.waived_until, waiting_for = excluded.waiting_for, error = excluded.error,
                attempts = excluded.attempts, due_at = excluded.due_at,
                repair_asked_at = case
                    when excluded.waiver_id is not null then null
                    when excluded.known and excluded.error is null and excluded.drifted_since is null
                        and excluded.observed_at >= cell.repair_asked_at then null
                    else cell.repair_asked_at end",
        );
        tx.execute(upsert.query()).await?;
    }
    Ok(())
}

impl Store {
    /// All cells of a target, by Region and control.
    pub async fn cells(&self, target: TargetId) -> Result<Vec<Cell>, StoreError> {
        let mut cells = Builder::new(SELECT);
        cells
            .push(" where target_id = ")
            .value(target)
            .push(" order by region, control");
        let cells: Vec<TargetCell> = self.db().all(cells.query()).await?;
        Ok(cells.into_iter().map(|of| of.cell).collect())
    }

    /// Which of a target's cells of some controls are settled.
    pub async fn settled_cells(
        &self,
        target: TargetId,
        controls: &BTreeSet<&ControlId>,
    ) -> Result<BTreeSet<CellKey>, StoreError> {
        let mut some = Builder::new("select region, control, ");
        some.push(STATUS_COLUMNS)
            .push(" from cell where target_id = ")
            .value(target)
            .push(" and control in (")
            .list(controls.iter().map(|control| control.as_str().into()))
            .push(")");
        let some: Vec<Standing> = self.db().all(some.query()).await?;
        let settled = some.into_iter().filter(|Standing(_, settled)| *settled);
        Ok(settled.map(|Standing(key, _)| key).collect())
    }

    /// Forgets cells whose control or Region is no longer wanted.
    pub async fn remove_cells(
        &self,
        lease: &Lease,
        keys: &[CellKey],
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        for keys in chunks(keys) {
            let mut delete = Builder::new("delete from cell where target_id = ");
            delete
                .value(lease.target)
                .push(" and (region, control) in (values ")
                .rows(keys.iter().map(|key| -> [Value; 2] {
                    [key.region.as_str().into(), key.control.as_str().into()]
                }))
                .push(")");
            tx.execute(delete.query()).await?;
        }
        tx.commit().await?;
        Ok(LeaseState::Held)
    }

    /// How many cells of each control have which status, over all targets.
    pub async fn cell_counts(&self) -> Result<Vec<CellCount>, StoreError> {
        self.counts(None).await
    }

    /// The same for one account.
    pub async fn account_cell_counts(&self, id: Uuid) -> Result<Vec<CellCount>, StoreError> {
        self.counts(Some(TargetId::Account(id))).await
    }

    async fn counts(&self, target: Option<TargetId>) -> Result<Vec<CellCount>, StoreError> {
        let mut count = Builder::new("select control, min(region) as region, ");
        count.push(STATUS_COLUMNS).push(", count(*) as n from cell");
        if let Some(target) = target {
            count.push(" where target_id = ").value(target);
        }
        count
            .push(" group by control, ")
            .push(STATUS_GROUPS)
            .push(" order by control");
        let groups: Vec<CellCount> = self.db().all(count.query()).await?;
        let mut counts: Vec<CellCount> = Vec::new();
        for group in groups {
            match counts
                .iter_mut()
                .rev()
                .take_while(|count| count.control == group.control)
                .find(|count| count.status == group.status)
            {
                Some(count) => count.cells += group.cells,
                None => counts.push(group),
            }
        }
        Ok(counts)
    }
}

/// A cell's columns.
fn values(target: TargetId, cell: &Cell) -> [Value; 18] {
    [
        target.into(),
        cell.key.region.as_str().into(),
        cell.key.control.as_str().into(),
        cell.revision.as_str().into(),
        cell.known.into(),
        cell.observed.as_ref().into(),
        cell.observed_at.into(),
        Value::json(&cell.drift),
        cell.drifted_since.into(),
        cell.desired.as_ref().into(),
        cell.repairs.in_a_row.into(),
        cell.repairs.last_at.into(),
        cell.waiver.map(|waiver| waiver.id).into(),
        cell.waiver.map(|waiver| waiver.until).into(),
        cell.waiting_for.as_ref().map(ControlId::as_str).into(),
        Value::maybe_json(cell.error.as_ref()),
        cell.attempts.into(),
        cell.due_at.into(),
    ]
}
