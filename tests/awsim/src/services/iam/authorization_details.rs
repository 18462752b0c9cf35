//! Everything that decides who may do what in an account, in one call.

use serde_json::{Value, json};

use super::policies::ManagedPolicy;
use super::roles::{Role, boundary};
use super::users::User;
use super::{Account, aws_managed, page, seconds, tag_list};
use crate::call::{Answer, Call};
use crate::world::World;

/// The output's lists.
const LISTS: [&str; 4] = [
    "UserDetailList",
    "GroupDetailList",
    "RoleDetailList",
    "Policies",
];

/// One page runs over all four lists: users first, policies last.
pub(super) fn get(world: &mut World, call: &Call<'_>) -> Answer {
    let account = &*world.iam.account(call.account());
    let filter: Vec<&str> = call
        .list("Filter")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let wanted = |kind: &str| filter.is_empty() || filter.contains(&kind);
    let mut items = Vec::new();
    if wanted("User") {
        items.extend(
            account
                .users
                .values()
                .map(|user| json!(["UserDetailList", user_detail(user)])),
        );
    }
    if wanted("Role") {
        items.extend(
            account
                .roles
                .values()
                .map(|role| json!(["RoleDetailList", role_detail(role)])),
        );
    }
    if wanted("LocalManagedPolicy") {
        items.extend(
            account
                .policies
                .values()
                .map(|policy| json!(["Policies", policy_detail(policy, account)])),
        );
    }
    if wanted("AWSManagedPolicy") {
        // Of AWS's own policies only those that someone in the account uses.
        let used = aws_managed::all().filter(|policy| account.uses(&policy.arn));
        items.extend(used.map(|policy| json!(["Policies", policy_detail(policy, account)])));
    }

    let mut answer = page(call, "Items", items)?;
    let items = answer
        .as_object_mut()
        .and_then(|answer| answer.remove("Items"));
    for list in LISTS {
        answer[list] = json!([]);
    }
    for item in items
        .as_ref()
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let list = item[0].as_str().unwrap_or_default();
        if let Some(list) = answer[list].as_array_mut() {
            list.push(item[1].clone());
        }
    }
    Ok(answer)
}

fn user_detail(user: &User) -> Value {
    let mut detail = json!({
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": seconds(user.created),
        "UserPolicyList": user.grants.inline_details(),
        "GroupList": [],
        "AttachedManagedPolicies": user.grants.attached_under("/"),
        "Tags": tag_list(&user.tags),
    });
    if let Some(arn) = &user.boundary {
        detail["PermissionsBoundary"] = boundary(arn);
    }
    detail
}

fn role_detail(role: &Role) -> Value {
    let mut detail = json!({
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": seconds(role.created),
        "AssumeRolePolicyDocument": role.trust.encoded(),
        "InstanceProfileList": [],
        "RolePolicyList": role.grants.inline_details(),
        "AttachedManagedPolicies": role.grants.attached_under("/"),
        "Tags": tag_list(&role.tags),
        "RoleLastUsed": {},
    });
    if let Some(arn) = &role.boundary {
        detail["PermissionsBoundary"] = boundary(arn);
    }
    detail
}

fn policy_detail(policy: &ManagedPolicy, account: &Account) -> Value {
    let mut detail = policy.describe(account);
    detail["PolicyVersionList"] = policy
        .versions
        .iter()
        .rev()
        .map(|version| policy.describe_version(version, true))
        .collect();
    if let Some(description) = &policy.description {
        detail["Description"] = json!(description);
    }
    detail
}
