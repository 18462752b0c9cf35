//! Cells: what was last seen of each control on each target in each Region.

use jiff::Timestamp;
use uuid::Uuid;

use landfall_model::cell::{Cell, CellKey};
use landfall_model::cloud_error::{CloudErrorKind, StoredError};
use landfall_model::ids::{ControlId, Region, Revision, TargetId};

use super::error::StoreError;
use super::events::{self, NewEvent};
use super::lease::{self, Lease, LeaseState};
use super::sql::{BadColumn, Builder, Row, Stored, Value};
use super::{Page, Store, Tell, chunks};

/// A cell and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetCell {
    pub target: TargetId,
    pub cell: Cell,
}

/// Which drifted cells a list shows; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DriftFilter {
    pub target: Option<TargetId>,
    pub region: Option<Region>,
    pub control: Option<ControlId>,
}

/// How many cells of a control have a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellCount {
    pub control: ControlId,
    /// One of `CellStatus::NAMES`.
    pub status: &'static str,
    pub cells: u64,
}

const SELECT: &str = "select target_id, region, control, revision, known, observed, observed_at, drift, drifted_since,
    waiting_for, error, attempts, due_at from cell";

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
                observed: row.maybe_json("observed")?,
                observed_at: row.maybe_time("observed_at")?,
                drift: row.json("drift")?,
                drifted_since: row.maybe_time("drifted_since")?,
                waiting_for: row.maybe_name("waiting_for")?,
                error: row.maybe_json("error")?,
                attempts: row.number("attempts")?,
                due_at: row.time("due_at")?,
            },
        })
    }
}

impl Stored for CellCount {
    const TABLE: &'static str = "cell";
    const KEY: &'static str = "control";

    /// Cells that are alike in everything that a status depends on are counted together; one of them is made up here, so
    /// that `Cell::status` decides for them too.
    fn read(row: &Row) -> Result<Self, BadColumn> {
        let control: ControlId = row.name("control")?;
        let error_kind: Option<CloudErrorKind> = row.maybe_word("error_kind")?;
        let alike = Cell {
            key: CellKey {
                region: row.name("region")?,
                control: control.clone(),
            },
            revision: Revision::stored(String::new()),
            known: row.boolean("known")?,
            observed: None,
            observed_at: None,
            drift: match row.boolean("in_order")? {
                true => Vec::new(),
                false => vec![String::new()],
            },
            drifted_since: None,
            waiting_for: row.boolean("waits")?.then(|| control.clone()),
            error: error_kind.map(|kind| StoredError {
                kind,
                operation: String::new(),
                message: String::new(),
                request_id: None,
            }),
            attempts: row.number("attempts")?,
            due_at: Timestamp::UNIX_EPOCH,
        };
        Ok(CellCount {
            control,
            status: alike.status().name(),
            cells: row.number("n")?,
        })
    }
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

    /// Records what is known of some of the lease's cells, and what happened to them, at once. Each key at most once.
    pub async fn put_cells(
        &self,
        lease: &Lease,
        cells: &[Cell],
        events: &[NewEvent],
        now: Timestamp,
    ) -> Result<LeaseState, StoreError> {
        let mut tx = self.db().begin().await?;
        if lease::hold(&mut tx, lease).await? == LeaseState::Lost {
            return Ok(LeaseState::Lost);
        }
        for cells in chunks(cells) {
            let mut upsert = Builder::new(
                "insert into cell (target_id, region, control, revision, known, observed, observed_at, drift,
                    drifted_since, waiting_for, error, attempts, due_at) values ",
            );
            upsert.rows(cells.iter().map(|cell| values(lease.target, cell)));
            upsert.push(
                " on conflict (target_id, region, control) do update set revision = excluded.revision,
                    known = excluded.known, observed = excluded.observed, observed_at = excluded.observed_at,
                    drift = excluded.drift, drifted_since = excluded.drifted_since, waiting_for = excluded.waiting_for,
                    error = excluded.error, attempts = excluded.attempts, due_at = excluded.due_at",
            );
            tx.execute(upsert.query()).await?;
        }
        events::append(&mut tx, events, now).await?;
        let tell = [Tell::Events(lease.target)];
        self.commit(tx, if events.is_empty() { &[] } else { &tell })
            .await?;
        Ok(LeaseState::Held)
    }

    /// Forgets cells whose control or Region is no longer wanted.
    pub async fn remove_cells(
        &self,
        lease: &Lease,
        keys: &[CellKey],
    ) -> Result<LeaseState, StoreError> {
        let mut tx = self.db().begin().await?;
        if lease::hold(&mut tx, lease).await? == LeaseState::Lost {
            return Ok(LeaseState::Lost);
        }
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

    /// What differs from its baseline now, the longest drifted first. `cursor` is the `next` of the page before.
    pub async fn drifted_cells(
        &self,
        filter: &DriftFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<TargetCell>, StoreError> {
        let mut list = Builder::new(SELECT);
        list.push(" where drifted_since is not null");
        if let Some(target) = filter.target {
            list.push(" and target_id = ").value(target);
        }
        if let Some(region) = &filter.region {
            list.push(" and region = ").value(region.as_str());
        }
        if let Some(control) = &filter.control {
            list.push(" and control = ").value(control.as_str());
        }
        if let Some((since, target, region, control)) = cursor.and_then(place) {
            list.push(" and (drifted_since, target_id, region, control) > (")
                .list([since.into(), target.into(), region.into(), control.into()])
                .push(")");
        }
        list.push(" order by drifted_since, target_id, region, control limit ")
            .value(limit.saturating_add(1));
        let cells = self.db().all(list.query()).await?;
        Ok(Page::of(cells, limit, |of: &TargetCell| {
            let since = of.cell.drifted_since.map_or(0, Timestamp::as_millisecond);
            let key = &of.cell.key;
            format!("{since}|{}|{}|{}", of.target, key.region, key.control)
        }))
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
        let mut count = Builder::new(
            "select control, min(region) as region, known, attempts, cast(error ->> 'kind' as text) as error_kind,
                waiting_for is not null as waits, cast(drift as text) = '[]' as in_order, count(*) as n
             from cell",
        );
        if let Some(target) = target {
            count.push(" where target_id = ").value(target);
        }
        count.push(
            " group by control, known, attempts, cast(error ->> 'kind' as text), waiting_for is not null,
                cast(drift as text) = '[]'
             order by control",
        );
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
fn values(target: TargetId, cell: &Cell) -> [Value; 13] {
    [
        target.into(),
        cell.key.region.as_str().into(),
        cell.key.control.as_str().into(),
        cell.revision.as_str().into(),
        cell.known.into(),
        Value::maybe_json(cell.observed.as_ref()),
        cell.observed_at.into(),
        Value::json(&cell.drift),
        cell.drifted_since.into(),
        cell.waiting_for.as_ref().map(ControlId::as_str).into(),
        Value::maybe_json(cell.error.as_ref()),
        cell.attempts.into(),
        cell.due_at.into(),
    ]
}

/// A place in the list of drifted cells; a cursor that is not one begins at the beginning.
fn place(cursor: &str) -> Option<(i64, &str, &str, &str)> {
    let mut parts = cursor.split('|');
    let since = parts.next()?.parse().ok()?;
    Some((since, parts.next()?, parts.next()?, parts.next()?))
}
