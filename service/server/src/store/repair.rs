//! Repair on demand: a wish that stands with each cell until a look after it finds the cell in sync.

use jiff::Timestamp;

use landfall_model::event::EventKind;
use landfall_model::ids::{ControlId, Region, TargetId};

use super::error::StoreError;
use super::events::{self, NewEvent};
use super::lease;
use super::sql::{BadColumn, Builder, Row, Stored};
use super::{Store, Tell};

/// Which of a target's cells are to be repaired. An empty list means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepairScope {
    pub controls: Vec<ControlId>,
    pub regions: Vec<Region>,
}

/// What a wish for repair met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedRepair {
    /// The cells that are looked at now, and repaired where they differ.
    pub cells: u64,
    /// Those that are left alone, since their deviation is accepted.
    pub waived: u64,
}

impl Stored for AskedRepair {
    const TABLE: &'static str = "cell";
    const KEY: &'static str = "cells";

    fn read(row: &Row) -> Result<Self, BadColumn> {
        Ok(AskedRepair {
            cells: row.number("cells")?,
            waived: row.number("waived")?,
        })
    }
}

impl RepairScope {
    fn condition(&self, statement: &mut Builder, target: TargetId) {
        statement.push(" where target_id = ").value(target);
        if !self.controls.is_empty() {
            statement
                .push(" and control in (")
                .list(self.controls.iter().map(|control| control.as_str().into()))
                .push(")");
        }
        if !self.regions.is_empty() {
            statement
                .push(" and region in (")
                .list(self.regions.iter().map(|region| region.as_str().into()))
                .push(")");
        }
    }

    /// The scope in words: "config.recorder in eu-west-1".
    fn sentence(&self) -> String {
        let list = |names: Vec<&str>, all: &str| match names.as_slice() {
            [] => all.to_owned(),
            names => names.join(", "),
        };
        let controls = self.controls.iter().map(ControlId::as_str).collect();
        let regions = self.regions.iter().map(Region::as_str).collect();
        format!(
            "{} in {}",
            list(controls, "every control"),
            list(regions, "every Region")
        )
    }
}

impl Store {
    /// Wants cells of a target repaired, whether or not their control is repaired by itself. They are looked at now. Cells
    /// with a waiver are left out.
    pub async fn ask_repair(
        &self,
        target: TargetId,
        scope: &RepairScope,
        actor: &str,
        now: Timestamp,
    ) -> Result<AskedRepair, StoreError> {
        let mut tx = self.db().begin().await?;
        lease::lock(&mut tx, target).await?;
        let mut count = Builder::new(
            "select count(*) - count(waiver_id) as cells, count(waiver_id) as waived from cell",
        );
        scope.condition(&mut count, target);
        let asked: AskedRepair = tx.one(count.query()).await?.unwrap_or(AskedRepair {
            cells: 0,
            waived: 0,
        });
        if asked.cells == 0 {
            tx.rollback().await?;
            return Ok(asked);
        }
        let mut ask = Builder::new("update cell set repair_asked_at = ");
        ask.value(now);
        scope.condition(&mut ask, target);
        ask.push(" and waiver_id is null");
        tx.execute(ask.query()).await?;
        let event = NewEvent {
            detail: serde_json::json!({
                "controls": scope.controls, "regions": scope.regions, "cells": asked.cells,
            }),
            ..NewEvent::by(
                actor,
                target,
                EventKind::RepairRequested,
                format!("Repair asked for: {}", scope.sentence()),
            )
        };
        events::append(&mut tx, std::slice::from_ref(&event), now).await?;
        lease::wake_in(&mut tx, target, now, 1).await?;
        self.commit(tx, &[Tell::Due, Tell::Events(target)]).await?;
        Ok(asked)
    }
}
