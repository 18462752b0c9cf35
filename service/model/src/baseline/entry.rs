//! What a baseline says of one control: its parameters, how they differ from place to place, and where it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::{OuPath, Region};
use crate::repair::Repair;

/// Parameters by name, as JSON: what the control itself reads and checks.
pub type Parameters = Map<String, Value>;

/// One control of a baseline.
///
/// Stored with each revision. A new field says nothing where it has its default (`skip_serializing_if`), so that it
/// neither makes a new revision of every baseline nor keeps an old one from being read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// What holds where nothing more particular is said.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub parameters: Parameters,
    /// What is different in an OU and those below it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub organizational_unit: BTreeMap<OuPath, Parameters>,
    /// What is different in a Region.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub region: BTreeMap<Region, Parameters>,
    #[serde(default, skip_serializing_if = "Regions::are_all")]
    pub regions: Regions,
    /// Whether drift is repaired by itself.
    #[serde(default, skip_serializing_if = "is_auto")]
    pub repair: Repair,
}

/// Where a regional control holds, among the governed Regions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Regions {
    #[default]
    All,
    Only(BTreeSet<Region>),
    Except(BTreeSet<Region>),
}

impl Regions {
    pub fn hold(&self, region: &Region) -> bool {
        match self {
            Regions::All => true,
            Regions::Only(regions) => regions.contains(region),
            Regions::Except(regions) => !regions.contains(region),
        }
    }

    fn are_all(&self) -> bool {
        *self == Regions::All
    }
}

/// How particular a parameter is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Everywhere,
    OrganizationalUnit(OuPath),
    Region(Region),
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Level::Everywhere => f.write_str("everywhere"),
            Level::OrganizationalUnit(path) => path.fmt(f),
            Level::Region(region) => region.fmt(f),
        }
    }
}

/// What an entry says for itself, and does not leave to the one that it inherits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Says {
    pub(super) regions: bool,
    pub(super) repair: bool,
}

impl Entry {
    /// What the control is told for an account of `unit` wherever nothing is said of the Region.
    pub fn parameters_for(&self, unit: Option<&OuPath>) -> Value {
        self.merged(None, unit)
    }

    /// What the control is told for an account of `unit` in `region`. The more particular says more: an OU over
    /// everywhere, an inner OU over those above it, and a Region over all of them, since what is said of a Region is
    /// mostly what AWS does not have there.
    pub fn parameters_at(&self, region: &Region, unit: Option<&OuPath>) -> Value {
        self.merged(Some(region), unit)
    }

    fn merged(&self, region: Option<&Region>, unit: Option<&OuPath>) -> Value {
        let units = unit.map(OuPath::with_ancestors).unwrap_or_default();
        let levels = units
            .iter()
            .filter_map(|unit| self.organizational_unit.get(unit))
            .chain(region.and_then(|region| self.region.get(region)));
        let mut parameters = self.parameters.clone();
        for level in levels {
            merge(&mut parameters, level);
        }
        Value::Object(parameters)
    }

    /// Every set of parameters that some place may get, with the most particular level that it takes.
    pub(super) fn variants(&self) -> Vec<(Level, Value)> {
        let units = || std::iter::once(None).chain(self.organizational_unit.keys().map(Some));
        let regions = || std::iter::once(None).chain(self.region.keys().map(Some));
        let level = |unit: Option<&OuPath>, region: Option<&Region>| match (unit, region) {
            (_, Some(region)) => Level::Region(region.clone()),
            (Some(unit), None) => Level::OrganizationalUnit(unit.clone()),
            (None, None) => Level::Everywhere,
        };
        regions()
            .flat_map(|region| {
                units().map(move |unit| (level(unit, region), self.merged(region, unit)))
            })
            .collect()
    }

    /// The parameters of a level, and none where it says nothing.
    pub fn level(&self, level: &Level) -> Option<&Parameters> {
        match level {
            Level::Everywhere => Some(&self.parameters),
            Level::OrganizationalUnit(path) => self.organizational_unit.get(path),
            Level::Region(region) => self.region.get(region),
        }
    }

    /// Every level that says something, the most general first.
    pub fn levels(&self) -> impl Iterator<Item = (Level, &Parameters)> {
        let units = self.organizational_unit.iter();
        let regions = self.region.iter();
        std::iter::once((Level::Everywhere, &self.parameters))
            .chain(units.map(|(path, said)| (Level::OrganizationalUnit(path.clone()), said)))
            .chain(regions.map(|(region, said)| (Level::Region(region.clone()), said)))
    }

    /// This entry over an inherited one: parameters by name, on each level by itself; where the control holds as a
    /// whole, and whether it is repaired, where `says` has it so.
    pub(super) fn over(&self, inherited: &Entry, says: Says) -> Entry {
        let mut entry = inherited.clone();
        merge(&mut entry.parameters, &self.parameters);
        for (path, parameters) in &self.organizational_unit {
            merge(
                entry.organizational_unit.entry(path.clone()).or_default(),
                parameters,
            );
        }
        for (region, parameters) in &self.region {
            merge(entry.region.entry(region.clone()).or_default(), parameters);
        }
        if says.regions {
            entry.regions = self.regions.clone();
        }
        if says.repair {
            entry.repair = self.repair;
        }
        entry
    }
}

fn is_auto(repair: &Repair) -> bool {
    *repair == Repair::Auto
}

/// A parameter takes the place of one with its name, whatever is in it: lists are not put together.
fn merge(parameters: &mut Parameters, more: &Parameters) {
    for (name, value) in more {
        parameters.insert(name.clone(), value.clone());
    }
}
