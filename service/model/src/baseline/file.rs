//! A baseline's file as it is written.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;

use super::entry::{Entry, Parameters, Regions, Says};
use crate::ids::{ControlId, OuPath, Region};
use crate::landing_zone::SettingsError;
use crate::repair::Repair;

/// A file that is well formed by itself.
pub(super) struct File<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) extends: Option<String>,
    pub(super) without: Vec<LeftOut>,
    pub(super) controls: Vec<Said>,
}

/// An inherited control that is not to hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LeftOut {
    pub(super) id: Spanned<ControlId>,
    pub(super) reason: String,
}

/// What the file itself says of a control.
pub(super) struct Said {
    pub(super) id: ControlId,
    /// Where the id stands in the text.
    pub(super) at: usize,
    pub(super) entry: Entry,
    pub(super) says: Says,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    name: String,
    description: String,
    extends: Option<String>,
    #[serde(default)]
    without: Vec<LeftOut>,
    #[serde(default, rename = "control")]
    controls: Vec<ControlForm>,
}

#[derive(Deserialize)]
struct ControlForm {
    id: Spanned<ControlId>,
    regions: Option<BTreeSet<Region>>,
    except_regions: Option<BTreeSet<Region>>,
    repair: Option<Repair>,
    #[serde(default)]
    region: BTreeMap<Region, toml::Table>,
    #[serde(default)]
    organizational_unit: BTreeMap<OuPath, toml::Table>,
    #[serde(flatten)]
    parameters: toml::Table,
}

impl File<'_> {
    /// A rule that the file breaks, at the first place after `at` where `needle` stands.
    pub(super) fn broken(&self, at: usize, needle: &str, rule: String) -> SettingsError {
        SettingsError::rule_after(self.file, self.text, at, needle, rule)
    }
}

/// Reads all files; by the names of the baselines.
pub(super) fn parse(
    files: &[(String, String)],
) -> Result<BTreeMap<String, File<'_>>, SettingsError> {
    let mut parsed = BTreeMap::new();
    for (file, text) in files {
        let form: Form =
            toml::from_str(text).map_err(|error| SettingsError::parse(file, text, &error))?;
        let mut one = File {
            file,
            text,
            name: form.name,
            description: form.description,
            extends: form.extends,
            without: form.without,
            controls: Vec::new(),
        };
        let mut seen = BTreeSet::new();
        for control in form.controls {
            let said = said(&one, control)?;
            if !seen.insert(said.id.clone()) {
                let rule = format!("the control {} is there twice", said.id);
                return Err(one.broken(said.at, "", rule));
            }
            one.controls.push(said);
        }
        if parsed.contains_key(&one.name) {
            let rule = format!("there are two baselines named {}", one.name);
            return Err(one.broken(0, &one.name, rule));
        }
        parsed.insert(one.name.clone(), one);
    }
    Ok(parsed)
}

fn said(file: &File<'_>, form: ControlForm) -> Result<Said, SettingsError> {
    let at = form.id.span().start;
    let id = form.id.into_inner();
    let says = Says {
        regions: form.regions.is_some() || form.except_regions.is_some(),
        repair: form.repair.is_some(),
    };
    let regions = match (form.regions, form.except_regions) {
        (None, None) => Regions::All,
        (Some(regions), None) if regions.is_empty() => {
            let rule = format!(
                "control {id} holds in no Region: leave it out, with [[without]] where it is inherited"
            );
            return Err(file.broken(at, "regions", rule));
        }
        (Some(regions), None) => Regions::Only(regions),
        (None, Some(regions)) if regions.is_empty() => Regions::All,
        (None, Some(regions)) => Regions::Except(regions),
        (Some(_), Some(_)) => {
            let rule = format!("control {id} has both regions and except_regions: give one");
            return Err(file.broken(at, "except_regions", rule));
        }
    };
    let entry = Entry {
        parameters: json(&form.parameters),
        organizational_unit: form
            .organizational_unit
            .iter()
            .map(|(path, table)| (path.clone(), json(table)))
            .collect(),
        region: form
            .region
            .iter()
            .map(|(region, table)| (region.clone(), json(table)))
            .collect(),
        regions,
        repair: form.repair.unwrap_or_default(),
    };
    Ok(Said {
        id,
        at,
        entry,
        says,
    })
}

fn json(table: &toml::Table) -> Parameters {
    table
        .iter()
        .map(|(name, value)| {
            let value = serde_json::to_value(value).expect("TOML values have a JSON form");
            (name.clone(), value)
        })
        .collect()
}
