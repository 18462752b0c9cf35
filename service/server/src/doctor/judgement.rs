//! From what was seen to findings. Nothing here calls anybody.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use landfall_controls::error::CloudError;
use landfall_controls::preflight::{Caller, Features, OrganizationTrail};
use landfall_model::cloud_error::Help;
use landfall_model::finding::Finding;
use landfall_model::landing_zone::LandingZone;

/// AWS refuses signatures whose time differs by more than five minutes; less than that goes wrong soon.
const SKEW: SignedDuration = SignedDuration::from_secs(120);

/// The process's own credentials, and its clock.
pub(super) fn caller(caller: Result<&Caller, &CloudError>, now: Timestamp) -> Vec<Finding> {
    let caller = match caller {
        Ok(caller) => caller,
        Err(error) => {
            let skewed = error.is(&[
                "RequestTimeTooSkewed",
                "SignatureDoesNotMatch",
                "RequestExpired",
            ]);
            let mend = if skewed {
                "Set this machine's clock (timedatectl set-ntp true), and check the secret access key."
            } else {
                "Give the process credentials as any program of the AWS SDKs gets them (a role of the instance or task, AWS_PROFILE, AWS_ACCESS_KEY_ID …), and try: aws sts get-caller-identity"
            };
            let why = "Every call to AWS begins with them.";
            return vec![Finding::mend("credentials", error.to_string(), why, mend)];
        }
    };
    let mut findings = vec![Finding::fine(
        "credentials",
        format!("AWS knows them as {}", caller.arn),
    )];
    if let Some(theirs) = caller.aws_clock {
        let skew = now.duration_since(theirs).abs();
        findings.push(if skew < SKEW {
            Finding::fine("clock", "it agrees with AWS's")
        } else {
            Finding::mend(
                "clock",
                format!("it differs from AWS's by {} s", skew.as_secs()),
                "AWS refuses calls that are signed five minutes early or late, and history would show wrong times.",
                "timedatectl set-ntp true",
            )
        });
    }
    findings
}

pub(super) fn management_role(zone: &LandingZone) -> Finding {
    Finding::fine(
        "management role",
        format!("{} can be assumed", role_arn(zone)),
    )
}

fn role_arn(zone: &LandingZone) -> String {
    format!(
        "arn:aws:iam::{}:role/{}",
        zone.management_account, zone.roles.management
    )
}

/// The management role cannot be assumed: without it nothing can be looked at.
pub(super) fn no_management_role(
    zone: &LandingZone,
    caller: Option<&Caller>,
    error: &CloudError,
) -> Finding {
    let role = &zone.roles.management;
    let arn = caller.map_or("THE_PROCESS'S_ROLE", |caller| caller.arn.as_str());
    let elsewhere = caller
        .and_then(|caller| caller.account.as_ref())
        .filter(|account| **account != zone.management_account)
        .map(|account| {
            format!(
                "\n# The credentials are of account {account}: is management_account {} right? aws organizations describe-organization --query Organization.MasterAccountId",
                zone.management_account
            )
        })
        .unwrap_or_default();
    Finding::mend(
        "management role",
        format!("{} cannot be assumed: {error}", role_arn(zone)),
        "Landfall does everything through it, and nothing could be looked at further.",
        format!(
            "# As administrator of {account}; deploy/roles/README.md tells more. The trust policy must name {arn}.\n\
             aws iam create-role --role-name {role} --max-session-duration 3600 --assume-role-policy-document file://deploy/roles/landfall-management-trust.json\n\
             aws iam put-role-policy --role-name {role} --policy-name {role} --policy-document file://deploy/roles/landfall-management.json{elsewhere}",
            account = zone.management_account,
        ),
    )
}

/// A look that did not get through: for want of a permission somebody has to give it.
pub(super) fn not_seen(subject: &str, error: &CloudError, why: &str) -> Finding {
    if error.kind.help() == Help::Nobody {
        return Finding::unread(subject, error.to_string(), why);
    }
    Finding::mend(
        subject,
        error.to_string(),
        why,
        "Give the management role its present permissions: aws iam put-role-policy --role-name LandfallManagement --policy-name LandfallManagement --policy-document file://deploy/roles/landfall-management.json",
    )
}

/// All features, and the management account's number.
pub(super) fn features(
    zone: &LandingZone,
    features: Result<&Features, &CloudError>,
) -> Vec<Finding> {
    let features = match features {
        Ok(features) => features,
        Err(error) if error.is(&["AWSOrganizationsNotInUseException"]) => {
            return vec![Finding::mend(
                "organization",
                "the account is in no organization",
                "Accounts are made and governed by an organization.",
                "aws organizations create-organization --feature-set ALL",
            )];
        }
        Err(error) => {
            let why = "Everything that Landfall does begins at the organization.";
            return vec![not_seen("organization", error, why)];
        }
    };
    let mut findings = Vec::new();
    findings.push(match &features.management_account {
        Some(account) if *account == zone.management_account => Finding::fine(
            "management account",
            format!("{account} manages organization {}", features.id),
        ),
        other => {
            let manages = other
                .as_ref()
                .map_or("another account".to_owned(), ToString::to_string);
            Finding::mend(
                "management account",
                format!(
                    "the landing zone says {}, but {manages} manages organization {}",
                    zone.management_account, features.id
                ),
                "Only the management account may make and move accounts.",
                format!(
                    "In landing-zone.toml: management_account = \"{manages}\", and install deploy/roles there."
                ),
            )
        }
    });
    findings.push(if features.all_features {
        Finding::fine("all features", "they are on")
    } else {
        Finding::mend(
            "all features",
            "the organization has consolidated billing only",
            "Policies, trusted access and delegated administrators need all features. Members that were invited must agree.",
            "aws organizations enable-all-features",
        )
    });
    findings
}

/// Whether the controls can be asked for their plans at all.
pub(super) fn can_be_planned(zone: &LandingZone, features: &Features) -> bool {
    features.all_features && features.management_account.as_ref() == Some(&zone.management_account)
}

/// Control Tower would undo what Landfall does, and the other way round.
pub(super) fn control_tower(found: Result<&bool, &CloudError>) -> Finding {
    let subject = "Control Tower";
    match found {
        Ok(false) => Finding::fine(subject, "it does not work in this organization"),
        Ok(true) => Finding::warning(
            subject,
            "it has trusted access to this organization",
            "Two landing zones in one OU undo each other's work: its SCPs deny changes to its own recorders and trails.",
        )
        .mended_by("Keep its OUs out of the landing zone, or give it up first: aws controltower list-landing-zones"),
        Err(error) => not_seen(subject, error, "Two landing zones in one OU undo each other's work."),
    }
}

/// Regions that are governed and not enabled.
pub(super) fn regions(
    zone: &LandingZone,
    regions: Result<&BTreeMap<String, String>, &CloudError>,
) -> Vec<Finding> {
    let subject = "governed Regions";
    let regions = match regions {
        Ok(regions) => regions,
        Err(error) => {
            let why = "Calls into a Region that is not enabled fail.";
            return vec![not_seen(subject, error, why)];
        }
    };
    let mut findings = Vec::new();
    for region in &zone.governed_regions {
        match regions.get(region.as_str()).map(String::as_str) {
            Some("ENABLED" | "ENABLED_BY_DEFAULT") => {}
            Some("ENABLING") => findings.push(Finding::warning(
                subject,
                format!("{region} is being enabled in the management account"),
                "That takes minutes to hours; until then calls there fail.",
            )),
            Some(status) => findings.push(Finding::mend(
                subject,
                format!("{region} is {status} in the management account"),
                "The organization's own settings of GuardDuty and Security Hub are made there, in every governed Region.",
                format!(
                    "aws account enable-region --region-name {region}   # or take it out of governed_regions"
                ),
            )),
            None => findings.push(Finding::mend(
                subject,
                format!("AWS knows no Region {region}"),
                "Every call there would fail.",
                format!("Correct governed_regions in landing-zone.toml: {region}"),
            )),
        }
    }
    if findings.is_empty() {
        let count = zone.governed_regions.len();
        findings.push(Finding::fine(subject, format!("all {count} are enabled")));
    }
    findings
}

/// Organization trails of others: they stay, and cost.
pub(super) fn trails(found: Result<&Vec<OrganizationTrail>, &CloudError>) -> Vec<Finding> {
    let subject = "other organization trails";
    match found {
        Ok(trails) if trails.is_empty() => vec![Finding::fine(subject, "there are none")],
        Ok(trails) => trails
            .iter()
            .map(|trail| {
                Finding::warning(
                    subject,
                    format!(
                        "{} in {} writes to {}",
                        trail.name, trail.home_region, trail.bucket
                    ),
                    "Landfall makes its own and leaves this one alone; AWS bills the second copy of management events.",
                )
                .mended_by(format!(
                    "Once nobody reads it any more: aws cloudtrail delete-trail --name {} --region {}",
                    trail.name, trail.home_region
                ))
            })
            .collect(),
        Err(error) => vec![not_seen(
            subject,
            error,
            "A second organization trail is billed.",
        )],
    }
}

#[cfg(test)]
mod tests {
    use landfall_model::finding::Severity;

    use super::*;

    fn zone() -> LandingZone {
        LandingZone::parse(
            "landing-zone.toml",
            include_str!("../../../../deploy/landing-zone.toml"),
        )
        .unwrap()
    }

    #[test]
    fn a_clock_that_is_wrong_is_found() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        for (theirs, severity) in [
            ("2026-11-22T10:01:00Z", Severity::Fine),
            ("2026-11-22T10:06:00Z", Severity::Mend),
            ("2026-11-22T09:50:00Z", Severity::Mend),
        ] {
            let found = Caller {
                arn: "arn:aws:iam::111111111111:role/LandfallServer".to_owned(),
                account: None,
                aws_clock: Some(theirs.parse().unwrap()),
            };
            let findings = caller(Ok(&found), now);
            assert_eq!(findings[1].subject, "clock");
            assert_eq!(findings[1].severity, severity, "{theirs}");
        }
    }

    #[test]
    fn consolidated_billing_and_another_management_account_must_be_mended() {
        let zone = zone();
        let found = |all_features, account: &str| Features {
            id: "o-1".to_owned(),
            all_features,
            management_account: account.parse().ok(),
        };
        let right = features(&zone, Ok(&found(true, "111111111111")));
        assert!(
            right
                .iter()
                .all(|finding| finding.severity == Severity::Fine)
        );
        assert!(can_be_planned(&zone, &found(true, "111111111111")));
        let wrong = found(false, "999999999999");
        assert!(!can_be_planned(&zone, &wrong));
        for (finding, mend) in features(&zone, Ok(&wrong)).iter().zip([
            "management_account = \"999999999999\"",
            "enable-all-features",
        ]) {
            assert_eq!(finding.severity, Severity::Mend);
            assert!(finding.mend.as_ref().unwrap().contains(mend), "{finding:?}");
        }
    }

    #[test]
    fn what_others_keep_in_the_organization_is_named() {
        let trail = OrganizationTrail {
            name: "theirs".to_owned(),
            home_region: "eu-west-1".to_owned(),
            bucket: "their-bucket".to_owned(),
        };
        let found = trails(Ok(&vec![trail]));
        assert_eq!(found[0].severity, Severity::Warning);
        assert!(
            found[0]
                .what
                .contains("theirs in eu-west-1 writes to their-bucket")
        );
        assert_eq!(control_tower(Ok(&true)).severity, Severity::Warning);
        assert_eq!(control_tower(Ok(&false)).severity, Severity::Fine);
    }
}
