//! What a pass found, written down in one transaction: a cell, its history and its assets are never at odds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use landfall_model::cell::Cell;

use super::assets::AssetReport;
use super::error::StoreError;
use super::events::{self, NewEvent};
use super::lease::{Lease, LeaseState};
use super::{Store, Tell, Unchanged, assets, cells};

/// What came of looking at some of a target's cells. Each cell at most once, in `cells` or in `unchanged`.
#[derive(Clone, Copy, Debug)]
pub struct Results<'a> {
    pub cells: &'a [Cell],
    pub unchanged: &'a [Unchanged],
    pub events: &'a [NewEvent],
    pub assets: &'a [AssetReport],
    /// Whose the assets are.
    pub owner: &'a str,
    /// What the assets are tagged with: the account's tags.
    pub tags: &'a BTreeMap<String, String>,
}

impl Default for Results<'_> {
    /// Nothing, and of nobody.
    fn default() -> Self {
        static NO_TAGS: BTreeMap<String, String> = BTreeMap::new();
        Results {
            cells: &[],
            unchanged: &[],
            events: &[],
            assets: &[],
            owner: "",
            tags: &NO_TAGS,
        }
    }
}

impl Store {
    /// Writes results down under the lease, all of them or, when it is lost, none.
    pub async fn put_results(
        &self,
        lease: &Lease,
        results: &Results<'_>,
        now: Timestamp,
    ) -> Result<LeaseState, StoreError> {
        let Some(mut tx) = self.under(lease).await? else {
            return Ok(LeaseState::Lost);
        };
        cells::put_in(&mut tx, lease.target, results.cells).await?;
        cells::saw_in(&mut tx, lease.target, results.unchanged).await?;
        events::append(&mut tx, results.events, now).await?;
        if !results.assets.is_empty() {
            assets::put_in(
                &mut tx,
                lease.target,
                results.assets,
                results.owner,
                results.tags,
                now,
            )
            .await?;
        }
        let tell = [Tell::Events(lease.target)];
        let news: &[Tell] = if results.events.is_empty() {
            &[]
        } else {
            &tell
        };
        self.commit(tx, news).await?;
        Ok(LeaseState::Held)
    }
}
