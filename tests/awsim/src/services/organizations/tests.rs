//! A world to test Organizations in, for the tests at the bottom of each file.

use std::ops::{Deref, DerefMut};

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::call::{AccountId, Answer};
use crate::services::scene::Scene;
use crate::world::MANAGEMENT_ACCOUNT;

/// A bare organization and a clock.
pub(super) struct Org {
    scene: Scene,
}

impl Deref for Org {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.scene
    }
}

impl DerefMut for Org {
    fn deref_mut(&mut self) -> &mut Scene {
        &mut self.scene
    }
}

impl Org {
    pub(super) fn new() -> Self {
        let mut scene = Scene::new();
        scene.world.settings.create_account = SignedDuration::from_secs(60);
        Org { scene }
    }

    pub(super) fn sleep(&mut self, seconds: i64) {
        self.scene.after(SignedDuration::from_secs(seconds));
    }

    pub(super) fn call_as(
        &mut self,
        caller: AccountId,
        operation: &'static str,
        input: Value,
    ) -> Answer {
        self.scene
            .call(("organizations", operation), caller, "us-east-1", input)
    }

    pub(super) fn try_call(&mut self, operation: &'static str, input: Value) -> Answer {
        self.call_as(MANAGEMENT_ACCOUNT, operation, input)
    }

    pub(super) fn call(&mut self, operation: &'static str, input: Value) -> Value {
        self.try_call(operation, input).unwrap()
    }

    /// The code of a refusal, and its reason after a space where AWS gives one.
    pub(super) fn refusal(&mut self, operation: &'static str, input: Value) -> String {
        let error = self.try_call(operation, input).unwrap_err();
        let reason = error
            .members
            .iter()
            .find(|(member, _)| *member == "Reason")
            .and_then(|(_, reason)| reason.as_str());
        reason.map_or(error.code.clone(), |reason| {
            format!("{} {reason}", error.code)
        })
    }

    /// All items of a list, page by page.
    pub(super) fn list(
        &mut self,
        operation: &'static str,
        mut input: Value,
        items: &str,
    ) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let page = self.call(operation, input.clone());
            all.extend(page[items].as_array().unwrap().iter().cloned());
            let Some(token) = page.get("NextToken") else {
                return all;
            };
            input["NextToken"] = token.clone();
        }
    }

    pub(super) fn root(&self) -> String {
        self.world.organizations.root.clone()
    }

    /// Creates an account and waits until lists show it.
    pub(super) fn account(&mut self, email: &str) -> String {
        let status = self.call(
            "CreateAccount",
            json!({ "Email": email, "AccountName": "Some account" }),
        );
        self.sleep(60);
        let status = self.status(&status);
        self.sleep(2);
        status["AccountId"]
            .as_str()
            .unwrap_or_else(|| panic!("{status}"))
            .to_owned()
    }

    /// How a creation stands now.
    pub(super) fn status(&mut self, begun: &Value) -> Value {
        let id = &begun["CreateAccountStatus"]["Id"];
        self.call(
            "DescribeCreateAccountStatus",
            json!({ "CreateAccountRequestId": id }),
        )["CreateAccountStatus"]
            .clone()
    }

    pub(super) fn unit(&mut self, parent: &str, name: &str) -> String {
        let made = self.call(
            "CreateOrganizationalUnit",
            json!({ "ParentId": parent, "Name": name }),
        );
        made["OrganizationalUnit"]["Id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(super) fn policy(&mut self, name: &str, content: &str) -> String {
        let input = json!({ "Name": name, "Description": "", "Type": "SERVICE_CONTROL_POLICY", "Content": content });
        let made = self.call("CreatePolicy", input);
        made["Policy"]["PolicySummary"]["Id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(super) fn enable_scps(&mut self) {
        let input = json!({ "RootId": self.root(), "PolicyType": "SERVICE_CONTROL_POLICY" });
        self.call("EnablePolicyType", input);
    }

    pub(super) fn tamper(&mut self, request: &Value) -> Result<Value, String> {
        super::tamper(&mut self.scene.world, request, self.scene.now)
    }
}

#[test]
fn starts_bare() {
    let mut org = Org::new();
    let described = org.call("DescribeOrganization", json!({}));
    let organization = &described["Organization"];
    assert!(organization["Id"].as_str().unwrap().starts_with("o-"));
    assert_eq!(organization["FeatureSet"], "ALL");
    assert_eq!(organization["MasterAccountId"], "111111111111");
    assert!(
        organization["MasterAccountEmail"]
            .as_str()
            .unwrap()
            .contains('@')
    );

    let roots = org.list("ListRoots", json!({}), "Roots");
    assert_eq!(roots.len(), 1);
    assert_eq!(
        roots[0]["PolicyTypes"],
        json!([]),
        "no policy type is enabled"
    );
    let root = json!({ "ParentId": roots[0]["Id"] });
    assert!(
        org.list(
            "ListOrganizationalUnitsForParent",
            root.clone(),
            "OrganizationalUnits"
        )
        .is_empty()
    );
    assert_eq!(org.list("ListAccountsForParent", root, "Accounts").len(), 1);
    assert!(
        org.list(
            "ListAWSServiceAccessForOrganization",
            json!({}),
            "EnabledServicePrincipals"
        )
        .is_empty()
    );
}

#[test]
fn answers_the_management_account_only() {
    let mut org = Org::new();
    let member: AccountId = org.account("member@example.com").parse().unwrap();
    let code = |answer: Answer| answer.map_or_else(|error| error.code, |_| "ok".to_owned());
    let create = json!({ "Email": "other@example.com", "AccountName": "Other" });
    assert_eq!(
        code(org.call_as(member, "CreateAccount", create.clone())),
        "AccessDeniedException"
    );
    assert_eq!(
        code(org.call_as(member, "ListAccounts", json!({}))),
        "AccessDeniedException"
    );
    assert_eq!(
        code(org.call_as(member, "DescribeOrganization", json!({}))),
        "ok"
    );

    let delegation =
        json!({ "AccountId": member.to_string(), "ServicePrincipal": "config.amazonaws.com" });
    org.call(
        "EnableAWSServiceAccess",
        json!({ "ServicePrincipal": "config.amazonaws.com" }),
    );
    org.call("RegisterDelegatedAdministrator", delegation);
    assert_eq!(
        code(org.call_as(member, "ListAccounts", json!({}))),
        "ok",
        "a delegated administrator reads"
    );
    assert_eq!(
        code(org.call_as(member, "CreateAccount", create)),
        "AccessDeniedException",
        "and reads only"
    );
}

#[test]
fn is_signed_for_us_east_1() {
    let mut scene = Scene::new();
    let list = ("organizations", "ListRoots");
    let refused = scene.call(list, MANAGEMENT_ACCOUNT, "eu-west-1", json!({}));
    assert_eq!(refused.unwrap_err().code, "InvalidSignatureException");
}
