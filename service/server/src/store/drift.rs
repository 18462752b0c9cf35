//! What differs from its baseline now, over all targets.

use jiff::{SignedDuration, Timestamp};

use landfall_model::ids::{AccountId, ControlId, Email, OuPath, Region, TargetId};

use super::accounts;
use super::cells::{self, TargetCell};
use super::error::StoreError;
use super::sql::{BadColumn, Builder, Row, Stored};
use super::{Page, Store};

/// Which drifted cells a list shows; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DriftFilter {
    pub target: Option<TargetId>,
    /// Only accounts of this OU and of those below.
    pub organizational_unit: Option<OuPath>,
    pub region: Option<Region>,
    pub control: Option<ControlId>,
    /// Only cells with this status, one of `CellStatus::NAMES`.
    pub status: Option<String>,
    /// Also what is accepted.
    pub waived: bool,
}

impl DriftFilter {
    /// The conditions that cells `c` and accounts `a` are to meet, the status aside.
    fn narrow(&self, list: &mut Builder) {
        if !self.waived {
            list.push(" and c.waiver_id is null");
        }
        if let Some(target) = self.target {
            list.push(" and c.target_id = ").value(target);
        }
        if let Some(unit) = &self.organizational_unit {
            list.push(" and ");
            accounts::within(list, "a.organizational_unit", unit);
        }
        if let Some(region) = &self.region {
            list.push(" and c.region = ").value(region.as_str());
        }
        if let Some(control) = &self.control {
            list.push(" and c.control = ").value(control.as_str());
        }
    }
}

/// Cells of a target of which it cannot be told whether they differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// The organization's own where there is none.
    pub account_id: Option<AccountId>,
    /// One of `CellStatus::NAMES`, or [`OVERDUE`] where nothing else is wrong with them.
    pub status: &'static str,
    pub cells: u64,
}

/// What is known of a cell is old: it should have been looked at, and nobody did.
pub const OVERDUE: &str = "overdue";

/// How late a look may be where nothing is known to stand in its way. There are other targets, too.
const LATE: SignedDuration = SignedDuration::from_mins(15);

impl Stored for Unseen {
    const TABLE: &'static str = "cell";
    const KEY: &'static str = "account_id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        let status = cells::alike(row)?.status().name();
        let tells = ["blocked", "stuck", "waiting", "unknown"].contains(&status);
        Ok(Unseen {
            account_id: row.maybe_name("account_id")?,
            status: match row.boolean("overdue")? && !tells {
                true => OVERDUE,
                false => status,
            },
            cells: row.number("n")?,
        })
    }
}

/// Whose cell it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Whose {
    pub account_id: AccountId,
    pub name: String,
    pub organizational_unit: OuPath,
    pub owner_email: Email,
}

/// A cell that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct DriftedCell {
    pub of: TargetCell,
    /// Nobody's but the organization's own where there is none.
    pub account: Option<Whose>,
}

impl Stored for DriftedCell {
    const TABLE: &'static str = "cell";
    const KEY: &'static str = "target_id";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        let account = match row.maybe_name("account_id")? {
            None => None,
            Some(account_id) => Some(Whose {
                account_id,
                name: row.text("name")?,
                organizational_unit: row.name("organizational_unit")?,
                owner_email: row.name("owner_email")?,
            }),
        };
        Ok(DriftedCell {
            of: TargetCell::read(row)?,
            account,
        })
    }
}

impl Store {
    /// What differs from its baseline now, the longest drifted first: of the organization and of governed accounts. What
    /// an account lacks while it is vended is not drift. `cursor` is the `next` of the page before.
    pub async fn drifted_cells(
        &self,
        filter: &DriftFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<DriftedCell>, StoreError> {
        let mut found = Vec::new();
        let mut cursor = cursor.map(str::to_owned);
        loop {
            let page = self.drift_page(filter, cursor.as_deref(), limit).await?;
            // A status is derived, so it is not for the database to filter by.
            found.extend(page.items.into_iter().filter(|drifted| {
                let status = drifted.of.cell.status();
                filter
                    .status
                    .as_ref()
                    .is_none_or(|name| name == status.name())
            }));
            cursor = page.next;
            if cursor.is_none() || found.len() > limit as usize {
                return Ok(Page::of(found, limit, place_of));
            }
        }
    }

    /// Cells of the same targets that are not known to differ, and not known to be in sync either: blocked, stuck, waiting,
    /// never looked at, or not when it was time: somebody paused their account, or a pass over it stops before it comes to
    /// them. The filter's status does not matter. What is converging is about to be known.
    pub async fn unseen_cells(
        &self,
        filter: &DriftFilter,
        now: Timestamp,
    ) -> Result<Vec<Unseen>, StoreError> {
        let mut count = Builder::new(
            "select account_id, min(control) as control, min(region) as region, overdue, ",
        );
        count
            .push(cells::STATUS_COLUMNS)
            .push(", count(*) as n from (");
        // Nearly all cells are in neither half, and neither half goes through all cells: the first has an index of its own,
        // the second asks only targets that are behind.
        unseen_in(
            &mut count,
            "cell c join target t on t.id = c.target_id",
            now,
        );
        count.push(" and (not c.known or c.error is not null or c.waiting_for is not null)");
        filter.narrow(&mut count);
        count.push(" union all ");
        // A cross join, since SQLite takes its order of tables for the order to go through them in.
        unseen_in(&mut count, "target t cross join cell c", now);
        count
            .push(" and c.target_id = t.id and c.known and c.error is null and c.waiting_for is null and c.due_at <= ")
            .value(now)
            .push(" and (t.paused_at is not null or t.last_error is not null or case when t.leased_by is null then t.due_at else t.due_since end <= ")
            .value(now - LATE)
            .push(")");
        filter.narrow(&mut count);
        count
            .push(
                ") as cells
             where overdue or not known or error is not null or waiting_for is not null
             group by account_id, overdue, ",
            )
            .push(cells::STATUS_GROUPS)
            .push(" order by account_id");
        let unseen: Vec<Unseen> = self.db().all(count.query()).await?;
        Ok(unseen
            .into_iter()
            .filter(|unseen| {
                [OVERDUE, "blocked", "stuck", "waiting", "unknown"].contains(&unseen.status)
            })
            .collect())
    }

    async fn drift_page(
        &self,
        filter: &DriftFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<DriftedCell>, StoreError> {
        let mut list = Builder::new(
            "select c.*, a.account_id, a.name, a.organizational_unit, a.owner_email
             from cell c left join account a on a.id = c.target_id
             where c.drifted_since is not null and (a.id is null or a.phase = 'governed')",
        );
        filter.narrow(&mut list);
        if let Some((since, target, region, control)) = cursor.and_then(place) {
            list.push(" and (c.drifted_since, c.target_id, c.region, c.control) > (")
                .list([since.into(), target.into(), region.into(), control.into()])
                .push(")");
        }
        list.push(" order by c.drifted_since, c.target_id, c.region, c.control limit ")
            .value(limit.saturating_add(1));
        let cells = self.db().all(list.query()).await?;
        Ok(Page::of(cells, limit, place_of))
    }
}

/// Begins a list of cells `c` of targets `t` and accounts `a`, of which drift would be told and none is known.
fn unseen_in(list: &mut Builder, cells_of_targets: &'static str, now: Timestamp) {
    list.push("select c.*, a.account_id, c.due_at <= case when t.paused_at is null and t.last_error is null then ")
        .value(now - LATE)
        .push(" else ")
        .value(now)
        .push(" end as overdue from ")
        .push(cells_of_targets)
        .push(
            " left join account a on a.id = c.target_id
             where c.drifted_since is null and (a.id is null or a.phase = 'governed')",
        );
}

/// Where a cell stands in the list.
fn place_of(drifted: &DriftedCell) -> String {
    let TargetCell { target, cell } = &drifted.of;
    let since = cell.drifted_since.map_or(0, Timestamp::as_millisecond);
    format!("{since}|{target}|{}|{}", cell.key.region, cell.key.control)
}

/// A place in the list; a cursor that is not one begins at the beginning.
fn place(cursor: &str) -> Option<(i64, &str, &str, &str)> {
    let mut parts = cursor.split('|');
    let since = parts.next()?.parse().ok()?;
    Some((since, parts.next()?, parts.next()?, parts.next()?))
}
