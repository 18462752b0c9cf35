//! Every control there is.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use landfall_model::baseline::Baseline;
use landfall_model::control::Scope;
use landfall_model::ids::ControlId;
use serde_json::Value;

use crate::accessanalyzer_analyzer::AccessAnalyzerAnalyzer;
use crate::accessanalyzer_organization_analyzer::AccessAnalyzerOrganizationAnalyzer;
use crate::account_alternate_contacts::AccountAlternateContacts;
use crate::account_name_and_tags::AccountNameAndTags;
use crate::account_regions::AccountRegions;
use crate::cloudtrail_organization_trail::CloudTrailOrganizationTrail;
use crate::cloudtrail_trail::CloudTrailTrail;
use crate::config_aggregator::ConfigAggregator;
use crate::config_recorder::ConfigRecorder;
use crate::control::{AnyControl, erase};
use crate::ec2_default_vpc::Ec2DefaultVpc;
use crate::ec2_ebs_encryption::Ec2EbsEncryption;
use crate::ec2_image_block_public_access::Ec2ImageBlockPublicAccess;
use crate::ec2_instance_metadata_defaults::Ec2InstanceMetadataDefaults;
use crate::ec2_serial_console_access::Ec2SerialConsoleAccess;
use crate::ec2_snapshot_block_public_access::Ec2SnapshotBlockPublicAccess;
use crate::guardduty_detector::GuardDutyDetector;
use crate::guardduty_membership::GuardDutyMembership;
use crate::guardduty_organization::GuardDutyOrganization;
use crate::iam_bootstrap_role::IamBootstrapRole;
use crate::iam_execution_role::IamExecutionRole;
use crate::iam_password_policy::IamPasswordPolicy;
use crate::iam_service_linked_roles::IamServiceLinkedRoles;
use crate::organizations_delegated_administrators::OrganizationsDelegatedAdministrators;
use crate::organizations_placement::OrganizationsPlacement;
use crate::organizations_policies::OrganizationsPolicies;
use crate::organizations_trusted_access::OrganizationsTrustedAccess;
use crate::organizations_units::OrganizationsUnits;
use crate::s3_account_public_access_block::S3AccountPublicAccessBlock;
use crate::s3_log_bucket::S3LogBucket;
use crate::securityhub_hub::SecurityHubHub;
use crate::securityhub_membership::SecurityHubMembership;
use crate::securityhub_organization::SecurityHubOrganization;
use crate::securityhub_standards::SecurityHubStandards;
use crate::session_policy;

/// All controls by id.
pub fn controls() -> &'static BTreeMap<ControlId, Box<dyn AnyControl>> {
    static CONTROLS: LazyLock<BTreeMap<ControlId, Box<dyn AnyControl>>> = LazyLock::new(|| {
        [
            erase::<AccessAnalyzerAnalyzer>(),
            erase::<AccessAnalyzerOrganizationAnalyzer>(),
            erase::<AccountAlternateContacts>(),
            erase::<AccountNameAndTags>(),
            erase::<AccountRegions>(),
            erase::<CloudTrailOrganizationTrail>(),
            erase::<CloudTrailTrail>(),
            erase::<ConfigAggregator>(),
            erase::<ConfigRecorder>(),
            erase::<Ec2DefaultVpc>(),
            erase::<Ec2EbsEncryption>(),
            erase::<Ec2ImageBlockPublicAccess>(),
            erase::<Ec2InstanceMetadataDefaults>(),
            erase::<Ec2SerialConsoleAccess>(),
            erase::<Ec2SnapshotBlockPublicAccess>(),
            erase::<GuardDutyDetector>(),
            erase::<GuardDutyMembership>(),
            erase::<GuardDutyOrganization>(),
            erase::<IamBootstrapRole>(),
            erase::<IamExecutionRole>(),
            erase::<IamPasswordPolicy>(),
            erase::<IamServiceLinkedRoles>(),
            erase::<OrganizationsDelegatedAdministrators>(),
            erase::<OrganizationsPlacement>(),
            erase::<OrganizationsPolicies>(),
            erase::<OrganizationsTrustedAccess>(),
            erase::<OrganizationsUnits>(),
            erase::<S3AccountPublicAccessBlock>(),
            erase::<S3LogBucket>(),
            erase::<SecurityHubHub>(),
            erase::<SecurityHubMembership>(),
            erase::<SecurityHubOrganization>(),
            erase::<SecurityHubStandards>(),
        ]
        .into_iter()
        .map(|control| (control.descriptor().id.clone(), control))
        .collect()
    });
    &CONTROLS
}

/// A control by id.
pub fn control(id: &ControlId) -> Option<&'static dyn AnyControl> {
    controls().get(id).map(AsRef::as_ref)
}

/// Judges a baseline's entry: for `Baselines::parse`.
pub fn check(id: &ControlId, parameters: &Value) -> Result<Scope, String> {
    let control =
        control(id).ok_or_else(|| format!("there is no such control; there are {}", names()))?;
    let actions = control.descriptor().actions.iter().copied().collect();
    session_policy::document(&actions).map_err(|error| error.to_string())?;
    control.check(parameters)?;
    Ok(control.descriptor().scope)
}

/// What is wrong with a baseline for the management account.
pub fn check_management(baseline: &Baseline) -> Result<(), String> {
    let for_members: Vec<&str> = baseline
        .controls
        .keys()
        .filter(|id| control(id).is_some_and(|control| control.descriptor().members_only))
        .map(ControlId::as_str)
        .collect();
    match for_members.as_slice() {
        [] => Ok(()),
        ids => Err(format!(
            "which has controls for member accounts alone: {}. Name one that extends it and leaves them out with [[without]], as baselines/management.toml does",
            ids.join(", ")
        )),
    }
}

fn names() -> String {
    controls()
        .keys()
        .map(ControlId::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use landfall_model::baseline::Baselines;
    use landfall_model::concern::{CONCERNS, Whose};
    use landfall_model::landing_zone::LandingZone;

    use super::*;
    use crate::session_policy::Sessions;

    /// Every baseline of the repository.
    fn baselines() -> Baselines {
        let directory = Path::new("../../baselines");
        let files: Vec<(String, String)> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "toml")
            })
            .map(|path| {
                let text = std::fs::read_to_string(&path).unwrap();
                (path.display().to_string(), text)
            })
            .collect();
        let zone = include_str!("../../../deploy/landing-zone.toml");
        let zone = LandingZone::parse("landing-zone.toml", zone).unwrap();
        Baselines::parse(&files, &zone, check).unwrap_or_else(|error| panic!("{error}"))
    }

    /// A control that no call concerns would be looked at by the sweep alone.
    #[test]
    fn some_call_concerns_each_control() {
        let of = |id: &ControlId| {
            let rows = CONCERNS.iter().flat_map(|row| row.controls);
            rows.filter(|(_, control)| *control == id.as_str())
                .map(|(whose, _)| *whose == Whose::Organizations)
                .collect::<Vec<_>>()
        };
        for (id, control) in controls() {
            let organizations = of(id);
            assert!(
                !organizations.is_empty(),
                "{id} stands in no row of model/src/concern.rs"
            );
            let scope = control.descriptor().scope;
            assert!(
                organizations
                    .iter()
                    .all(|one| *one == scope.is_organization()),
                "{id}: whose cells are meant does not fit its scope"
            );
        }
    }

    #[test]
    fn every_baseline_fits_its_controls() {
        assert!(baselines().get("foundation").is_some());
    }

    /// Each session is an `AssumeRole` more for each account: two are worth it, more are a reason to think again.
    #[test]
    fn an_account_s_controls_fit_into_two_sessions() {
        for baseline in baselines().iter() {
            let controls = baseline
                .controls
                .keys()
                .map(|id| control(id).unwrap().descriptor())
                .filter(|descriptor| !descriptor.scope.is_organization());
            let sessions = Sessions::of(controls.clone());
            assert!(
                sessions.len() <= 2,
                "{} takes {} sessions",
                baseline.name,
                sessions.len()
            );
            for control in controls {
                assert!(session_policy::document(&sessions.of_control(control)).is_ok());
            }
        }
    }

    #[test]
    fn what_calls_in_a_region_waits_until_the_region_is_on() {
        let regions: ControlId = "account.regions".parse().unwrap();
        for control in controls().values() {
            let descriptor = control.descriptor();
            if descriptor.scope == Scope::Region && descriptor.id != regions {
                let before = |id: &ControlId| {
                    *id == regions || controls()[id].descriptor().after.contains(&regions)
                };
                assert!(
                    descriptor.after.iter().any(before),
                    "{} does not name {regions} in AFTER",
                    descriptor.id
                );
            }
        }
    }

    #[test]
    fn a_control_waits_only_for_controls_that_exist_and_never_in_a_circle() {
        for control in controls().values() {
            let mut path = vec![&control.descriptor().id];
            let mut rest: Vec<&ControlId> = control.descriptor().after.iter().collect();
            while let Some(id) = rest.pop() {
                assert!(
                    controls().contains_key(id),
                    "{} waits for {id}, which does not exist",
                    path[0]
                );
                assert!(id != path[0], "{id} waits for itself");
                if !path.contains(&id) {
                    path.push(id);
                    rest.extend(&controls()[id].descriptor().after);
                }
            }
        }
    }
}
