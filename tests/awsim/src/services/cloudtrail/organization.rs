//! What AWS demands of who makes or changes a trail for the whole organization.
//!
//! That the organization must have all features is no question here: awsim's always has them.

use super::SERVICE;
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
/// `CloudTrailAccessNotEnabledException` without trusted access; otherwise as [`check_administrator`].
pub(super) fn prepare(world: &mut World, call: &Call<'_>) -> Result<(), AwsError> {
    check_administrator(world, call)?;
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
