//! `docs/controls.md`: every control, what it needs, and what each baseline says to it. Rendered from the registry and
//! the embedded baselines, so that a page, a baseline and the code cannot say different things: the tests below compare
//! the three.

use std::collections::BTreeSet;
use std::fmt::Write;

use landfall_controls::registry;
use landfall_model::baseline::{Baseline, Entry, Level, Regions};
use landfall_model::control::{Descriptor, Scope};
use landfall_model::ids::Region;
use landfall_model::repair::Repair;

use crate::catalogue::Catalogue;

/// The page, as controls and baselines are now.
pub fn page(catalogue: &Catalogue) -> String {
    let mut page = String::from(
        "# Controls\n\nWhat Landfall can guarantee, and what each baseline asks for. Made from the code and `baselines/`:\n\
         change those, and run the test that compares them with `LANDFALL_WRITE_DOCS=1`.\n\n\
         | control | guarantees | holds | in the baselines |\n| --- | --- | --- | --- |\n",
    );
    for control in registry::controls().values() {
        let about = control.descriptor();
        let anchor = about.id.as_str().replace('.', "");
        let baselines: Vec<&str> = baselines_with(catalogue, about)
            .map(|(baseline, _)| baseline.name.as_str())
            .collect();
        let _ = writeln!(
            page,
            "| [`{}`](#{anchor}) | {} | {} | {} |",
            about.id,
            about.title,
            holds(about.scope),
            baselines.join(", ")
        );
    }
    for control in registry::controls().values() {
        section(&mut page, catalogue, control.descriptor());
    }
    page
}

fn section(page: &mut String, catalogue: &Catalogue, about: &Descriptor) {
    let _ = write!(
        page,
        "\n## {}\n\n{}: {}.",
        about.id,
        about.title,
        holds(about.scope)
    );
    if about.first_region_alone {
        page.push_str(" The home Region first.");
    }
    if about.members_only {
        page.push_str(" Not in the management account.");
    }
    page.push_str("\n\n");
    let after: Vec<String> = about.after.iter().map(|id| format!("`{id}`")).collect();
    if !after.is_empty() {
        let _ = writeln!(page, "Needs first: {}.\n", after.join(", "));
    }
    let mut actions = about.actions.to_vec();
    actions.sort_unstable();
    let actions: Vec<String> = actions.iter().map(|action| format!("`{action}`")).collect();
    let _ = writeln!(page, "May call: {}.", actions.join(", "));
    let rows: Vec<(&Baseline, String)> = baselines_with(catalogue, about)
        .map(|(baseline, entry)| (baseline, said(entry)))
        .collect();
    page.push_str("\n| baseline | parameters |\n| --- | --- |\n");
    for (baseline, said) in rows {
        let _ = writeln!(page, "| `{}` | {said} |", baseline.name);
    }
}

/// The baselines that have a control, and what they say to it.
fn baselines_with<'a>(
    catalogue: &'a Catalogue,
    about: &'a Descriptor,
) -> impl Iterator<Item = (&'a Baseline, &'a Entry)> {
    catalogue
        .baselines
        .iter()
        .filter_map(|baseline| Some((baseline, baseline.controls.get(&about.id)?)))
}

fn holds(scope: Scope) -> &'static str {
    match scope {
        Scope::Organization => "once, in the organization",
        Scope::OrganizationRegion => "in the organization, in each governed Region",
        Scope::Account => "once in each account",
        Scope::Region => "in each account, in each governed Region",
    }
}

/// All that a baseline says to a control, in a cell of a table.
fn said(entry: &Entry) -> String {
    let mut said = Vec::new();
    for (level, parameters) in entry.levels() {
        let place = match &level {
            Level::Everywhere => String::new(),
            Level::OrganizationalUnit(_) | Level::Region(_) => format!(" in {level}"),
        };
        for (name, value) in parameters {
            let value = value.to_string().replace('|', "\\|");
            said.push(format!("`{name}`{place}: `{value}`"));
        }
    }
    let list = |regions: &BTreeSet<Region>| {
        let names: Vec<&str> = regions.iter().map(Region::as_str).collect();
        names.join(", ")
    };
    match &entry.regions {
        Regions::All => {}
        Regions::Only(regions) => said.push(format!("only in {}", list(regions))),
        Regions::Except(regions) => said.push(format!("not in {}", list(regions))),
    }
    if entry.repair == Repair::Ask {
        said.push("repaired once somebody asks".to_owned());
    }
    if said.is_empty() {
        "none".to_owned()
    } else {
        said.join("<br>")
    }
}

#[cfg(test)]
mod tests {
    use landfall_model::baseline::ORGANIZATION;
    use landfall_model::landing_zone::LandingZone;

    use super::*;

    fn catalogue() -> (LandingZone, Catalogue) {
        let zone = include_str!("../../../deploy/landing-zone.toml");
        let zone = LandingZone::parse("landing-zone.toml", zone).unwrap();
        let catalogue = Catalogue::load(&zone, None, None).unwrap();
        (zone, catalogue)
    }

    #[test]
    fn the_page_of_controls_says_what_controls_and_baselines_say() {
        let path = "../../docs/controls.md";
        let page = page(&catalogue().1);
        if std::env::var_os("LANDFALL_WRITE_DOCS").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        assert!(
            std::fs::read_to_string(path).is_ok_and(|written| written == page),
            "docs/controls.md is behind: run this test with LANDFALL_WRITE_DOCS=1, and look at what changed"
        );
    }

    #[test]
    fn every_control_is_in_a_baseline_and_says_what_it_is() {
        let (_, catalogue) = catalogue();
        for control in registry::controls().values() {
            let about = control.descriptor();
            let id = &about.id;
            let file = if about.scope.is_organization() {
                "organization"
            } else {
                "foundation"
            };
            assert!(
                baselines_with(&catalogue, about).next().is_some(),
                "{id} is in no baseline, so nobody gets it: give it an entry in baselines/{file}.toml"
            );
            assert!(
                !about.title.is_empty(),
                "{id} has no TITLE: say in a few words what it guarantees"
            );
            assert!(
                !about.actions.is_empty(),
                "{id} lists no ACTIONS, so Aws::call refuses all of its calls: list every IAM action"
            );
            let distinct: BTreeSet<&&str> = about.actions.iter().collect();
            assert_eq!(
                distinct.len(),
                about.actions.len(),
                "{id} lists an action twice in ACTIONS"
            );
            for action in about.actions {
                let well_formed = action.split_once(':').is_some_and(|(service, operation)| {
                    let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
                    service.bytes().all(lower)
                        && operation.starts_with(|c: char| c.is_ascii_uppercase())
                        && operation.bytes().all(|b| b.is_ascii_alphanumeric())
                });
                assert!(
                    well_formed,
                    "{id}: {action} is not an IAM action such as guardduty:CreateDetector; patterns are not for ACTIONS"
                );
            }
        }
    }

    #[test]
    fn every_control_of_a_baseline_finds_there_what_it_needs_first() {
        let (_, catalogue) = catalogue();
        let organization = catalogue.baselines.get(ORGANIZATION).unwrap();
        for baseline in catalogue.baselines.iter() {
            for id in baseline.controls.keys() {
                for first in &registry::control(id).unwrap().descriptor().after {
                    assert!(
                        baseline.controls.contains_key(first)
                            || organization.controls.contains_key(first),
                        "{id} needs {first} first, which the baseline {} does not have: add it, or leave {id} out too",
                        baseline.name
                    );
                }
            }
        }
    }

    #[test]
    fn every_baseline_is_documented_used_and_different() {
        let (zone, catalogue) = catalogue();
        let readme = include_str!("../../../baselines/README.md");
        let mut contents = BTreeSet::new();
        for definition in catalogue.baselines.definitions() {
            let name = &definition.baseline.name;
            assert!(
                readme.contains(&format!("| `{name}` |")),
                "baselines/README.md does not say what {name} is for: add it to the table"
            );
            assert!(
                definition.file.ends_with(&format!("{name}.toml")),
                "{} defines {name}: call the file so",
                definition.file
            );
            // What an operator puts in place of another baseline.
            const INSTEAD: [&str; 1] = ["none"];
            let units = zone.organizational_units.iter().map(|unit| &unit.baseline);
            assert!(
                name == ORGANIZATION
                    || INSTEAD.contains(&name.as_str())
                    || units
                        .chain([&zone.management.baseline])
                        .any(|used| used == name),
                "nothing in deploy/landing-zone.toml has the baseline {name}: name it there"
            );
            assert!(
                contents.insert(definition.baseline.content().to_string()),
                "{name} says the same as another baseline: use that one"
            );
        }
    }
}
