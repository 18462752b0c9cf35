//! Baselines: named sets of controls with their parameters. Data for a security engineer to review, not code.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{ControlId, Revision};
use crate::landing_zone::SettingsError;
use crate::repair::Repair;

/// A baseline with everything it inherits.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    pub name: String,
    pub description: String,
    /// Each control's parameters, as JSON: what the control itself reads and checks.
    pub controls: BTreeMap<ControlId, Value>,
    /// The controls whose drift is repaired when somebody asks for it.
    asks: BTreeSet<ControlId>,
    pub revision: Revision,
}

impl Baseline {
    /// Whether drift of a control is repaired by itself.
    pub fn repair(&self, control: &ControlId) -> Repair {
        if self.asks.contains(control) {
            Repair::Ask
        } else {
            Repair::Auto
        }
    }
}

/// The baseline of the organization itself.
pub const ORGANIZATION: &str = "organization";

/// All baselines by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Baselines(BTreeMap<String, Baseline>);

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    description: String,
    extends: Option<String>,
    #[serde(default, rename = "control")]
    controls: Vec<Entry>,
}

#[derive(Deserialize, Serialize)]
struct Entry {
    id: ControlId,
    #[serde(default)]
    repair: Repair,
    #[serde(flatten)]
    parameters: toml::Table,
}

impl Baselines {
    /// Reads files given as (name, text), resolves `extends`, and has `check` judge each control's parameters: it says
    /// what is wrong with them, for instance that there is no such control.
    pub fn parse(
        files: &[(String, String)],
        check: impl Fn(&ControlId, &Value) -> Result<(), String>,
    ) -> Result<Self, SettingsError> {
        let mut parsed: BTreeMap<String, (&str, &str, File)> = BTreeMap::new();
        for (file, text) in files {
            let baseline: File =
                toml::from_str(text).map_err(|error| SettingsError::parse(file, text, &error))?;
            let rule =
                |needle: &str, rule: String| Err(SettingsError::rule(file, text, needle, rule));
            let mut seen = BTreeSet::new();
            for entry in &baseline.controls {
                if !seen.insert(&entry.id) {
                    return rule(
                        entry.id.as_str(),
                        format!("the control {} is there twice", entry.id),
                    );
                }
                let parameters = to_json(&entry.parameters);
                if let Err(wrong) = check(&entry.id, &parameters) {
                    return rule(entry.id.as_str(), format!("control {}: {wrong}", entry.id));
                }
            }
            if parsed.contains_key(&baseline.name) {
                return rule(
                    &baseline.name,
                    format!("there are two baselines named {}", baseline.name),
                );
            }
            parsed.insert(baseline.name.clone(), (file, text, baseline));
        }
        let mut all = BTreeMap::new();
        for name in parsed.keys() {
            let entries = resolve(name, &parsed, &mut Vec::new())?;
            let asks: BTreeSet<ControlId> = entries
                .iter()
                .filter(|(_, (repair, _))| *repair == Repair::Ask)
                .map(|(id, _)| id.clone())
                .collect();
            let controls: BTreeMap<ControlId, Value> = entries
                .into_iter()
                .map(|(id, (_, parameters))| (id, parameters))
                .collect();
            let description = parsed[name].2.description.clone();
            let content = if asks.is_empty() {
                serde_json::to_vec(&(&name, &controls))
            } else {
                serde_json::to_vec(&(&name, &controls, &asks))
            };
            let content = content.expect("parameters are plain data");
            let baseline = Baseline {
                name: name.clone(),
                description,
                controls,
                asks,
                revision: Revision::of(&content),
            };
            all.insert(name.clone(), baseline);
        }
        Ok(Baselines(all))
    }

    pub fn get(&self, name: &str) -> Option<&Baseline> {
        self.0.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Baseline> {
        self.0.values()
    }
}

/// The controls of a baseline over those that it extends.
fn resolve(
    name: &str,
    files: &BTreeMap<String, (&str, &str, File)>,
    path: &mut Vec<String>,
) -> Result<BTreeMap<ControlId, (Repair, Value)>, SettingsError> {
    let (file, text, baseline) = &files[name];
    path.push(name.to_owned());
    let mut controls = match &baseline.extends {
        None => BTreeMap::new(),
        Some(parent) if path.contains(parent) => {
            return Err(SettingsError::rule(
                file,
                text,
                "extends",
                format!(
                    "baselines extend each other in a circle: {} -> {parent}",
                    path.join(" -> ")
                ),
            ));
        }
        Some(parent) if !files.contains_key(parent) => {
            return Err(SettingsError::rule(
                file,
                text,
                "extends",
                format!("there is no baseline {parent} to extend"),
            ));
        }
        Some(parent) => resolve(parent, files, path)?,
    };
    for entry in &baseline.controls {
        let said = (entry.repair, to_json(&entry.parameters));
        controls.insert(entry.id.clone(), said);
    }
    Ok(controls)
}

fn to_json(parameters: &toml::Table) -> Value {
    serde_json::to_value(parameters).expect("TOML tables are JSON objects")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(texts: &[&str]) -> Vec<(String, String)> {
        texts
            .iter()
            .enumerate()
            .map(|(n, text)| (format!("{n}.toml"), (*text).to_owned()))
            .collect()
    }

    const FOUNDATION: &str = "name = 'foundation'\ndescription = 'all'\n[[control]]\nid = 'a.b'\nx = 1\n[[control]]\nid = 'c.d'\n";
    const SANDBOX: &str = "name = 'sandbox'\ndescription = 'less'\nextends = 'foundation'\n[[control]]\nid = 'a.b'\nx = 2\n";

    #[test]
    fn a_baseline_overrides_what_it_extends() {
        let all = Baselines::parse(&files(&[FOUNDATION, SANDBOX]), |_, _| Ok(())).unwrap();
        let sandbox = all.get("sandbox").unwrap();
        assert_eq!(sandbox.controls.len(), 2);
        assert_eq!(sandbox.controls[&"a.b".parse().unwrap()]["x"], 2);
        assert_ne!(sandbox.revision, all.get("foundation").unwrap().revision);
    }

    #[test]
    fn the_revision_is_of_what_is_said_not_of_how() {
        let spaced = FOUNDATION.replace("x = 1", "# a comment\nx   =  1");
        let one = Baselines::parse(&files(&[FOUNDATION]), |_, _| Ok(())).unwrap();
        let two = Baselines::parse(&files(&[&spaced]), |_, _| Ok(())).unwrap();
        assert_eq!(
            one.get("foundation").unwrap().revision,
            two.get("foundation").unwrap().revision
        );
        let other = Baselines::parse(&files(&[&FOUNDATION.replace("x = 1", "x = 3")]), |_, _| {
            Ok(())
        })
        .unwrap();
        assert_ne!(
            one.get("foundation").unwrap().revision,
            other.get("foundation").unwrap().revision
        );
    }

    #[test]
    fn a_control_may_ask_before_it_is_repaired() {
        let ask = FOUNDATION.replace("id = 'a.b'", "id = 'a.b'\nrepair = 'ask'");
        let all = Baselines::parse(&files(&[&ask, SANDBOX]), |_, _| Ok(())).unwrap();
        let [ab, cd] = ["a.b", "c.d"].map(|id| id.parse().unwrap());
        let foundation = all.get("foundation").unwrap();
        assert_eq!(foundation.repair(&ab), Repair::Ask);
        assert_eq!(foundation.repair(&cd), Repair::Auto);
        assert!(foundation.controls[&ab].get("repair").is_none());
        let sandbox = all.get("sandbox").unwrap();
        assert_eq!(
            sandbox.repair(&ab),
            Repair::Auto,
            "it is replaced as a whole"
        );
        let never = ask.replace("ask", "never");
        let error = Baselines::parse(&files(&[&never]), |_, _| Ok(())).unwrap_err();
        assert!(error.rule.contains("unknown variant `never`"), "{error}");
    }

    #[test]
    fn mistakes_are_named_with_file_and_line() {
        for (texts, rule, line) in [
            (vec![SANDBOX], "no baseline foundation", Some(3)),
            (vec![FOUNDATION, FOUNDATION], "two baselines", Some(1)),
            (
                vec!["name = 'x'\ndescription = ''\nextends = 'x'"],
                "circle",
                Some(3),
            ),
            (
                vec!["name = 'x'\ndescription = ''\nextend = 'y'"],
                "unknown field",
                Some(3),
            ),
            (
                vec!["name = 'x'\ndescription = ''\n[[control]]\nid = 'nodot'"],
                "service.noun",
                Some(4),
            ),
        ] {
            let error = Baselines::parse(&files(&texts), |_, _| Ok(())).unwrap_err();
            assert!(error.rule.contains(rule), "{error}");
            assert_eq!(error.line, line, "{error}");
        }
        let error = Baselines::parse(&files(&[FOUNDATION]), |_, _| {
            Err("there is no such control".to_owned())
        })
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "0.toml:4: control a.b: there is no such control"
        );
    }
}
