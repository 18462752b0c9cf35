//! The data that travels in the binary: baselines and service control policies. A directory given at start takes the
//! place of what is embedded, as a whole.

use std::path::Path;

use anyhow::Context;
use landfall_controls::registry;
use landfall_model::baseline::{self, Baselines};
use landfall_model::landing_zone::{LandingZone, OrganizationalUnit, SettingsError};
use landfall_model::scp::ScpSet;
use rust_embed::RustEmbed;

use crate::scp_check;
use crate::scp_check::files::ScpFiles;

#[derive(RustEmbed)]
#[folder = "../../baselines"]
#[include = "*.toml"]
struct EmbeddedBaselines;

/// What accounts must have, and what they must not do.
#[derive(Clone, Debug)]
pub struct Catalogue {
    pub baselines: Baselines,
    pub scps: ScpSet,
    /// What the policies were read from.
    pub scp_files: ScpFiles,
}

impl Catalogue {
    /// Reads and checks everything against the landing zone and the registry of controls. Policies that would lock Landfall out, or
    /// do not fit, are refused.
    pub fn load(
        zone: &LandingZone,
        baselines: Option<&Path>,
        scps: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let files = match baselines {
            Some(directory) => read(directory, &["toml"])?,
            None => embedded::<EmbeddedBaselines>("baselines/"),
        };
        let baselines = Baselines::parse(&files, zone, registry::check)?;
        check_names(&baselines, zone)?;
        let scp_files = match scps {
            Some(directory) => ScpFiles::read(directory)?,
            None => ScpFiles::embedded(),
        };
        let scps = scp_files.parse(zone)?;
        scp_check::gate(&scp_files, &scps, zone)?;
        Ok(Catalogue {
            baselines,
            scps,
            scp_files,
        })
    }
}

/// Whether every baseline that the landing zone needs is there.
fn check_names(baselines: &Baselines, zone: &LandingZone) -> Result<(), SettingsError> {
    let of_units = zone.organizational_units.iter().map(|unit| {
        let by = format!("organizational unit {}", unit.path);
        (unit.baseline.as_str(), by)
    });
    let always = [
        (baseline::ORGANIZATION, "the organization itself".to_owned()),
        (
            baseline::FOUNDATION,
            "an organizational unit that names none".to_owned(),
        ),
    ];
    for (needed, by) in of_units.chain(always) {
        if baselines.get(needed).is_none() {
            return Err(SettingsError::missing_baseline(needed, &by));
        }
    }
    let management = zone.management.baseline.as_str();
    let Some(of_management) = baselines.get(management) else {
        return Err(SettingsError::baseline_of_management(
            management,
            "which no file defines: add baselines/management.toml of this release to your own baselines, or name another",
        ));
    };
    if management == baseline::ORGANIZATION {
        let rule = "which is the organization's own: name one of accounts";
        return Err(SettingsError::baseline_of_management(management, rule));
    }
    registry::check_management(of_management)
        .map_err(|rule| SettingsError::baseline_of_management(management, rule))?;
    let misled = |unit: &&OrganizationalUnit| unit.baseline == baseline::ORGANIZATION;
    if let Some(unit) = zone.organizational_units.iter().find(misled) {
        return Err(SettingsError::baseline_of_organization(&unit.path));
    }
    Ok(())
}

fn embedded<E: RustEmbed>(prefix: &str) -> Vec<(String, String)> {
    let text = |name: &str| {
        E::get(name)
            .map(|file| String::from_utf8_lossy(&file.data).into_owned())
            .unwrap_or_default()
    };
    E::iter()
        .filter(|name| !name.contains('/'))
        .map(|name| (format!("{prefix}{name}"), text(&name)))
        .collect()
}

fn read(directory: &Path, endings: &[&str]) -> anyhow::Result<Vec<(String, String)>> {
    let listed = std::fs::read_dir(directory)
        .with_context(|| format!("{} cannot be read", directory.display()))?;
    let mut files = Vec::new();
    for entry in listed {
        let path = entry?.path();
        if path
            .extension()
            .and_then(|ending| ending.to_str())
            .is_some_and(|ending| endings.contains(&ending))
        {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            files.push((path.display().to_string(), text));
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_members_alone_is_not_for_the_management_account() {
        let zone = include_str!("../../../deploy/landing-zone.toml");
        for (name, rule) in [
            ("management", None),
            ("none", None),
            ("foundation", Some("iam.execution-role")),
            ("organization", Some("the organization's own")),
            ("mangement", Some("which no file defines")),
        ] {
            let zone = zone.replace(
                "baseline = \"management\"",
                &format!("baseline = \"{name}\""),
            );
            let zone = LandingZone::parse("landing-zone.toml", &zone).unwrap();
            let loaded = Catalogue::load(&zone, None, None).map(drop);
            let error = loaded.err().map(|error| format!("{error:#}"));
            match (error, rule) {
                (None, None) => {}
                (Some(error), Some(rule)) => {
                    assert!(error.contains(rule) && error.contains(name), "{error}");
                }
                (error, rule) => panic!("{name}: {error:?}, {rule:?}"),
            }
        }
    }
}
