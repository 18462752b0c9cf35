//! Which policies bind which roots, OUs and accounts.
//!
//! While the policy type is enabled, every root, OU and account has at least one SCP: `FullAWSAccess` to begin with.
//! Disabling the type detaches all of them, and enabling it again does not bring them back.

use std::sync::Arc;

use landfall_policy::Policy;
use serde_json::{Value, json};

use super::policies::{FULL_ACCESS, SCP, built};
use super::{State, constraint, page};
use crate::call::{AccountId, Answer, AwsError, Call};

/// Quota: SCPs attached directly to one target (since 2026-05-15; 5 before). Inherited ones do not count.
const MOST_ATTACHED: usize = 10;

impl State {
    /// The parsed policies attached directly to a target.
    pub(super) fn parsed(&self, target: &str) -> Vec<Arc<Policy>> {
        let attached = self.attached.get(target).into_iter().flatten();
        attached
            .filter_map(|id| self.policies.get(id))
            .map(|policy| Arc::clone(&policy.parsed))
            .collect()
    }

    /// Everything that a policy is attached to.
    pub(super) fn targets<'a>(&'a self, policy: &'a str) -> impl Iterator<Item = &'a String> {
        self.attached
            .iter()
            .filter(move |(_, ids)| ids.iter().any(|id| id == policy))
            .map(|(target, _)| target)
    }

    /// What AWS does to every new target while SCPs are enabled.
    pub(super) fn attach_full_access(&mut self, target: String) {
        if self.scps_enabled {
            self.attached.insert(target, vec![FULL_ACCESS.to_owned()]);
        }
    }

    pub(super) fn policy_types(&self) -> Value {
        if self.scps_enabled {
            json!([{ "Type": SCP, "Status": "ENABLED" }])
        } else {
            json!([])
        }
    }

    fn root_of(&self, call: &Call<'_>) -> Result<(), AwsError> {
        if call.required("RootId") == self.root {
            return Ok(());
        }
        let message = "We can't find a root with the RootId that you specified.";
        Err(AwsError::new("RootNotFoundException", message))
    }

    pub(super) fn enable_policy_type(&mut self, call: &Call<'_>) -> Answer {
        self.root_of(call)?;
        built(call.required("PolicyType"))?;
        if self.scps_enabled {
            let message = "The specified policy type is already enabled.";
            return Err(AwsError::new("PolicyTypeAlreadyEnabledException", message));
        }
        self.scps_enabled = true;
        let accounts = self.accounts.keys().map(AccountId::to_string);
        let targets: Vec<String> = self.nodes.keys().cloned().chain(accounts).collect();
        for target in targets {
            self.attach_full_access(target);
        }
        Ok(json!({ "Root": self.root_view() }))
    }

    pub(super) fn disable_policy_type(&mut self, call: &Call<'_>) -> Answer {
        self.root_of(call)?;
        built(call.required("PolicyType"))?;
        if !self.scps_enabled {
            return Err(not_enabled());
        }
        self.scps_enabled = false;
        self.attached.clear();
        Ok(json!({ "Root": self.root_view() }))
    }

    /// A root, OU or account that a policy may be attached to.
    fn target(&self, id: &str) -> Result<(), AwsError> {
        let member = id
            .parse()
            .is_ok_and(|id: AccountId| self.accounts.contains_key(&id));
        if member || self.nodes.contains_key(id) {
            return Ok(());
        }
        let message = "We can't find a root, OU, or account with the TargetId that you specified.";
        Err(AwsError::new("TargetNotFoundException", message))
    }

    pub(super) fn attach_policy(&mut self, call: &Call<'_>) -> Answer {
        self.attach(call.required("PolicyId"), call.required("TargetId"))
            .map(|()| json!({}))
    }

    pub(super) fn attach(&mut self, policy: &str, target: &str) -> Result<(), AwsError> {
        self.policy(policy)?;
        self.target(target)?;
        if !self.scps_enabled {
            return Err(not_enabled());
        }
        let attached = self.attached.entry(target.to_owned()).or_default();
        if attached.iter().any(|id| id == policy) {
            let message = "The selected policy is already attached to the specified target.";
            return Err(AwsError::new("DuplicatePolicyAttachmentException", message));
        }
        if attached.len() >= MOST_ATTACHED {
            let message =
                "You have attached the maximum number of policies to the specified target.";
            return Err(constraint(
                "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
                message,
            ));
        }
        attached.push(policy.to_owned());
        Ok(())
    }

    pub(super) fn detach_policy(&mut self, call: &Call<'_>) -> Answer {
        self.detach(call.required("PolicyId"), call.required("TargetId"))
            .map(|()| json!({}))
    }

    pub(super) fn detach(&mut self, policy: &str, target: &str) -> Result<(), AwsError> {
        self.policy(policy)?;
        self.target(target)?;
        let attached = self.attached.get_mut(target);
        let Some(attached) = attached.filter(|attached| attached.iter().any(|id| id == policy))
        else {
            let message = "The policy isn't attached to the specified target.";
            return Err(AwsError::new("PolicyNotAttachedException", message));
        };
        if attached.len() == 1 {
            let message = "You cannot remove the last policy attached to the specified target.";
            return Err(constraint(
                "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
                message,
            ));
        }
        attached.retain(|id| id != policy);
        Ok(())
    }

    pub(super) fn list_policies_for_target(&self, call: &Call<'_>) -> Answer {
        let target = call.required("TargetId");
        self.target(target)?;
        let attached = self.attached.get(target).into_iter().flatten();
        let ids = attached.filter(|_| call.text("Filter") == Some(SCP));
        page(call, "Policies", ids.cloned(), |id| self.policy_summary(id))
    }

    pub(super) fn list_targets_for_policy(&self, call: &Call<'_>) -> Answer {
        let policy = call.required("PolicyId");
        self.policy(policy)?;
        page(call, "Targets", self.targets(policy).cloned(), |id| {
            self.target_view(id)
        })
    }

    fn target_view(&self, id: &str) -> Value {
        if let Some(node) = self.nodes.get(id) {
            return json!({ "TargetId": id, "Arn": self.node_arn(id), "Name": node.name, "Type": self.node_type(id) });
        }
        let account = id.parse().ok();
        let name = account
            .and_then(|account| self.accounts.get(&account))
            .map(|a| &a.name);
        let arn = account.map(|account| self.account_arn(account));
        json!({ "TargetId": id, "Arn": arn, "Name": name, "Type": "ACCOUNT" })
    }
}

fn not_enabled() -> AwsError {
    let message = "The specified policy type isn't currently enabled in this root.";
    AwsError::new("PolicyTypeNotEnabledException", message)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::Org;
    use crate::world::MANAGEMENT_ACCOUNT;

    const DENY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#;

    fn attachment(policy: &str, target: &str) -> Value {
        json!({ "PolicyId": policy, "TargetId": target })
    }

    fn attached(org: &mut Org, target: &str) -> Vec<String> {
        let input = json!({ "TargetId": target, "Filter": "SERVICE_CONTROL_POLICY" });
        let policies = org.list("ListPoliciesForTarget", input, "Policies");
        policies
            .iter()
            .map(|policy| policy["Name"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn nothing_is_attached_before_the_type_is_enabled() {
        let mut org = Org::new();
        let (root, id) = (org.root(), org.policy("Deny", DENY));
        let account = org.account("a@example.com");
        assert_eq!(
            org.refusal("AttachPolicy", attachment(&id, &root)),
            "PolicyTypeNotEnabledException"
        );
        let policy_type = json!({ "RootId": root, "PolicyType": "SERVICE_CONTROL_POLICY" });
        assert_eq!(
            org.refusal("DisablePolicyType", policy_type.clone()),
            "PolicyTypeNotEnabledException"
        );
        let enabled = org.call("EnablePolicyType", policy_type.clone());
        let status = json!([{ "Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED" }]);
        assert_eq!(enabled["Root"]["PolicyTypes"], status);
        assert_eq!(
            org.refusal("EnablePolicyType", policy_type.clone()),
            "PolicyTypeAlreadyEnabledException"
        );
        let (later, unit) = (
            org.account("b@example.com"),
            org.unit(&root, "Applications"),
        );
        for target in [&root, &account, &later, &unit] {
            assert_eq!(attached(&mut org, target), ["FullAWSAccess"]);
        }
        let targets = org.list(
            "ListTargetsForPolicy",
            json!({ "PolicyId": "p-FullAWSAccess" }),
            "Targets",
        );
        assert_eq!(targets.len(), 5, "and the management account");

        org.call("AttachPolicy", attachment(&id, &unit));
        org.call("DisablePolicyType", policy_type.clone());
        assert!(
            attached(&mut org, &unit).is_empty(),
            "disabling detaches everything"
        );
        org.call("EnablePolicyType", policy_type);
        assert_eq!(
            attached(&mut org, &unit),
            ["FullAWSAccess"],
            "and enabling brings nothing back"
        );
    }

    #[test]
    fn ten_for_each_target_and_never_none() {
        let mut org = Org::new();
        org.enable_scps();
        let root = org.root();
        let unit = org.unit(&root, "Applications");
        let ids: Vec<String> = (0..10).map(|n| org.policy(&n.to_string(), DENY)).collect();
        for id in &ids[..9] {
            org.call("AttachPolicy", attachment(id, &unit));
        }
        assert_eq!(
            org.refusal("AttachPolicy", attachment(&ids[0], &unit)),
            "DuplicatePolicyAttachmentException"
        );
        let most = "ConstraintViolationException MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED";
        assert_eq!(
            org.refusal("AttachPolicy", attachment(&ids[9], &unit)),
            most
        );
        assert_eq!(
            org.refusal("DetachPolicy", attachment(&ids[9], &unit)),
            "PolicyNotAttachedException"
        );
        let child = org.unit(&unit, "Production");
        for id in &ids[1..] {
            org.call("AttachPolicy", attachment(id, &child));
        }
        for id in &ids[..9] {
            org.call("DetachPolicy", attachment(id, &unit));
        }
        let last = "ConstraintViolationException MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED";
        assert_eq!(
            org.refusal("DetachPolicy", attachment("p-FullAWSAccess", &unit)),
            last
        );
        assert_eq!(
            org.refusal("AttachPolicy", attachment(&ids[0], "999999999999")),
            "TargetNotFoundException"
        );
        assert_eq!(
            org.refusal("AttachPolicy", attachment("p-00000000", &unit)),
            "PolicyNotFoundException"
        );
    }

    #[test]
    fn every_level_from_the_root_down_binds() {
        let mut org = Org::new();
        let root = org.root();
        let account = org.account("a@example.com");
        let unit = org.unit(&root, "Applications");
        org.call(
            "MoveAccount",
            json!({ "AccountId": account, "SourceParentId": root, "DestinationParentId": unit }),
        );
        let id = account.parse().unwrap();
        let levels = |org: &Org, account| {
            let levels = org.world.organizations.service_control_policies(account);
            levels.iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert!(levels(&org, id).is_empty(), "the policy type is off");
        org.enable_scps();
        let deny = org.policy("Deny", DENY);
        assert_eq!(levels(&org, id), [1, 1, 1]);
        org.call("AttachPolicy", attachment(&deny, &unit));
        org.call("AttachPolicy", attachment(&deny, &root));
        assert_eq!(levels(&org, id), [2, 2, 1], "the root comes first");
        assert!(levels(&org, MANAGEMENT_ACCOUNT).is_empty());

        let allow = DENY.replace("Deny", "Allow");
        org.call(
            "UpdatePolicy",
            json!({ "PolicyId": deny, "Content": allow }),
        );
        let unit_level = &org.world.organizations.service_control_policies(id)[1];
        assert_eq!(
            *unit_level[1],
            landfall_policy::Policy::parse(&allow).unwrap(),
            "an edit binds at once"
        );
    }
}
