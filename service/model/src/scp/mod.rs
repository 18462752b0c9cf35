//! Service control policies: what the files of `scp/` say, where it is to stand, and what AWS gets of it.
//!
//! People write one file for each purpose. AWS limits how many policies a target may have and how long they are, so what is
//! attached is packed from the files (`packed`), and one set of packed policies takes the place of another without a gap
//! (`changeover`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use landfall_policy::lint::Limits;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{OuPath, Revision};
use crate::landing_zone::{LandingZone, SettingsError};

pub mod changeover;
mod exemption;
mod exemption_form;
mod in_force;
mod packed;

pub use exemption::{Exempted, Exemption};
pub use exemption_form::{ExemptionForm, ExemptionProposal};
pub use in_force::{InForce, ScpCourse, ScpPin};
pub use packed::{Document, PackedSet, Unpackable, is_ours, sources};

/// The control that keeps them in AWS.
pub const CONTROL: &str = "organizations.policies";

/// What the names of Landfall's policies in AWS begin with.
pub const PREFIX: &str = "landfall-";

/// Words of documents that the landing zone fills in. Without a colon they are no policy variables of AWS's.
const GOVERNED_REGIONS: &str = "${governed_regions}";
const EXECUTION_ROLE: &str = "${execution_role}";
const LOG_BUCKET: &str = "${log_bucket}";

/// AWS's own policy, attached to everything as soon as SCPs are on.
pub const FULL_AWS_ACCESS: &str = "FullAWSAccess";

/// What the landing zone says of service control policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScpSettings {
    /// Characters that AWS takes in one policy (Organizations quotas: 10,240 since May 2026, 5,120 before).
    pub characters: usize,
    /// Policies that AWS takes on one root, OU or account, everybody's together (10 since May 2026, 5 before).
    pub attached: usize,
    /// After how many days an exemption ends at the latest.
    pub longest_exemption_days: u16,
}

impl Default for ScpSettings {
    fn default() -> Self {
        let Limits {
            characters,
            attached,
        } = Limits::default();
        ScpSettings {
            characters,
            attached,
            longest_exemption_days: 90,
        }
    }
}

impl ScpSettings {
    /// As few attachments as leave room for `FullAWSAccess`, one policy of Landfall's, and the one that is kept free.
    pub const LEAST_ATTACHED: usize = 3;

    /// The same for packing and forecasts.
    pub fn limits(self) -> Limits {
        Limits {
            characters: self.characters,
            attached: self.attached,
        }
    }
}

/// Where policies are attached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScpTarget {
    Root,
    Unit(OuPath),
}

impl ScpTarget {
    /// The root and the OUs between it and this one, outermost first.
    pub fn above(&self) -> Vec<ScpTarget> {
        match self {
            ScpTarget::Root => Vec::new(),
            ScpTarget::Unit(path) => {
                let units = path.parent().map(|above| above.with_ancestors());
                let units = units.into_iter().flatten().map(ScpTarget::Unit);
                std::iter::once(ScpTarget::Root).chain(units).collect()
            }
        }
    }

    /// Whether it binds the accounts of an OU.
    pub fn binds(&self, unit: &OuPath) -> bool {
        match self {
            ScpTarget::Root => true,
            ScpTarget::Unit(path) => unit.with_ancestors().contains(path),
        }
    }

    /// The word in the database: an OU's path, or `/`.
    pub fn word(&self) -> &str {
        match self {
            ScpTarget::Root => "/",
            ScpTarget::Unit(path) => path.as_str(),
        }
    }
}

impl FromStr for ScpTarget {
    type Err = <OuPath as FromStr>::Err;

    /// Reads the [word](ScpTarget::word).
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "/" => Ok(ScpTarget::Root),
            path => path.parse().map(ScpTarget::Unit),
        }
    }
}

impl fmt::Display for ScpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScpTarget::Root => f.write_str("the root"),
            ScpTarget::Unit(path) => path.fmt(f),
        }
    }
}

/// Documents and attachments, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScpSet {
    /// Minified documents by the names of their files, without ending.
    pub documents: BTreeMap<String, String>,
    /// The names of the documents of each target.
    pub attachments: BTreeMap<ScpTarget, Vec<String>>,
    /// The names of the documents that people may be exempted from.
    pub exemptable: BTreeSet<String>,
    /// Who is exempted now: patterns of ARNs, by where the policy that spares them stands.
    spared: BTreeMap<ScpTarget, exemption::Spared>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attachments {
    #[serde(default)]
    root: Vec<String>,
    #[serde(default)]
    units: BTreeMap<OuPath, Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exemptions {
    exemptable: Vec<String>,
}

impl ScpSet {
    /// Reads `attachments.toml`, `exemptions.toml` (without it nobody is exempted from anything) and the documents, each given
    /// as (file name, text), with the landing zone's words filled in.
    pub fn parse(
        attachments: &(String, String),
        exemptions: Option<&(String, String)>,
        documents: &[(String, String)],
        zone: &LandingZone,
    ) -> Result<Self, SettingsError> {
        let (attachments_file, attachments) = attachments;
        let broken = |needle: &str, rule: String| {
            Err(SettingsError::rule(
                attachments_file,
                attachments,
                needle,
                rule,
            ))
        };
        let mut set = ScpSet::default();
        for (file, text) in documents {
            let wrong = |rule: String| SettingsError::rule(file, text, "", rule);
            let mut document: Value =
                serde_json::from_str(text).map_err(|error| SettingsError {
                    file: file.clone(),
                    line: Some(error.line()),
                    rule: error.to_string(),
                })?;
            expand(&mut document, zone);
            let minified = document.to_string();
            landfall_policy::Policy::parse(&filled_in(text, zone))
                .map_err(|error| wrong(error.to_string()))?;
            let name = file
                .trim_end_matches(".json")
                .rsplit('/')
                .next()
                .unwrap_or(file);
            set.documents.insert(name.to_owned(), minified);
        }
        let parsed: Attachments = toml::from_str(attachments)
            .map_err(|error| SettingsError::parse(attachments_file, attachments, &error))?;
        let targets = std::iter::once((ScpTarget::Root, parsed.root)).chain(
            parsed
                .units
                .into_iter()
                .map(|(path, names)| (ScpTarget::Unit(path), names)),
        );
        for (target, names) in targets {
            if let ScpTarget::Unit(path) = &target
                && zone.unit(path).is_none()
            {
                return broken(
                    path.as_str(),
                    format!("the landing zone has no organizational unit {path}"),
                );
            }
            let unknown = |name: &&String| !set.documents.contains_key(*name);
            if let Some(name) = names.iter().find(unknown) {
                return broken(name, format!("there is no scp/{name}.json"));
            }
            set.attachments.insert(target, names);
        }
        if let Some((file, text)) = exemptions {
            let parsed: Exemptions =
                toml::from_str(text).map_err(|error| SettingsError::parse(file, text, &error))?;
            let unknown = |name: &&String| !set.documents.contains_key(*name);
            if let Some(name) = parsed.exemptable.iter().find(unknown) {
                let rule = format!("there is no scp/{name}.json");
                return Err(SettingsError::rule(file, text, name, rule));
            }
            set.exemptable = parsed.exemptable.into_iter().collect();
        }
        if let Err(error) = set.packed(zone.scps) {
            return broken("", error.to_string());
        }
        Ok(set)
    }

    /// The same for sets that say the same in the same places.
    pub fn revision(&self) -> Revision {
        Revision::of(self.content().to_string().as_bytes())
    }

    /// What is remembered of a set, so that a target can keep it.
    pub fn content(&self) -> Value {
        let unit = |(target, names): (&ScpTarget, &Vec<String>)| match target {
            ScpTarget::Root => None,
            ScpTarget::Unit(path) => Some((path.clone(), names.clone())),
        };
        let stored = StoredSet {
            documents: self.documents.clone(),
            root: self.attachments.get(&ScpTarget::Root).cloned(),
            units: self.attachments.iter().filter_map(unit).collect(),
            exemptable: self.exemptable.clone(),
        };
        serde_json::to_value(stored).expect("texts in maps are JSON")
    }

    /// The set that was remembered so.
    ///
    /// # Errors
    ///
    /// Where a policy is none by the rules of now.
    pub fn stored(content: Value) -> Result<Self, String> {
        let stored: StoredSet =
            serde_json::from_value(content).map_err(|error| error.to_string())?;
        for (name, document) in &stored.documents {
            landfall_policy::Policy::parse(document).map_err(|error| format!("{name}: {error}"))?;
        }
        let units = stored.units.into_iter();
        let units = units.map(|(path, names)| (ScpTarget::Unit(path), names));
        let root = stored.root.map(|names| (ScpTarget::Root, names));
        Ok(ScpSet {
            documents: stored.documents,
            attachments: units.chain(root).collect(),
            exemptable: stored.exemptable,
            spared: BTreeMap::new(),
        })
    }

    /// The documents of a target, by name.
    fn said(&self, target: &ScpTarget) -> BTreeMap<&str, &str> {
        let names = self.attachments.get(target).into_iter().flatten();
        let documents = names.filter_map(|name| self.documents.get_key_value(name));
        documents
            .map(|(name, document)| (name.as_str(), document.as_str()))
            .collect()
    }
}

/// [`ScpSet`] in the database.
#[derive(Serialize, Deserialize)]
struct StoredSet {
    documents: BTreeMap<String, String>,
    root: Option<Vec<String>>,
    units: BTreeMap<OuPath, Vec<String>>,
    exemptable: BTreeSet<String>,
}

/// A document's text with the landing zone's words filled in, and otherwise as it was written: what stands twice in it, which
/// AWS refuses, still does. Where that makes no JSON, `${governed_regions}` is no element of a list: it is left as it is.
pub fn filled_in(text: &str, zone: &LandingZone) -> String {
    let regions: Vec<String> = zone
        .governed_regions
        .iter()
        .map(|region| format!("\"{region}\""))
        .collect();
    let named = named(text, zone);
    let filled = named.replace(&format!("\"{GOVERNED_REGIONS}\""), &regions.join(","));
    if serde_json::from_str::<IgnoredAny>(&filled).is_ok() {
        filled
    } else {
        named
    }
}

/// Puts the landing zone's words where a document names them: an element `"${governed_regions}"` becomes the Regions, and
/// texts get their [names](named).
fn expand(value: &mut Value, zone: &LandingZone) {
    match value {
        Value::Array(items) => {
            let expanded = std::mem::take(items).into_iter().flat_map(|item| {
                if item == GOVERNED_REGIONS {
                    let regions = zone.governed_regions.iter();
                    regions.map(|region| region.as_str().into()).collect()
                } else {
                    vec![item]
                }
            });
            *items = expanded.collect();
            items.iter_mut().for_each(|item| expand(item, zone));
        }
        Value::Object(members) => members.values_mut().for_each(|member| expand(member, zone)),
        Value::String(text) => *text = named(text, zone),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A text with the names that the landing zone gives: `${execution_role}` becomes the role's, and `${log_bucket}` the
/// bucket's, with `*` for the account's id, which nobody knows until the account is there.
fn named(text: &str, zone: &LandingZone) -> String {
    let bucket = zone.log_archive.bucket.replace("{account}", "*");
    text.replace(EXECUTION_ROLE, &zone.roles.execution)
        .replace(LOG_BUCKET, &bucket)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: &str = include_str!("../../../../deploy/landing-zone.toml");

    fn parse(zone: &str, document: &str) -> Result<ScpSet, SettingsError> {
        let zone = LandingZone::parse("landing-zone.toml", zone).unwrap();
        ScpSet::parse(
            &("attachments.toml".to_owned(), "root = [\"one\"]".to_owned()),
            None,
            &[("scp/one.json".to_owned(), document.to_owned())],
            &zone,
        )
    }

    fn deny(word: &str) -> String {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"One","Effect":"Deny","Action":"*","Resource":"*",
            "Condition":{{"ArnNotLike":{{"aws:PrincipalArn":"arn:aws:iam::*:role/{word}"}},
            "StringNotEquals":{{"aws:RequestedRegion":["${{governed_regions}}"]}}}}}}]}}"#
        )
    }

    #[test]
    fn the_landing_zone_s_words_are_filled_in() {
        let zone = ZONE.replace("LandfallExecution", "Caretaker");
        let set = parse(&zone, &deny("${execution_role}")).unwrap();
        let document = &set.documents["one"];
        assert!(document.contains("role/Caretaker\""), "{document}");
        assert!(
            document.contains(r#"["us-east-1","us-east-2","#),
            "{document}"
        );
    }

    #[test]
    fn the_log_bucket_is_named_whatever_its_account() {
        for (bucket, arn) in [
            ("landfall-logs-{account}", "arn:aws:s3:::landfall-logs-*/*"),
            ("acme-audit", "arn:aws:s3:::acme-audit/*"),
        ] {
            let zone = ZONE.replace("landfall-logs-{account}", bucket);
            let text = deny("x").replace(
                r#""Resource":"*""#,
                r#""Resource":"arn:aws:s3:::${log_bucket}/*""#,
            );
            let set = parse(&zone, &text).unwrap();
            let document = &set.documents["one"];
            assert!(document.contains(&format!("\"{arn}\"")), "{document}");
        }
    }

    #[test]
    fn a_word_that_nobody_knows_is_refused() {
        let error = parse(ZONE, &deny("${exection_role}")).unwrap_err();
        assert!(error.rule.contains("exection_role"), "{error}");
        let alone = deny("x").replace(r#"["${governed_regions}"]"#, r#""${governed_regions}""#);
        let error = parse(ZONE, &alone).unwrap_err();
        assert!(error.rule.contains("governed_regions"), "{error}");
    }

    #[test]
    fn what_stands_twice_is_refused() {
        let twice = deny("x").replace(r#""Sid":"One","#, r#""Sid":"One","Sid":"Two","#);
        let error = parse(ZONE, &twice).unwrap_err();
        assert!(error.rule.contains("twice"), "{error}");
    }
}
