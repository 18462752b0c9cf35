//! The landing zone: what the organization as a whole is to look like. One TOML file, read at start, wrong or right as a whole.

mod bucket;
mod check;
mod regions;

use std::fmt;

use serde::{Deserialize, Serialize};
use toml::de::{DeTable, DeValue};

use crate::ids::{AccountId, Email, OuPath, Region, Revision};
use crate::plan::PlanRules;
use crate::rollout::RolloutSettings;
use crate::scp::{ScpSettings, ScpTarget};

/// The settings of `landing-zone.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LandingZone {
    /// The organization's management account.
    pub management_account: AccountId,
    /// Where what exists once is kept: the organization trail, the log bucket, the Config aggregator, global IAM types.
    pub home_region: Region,
    /// Every Region in which accounts carry their baseline.
    pub governed_regions: Vec<Region>,
    /// Governed Regions that AWS opened after this version was made, which would else be taken for mistyped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new_regions: Vec<Region>,
    #[serde(default)]
    pub roles: Roles,
    pub accounts: FoundationAccounts,
    /// What the management account is to have.
    #[serde(default)]
    pub management: Management,
    /// How a root e-mail is made for a request that names none; `{id}` stands for a part of the request's id.
    pub email_template: String,
    #[serde(default)]
    pub membership: Membership,
    pub log_archive: LogArchive,
    #[serde(default)]
    pub waivers: Waivers,
    /// What AWS takes of service control policies.
    #[serde(default)]
    pub scps: ScpSettings,
    /// Where a new account waits until its baseline is on.
    pub quarantine: OuPath,
    /// Where closed accounts go.
    pub suspended: OuPath,
    /// How a new baseline reaches accounts.
    #[serde(default)]
    pub rollout: RolloutSettings,
    /// When a plan needs somebody besides the one who made it.
    #[serde(default)]
    pub plans: PlanRules,
    #[serde(rename = "organizational_unit")]
    pub organizational_units: Vec<OrganizationalUnit>,
}

/// The names of the roles that Landfall works with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Roles {
    /// Assumed in the management account; the process's own credentials may do nothing else.
    pub management: String,
    /// Assumed in every member account; `CreateAccount` makes it.
    pub execution: String,
    /// What Landfall says when it assumes the execution role, and what the role's trust policy asks for: the first is
    /// said, any of them is taken. So an id is changed in two steps, and nobody is locked out between them.
    pub external_ids: Vec<String>,
}

impl Default for Roles {
    fn default() -> Self {
        Roles {
            management: "LandfallManagement".to_owned(),
            execution: "LandfallExecution".to_owned(),
            external_ids: Vec::new(),
        }
    }
}

/// What the management account, an account of the organization like any other, is to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Management {
    /// Its baseline: one of accounts, without what is for members alone.
    pub baseline: String,
}

impl Default for Management {
    fn default() -> Self {
        Management {
            baseline: crate::baseline::MANAGEMENT.to_owned(),
        }
    }
}

/// The accounts that the landing zone itself needs. Landfall vends them when they are missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundationAccounts {
    pub log_archive: FoundationAccount,
    pub security: FoundationAccount,
}

/// A foundation account is recognized by its root e-mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundationAccount {
    pub name: String,
    pub email: Email,
    pub organizational_unit: OuPath,
}

/// How GuardDuty and Security Hub get an account as a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Membership {
    /// The security account is delegated administrator and takes members by itself.
    #[default]
    Organization,
    /// The security account invites by root e-mail and the member accepts.
    Invitation,
}

/// The bucket in the log archive account that the trail and Config write to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogArchive {
    /// Its name; `{account}` stands for the log archive account's id, which keeps it unique in the world.
    pub bucket: String,
}

/// What an accepted deviation may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Waivers {
    /// After how many days one ends at the latest.
    pub longest_days: u16,
}

impl Default for Waivers {
    fn default() -> Self {
        Waivers { longest_days: 180 }
    }
}

/// An organizational unit, what its accounts must have, and who must agree to a new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganizationalUnit {
    pub path: OuPath,
    /// The baseline of the accounts in it.
    #[serde(default = "OrganizationalUnit::foundation")]
    pub baseline: String,
    /// Whether engineers may ask for accounts in it.
    #[serde(default)]
    pub requestable: bool,
    /// Whether somebody must approve a request first.
    #[serde(default)]
    pub approval: bool,
}

impl OrganizationalUnit {
    fn foundation() -> String {
        crate::baseline::FOUNDATION.to_owned()
    }
}

/// What is wrong with a settings file: the rule, and where the parser could tell, line and column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {rule}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct SettingsError {
    pub file: String,
    pub line: Option<usize>,
    pub rule: String,
}

impl SettingsError {
    pub(crate) fn parse(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let line = error.span().map(|span| line_of(text, span.start));
        SettingsError {
            file: file.to_owned(),
            line,
            rule: error.message().to_owned(),
        }
    }

    /// A rule that a well-formed file breaks; the line is that of the first place where `needle` stands.
    pub(crate) fn rule(file: &str, text: &str, needle: &str, rule: impl Into<String>) -> Self {
        let line = (!needle.is_empty())
            .then(|| text.find(needle))
            .flatten()
            .map(|start| line_of(text, start));
        SettingsError {
            file: file.to_owned(),
            line,
            rule: rule.into(),
        }
    }

    /// A rule that the value at `path` breaks: keys and indices with dots between them, `organizational_unit.2.path`. Where it
    /// is left out, the line is that of what it would stand in.
    fn at(file: &str, text: &str, path: &str, rule: impl Into<String>) -> Self {
        SettingsError {
            file: file.to_owned(),
            line: start_of(text, path).map(|start| line_of(text, start)),
            rule: rule.into(),
        }
    }

    /// A rule that a well-formed file breaks, from the offset `at` on: the line of `at` itself where `needle` is empty or does not follow.
    pub(crate) fn rule_after(
        file: &str,
        text: &str,
        at: usize,
        needle: &str,
        rule: impl Into<String>,
    ) -> Self {
        let found = text.get(at..).and_then(|rest| rest.find(needle));
        SettingsError {
            file: file.to_owned(),
            line: Some(line_of(text, at + found.unwrap_or_default())),
            rule: rule.into(),
        }
    }
}

impl SettingsError {
    /// The landing zone wants a baseline that no file defines.
    pub fn missing_baseline(name: &str, wanted_by: &str) -> Self {
        SettingsError {
            file: "baselines".to_owned(),
            line: None,
            rule: format!("there is no baseline {name}, which {wanted_by} needs"),
        }
    }

    /// The management account cannot have what a baseline says.
    pub fn baseline_of_management(name: &str, rule: impl fmt::Display) -> Self {
        SettingsError {
            file: "landing zone".to_owned(),
            line: None,
            rule: format!(
                "the management account is to have the baseline {name} (management.baseline), {rule}"
            ),
        }
    }

    /// An OU's accounts cannot have what is the organization's own.
    pub fn baseline_of_organization(unit: &OuPath) -> Self {
        SettingsError {
            file: "landing zone".to_owned(),
            line: None,
            rule: format!(
                "organizational unit {unit} has the baseline of the organization itself: name one for accounts"
            ),
        }
    }
}

/// Where in a TOML text the value at a path begins, or as much of the path as there is.
fn start_of(text: &str, path: &str) -> Option<usize> {
    let root = DeTable::parse(text).ok()?;
    let mut steps = path.split('.');
    let mut value = root.get_ref().get(steps.next()?)?;
    for step in steps {
        let next = match value.get_ref() {
            DeValue::Table(table) => table.get(step),
            DeValue::Array(list) => step.parse().ok().and_then(|index: usize| list.get(index)),
            _ => None,
        };
        match next {
            Some(next) => value = next,
            None => break,
        }
    }
    Some(value.span().start)
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())]
        .iter()
        .filter(|b| **b == b'\n')
        .count()
        + 1
}

impl LandingZone {
    /// Reads and checks the file's text; `file` is its name for messages.
    pub fn parse(file: &str, text: &str) -> Result<Self, SettingsError> {
        let zone: LandingZone =
            toml::from_str(text).map_err(|error| SettingsError::parse(file, text, &error))?;
        zone.check(file, text)?;
        Ok(zone)
    }

    /// The OU of a path.
    pub fn unit(&self, path: &OuPath) -> Option<&OrganizationalUnit> {
        self.organizational_units
            .iter()
            .find(|unit| unit.path == *path)
    }

    /// The root and every OU.
    pub fn scp_targets(&self) -> Vec<ScpTarget> {
        let units = self.organizational_units.iter();
        let units = units.map(|unit| ScpTarget::Unit(unit.path.clone()));
        std::iter::once(ScpTarget::Root).chain(units).collect()
    }

    /// The OUs that engineers may ask for.
    pub fn requestable_units(&self) -> Vec<&OuPath> {
        self.organizational_units
            .iter()
            .filter(|unit| unit.requestable)
            .map(|unit| &unit.path)
            .collect()
    }

    /// The root e-mail of a request that names none.
    pub fn generated_email(&self, id: &str) -> Result<Email, crate::ids::BadName> {
        self.email_template.replace("{id}", id).parse()
    }

    /// The log bucket's name once the log archive account exists.
    pub fn log_bucket(&self, log_archive: &AccountId) -> String {
        self.log_archive
            .bucket
            .replace("{account}", log_archive.as_str())
    }

    /// What the landing zone says, as a revision.
    pub fn revision(&self) -> Revision {
        let content = serde_json::to_vec(self).expect("a landing zone is plain data");
        Revision::of(&content)
    }
}

#[cfg(test)]
mod tests;
