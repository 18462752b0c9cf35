//! The ARN that a call acts on, as policies name it.

use crate::call::{AccountId, Call};
use crate::world::World;

/// The members that carry the id of what a call acts on, the most specific first.
const MEMBERS: [&str; 9] = [
    "AccountId",
    "PolicyId",
    "TargetId",
    "OrganizationalUnitId",
    "ResourceId",
    "ParentId",
    "ChildId",
    "RootId",
    "CreateAccountRequestId",
];

/// The ARN of the account, OU, root or policy that the call names; `*` where it names none.
pub fn resource(world: &World, call: &Call<'_>) -> String {
    let id = MEMBERS
        .iter()
        .find_map(|member| call.text(member))
        .unwrap_or_default();
    let state = &world.organizations;
    if let Ok(account) = id.parse::<AccountId>() {
        return state.account_arn(account);
    }
    if id.starts_with("r-") || id.starts_with("ou-") {
        return state.node_arn(id);
    }
    if id.starts_with("p-") {
        return state.policy_arn(id);
    }
    "*".to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::Org;
    use super::resource;
    use crate::call::{Call, Principal};
    use crate::world::MANAGEMENT_ACCOUNT;

    #[test]
    fn calls_name_what_they_act_on() {
        let org = Org::new();
        let (root, id) = (
            org.root(),
            org.world.organizations.organization_id().to_owned(),
        );
        let principal = Principal {
            account: MANAGEMENT_ACCOUNT,
            arn: String::new(),
            unique_id: String::new(),
            role: None,
            session_policy: None,
            source_identity: None,
            tags: Vec::new(),
        };
        let arn = |rest: &str| format!("arn:aws:organizations::111111111111:{rest}");
        let full =
            "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess".to_owned();
        for (operation, input, expect) in [
            ("ListAccounts", json!({}), "*".to_owned()),
            (
                "CreateAccount",
                json!({ "Email": "a@example.com" }),
                "*".to_owned(),
            ),
            (
                "MoveAccount",
                json!({ "AccountId": "222222222222", "SourceParentId": root, "DestinationParentId": root }),
                arn(&format!("account/{id}/222222222222")),
            ),
            (
                "ListAccountsForParent",
                json!({ "ParentId": root }),
                arn(&format!("root/{id}/{root}")),
            ),
            (
                "TagResource",
                json!({ "ResourceId": "ou-abcd-12345678" }),
                arn(&format!("ou/{id}/ou-abcd-12345678")),
            ),
            (
                "DescribePolicy",
                json!({ "PolicyId": "p-12345678" }),
                arn(&format!("policy/{id}/service_control_policy/p-12345678")),
            ),
            (
                "AttachPolicy",
                json!({ "PolicyId": "p-FullAWSAccess", "TargetId": root }),
                full,
            ),
        ] {
            let call = Call {
                service: "organizations",
                operation,
                principal: &principal,
                region: "us-east-1",
                now: org.now,
                input,
            };
            assert_eq!(resource(&org.world, &call), expect, "{operation}");
        }
    }
}
