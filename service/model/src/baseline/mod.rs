//! Baselines: named sets of controls with their parameters. Data for a security engineer to review, not code.
//!
//! A file says what is different about it; `file` reads it, `resolve` puts it over the baseline that it extends and
//! checks the whole. What comes of that, a `Baseline`, is what accounts are pinned to: it depends on no file any more,
//! can be stored and read back, and its revision is the same for two that say the same.

mod entry;
mod file;
mod resolve;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

pub use entry::{Entry, Level, Parameters, Regions};

use crate::control::Scope;
use crate::ids::{ControlId, Region, Revision};
use crate::landing_zone::{LandingZone, SettingsError};
use crate::repair::Repair;

/// The baseline of the organization itself.
pub const ORGANIZATION: &str = "organization";

/// The baseline of accounts whose OU says nothing else.
pub const FOUNDATION: &str = "foundation";

/// The baseline of the management account, unless the landing zone names another.
pub const MANAGEMENT: &str = "management";

/// A baseline with everything it inherits. Cheap to clone: hundreds of accounts have the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    pub name: String,
    pub controls: Arc<BTreeMap<ControlId, Entry>>,
    pub revision: Revision,
}

impl Baseline {
    pub(crate) fn new(name: String, controls: BTreeMap<ControlId, Entry>) -> Self {
        // The maps are sorted, so that neither order nor white space nor comments of a file make a difference.
        let content = serde_json::to_vec(&(&name, &controls)).expect("entries are plain data");
        Baseline {
            name,
            controls: Arc::new(controls),
            revision: Revision::of(&content),
        }
    }

    /// Whether it has a control, given by its id.
    pub fn has(&self, control: &str) -> bool {
        self.controls.keys().any(|id| id.as_str() == control)
    }

    /// Whether drift of a control is repaired by itself.
    pub fn repair(&self, control: &ControlId) -> Repair {
        self.controls
            .get(control)
            .map_or(Repair::default(), |entry| entry.repair)
    }

    /// What the revision is a hash of, for storing.
    pub fn content(&self) -> Value {
        serde_json::to_value(self.controls.as_ref()).expect("entries are plain data")
    }

    /// A baseline as it was stored, under the revision that it had then: a later version of the program may say the same
    /// in other words.
    pub fn stored(
        name: String,
        revision: Revision,
        content: Value,
    ) -> Result<Self, serde_json::Error> {
        Ok(Baseline {
            name,
            controls: Arc::new(serde_json::from_value(content)?),
            revision,
        })
    }

    /// Whether the controls that there are now take every parameter; what is wrong where they do not.
    pub fn check(
        &self,
        check: impl Fn(&ControlId, &Value) -> Result<Scope, String>,
    ) -> Result<(), String> {
        for (id, entry) in self.controls.as_ref() {
            for (_, parameters) in entry.variants() {
                check(id, &parameters).map_err(|wrong| format!("control {id}: {wrong}"))?;
            }
        }
        Ok(())
    }
}

/// A baseline and what its files say around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    pub baseline: Baseline,
    pub description: String,
    /// The file that defines it.
    pub file: String,
    pub extends: Option<String>,
    /// Inherited controls that do not hold, and why.
    pub without: BTreeMap<ControlId, LeftOut>,
    /// The file that each value comes from.
    pub origins: BTreeMap<(ControlId, Slot), String>,
}

/// Why an inherited control does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    pub reason: String,
    pub file: String,
}

/// Which part of a control's entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// That the control holds at all.
    Control,
    /// In which Regions.
    Regions,
    /// Whether it is repaired by itself.
    Repair,
    /// A parameter, by name, where the level says.
    Parameter(Level, String),
}

/// All baselines by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Baselines(BTreeMap<String, Definition>);

impl Baselines {
    /// Reads files given as (name, text), resolves `extends`, and checks everything against the landing zone. `check`
    /// judges a control's parameters: it says what is wrong with them, for instance that there is no such control, or
    /// which scope the control has.
    pub fn parse(
        files: &[(String, String)],
        zone: &LandingZone,
        check: impl Fn(&ControlId, &Value) -> Result<Scope, String>,
    ) -> Result<Self, SettingsError> {
        let parsed = file::parse(files)?;
        resolve::all(&parsed, zone, &check).map(Baselines)
    }

    pub fn get(&self, name: &str) -> Option<&Baseline> {
        self.0.get(name).map(|definition| &definition.baseline)
    }

    /// A baseline with what its files say around it.
    pub fn definition(&self, name: &str) -> Option<&Definition> {
        self.0.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Baseline> {
        self.0.values().map(|definition| &definition.baseline)
    }

    pub fn definitions(&self) -> impl Iterator<Item = &Definition> {
        self.0.values()
    }
}

/// The Regions of `zone` in which an entry holds.
pub fn holds_in<'a>(entry: &'a Entry, zone: &'a LandingZone) -> BTreeSet<&'a Region> {
    zone.governed_regions
        .iter()
        .filter(|region| entry.regions.hold(region))
        .collect()
}

#[cfg(test)]
mod tests;
