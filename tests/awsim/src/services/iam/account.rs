//! The account itself: its alias, and its counts and quotas.

use serde_json::json;

use super::{already_exists, no_such_entity, page};
use crate::call::{Answer, Call};
use crate::world::World;

/// Counts and the default quotas, as the IAM user guide's table of quotas has them.
pub(super) fn summary(world: &mut World, call: &Call<'_>) -> Answer {
    let account = world.iam.account(call.account());
    let versions: usize = account
        .policies
        .values()
        .map(|policy| policy.versions.len())
        .sum();
    Ok(json!({"SummaryMap": {
        "Users": account.users.len(),
        "UsersQuota": 5000,
        "Groups": 0,
        "GroupsQuota": 300,
        "Roles": account.roles.len(),
        "RolesQuota": 1000,
        "Policies": account.policies.len(),
        "PoliciesQuota": 1500,
        "PolicyVersionsInUse": versions,
        "PolicyVersionsInUseQuota": 10_000,
        "VersionsPerPolicyQuota": 5,
        "PolicySizeQuota": 6144,
        "RolePolicySizeQuota": 10_240,
        "UserPolicySizeQuota": 2048,
        "GroupPolicySizeQuota": 5120,
        "AssumeRolePolicySizeQuota": 2048,
        "AttachedPoliciesPerRoleQuota": 10,
        "AttachedPoliciesPerUserQuota": 10,
        "AttachedPoliciesPerGroupQuota": 10,
        "GroupsPerUserQuota": 10,
        "AccessKeysPerUserQuota": 2,
        "SigningCertificatesPerUserQuota": 2,
        "ServerCertificates": 0,
        "ServerCertificatesQuota": 20,
        "InstanceProfiles": 0,
        "InstanceProfilesQuota": 1000,
        "Providers": 0,
        "MFADevices": 0,
        "MFADevicesInUse": 0,
        "AccountMFAEnabled": 0,
        "AccountAccessKeysPresent": 0,
        "AccountPasswordPresent": 0,
        "AccountSigningCertificatesPresent": 0,
        "GlobalEndpointTokenVersion": 1,
    }}))
}

/// Gives the account its one alias; aliases are unique over all of AWS.
pub(super) fn create_alias(world: &mut World, call: &Call<'_>) -> Answer {
    let alias = call.required("AccountAlias");
    let taken = world
        .iam
        .accounts
        .iter()
        .any(|(id, account)| *id != call.account() && account.alias.as_deref() == Some(alias));
    if taken {
        return Err(already_exists(format!(
            "The account alias {alias} already exists."
        )));
    }
    world.iam.account(call.account()).alias = Some(alias.to_owned());
    Ok(json!({}))
}

pub(super) fn delete_alias(world: &mut World, call: &Call<'_>) -> Answer {
    let alias = call.required("AccountAlias");
    let account = world.iam.account(call.account());
    if account.alias.as_deref() != Some(alias) {
        return Err(no_such_entity(format!(
            "The account alias {alias} cannot be found."
        )));
    }
    account.alias = None;
    Ok(json!({}))
}

pub(super) fn list_aliases(world: &mut World, call: &Call<'_>) -> Answer {
    let alias = &world.iam.account(call.account()).alias;
    page(
        call,
        "AccountAliases",
        alias.iter().map(|alias| json!(alias)).collect(),
    )
}
