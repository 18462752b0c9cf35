//! The roles that an operator installs, made from what the controls say that they call: see `deploy/roles`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::enrollment::BOOTSTRAP_ROLE;
use crate::policy_validation;
use crate::preflight;
use crate::registry;
use crate::session_policy;
use crate::vending;

/// What the role `LandfallManagement` may do: what vending, the organization's controls and those of the management account
/// itself call, and take on the execution role of member accounts. Of IAM it gets service-linked roles and the password
/// policy alone: no role of somebody else's, and not itself.
pub fn management_permissions() -> Value {
    let controls = registry::controls()
        .values()
        .map(|control| control.descriptor());
    let (iam, others): (BTreeSet<&str>, BTreeSet<&str>) = controls
        .flat_map(|control| {
            let in_management = !control.members_only;
            let actions = control.actions.iter();
            actions.filter(move |action| in_management || session_policy::is_of_management(action))
        })
        .chain(vending::ACTIONS)
        .chain(preflight::ACTIONS)
        .chain(policy_validation::ACTIONS)
        .partition(|action| action.starts_with("iam:"));
    // Of the account, and of nothing in it: IAM knows no resource to narrow them to.
    let (of_account, of_roles): (BTreeSet<&str>, BTreeSet<&str>) = iam
        .into_iter()
        .partition(|action| action.contains("AccountPasswordPolicy"));
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Organization",
                "Effect": "Allow",
                "Action": others,
                "Resource": "*",
            },
            {
                "Sid": "ServiceLinkedRoles",
                "Effect": "Allow",
                "Action": of_roles,
                "Resource": "arn:aws:iam::*:role/aws-service-role/*",
            },
            {
                "Sid": "ServiceLinkedRolesToCome",
                "Effect": "Allow",
                "Action": "iam:GetRole",
                // While a role is not there, IAM knows its name and no path.
                "Resource": "arn:aws:iam::*:role/AWSServiceRoleFor*",
            },
            {
                "Sid": "PasswordPolicy",
                "Effect": "Allow",
                "Action": of_account,
                "Resource": "*",
            },
            {
                "Sid": "MemberAccounts",
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                // The second is how accounts are entered that Landfall did not make: see `enrollment`.
                "Resource": [
                    "arn:aws:iam::*:role/LandfallExecution",
                    format!("arn:aws:iam::*:role/{BOOTSTRAP_ROLE}"),
                ],
            },
        ],
    })
}

#[cfg(test)]
mod tests {
    use landfall_policy::{Context, Policy, PrincipalView, Request};

    use super::*;

    const MANAGEMENT: &str = include_str!("../../../deploy/roles/landfall-management.json");
    const TRUST: &str = include_str!("../../../deploy/roles/landfall-management-trust.json");
    const PROCESS: &str = include_str!("../../../deploy/roles/landfall-process.json");

    #[test]
    fn the_management_role_may_do_what_the_controls_list_and_no_more() {
        let wanted = management_permissions();
        let found: Value = serde_json::from_str(MANAGEMENT).unwrap();
        assert!(
            found == wanted,
            "deploy/roles/landfall-management.json is to read\n{wanted:#}"
        );
    }

    #[test]
    fn the_documents_are_policies_and_the_process_may_only_become_the_management_role() {
        Policy::parse(TRUST).unwrap();
        let process = Policy::parse(PROCESS).unwrap();
        let principal =
            PrincipalView::role_session("arn:aws:iam::111111111111:role/LandfallServer", "process")
                .unwrap();
        let context = Context::of(&principal);
        let allows = |action, resource| {
            process.allows(&Request {
                principal: &principal,
                action,
                resource,
                context: &context,
            })
        };
        let management = "arn:aws:iam::111111111111:role/LandfallManagement";
        for (action, resource, allowed) in [
            ("sts:AssumeRole", management, true),
            (
                "sts:AssumeRole",
                "arn:aws:iam::222222222222:role/LandfallExecution",
                false,
            ),
            ("organizations:CreateAccount", "*", false),
        ] {
            assert_eq!(allows(action, resource), allowed, "{action} on {resource}");
        }
    }
}
