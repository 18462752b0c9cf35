//! Which controls a call of somebody else concerns: the table behind near real time.
//!
//! An event says that something was called, and never what is so. All that is taken from it is where to look: on whose
//! cells, of which controls. A row too many costs a look; a row too few costs waiting for the next sweep. So the rows are the
//! calls that weaken what a baseline asks for, and those of everyday work, such as a deployment's, are left out.
//!
//! `deploy/events/rules.json` sends on what stands here, and a test compares the two.

/// Whose cells a call concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those of the account that was called in.
    Callers,
    /// Those of the accounts that the call names.
    Named,
    /// Those of the organization.
    Organizations,
}

/// A call and what it concerns.
#[derive(Clone, Copy, Debug)]
pub struct Concern {
    /// The service as the event's source names it, without `.amazonaws.com`.
    pub service: &'static str,
    /// The calls, or for `aws.account` the kind of the event.
    pub events: &'static [&'static str],
    /// Ids of controls, and whose.
    pub controls: &'static [(Whose, &'static str)],
}

use Whose::{Callers, Named, Organizations};

/// Every call that is worth a look.
pub const CONCERNS: &[Concern] = &[
    Concern {
        service: "cloudtrail",
        events: &[
            "StopLogging",
            "DeleteTrail",
            "UpdateTrail",
            "PutEventSelectors",
        ],
        controls: &[
            (Callers, "cloudtrail.trail"),
            (Organizations, "cloudtrail.organization-trail"),
        ],
    },
    Concern {
        service: "config",
        events: &[
            "StopConfigurationRecorder",
            "DeleteConfigurationRecorder",
            "PutConfigurationRecorder",
            "DeleteDeliveryChannel",
            "PutDeliveryChannel",
        ],
        controls: &[(Callers, "config.recorder")],
    },
    Concern {
        service: "config",
        events: &[
            "DeleteConfigurationAggregator",
            "PutConfigurationAggregator",
        ],
        controls: &[(Organizations, "config.aggregator")],
    },
    Concern {
        service: "guardduty",
        events: &["DeleteDetector", "UpdateDetector"],
        controls: &[
            (Callers, "guardduty.detector"),
            (Callers, "guardduty.membership"),
            (Organizations, "guardduty.organization"),
        ],
    },
    Concern {
        service: "guardduty",
        events: &[
            "DisassociateFromAdministratorAccount",
            "DisassociateFromMasterAccount",
        ],
        controls: &[(Callers, "guardduty.membership")],
    },
    Concern {
        service: "guardduty",
        events: &[
            "DisassociateMembers",
            "DeleteMembers",
            "StopMonitoringMembers",
            "UpdateMemberDetectors",
        ],
        controls: &[
            (Named, "guardduty.membership"),
            (Named, "guardduty.detector"),
        ],
    },
    Concern {
        service: "guardduty",
        events: &[
            "UpdateOrganizationConfiguration",
            "DisableOrganizationAdminAccount",
        ],
        controls: &[(Organizations, "guardduty.organization")],
    },
    Concern {
        service: "securityhub",
        events: &["DisableSecurityHub"],
        controls: &[
            (Callers, "securityhub.hub"),
            (Callers, "securityhub.standards"),
            (Callers, "securityhub.membership"),
            (Organizations, "securityhub.organization"),
        ],
    },
    Concern {
        service: "securityhub",
        events: &["UpdateSecurityHubConfiguration"],
        controls: &[(Callers, "securityhub.hub")],
    },
    Concern {
        service: "securityhub",
        events: &["BatchDisableStandards"],
        controls: &[(Callers, "securityhub.standards")],
    },
    Concern {
        service: "securityhub",
        events: &[
            "DisassociateFromAdministratorAccount",
            "DisassociateFromMasterAccount",
        ],
        controls: &[(Callers, "securityhub.membership")],
    },
    Concern {
        service: "securityhub",
        events: &["DisassociateMembers", "DeleteMembers"],
        controls: &[(Named, "securityhub.membership")],
    },
    Concern {
        service: "securityhub",
        events: &[
            "UpdateOrganizationConfiguration",
            "DisableOrganizationAdminAccount",
            "DeleteFindingAggregator",
            "UpdateFindingAggregator",
        ],
        controls: &[(Organizations, "securityhub.organization")],
    },
    Concern {
        service: "access-analyzer",
        events: &["DeleteAnalyzer", "UpdateAnalyzer"],
        controls: &[
            (Callers, "accessanalyzer.analyzer"),
            (Organizations, "accessanalyzer.organization-analyzer"),
        ],
    },
    Concern {
        service: "ec2",
        events: &["DisableEbsEncryptionByDefault"],
        controls: &[(Callers, "ec2.ebs-encryption")],
    },
    Concern {
        service: "ec2",
        events: &["ModifyInstanceMetadataDefaults"],
        controls: &[(Callers, "ec2.instance-metadata-defaults")],
    },
    Concern {
        service: "ec2",
        events: &[
            "DisableSnapshotBlockPublicAccess",
            "EnableSnapshotBlockPublicAccess",
        ],
        controls: &[(Callers, "ec2.snapshot-block-public-access")],
    },
    Concern {
        service: "ec2",
        events: &["DisableImageBlockPublicAccess"],
        controls: &[(Callers, "ec2.image-block-public-access")],
    },
    Concern {
        service: "ec2",
        events: &["EnableSerialConsoleAccess"],
        controls: &[(Callers, "ec2.serial-console-access")],
    },
    Concern {
        service: "ec2",
        events: &["CreateDefaultVpc"],
        controls: &[(Callers, "ec2.default-vpc")],
    },
    Concern {
        service: "organizations",
        events: &[
            "AttachPolicy",
            "DetachPolicy",
            "UpdatePolicy",
            "DeletePolicy",
            "DisablePolicyType",
        ],
        controls: &[(Organizations, "organizations.policies")],
    },
    Concern {
        service: "organizations",
        events: &[
            "MoveAccount",
            "RemoveAccountFromOrganization",
            "CloseAccount",
            "CloseAccountResult",
            "CreateAccountResult",
        ],
        controls: &[(Named, "organizations.placement")],
    },
    Concern {
        service: "organizations",
        events: &["LeaveOrganization"],
        controls: &[(Callers, "organizations.placement")],
    },
    Concern {
        service: "organizations",
        events: &["UpdateOrganizationalUnit", "DeleteOrganizationalUnit"],
        controls: &[
            (Organizations, "organizations.units"),
            (Organizations, "organizations.policies"),
        ],
    },
    Concern {
        service: "organizations",
        events: &["DisableAWSServiceAccess"],
        controls: &[(Organizations, "organizations.trusted-access")],
    },
    Concern {
        service: "organizations",
        events: &["DeregisterDelegatedAdministrator"],
        controls: &[(Organizations, "organizations.delegated-administrators")],
    },
    Concern {
        service: "account",
        events: &["EnableRegion", "DisableRegion", OPT_IN],
        controls: &[(Named, "account.regions"), (Callers, "account.regions")],
    },
    Concern {
        service: "account",
        events: &["PutAlternateContact", "DeleteAlternateContact"],
        controls: &[
            (Named, "account.alternate-contacts"),
            (Callers, "account.alternate-contacts"),
        ],
    },
    Concern {
        service: "account",
        events: &["PutAccountName"],
        controls: &[
            (Named, "account.name-and-tags"),
            (Callers, "account.name-and-tags"),
        ],
    },
    Concern {
        service: "organizations",
        events: &["TagResource", "UntagResource"],
        controls: &[(Named, "account.name-and-tags")],
    },
    Concern {
        service: "iam",
        // Of the roles that Landfall works with: the rules send on no others.
        events: &[
            "CreateRole",
            "DeleteRole",
            "UpdateAssumeRolePolicy",
            "AttachRolePolicy",
            "DetachRolePolicy",
            "PutRolePolicy",
            "DeleteRolePolicy",
            "PutRolePermissionsBoundary",
        ],
        controls: &[
            (Callers, "iam.execution-role"),
            (Callers, "iam.bootstrap-role"),
        ],
    },
    Concern {
        service: "iam",
        events: &["UpdateAccountPasswordPolicy", "DeleteAccountPasswordPolicy"],
        controls: &[(Callers, "iam.password-policy")],
    },
    Concern {
        service: "iam",
        events: &["DeleteServiceLinkedRole"],
        controls: &[(Callers, "iam.service-linked-roles")],
    },
    Concern {
        service: "s3",
        events: &[
            "PutAccountPublicAccessBlock",
            "DeleteAccountPublicAccessBlock",
        ],
        controls: &[(Callers, "s3.account-public-access-block")],
    },
    Concern {
        service: "s3",
        events: &[
            "DeleteBucket",
            "PutBucketPolicy",
            "DeleteBucketPolicy",
            "PutBucketPublicAccessBlock",
            "DeleteBucketPublicAccessBlock",
            "PutBucketVersioning",
            "PutBucketOwnershipControls",
            "DeleteBucketOwnershipControls",
            "PutBucketEncryption",
            "DeleteBucketEncryption",
        ],
        controls: &[(Organizations, "s3.log-bucket")],
    },
];

/// The kind of event that tells of a Region being enabled or disabled, beside the calls that ask for it.
pub const OPT_IN: &str = "Region Opt-In Status Change";

/// What a call concerns; nothing for most.
pub fn concerns(service: &str, event: &str) -> impl Iterator<Item = (Whose, &'static str)> {
    let rows = CONCERNS.iter().filter(move |row| row.service == service);
    rows.filter(move |row| row.events.contains(&event))
        .flat_map(|row| row.controls.iter().copied())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::ids::ControlId;

    const RULES: &str = include_str!("../../../deploy/events/rules.json");

    /// The events that must lead to a look: whoever calls one of these weakens an account, or changes what Landfall knows.
    const MUST: [(&str, &str); 30] = [
        ("cloudtrail", "StopLogging"),
        ("cloudtrail", "DeleteTrail"),
        ("cloudtrail", "UpdateTrail"),
        ("cloudtrail", "PutEventSelectors"),
        ("config", "StopConfigurationRecorder"),
        ("config", "DeleteConfigurationRecorder"),
        ("config", "DeleteDeliveryChannel"),
        ("config", "PutConfigurationRecorder"),
        ("guardduty", "DeleteDetector"),
        ("guardduty", "UpdateDetector"),
        ("guardduty", "DisassociateFromAdministratorAccount"),
        ("guardduty", "DisassociateMembers"),
        ("securityhub", "DisableSecurityHub"),
        ("securityhub", "BatchDisableStandards"),
        ("securityhub", "DisassociateFromAdministratorAccount"),
        ("securityhub", "DisassociateMembers"),
        ("organizations", "DetachPolicy"),
        ("organizations", "AttachPolicy"),
        ("organizations", "UpdatePolicy"),
        ("organizations", "DeletePolicy"),
        ("organizations", "MoveAccount"),
        ("organizations", "LeaveOrganization"),
        ("organizations", "RemoveAccountFromOrganization"),
        ("organizations", "CreateAccountResult"),
        ("organizations", "CloseAccountResult"),
        ("account", OPT_IN),
        ("account", "DisableRegion"),
        ("s3", "DeleteAccountPublicAccessBlock"),
        ("iam", "DeleteAccountPasswordPolicy"),
        ("ec2", "DisableEbsEncryptionByDefault"),
    ];

    #[test]
    fn every_call_that_weakens_an_account_leads_to_a_look() {
        for (service, event) in MUST {
            assert!(
                concerns(service, event).next().is_some(),
                "{service} {event}"
            );
        }
        for (service, event) in [
            ("ec2", "RunInstances"),
            ("iam", "DeletePolicy"),
            ("guardduty", ""),
        ] {
            assert!(
                concerns(service, event).next().is_none(),
                "{service} {event}"
            );
        }
    }

    #[test]
    fn controls_are_named_by_ids_and_no_call_stands_twice_in_a_service() {
        let mut seen = BTreeSet::new();
        for row in CONCERNS {
            assert!(!row.controls.is_empty() && !row.events.is_empty());
            for (_, control) in row.controls {
                assert!(control.parse::<ControlId>().is_ok(), "{control}");
            }
            for event in row.events {
                assert!(seen.insert((row.service, event)), "{} {event}", row.service);
            }
        }
    }

    /// What the template's rules send on is what stands here, once, and each rule's pattern is as short as EventBridge
    /// takes it: 2,048 characters.
    #[test]
    fn the_rules_of_the_template_send_on_what_stands_here() {
        let template: Value = serde_json::from_str(RULES).unwrap();
        let mut sent = Vec::new();
        for resource in template["Resources"].as_object().unwrap().values() {
            if resource["Type"] != "AWS::Events::Rule" {
                continue;
            }
            let pattern = &resource["Properties"]["EventPattern"];
            assert!(pattern.to_string().len() <= 2_048, "{pattern}");
            let texts = |value: &Value| -> Vec<String> {
                let texts = value.as_array().into_iter().flatten();
                texts
                    .map(|text| text.as_str().unwrap().to_owned())
                    .collect()
            };
            let sources = texts(&pattern["source"]);
            let names = match &pattern["detail"]["eventName"] {
                Value::Null => texts(&pattern["detail-type"]),
                names => texts(names),
            };
            for source in &sources {
                for name in &names {
                    let service = source.trim_start_matches("aws.");
                    if concerns(service, name).next().is_some() {
                        sent.push((service.to_owned(), name.clone()));
                    }
                }
            }
            for name in names {
                let of_some = CONCERNS.iter().any(|row| {
                    row.events.contains(&&*name)
                        && sources.contains(&format!("aws.{}", row.service))
                });
                assert!(of_some, "{name} is sent on and concerns nothing");
            }
        }
        let mut wanted: Vec<(String, String)> = CONCERNS
            .iter()
            .flat_map(|row| {
                row.events
                    .iter()
                    .map(|event| (row.service.to_owned(), (*event).to_owned()))
            })
            .collect();
        wanted.sort();
        sent.sort();
        assert_eq!(sent, wanted);
    }
}
