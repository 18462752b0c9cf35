//! The rules of a landing zone that TOML and types cannot hold it to. Each broken one is told with its line.

use std::collections::BTreeSet;

use super::{LandingZone, SettingsError, bucket, regions};
use crate::scp::ScpSettings;

impl LandingZone {
    /// That the file keeps every rule that its form cannot express.
    pub(super) fn check(&self, file: &str, text: &str) -> Result<(), SettingsError> {
        let broken = |path: &str, rule: String| Err(SettingsError::at(file, text, path, rule));
        let mut regions = BTreeSet::new();
        for (index, region) in self.governed_regions.iter().enumerate() {
            let place = format!("governed_regions.{index}");
            if !regions.insert(region) {
                return broken(&place, format!("governed_regions names {region} twice"));
            }
            if !self.new_regions.contains(region)
                && let Err(rule) = regions::known(region)
            {
                return broken(&place, format!("governed_regions: {rule}"));
            }
        }
        if !regions.contains(&self.home_region) {
            return broken(
                "home_region",
                format!(
                    "home_region {} is not one of governed_regions; add it there",
                    self.home_region
                ),
            );
        }
        let mut units = BTreeSet::new();
        for (index, unit) in self.organizational_units.iter().enumerate() {
            if !units.insert(&unit.path) {
                return broken(
                    &format!("organizational_unit.{index}.path"),
                    format!("the organizational unit {} is there twice", unit.path),
                );
            }
            if unit.path.is_root() {
                return broken(
                    &format!("organizational_unit.{index}.path"),
                    format!(
                        "an organizational unit cannot be called {}: that is the root's own name",
                        unit.path
                    ),
                );
            }
        }
        for (index, unit) in self.organizational_units.iter().enumerate() {
            if let Some(parent) = unit.path.parent().filter(|parent| !units.contains(parent)) {
                return broken(
                    &format!("organizational_unit.{index}.path"),
                    format!(
                        "the organizational unit {} stands below {parent}, which has no entry of its own",
                        unit.path
                    ),
                );
            }
        }
        let places = [
            ("quarantine", &self.quarantine),
            ("suspended", &self.suspended),
            (
                "accounts.log_archive.organizational_unit",
                &self.accounts.log_archive.organizational_unit,
            ),
            (
                "accounts.security.organizational_unit",
                &self.accounts.security.organizational_unit,
            ),
        ];
        for (setting, path) in places {
            if !units.contains(path) {
                return broken(
                    setting,
                    format!("{setting} is {path}, which is not among the organizational units"),
                );
            }
        }
        let mut canary = self.rollout.canary.iter().enumerate();
        if let Some((index, path)) = canary.find(|(_, path)| !units.contains(path)) {
            return broken(
                &format!("rollout.canary.{index}"),
                format!("rollout.canary names {path}, which is not among the organizational units"),
            );
        }
        for (setting, percent, least) in [
            ("second_wave_percent", self.rollout.second_wave_percent, 1),
            ("error_budget_percent", self.rollout.error_budget_percent, 0),
        ] {
            if !(least..=100).contains(&percent) {
                return broken(
                    &format!("rollout.{setting}"),
                    format!("rollout.{setting} is {percent}; it must be from {least} to 100"),
                );
            }
        }
        if self.accounts.log_archive.email == self.accounts.security.email {
            return broken(
                "accounts.security.email",
                "the log archive and the security account need different e-mails".to_owned(),
            );
        }
        if !self.email_template.contains("{id}") {
            return broken(
                "email_template",
                "email_template needs {id}, or every account would have the same e-mail".to_owned(),
            );
        }
        if self.waivers.longest_days == 0 {
            return broken(
                "waivers.longest_days",
                "waivers.longest_days must be at least 1".to_owned(),
            );
        }
        if self.scps.longest_exemption_days == 0 {
            return broken(
                "scps.longest_exemption_days",
                "scps.longest_exemption_days must be at least 1".to_owned(),
            );
        }
        if self.scps.attached < ScpSettings::LEAST_ATTACHED {
            return broken(
                "scps.attached",
                format!(
                    "scps.attached is {}; it must be at least {}: FullAWSAccess, one of Landfall's, and one that is kept free for changes",
                    self.scps.attached,
                    ScpSettings::LEAST_ATTACHED
                ),
            );
        }
        if self.generated_email("0123456789ab").is_err() {
            return broken(
                "email_template",
                format!(
                    "email_template `{}` does not make an e-mail that AWS accepts (at most 64 characters)",
                    self.email_template
                ),
            );
        }
        if !(0.0..=1.0).contains(&self.plans.approval_above) {
            return broken(
                "plans.approval_above",
                format!(
                    "plans.approval_above is {}, but it is a share of the governed accounts: from 0 to 1, 0.1 for a tenth",
                    self.plans.approval_above
                ),
            );
        }
        let bucket = self.log_archive.bucket.replace("{account}", "111122223333");
        if let Err(rule) = bucket::check(&bucket) {
            return broken(
                "log_archive.bucket",
                format!(
                    "log_archive.bucket `{}` makes no name that S3 accepts: {rule}",
                    self.log_archive.bucket
                ),
            );
        }
        for (setting, name) in [
            ("roles.management", &self.roles.management),
            ("roles.execution", &self.roles.execution),
        ] {
            let valid = (1..=64).contains(&name.len())
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b));
            if !valid {
                return broken(
                    setting,
                    format!(
                        "{setting} is not a role name: at most 64 of letters, digits and _+=,.@-"
                    ),
                );
            }
        }
        for (index, id) in self.roles.external_ids.iter().enumerate() {
            let valid = (2..=1_224).contains(&id.len())
                && id
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b));
            if !valid {
                return broken(
                    &format!("roles.external_ids.{index}"),
                    "an external id has 2 to 1224 of letters, digits and _+=,.@:/-".to_owned(),
                );
            }
        }
        Ok(())
    }
}
