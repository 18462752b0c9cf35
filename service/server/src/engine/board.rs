//! The board of a pass: which cells there are, which may begin now, and which wait for which.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use landfall_controls::control::AnyControl;
use landfall_controls::registry;
use landfall_controls::session_policy::Sessions;
use landfall_model::cell::{Cell, CellKey};
use landfall_model::ids::{ControlId, Region, Revision, TargetId};
use serde_json::Value;

use super::cells::Work;

/// A cell of this pass.
pub(super) struct Slot {
    pub(super) control: &'static dyn AnyControl,
    pub(super) parameters: Value,
    pub(super) cell: Cell,
    pub(super) running: bool,
    /// Whether it was touched while it was running, so that this try may have looked too early.
    pub(super) touched: bool,
}

impl Slot {
    /// Whether it is at rest, and whoever waits for it need not wait any longer.
    pub(super) fn settled(&self) -> bool {
        !self.running && self.cell.status().is_settled()
    }
}

/// All cells of a target, by key.
pub(super) struct Board<'a> {
    pub(super) slots: BTreeMap<CellKey, Slot>,
    home: Region,
    organization_settled: &'a BTreeSet<CellKey>,
}

impl<'a> Board<'a> {
    /// The cells that the baseline wants, with what is remembered of them.
    pub(super) fn new(
        work: &'a Work<'_>,
        stored: Vec<Cell>,
        now: Timestamp,
    ) -> (Self, Vec<CellKey>) {
        let mut stored: BTreeMap<CellKey, Cell> = stored
            .into_iter()
            .map(|cell| (cell.key.clone(), cell))
            .collect();
        let zone = &work.place.landing_zone;
        let for_organization = work.lease.target == TargetId::Organization;
        let mut slots = BTreeMap::new();
        for (id, entry) in &work.baseline.controls {
            let control = registry::control(id)
                .expect("baselines are checked against the registry when they are read");
            let scope = control.descriptor().scope;
            if scope.is_organization() != for_organization {
                continue;
            }
            let regions = if scope.is_regional() {
                zone.governed_regions.as_slice()
            } else {
                std::slice::from_ref(&zone.home_region)
            };
            for region in regions.iter().filter(|region| entry.regions.hold(region)) {
                let key = CellKey {
                    region: region.clone(),
                    control: id.clone(),
                };
                let cell = stored
                    .remove(&key)
                    .unwrap_or_else(|| Cell::unseen(key.clone(), Revision::of(b""), now));
                slots.insert(
                    key,
                    Slot {
                        control,
                        parameters: entry.parameters_at(region, work.unit.as_ref()),
                        cell,
                        running: false,
                        touched: false,
                    },
                );
            }
        }
        let left_over = stored.into_keys().collect();
        (
            Board {
                slots,
                home: zone.home_region.clone(),
                organization_settled: &work.organization_settled,
            },
            left_over,
        )
    }

    /// The sessions in the target's account that all of its controls together take.
    pub(super) fn sessions(&self) -> Sessions {
        Sessions::of(self.slots.values().map(|slot| slot.control.descriptor()))
    }

    /// The cells that have to be in sync before this one: of the target itself, or else of the organization.
    pub(super) fn before(&self, key: &CellKey) -> Vec<(bool, CellKey)> {
        let descriptor = self.slots[key].control.descriptor();
        let first_region =
            (descriptor.first_region_alone && key.region != self.home).then(|| CellKey {
                region: self.home.clone(),
                ..key.clone()
            });
        let after = descriptor.after.iter().filter_map(|id| {
            let scope = registry::control(id)?.descriptor().scope;
            let region = if scope.is_regional() {
                key.region.clone()
            } else {
                self.home.clone()
            };
            let control = id.clone();
            let own = scope.is_organization() == descriptor.scope.is_organization();
            Some((own, CellKey { region, control }))
        });
        first_region
            .into_iter()
            .map(|key| (true, key))
            .chain(after)
            .collect()
    }

    /// The first control that a cell still has to wait for.
    fn waits_for(&self, key: &CellKey) -> Option<ControlId> {
        self.before(key)
            .into_iter()
            .find(|(own, before)| match own {
                true => !self.satisfied(before),
                false => !self.organization_settled.contains(before),
            })
            .map(|(_, before)| before.control)
    }

    /// Whether a cell of this target is settled, or is not wanted at all.
    fn satisfied(&self, key: &CellKey) -> bool {
        self.slots.get(key).is_none_or(Slot::settled)
    }

    /// Cells to begin now: due, at rest, and with nothing to wait for.
    pub(super) fn ready(&mut self, now: Timestamp) -> Vec<CellKey> {
        let due: Vec<CellKey> = self
            .slots
            .iter()
            .filter(|(_, slot)| !slot.running && slot.cell.due_at <= now)
            .map(|(key, _)| key.clone())
            .collect();
        let mut ready = Vec::new();
        for key in due {
            let waits_for = self.waits_for(&key);
            let slot = self
                .slots
                .get_mut(&key)
                .expect("the key comes from the board");
            slot.cell.waiting_for = waits_for;
            if slot.cell.waiting_for.is_none() {
                slot.running = true;
                ready.push(key);
            }
        }
        ready
    }

    /// Has cells looked at now, and those that run once more when they are through.
    pub(super) fn touch<'k>(&mut self, keys: impl Iterator<Item = &'k CellKey>, now: Timestamp) {
        for key in keys {
            if let Some(slot) = self.slots.get_mut(key) {
                slot.touched = slot.running;
                slot.cell.due_at = slot.cell.due_at.min(now);
            }
        }
    }

    /// When the next cell that waits for nothing but time is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.slots
            .values()
            .filter(|slot| !slot.running && slot.cell.waiting_for.is_none())
            .map(|slot| slot.cell.due_at)
            .min()
    }
}
