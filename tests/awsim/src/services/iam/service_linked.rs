//! Service-linked roles: made for one service, by the service or on request, and changed by that service alone.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::document::Document;
use super::roles::Role;
use super::{State, invalid, no_such_entity};
use crate::call::{AccountId, Answer, Call, Region};
use crate::regions;
use crate::world::World;

/// A deletion that was asked for. What it does is done at once; the task takes some seconds to say so.
pub(super) struct Deletion {
    finished: Timestamp,
    /// Why the role stays: the Regions in which its service still uses it.
    in_use: Vec<Region>,
}

/// The name of each service's role and the AWS managed policy that it carries, from the services' user guides.
const SERVICES: &[(&str, &str, &str)] = &[
    (
        "access-analyzer.amazonaws.com",
        "AWSServiceRoleForAccessAnalyzer",
        "AccessAnalyzerServiceRolePolicy",
    ),
    (
        "cloudtrail.amazonaws.com",
        "AWSServiceRoleForCloudTrail",
        "CloudTrailServiceRolePolicy",
    ),
    (
        "config-multiaccountsetup.amazonaws.com",
        "AWSServiceRoleForConfigMultiAccountSetup",
        "AWSConfigMultiAccountSetupPolicy",
    ),
    (
        "config.amazonaws.com",
        "AWSServiceRoleForConfig",
        "AWSConfigServiceRolePolicy",
    ),
    (
        "guardduty.amazonaws.com",
        "AWSServiceRoleForAmazonGuardDuty",
        "AmazonGuardDutyServiceRolePolicy",
    ),
    (
        "malware-protection.guardduty.amazonaws.com",
        "AWSServiceRoleForAmazonGuardDutyMalwareProtection",
        "AmazonGuardDutyMalwareProtectionServiceRolePolicy",
    ),
    (
        "organizations.amazonaws.com",
        "AWSServiceRoleForOrganizations",
        "AWSOrganizationsServiceTrustPolicy",
    ),
    (
        "securityhub.amazonaws.com",
        "AWSServiceRoleForSecurityHub",
        "AWSSecurityHubServiceRolePolicy",
    ),
    (
        "sso.amazonaws.com",
        "AWSServiceRoleForSSO",
        "AWSSSOServiceRolePolicy",
    ),
    (
        "support.amazonaws.com",
        "AWSServiceRoleForSupport",
        "AWSSupportServiceRolePolicy",
    ),
    (
        "trustedadvisor.amazonaws.com",
        "AWSServiceRoleForTrustedAdvisor",
        "AWSTrustedAdvisorServiceRolePolicy",
    ),
];

/// The name of a service's role; none if the service has none.
pub(super) fn role_name(service: &str, suffix: Option<&str>) -> Option<String> {
    let (_, name, _) = SERVICES
        .iter()
        .find(|(principal, ..)| *principal == service)?;
    Some(match suffix {
        Some(suffix) => format!("{name}_{suffix}"),
        None => (*name).to_owned(),
    })
}

impl State {
    /// Creates a service-linked role as services do on their own; nothing happens where it is already there,
    /// or where the service has no such role.
    pub fn ensure_service_linked_role(
        &mut self,
        account: AccountId,
        service_principal: &str,
        now: Timestamp,
    ) {
        if let Some(name) = role_name(service_principal, None)
            && !self.has_role(account, &name)
        {
            self.link(account, service_principal, name, now);
        }
    }

    fn link(
        &mut self,
        account: AccountId,
        service: &str,
        name: String,
        now: Timestamp,
    ) -> &mut Role {
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
        }]});
        let trust = Document::trust(&trust.to_string(), |_| true)
            .expect("the statement above is a trust policy");
        let id = self.unique_id("AROA", 17);
        let mut role = Role::new(
            account,
            &format!("/aws-service-role/{service}/"),
            &name,
            id,
            trust,
            now,
        );
        let policies = SERVICES
            .iter()
            .filter(|(principal, ..)| *principal == service)
            .map(|(.., policy)| policy);
        role.grants.attached.extend(
            policies.map(|policy| format!("arn:aws:iam::aws:policy/aws-service-role/{policy}")),
        );
        role.linked_service = Some(service.to_owned());
        self.account(account).roles.entry(name).or_insert(role)
    }
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Answer {
    let (account, service) = (call.account(), call.required("AWSServiceName"));
    let name = role_name(service, call.text("CustomSuffix")).ok_or_else(|| {
        invalid(format!(
            "Service name {service} is not a service that supports service-linked roles."
        ))
    })?;
    if world.iam.has_role(account, &name) {
        return Err(invalid(format!(
            "Service role name {name} has been taken in this account, please try a different suffix."
        )));
    }
    let role = world.iam.link(account, service, name, call.now);
    role.description = call.text("Description").map(str::to_owned);
    Ok(json!({"Role": role.describe()}))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let (account, name) = (call.account(), call.required("RoleName"));
    let role = world.iam.role_record(account, name)?;
    let Some(service) = role.linked_service.clone() else {
        return Err(invalid(format!(
            "The role {name} is not a service-linked role."
        )));
    };
    let in_use: Vec<Region> = match service.as_str() {
        "config.amazonaws.com" => regions::all()
            .filter(|region| world.config.is_recording(account, region))
            .collect(),
        _ => Vec::new(),
    };
    let number = world.random_hex(12);
    let finished = call.now + world.wait(SignedDuration::from_secs(5));
    let task = format!("task/aws-service-role/{service}/{name}/00000000-0000-4000-8000-{number}");
    let account = world.iam.account(account);
    if in_use.is_empty() {
        account.roles.remove(name);
    }
    account
        .deletions
        .insert(task.clone(), Deletion { finished, in_use });
    Ok(json!({"DeletionTaskId": task}))
}

pub(super) fn deletion_status(world: &mut World, call: &Call<'_>) -> Answer {
    let task = call.required("DeletionTaskId");
    let deletion = world.iam.account(call.account()).deletions.get(task);
    let deletion =
        deletion.ok_or_else(|| no_such_entity(format!("Deletion task {task} cannot be found.")))?;
    if call.now < deletion.finished {
        return Ok(json!({"Status": "IN_PROGRESS"}));
    }
    if deletion.in_use.is_empty() {
        return Ok(json!({"Status": "SUCCEEDED"}));
    }
    let usage = deletion
        .in_use
        .iter()
        .map(|region| json!({"Region": region, "Resources": []}));
    let reason = json!({
        "Reason": "A service-linked role in use cannot be deleted.",
        "RoleUsageList": usage.collect::<Vec<_>>(),
    });
    Ok(json!({"Status": "FAILED", "Reason": reason}))
}
