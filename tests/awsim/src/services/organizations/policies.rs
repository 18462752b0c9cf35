//! Service control policies as documents.
//!
//! The document is kept as it was sent, because AWS measures it so, and parsed once, because every call of a member
//! account is decided by it.

use std::sync::Arc;

use landfall_policy::{Kind, Policy, PolicyError};
use serde_json::{Value, json};

use super::{State, constraint, invalid, page, tags};
use crate::call::{Answer, AwsError, Call};
use crate::world::{MANAGEMENT_ACCOUNT, World};

/// The one policy type that awsim has built.
pub(super) const SCP: &str = "SERVICE_CONTROL_POLICY";
/// The policy that AWS attaches everywhere, so that SCPs deny nothing until someone says so.
pub(super) const FULL_ACCESS: &str = "p-FullAWSAccess";
/// Quota: characters of a document as it was sent, white space and all (since 2026-05-15; 5,120 before).
const LONGEST: usize = 10_240;
/// Quota: SCPs in an organization.
const MOST_POLICIES: usize = 10_000;

pub(super) struct Document {
    pub(super) name: String,
    pub(super) description: String,
    content: String,
    pub(super) parsed: Arc<Policy>,
    pub(super) aws_managed: bool,
}

/// `CreatePolicy`. It does not ask whether the policy type is enabled; attaching does.
pub(super) fn create(world: &mut World, call: &Call<'_>) -> Answer {
    built(call.required("Type"))?;
    let (name, content) = (call.required("Name"), call.required("Content"));
    let tags = tags::read(call)?;
    let id = format!("p-{}", world.random_id(8));
    let state = &mut world.organizations;
    let description = call.required("Description").to_owned();
    state.add_policy(id.clone(), name.to_owned(), description, content)?;
    state.set_tags(&id, tags);
    Ok(state.policy_view(&id))
}

/// Refuses the policy types that awsim has not built.
pub(super) fn built(policy_type: &str) -> Result<(), AwsError> {
    if policy_type == SCP {
        Ok(())
    } else {
        Err(AwsError::not_built())
    }
}

/// A document within the quota and the grammar.
fn parse(content: &str) -> Result<Arc<Policy>, AwsError> {
    if content.chars().count() > LONGEST {
        return Err(constraint(
            "POLICY_CONTENT_LIMIT_EXCEEDED",
            "You've exceeded the policy size limit.",
        ));
    }
    let malformed = |error: PolicyError| {
        let message = "The provided policy document does not meet the requirements of the specified policy type.";
        AwsError::new(
            "MalformedPolicyDocumentException",
            format!("{message} {error}"),
        )
    };
    let policy = Policy::parse(content).map_err(malformed)?;
    policy.validate(Kind::ServiceControl).map_err(malformed)?;
    Ok(Arc::new(policy))
}

/// The policies as tests ask for them: names, documents, and the ids of what each is attached to.
pub fn policies_report(world: &World) -> Value {
    let state = &world.organizations;
    let report = |(id, policy): (&String, &Document)| {
        json!({
            "name": policy.name,
            "content": policy.content,
            "targets": state.targets(id).collect::<Vec<_>>(),
        })
    };
    state.policies.iter().map(report).collect()
}

impl State {
    /// The policy that is there before anyone writes one.
    pub(super) fn add_full_access(&mut self) {
        let content = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
        let document = Document {
            name: "FullAWSAccess".to_owned(),
            description: "Allows access to every operation".to_owned(),
            content: content.to_owned(),
            parsed: parse(content).expect("the text above is a policy"),
            aws_managed: true,
        };
        self.policies.insert(FULL_ACCESS.to_owned(), document);
    }

    /// Makes a policy of the organization's own.
    pub(super) fn add_policy(
        &mut self,
        id: String,
        name: String,
        description: String,
        content: &str,
    ) -> Result<(), AwsError> {
        let parsed = parse(content)?;
        self.free_policy_name(&name)?;
        if self.policies.len() > MOST_POLICIES {
            return Err(constraint(
                "POLICY_NUMBER_LIMIT_EXCEEDED",
                "You have exceeded the number of policies in an organization.",
            ));
        }
        let document = Document {
            name,
            description,
            content: content.to_owned(),
            parsed,
            aws_managed: false,
        };
        self.policies.insert(id, document);
        Ok(())
    }

    pub(super) fn policy(&self, id: &str) -> Result<&Document, AwsError> {
        let message = "We can't find a policy with the PolicyId that you specified.";
        self.policies
            .get(id)
            .ok_or_else(|| AwsError::new("PolicyNotFoundException", message))
    }

    /// A policy that its organization may change.
    fn own_policy(&self, id: &str) -> Result<(), AwsError> {
        if self.policy(id)?.aws_managed {
            return Err(invalid(
                "IMMUTABLE_POLICY",
                "You can't modify an AWS managed policy.",
            ));
        }
        Ok(())
    }

    fn free_policy_name(&self, name: &str) -> Result<(), AwsError> {
        if self.policies.values().any(|policy| policy.name == name) {
            return Err(AwsError::new(
                "DuplicatePolicyException",
                "A policy with the same name already exists.",
            ));
        }
        Ok(())
    }

    pub(super) fn policy_arn(&self, id: &str) -> String {
        if self
            .policies
            .get(id)
            .is_some_and(|policy| policy.aws_managed)
        {
            return format!("arn:aws:organizations::aws:policy/service_control_policy/{id}");
        }
        format!(
            "arn:aws:organizations::{MANAGEMENT_ACCOUNT}:policy/{}/service_control_policy/{id}",
            self.id
        )
    }

    pub(super) fn policy_summary(&self, id: &str) -> Value {
        self.policies.get(id).map_or(Value::Null, |policy| {
            json!({
                "Id": id,
                "Arn": self.policy_arn(id),
                "Name": policy.name,
                "Description": policy.description,
                "Type": SCP,
                "AwsManaged": policy.aws_managed,
            })
        })
    }

    fn policy_view(&self, id: &str) -> Value {
        let content = self.policies.get(id).map(|policy| &policy.content);
        json!({ "Policy": { "PolicySummary": self.policy_summary(id), "Content": content } })
    }

    pub(super) fn describe_policy(&self, call: &Call<'_>) -> Answer {
        let id = call.required("PolicyId");
        self.policy(id)?;
        Ok(self.policy_view(id))
    }

    pub(super) fn update_policy(&mut self, call: &Call<'_>) -> Answer {
        let id = call.required("PolicyId");
        self.own_policy(id)?;
        let name = call
            .text("Name")
            .filter(|name| self.policies[id].name != *name);
        if let Some(name) = name {
            self.free_policy_name(name)?;
        }
        if let Some(content) = call.text("Content") {
            self.edit_policy(id, content)?;
        }
        if let Some(policy) = self.policies.get_mut(id) {
            if let Some(name) = name {
                name.clone_into(&mut policy.name);
            }
            if let Some(description) = call.text("Description") {
                description.clone_into(&mut policy.description);
            }
        }
        Ok(self.policy_view(id))
    }

    /// Gives a policy other content, which binds from the next call on.
    pub(super) fn edit_policy(&mut self, id: &str, content: &str) -> Result<(), AwsError> {
        self.own_policy(id)?;
        let parsed = parse(content)?;
        if let Some(policy) = self.policies.get_mut(id) {
            content.clone_into(&mut policy.content);
            policy.parsed = parsed;
        }
        Ok(())
    }

    pub(super) fn delete_policy(&mut self, call: &Call<'_>) -> Answer {
        let id = call.required("PolicyId");
        self.own_policy(id)?;
        if self.targets(id).next().is_some() {
            let message = "The policy is attached to one or more entities. You must detach it from all roots, OUs, and accounts before performing this operation.";
            return Err(AwsError::new("PolicyInUseException", message));
        }
        self.policies.remove(id);
        self.tags.remove(id);
        Ok(json!({}))
    }

    /// Policies of the types that awsim has not built are none.
    pub(super) fn list_policies(&self, call: &Call<'_>) -> Answer {
        let ids = self
            .policies
            .keys()
            .filter(|_| call.text("Filter") == Some(SCP));
        page(call, "Policies", ids.cloned(), |id| self.policy_summary(id))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::super::tests::Org;
    use super::{Document, FULL_ACCESS};

    const DENY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#;

    fn document(name: &str, content: &str) -> Value {
        json!({ "Name": name, "Description": "", "Type": "SERVICE_CONTROL_POLICY", "Content": content })
    }

    /// A policy of exactly so many characters, most of them white space.
    fn padded(characters: usize) -> String {
        let (head, tail) = DENY.split_at(1);
        format!("{head}{}{tail}", " ".repeat(characters - DENY.len()))
    }

    #[test]
    fn the_document_is_measured_as_sent() {
        let mut org = Org::new();
        let limit = "ConstraintViolationException POLICY_CONTENT_LIMIT_EXCEEDED";
        assert_eq!(
            org.refusal("CreatePolicy", document("Big", &padded(10_241))),
            limit
        );
        let id = org.policy("Big", &padded(10_240));
        let told = org.call("DescribePolicy", json!({ "PolicyId": id }));
        assert_eq!(
            told["Policy"]["Content"],
            padded(10_240),
            "the API strips no white space"
        );
        let update = json!({ "PolicyId": id, "Content": padded(10_241) });
        assert_eq!(org.refusal("UpdatePolicy", update), limit);
    }

    #[test]
    fn ten_thousand_policies_at_most() {
        let mut org = Org::new();
        for n in 0..10_000 {
            let document = Document {
                name: n.to_string(),
                description: String::new(),
                content: DENY.to_owned(),
                parsed: Arc::clone(&org.world.organizations.policies[FULL_ACCESS].parsed),
                aws_managed: false,
            };
            let id = format!("p-{n:08}");
            org.world.organizations.policies.insert(id, document);
        }
        let refusal = org.refusal("CreatePolicy", document("One more", DENY));
        assert_eq!(
            refusal,
            "ConstraintViolationException POLICY_NUMBER_LIMIT_EXCEEDED"
        );
    }

    #[test]
    fn the_grammar_is_checked() {
        let mut org = Org::new();
        let id = org.policy("Deny", DENY);
        for content in [
            "not json",
            "[]",
            r#"{"Version":"2012-10-17"}"#,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Resource":"*"}]}"#,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Forbid","Action":"*","Resource":"*"}]}"#,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}"#,
        ] {
            let malformed = "MalformedPolicyDocumentException";
            assert_eq!(
                org.refusal("CreatePolicy", document("Bad", content)),
                malformed,
                "{content}"
            );
            let update = json!({ "PolicyId": id, "Content": content });
            assert_eq!(org.refusal("UpdatePolicy", update), malformed, "{content}");
        }
    }

    #[test]
    fn names_are_unique_and_the_managed_policy_immutable() {
        let mut org = Org::new();
        let id = org.policy("One", DENY);
        org.policy("Other", DENY);
        assert_eq!(
            org.refusal("CreatePolicy", document("One", DENY)),
            "DuplicatePolicyException"
        );
        let rename = |name: &str| json!({ "PolicyId": id, "Name": name });
        assert_eq!(
            org.refusal("UpdatePolicy", rename("FullAWSAccess")),
            "DuplicatePolicyException"
        );
        assert_eq!(
            org.call("UpdatePolicy", rename("One"))["Policy"]["PolicySummary"]["Name"],
            "One"
        );
        org.call(
            "UpdatePolicy",
            json!({ "PolicyId": id, "Name": "Third", "Description": "why" }),
        );
        let told = org.call("DescribePolicy", json!({ "PolicyId": id }));
        let summary = &told["Policy"]["PolicySummary"];
        assert_eq!(
            (&summary["Name"], &summary["Description"]),
            (&json!("Third"), &json!("why"))
        );
        assert_eq!(told["Policy"]["Content"], DENY);
        let immutable = "InvalidInputException IMMUTABLE_POLICY";
        for operation in ["UpdatePolicy", "DeletePolicy"] {
            assert_eq!(
                org.refusal(
                    operation,
                    json!({ "PolicyId": "p-FullAWSAccess", "Content": DENY })
                ),
                immutable
            );
        }
        let listed = org.list(
            "ListPolicies",
            json!({ "Filter": "SERVICE_CONTROL_POLICY" }),
            "Policies",
        );
        assert_eq!(listed.len(), 3);
        assert_eq!(
            listed
                .iter()
                .filter(|policy| policy["AwsManaged"] == true)
                .count(),
            1
        );
    }

    #[test]
    fn an_attached_policy_is_in_use() {
        let mut org = Org::new();
        org.enable_scps();
        let (root, id) = (org.root(), org.policy("Deny", DENY));
        org.call("AttachPolicy", json!({ "PolicyId": id, "TargetId": root }));
        let delete = json!({ "PolicyId": id });
        assert_eq!(
            org.refusal("DeletePolicy", delete.clone()),
            "PolicyInUseException"
        );
        org.call("DetachPolicy", json!({ "PolicyId": id, "TargetId": root }));
        org.call("DeletePolicy", delete.clone());
        for operation in [
            "DeletePolicy",
            "DescribePolicy",
            "UpdatePolicy",
            "ListTargetsForPolicy",
        ] {
            assert_eq!(
                org.refusal(operation, delete.clone()),
                "PolicyNotFoundException"
            );
        }
    }
}
