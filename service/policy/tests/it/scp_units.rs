//! What the policies of all levels decide together for the accounts of a unit: what one allows, another may deny.

use std::sync::Arc;

use landfall_policy::{Context, Layers, Policy, Request, decide};

use crate::scp;

const OPEN: [&str; 6] = [
    "Admin",
    "Applications",
    "Applications/Development",
    "Applications/Production",
    "Applications/Sandbox",
    "Restricted",
];
const CLOSED: [&str; 2] = ["Quarantine", "Suspended"];
const APPLICATIONS: [&str; 4] = [
    "Applications",
    "Applications/Development",
    "Applications/Production",
    "Applications/Sandbox",
];
/// Units whose accounts come without a past, or must have none.
const STRICT: [&str; 4] = [
    "Admin",
    "Applications/Production",
    "Applications/Sandbox",
    "Restricted",
];

/// What an account obeys: the root's policies, and those of each OU down to its own.
fn levels(unit: &str) -> Vec<Vec<Arc<Policy>>> {
    let (policies, attachments) = (scp::policies(), scp::attachments());
    let level = |names: &[String]| {
        let own = names.iter().map(|name| Arc::new(policies[name].clone()));
        [scp::full_access()].into_iter().chain(own).collect()
    };
    let mut levels = vec![level(&attachments.root)];
    for (end, _) in unit.match_indices('/').chain([(unit.len(), "")]) {
        levels.push(level(&attachments.units[&unit[..end]]));
    }
    levels
}

/// A request (action, Region, one more key of its context), and the units in which it is denied.
type Row<'a> = (
    &'static str,
    &'static str,
    Option<(&'static str, &'static str)>,
    &'a [&'a str],
);

/// A request by a role or the root user, whose own policies allow everything. `key`: one more key of its context.
fn allowed(unit: &str, who: &str, action: &str, region: &str, key: Option<(&str, &str)>) -> bool {
    let principal = scp::principal(&format!("arn:aws:iam::222222222222:{who}"));
    let mut context = Context::of(&principal).with("aws:RequestedRegion", region);
    if let Some((key, value)) = key {
        context.set(key, value);
    }
    let resource = match action {
        "ec2:RunInstances" => "arn:aws:ec2:eu-central-1:222222222222:instance/*",
        _ => "*",
    };
    let identity = [scp::full_access()];
    let scps = levels(unit);
    let layers = Layers {
        identity: &identity,
        scps: &scps,
        ..Layers::default()
    };
    let request = Request {
        principal: &principal,
        action,
        resource,
        context: &context,
    };
    decide(&layers, &request).is_allowed()
}

#[test]
fn every_unit_is_listed() {
    let mut listed = [&OPEN[..], &CLOSED].concat();
    listed.sort_unstable();
    let units: Vec<String> = scp::attachments().units.into_keys().collect();
    assert_eq!(units, listed);
}

/// For each request of an administrator of the account, the units in which it is denied.
#[test]
fn units_deny_what_they_should() {
    let everywhere = [&OPEN[..], &CLOSED].concat();
    let sandbox = ["Applications/Sandbox"];
    let foundation = ["Admin", "Restricted"];
    let rows: &[Row<'_>] = &[
        ("ec2:RunInstances", "eu-central-1", None, &[]),
        ("iam:CreateRole", "us-east-1", None, &[]),
        (
            "s3:PutBucketPublicAccessBlock",
            "eu-central-1",
            None,
            &foundation,
        ),
        ("ec2:AttachInternetGateway", "eu-central-1", None, &[]),
        (
            "organizations:LeaveOrganization",
            "us-east-1",
            None,
            &everywhere,
        ),
        ("ec2:RunInstances", "us-west-2", None, &everywhere),
        (
            "guardduty:DeleteDetector",
            "eu-central-1",
            None,
            &everywhere,
        ),
        (
            "s3:PutAccountPublicAccessBlock",
            "eu-central-1",
            None,
            &everywhere,
        ),
        (
            "s3:PutObjectAcl",
            "eu-central-1",
            Some(("s3:x-amz-acl", "public-read")),
            &OPEN,
        ),
        (
            "directconnect:CreateConnection",
            "eu-central-1",
            None,
            &APPLICATIONS,
        ),
        (
            "ec2:CreateVpcPeeringConnection",
            "eu-central-1",
            None,
            &APPLICATIONS,
        ),
        (
            "ec2:RunInstances",
            "eu-central-1",
            Some(("ec2:MetadataHttpTokens", "optional")),
            &STRICT,
        ),
        ("iam:CreateAccessKey", "us-east-1", None, &STRICT),
        (
            "s3:GetObject",
            "eu-central-1",
            Some(("ec2:RoleDelivery", "1.0")),
            &sandbox,
        ),
    ];
    for (action, region, key, denied) in rows {
        for unit in &everywhere {
            let expected = !denied.contains(unit) && !CLOSED.contains(unit);
            assert_eq!(
                allowed(unit, "role/Administrator", action, region, *key),
                expected,
                "{unit}: {action} in {region} with {key:?}"
            );
        }
    }
}

#[test]
fn landfall_works_everywhere_and_root_users_nowhere() {
    for unit in [&OPEN[..], &CLOSED].concat() {
        for action in [
            "guardduty:CreateDetector",
            "config:PutConfigurationRecorder",
            "iam:CreateServiceLinkedRole",
            "s3:PutAccountPublicAccessBlock",
            "ec2:DeleteVpc",
        ] {
            let role = "role/LandfallExecution";
            assert!(
                allowed(unit, role, action, "us-west-2", None),
                "{unit}: {action}"
            );
        }
        assert!(
            !allowed(unit, "root", "iam:CreateAccessKey", "eu-central-1", None),
            "{unit}"
        );
    }
}
