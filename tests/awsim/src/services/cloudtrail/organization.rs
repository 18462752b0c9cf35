//! What AWS demands of who makes or changes a trail for the whole organization.
//!
//! That the organization must have all features is no question here: awsim's always has them.

use landfall_policy::Context;

use super::SERVICE;
use crate::authorize::{self, Question};
use crate::call::{AwsError, Call};
use crate::world::{MANAGEMENT_ACCOUNT, World};

/// The role in the management account with which CloudTrail asks for the members.
const ROLE: &str = "AWSServiceRoleForCloudTrail";

/// Whether the caller may manage organization trails.
///
/// # Errors
///
/// `OrganizationsNotInUseException`, `NotOrganizationMasterAccountException`, and for a delegated administrator
/// `NoManagementAccountSLRExistsException`: he cannot make the role, the management account can.
pub(super) fn check_administrator(world: &World, call: &Call<'_>) -> Result<(), AwsError> {
    let account = call.account();
    if account == MANAGEMENT_ACCOUNT {
        return Ok(());
    }
    if world.organizations.created_at(account).is_none() {
        return Err(AwsError::new(
            "OrganizationsNotInUseException",
            "Your account is not a member of an organization.",
        ));
    }
    if !world
        .organizations
        .is_delegated_administrator(account, SERVICE)
    {
        return Err(AwsError::new(
            "NotOrganizationMasterAccountException",
            "The request must come from the organization's management account or a delegated administrator for CloudTrail.",
        ));
    }
    if !world.iam.has_role(MANAGEMENT_ACCOUNT, ROLE) {
        return Err(AwsError::new(
            "NoManagementAccountSLRExistsException",
            "The management account does not have the CloudTrail service-linked role.",
        ));
    }
    Ok(())
}

/// Checks all that a trail needs to become the organization's; makes the service-linked role for the management account.
///
/// # Errors
///
/// `InsufficientDependencyServiceAccessPermissionException` for a caller who may not do himself what CloudTrail does on
/// his behalf, `CloudTrailAccessNotEnabledException` without trusted access; otherwise as [`check_administrator`].
pub(super) fn prepare(world: &mut World, call: &Call<'_>) -> Result<(), AwsError> {
    check_administrator(world, call)?;
    check_permissions(world, call)?;
    if !world.organizations.trusted_access(SERVICE) {
        return Err(AwsError::new(
            "CloudTrailAccessNotEnabledException",
            "You must enable trusted access for CloudTrail in AWS Organizations before you create an organization trail.",
        ));
    }
    world
        .iam
        .ensure_service_linked_role(MANAGEMENT_ACCOUNT, SERVICE, call.now);
    Ok(())
}

/// CloudTrail asks Organizations and IAM with the caller's own permissions (CloudTrail User Guide, "Prepare for creating
/// a trail for your organization").
fn check_permissions(world: &World, call: &Call<'_>) -> Result<(), AwsError> {
    let role = format!("arn:aws:iam::{MANAGEMENT_ACCOUNT}:role/aws-service-role/{SERVICE}/{ROLE}");
    let mut needed = vec![
        ("organizations:DescribeOrganization", "*"),
        ("organizations:ListAWSServiceAccessForOrganization", "*"),
    ];
    if !world.iam.has_role(MANAGEMENT_ACCOUNT, ROLE) {
        needed.push(("iam:CreateServiceLinkedRole", &role));
    }
    for (action, resource) in needed {
        let mut context = Context::new();
        context.set("iam:AWSServiceName", SERVICE);
        let question = Question {
            principal: call.principal,
            action,
            resource,
            context,
            resource_policy: None,
            resource_must_allow: false,
        };
        authorize::may(world, call.region, call.now, question).map_err(|denial| {
            AwsError::new(
                "InsufficientDependencyServiceAccessPermissionException",
                denial,
            )
        })?;
    }
    Ok(())
}
