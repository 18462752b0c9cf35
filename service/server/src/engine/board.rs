//! The board of a pass: which cells there are, which may begin now, and which wait for which.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use landfall_controls::control::{AnyControl, Desired};
use landfall_controls::registry;
use landfall_controls::session_policy::Sessions;
use landfall_model::baseline::Baseline;
use landfall_model::cell::{Cell, CellKey};
use landfall_model::control::Descriptor;
use landfall_model::ids::{ControlId, Region, Revision, TargetId};
use landfall_model::place::Place;
use serde_json::Value;

use super::cells::Work;

/// A cell of this pass.
pub(super) struct Slot {
    pub(super) control: &'static dyn AnyControl,
    pub(super) parameters: Arc<Value>,
    pub(super) place: Arc<Place>,
    /// What the cell must have, where that was found out and no try has taken it yet.
    pub(super) desired: Option<Desired>,
    pub(super) cell: Cell,
    /// The cell as it stands in the database, if it does.
    pub(super) stored: Option<Arc<Cell>>,
    /// The cells that have to be in sync first.
    before: Vec<Before>,
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

/// A cell that has to be in sync before another one.
struct Before {
    key: CellKey,
    /// Whether it is the target's own; otherwise it is the organization's.
    own: bool,
}

/// All cells of a target, by key.
pub(super) struct Board<'a> {
    pub(super) slots: BTreeMap<CellKey, Slot>,
    /// Of the organization's cells that are awaited.
    organization_settled: &'a BTreeSet<CellKey>,
    /// Cells of the target that others of it wait for.
    awaited: BTreeSet<CellKey>,
}

/// What the end of a try means for the rest of its pass.
pub(super) struct Ended {
    /// The cell is settled and was not before.
    pub(super) news: bool,
    /// Another cell may have waited for this.
    pub(super) frees: bool,
    /// When this cell is due again.
    pub(super) due_at: Timestamp,
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
        let in_region = |region: &Region| {
            let region = region.clone();
            Arc::new(Place {
                region,
                ..work.place.clone()
            })
        };
        let mut places: BTreeMap<&Region, Arc<Place>> = BTreeMap::new();
        let mut slots = BTreeMap::new();
        for (id, entry) in work.baseline.controls.as_ref() {
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
            let everywhere = Arc::new(entry.parameters_for(work.unit.as_ref()));
            for region in regions.iter().filter(|region| entry.regions.hold(region)) {
                let key = CellKey {
                    region: region.clone(),
                    control: id.clone(),
                };
                let stored = stored.remove(&key).map(Arc::new);
                let cell = match &stored {
                    Some(cell) => Cell::clone(cell),
                    None => Cell::unseen(key.clone(), Revision::of(b""), now),
                };
                let parameters = match entry.region.contains_key(region) {
                    true => Arc::new(entry.parameters_at(region, work.unit.as_ref())),
                    false => everywhere.clone(),
                };
                let place = places.entry(region).or_insert_with(|| in_region(region));
                slots.insert(
                    key,
                    Slot {
                        control,
                        parameters,
                        place: place.clone(),
                        desired: None,
                        before: before(control.descriptor(), region, &zone.home_region),
                        cell,
                        stored,
                        running: false,
                        touched: false,
                    },
                );
            }
        }
        let left_over = stored.into_keys().collect();
        let before = slots.values().flat_map(|slot| &slot.before);
        let awaited = before.filter(|before| before.own);
        let awaited = awaited.map(|before| before.key.clone()).collect();
        (
            Board {
                slots,
                organization_settled: &work.organization_settled,
                awaited,
            },
            left_over,
        )
    }

    /// The sessions in the target's account that all of its controls together take.
    pub(super) fn sessions(&self) -> Sessions {
        Sessions::of(self.slots.values().map(|slot| slot.control.descriptor()))
    }

    /// The cells of the target itself that have to be in sync before this one.
    pub(super) fn own_before(&self, key: &CellKey) -> impl Iterator<Item = &CellKey> {
        let slot = self.slots.get(key);
        let before = slot.map_or(&[][..], |slot| &slot.before);
        before
            .iter()
            .filter(|before| before.own)
            .map(|before| &before.key)
    }

    /// The first control that a cell still has to wait for.
    fn waits_for<'s>(&self, slot: &'s Slot) -> Option<&'s ControlId> {
        let unsettled = |before: &&Before| match before.own {
            true => !self.satisfied(&before.key),
            false => !self.organization_settled.contains(&before.key),
        };
        let first = slot.before.iter().find(unsettled);
        first.map(|before| &before.key.control)
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
            let waiting_for = self.waits_for(&self.slots[&key]).cloned();
            let slot = self
                .slots
                .get_mut(&key)
                .expect("the key comes from the board");
            slot.running = waiting_for.is_none();
            slot.cell.waiting_for = waiting_for;
            if slot.running {
                ready.push(key);
            }
        }
        ready
    }

    /// Takes in what came of a try.
    pub(super) fn ended(&mut self, cell: Cell, now: Timestamp) -> Ended {
        let slot = self
            .slots
            .get_mut(&cell.key)
            .expect("attempts are made of the board's cells");
        let was = slot.cell.status();
        slot.running = false;
        slot.stored = Some(Arc::new(cell.clone()));
        slot.cell = cell;
        if std::mem::take(&mut slot.touched) {
            slot.cell.due_at = now;
        }
        let settled = slot.settled();
        Ended {
            news: settled && !was.is_settled(),
            frees: settled && self.awaited.contains(&slot.cell.key),
            due_at: slot.cell.due_at,
        }
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

/// The organization's controls that those of an account's baseline wait for.
pub(super) fn awaited_of_organization(baseline: &Baseline) -> BTreeSet<&'static ControlId> {
    let controls = baseline.controls.keys().filter_map(registry::control);
    controls
        .flat_map(|control| &control.descriptor().after)
        .filter(|id| {
            registry::control(id)
                .is_some_and(|control| control.descriptor().scope.is_organization())
        })
        .collect()
}

/// What has to be in sync before a control in a Region.
fn before(control: &Descriptor, region: &Region, home: &Region) -> Vec<Before> {
    let first_region = (control.first_region_alone && region != home).then(|| Before {
        key: CellKey {
            region: home.clone(),
            control: control.id.clone(),
        },
        own: true,
    });
    let after = control.after.iter().filter_map(|id| {
        let scope = registry::control(id)?.descriptor().scope;
        let region = if scope.is_regional() { region } else { home };
        Some(Before {
            key: CellKey {
                region: region.clone(),
                control: id.clone(),
            },
            own: scope.is_organization() == control.scope.is_organization(),
        })
    });
    first_region.into_iter().chain(after).collect()
}
