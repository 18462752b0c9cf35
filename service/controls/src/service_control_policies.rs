//! The calls about service control policies. Landfall's own are told by their names, which are unique in an organization.

use std::collections::BTreeMap;

use aws_sdk_organizations::types::{PolicySummary, PolicyType, PolicyTypeStatus, Tag};
use landfall_model::scp::{self, Document};
use serde::Serialize;

use crate::aws::Aws;
use crate::error::{CloudError, absent, done_already};
use crate::organizational_units;

const LIST_ROOTS: &str = "organizations:ListRoots";
const ENABLE: &str = "organizations:EnablePolicyType";
const LIST: &str = "organizations:ListPolicies";
const DESCRIBE: &str = "organizations:DescribePolicy";
const LIST_TARGETS: &str = "organizations:ListTargetsForPolicy";
const LIST_FOR_TARGET: &str = "organizations:ListPoliciesForTarget";
const CREATE: &str = "organizations:CreatePolicy";
const UPDATE: &str = "organizations:UpdatePolicy";
pub(crate) const ATTACH: &str = "organizations:AttachPolicy";
pub(crate) const DETACH: &str = "organizations:DetachPolicy";
const DELETE: &str = "organizations:DeletePolicy";
/// AWS asks for it where a policy is made with tags.
const TAG: &str = "organizations:TagResource";

const NO_SUCH_POLICY: &[&str] = &["PolicyNotFoundException"];

pub(crate) const ACTIONS: &[&str] = &[
    organizational_units::LIST,
    LIST_ROOTS,
    ENABLE,
    LIST,
    DESCRIBE,
    LIST_TARGETS,
    LIST_FOR_TARGET,
    CREATE,
    UPDATE,
    ATTACH,
    DETACH,
    DELETE,
    TAG,
];

/// A policy of Landfall's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) content: String,
    pub(crate) description: String,
}

/// A target that a policy is attached to.
pub(crate) struct Attached {
    pub(crate) target_id: String,
    pub(crate) name: String,
}

/// Whether the root takes service control policies.
pub(crate) async fn enabled(aws: &Aws, root_id: &str) -> Result<bool, CloudError> {
    let organizations = aws.organizations();
    let mut token = None;
    loop {
        let page = aws
            .call(LIST_ROOTS, || {
                organizations
                    .list_roots()
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        let types = page
            .roots
            .unwrap_or_default()
            .into_iter()
            .filter(|root| root.id.as_deref() == Some(root_id))
            .flat_map(|root| root.policy_types.unwrap_or_default());
        for policy_type in types {
            if policy_type.r#type == Some(PolicyType::ServiceControlPolicy) {
                return Ok(policy_type.status == Some(PolicyTypeStatus::Enabled));
            }
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(false);
        }
    }
}

pub(crate) async fn enable(aws: &Aws, root_id: &str) -> Result<(), CloudError> {
    let organizations = aws.organizations();
    let enabled = aws
        .call(ENABLE, || {
            organizations
                .enable_policy_type()
                .root_id(root_id)
                .policy_type(PolicyType::ServiceControlPolicy)
                .send()
        })
        .await;
    done_already(enabled, &["PolicyTypeAlreadyEnabledException"])
}

/// Landfall's policies by name.
pub(crate) async fn ours(aws: &Aws) -> Result<BTreeMap<String, Found>, CloudError> {
    let organizations = aws.organizations();
    let mut policies = BTreeMap::new();
    for (name, summary) in summaries(aws).await? {
        let (Some(id), Some(arn)) = (summary.id, summary.arn) else {
            continue;
        };
        let described = aws
            .call(DESCRIBE, || {
                organizations.describe_policy().policy_id(&id).send()
            })
            .await;
        // It may still be listed when it is gone.
        let Some(described) = absent(described, NO_SUCH_POLICY)? else {
            continue;
        };
        let content = described.policy.and_then(|policy| policy.content);
        let found = Found {
            id,
            arn,
            content: content.unwrap_or_default(),
            description: summary.description.unwrap_or_default(),
        };
        policies.insert(name, found);
    }
    Ok(policies)
}

fn is_ours(policy: &PolicySummary) -> bool {
    let name = policy.name.as_deref().unwrap_or_default();
    let description = policy.description.as_deref().unwrap_or_default();
    !policy.aws_managed && scp::is_ours(name, description)
}

/// Landfall's policies as they are listed, by name.
async fn summaries(aws: &Aws) -> Result<BTreeMap<String, PolicySummary>, CloudError> {
    let organizations = aws.organizations();
    let mut all = BTreeMap::new();
    let mut token = None;
    loop {
        let page = aws
            .call(LIST, || {
                organizations
                    .list_policies()
                    .filter(PolicyType::ServiceControlPolicy)
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        let ours = page
            .policies
            .unwrap_or_default()
            .into_iter()
            .filter_map(|policy| Some((policy.name.clone()?, policy)))
            .filter(|(_, policy)| is_ours(policy));
        all.extend(ours);
        token = page.next_token;
        if token.is_none() {
            return Ok(all);
        }
    }
}

/// The id of one of Landfall's policies. A policy that was just made may not be listed yet.
async fn id_of(aws: &Aws, policy: &str) -> Result<String, CloudError> {
    let summary = summaries(aws).await?.remove(policy);
    summary.and_then(|summary| summary.id).ok_or_else(|| {
        CloudError::not_ready(LIST, format!("the policy {policy} is not listed yet"))
    })
}

/// Where a policy is attached.
pub(crate) async fn targets(aws: &Aws, policy_id: &str) -> Result<Vec<Attached>, CloudError> {
    let organizations = aws.organizations();
    let mut all = Vec::new();
    let mut token = None;
    loop {
        let page = aws
            .call(LIST_TARGETS, || {
                organizations
                    .list_targets_for_policy()
                    .policy_id(policy_id)
                    .set_next_token(token.clone())
                    .send()
            })
            .await;
        let Some(page) = absent(page, NO_SUCH_POLICY)? else {
            return Ok(all);
        };
        let attached = page.targets.unwrap_or_default().into_iter();
        all.extend(attached.filter_map(|target| {
            let target_id = target.target_id?;
            let name = target.name.unwrap_or_else(|| target_id.clone());
            Some(Attached { target_id, name })
        }));
        token = page.next_token;
        if token.is_none() {
            return Ok(all);
        }
    }
}

/// The names of all policies of a target, and whether they are Landfall's.
pub(crate) async fn attached(
    aws: &Aws,
    target_id: &str,
) -> Result<BTreeMap<String, bool>, CloudError> {
    let organizations = aws.organizations();
    let mut names = BTreeMap::new();
    let mut token = None;
    loop {
        let page = aws
            .call(LIST_FOR_TARGET, || {
                organizations
                    .list_policies_for_target()
                    .target_id(target_id)
                    .filter(PolicyType::ServiceControlPolicy)
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        let policies = page.policies.unwrap_or_default().into_iter();
        names.extend(policies.filter_map(|policy| {
            let ours = is_ours(&policy);
            Some((policy.name?, ours))
        }));
        token = page.next_token;
        if token.is_none() {
            return Ok(names);
        }
    }
}

pub(crate) async fn create(aws: &Aws, policy: &str, document: &Document) -> Result<(), CloudError> {
    let organizations = aws.organizations();
    let tags: Result<Vec<Tag>, _> = document
        .tags
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect();
    let tags = tags.expect("each has a key and a value");
    let created = aws
        .call(CREATE, || {
            organizations
                .create_policy()
                .name(policy)
                .description(&document.description)
                .r#type(PolicyType::ServiceControlPolicy)
                .content(&document.content)
                .set_tags(Some(tags.clone()))
                .send()
        })
        .await;
    done_already(created, &["DuplicatePolicyException"])
}

pub(crate) async fn update(aws: &Aws, policy: &str, document: &Document) -> Result<(), CloudError> {
    let id = id_of(aws, policy).await?;
    let organizations = aws.organizations();
    aws.call(UPDATE, || {
        organizations
            .update_policy()
            .policy_id(&id)
            .content(&document.content)
            .description(&document.description)
            .send()
    })
    .await?;
    Ok(())
}

/// Deletes a policy that is attached nowhere. AWS refuses one that is.
pub(crate) async fn delete(aws: &Aws, policy_id: &str) -> Result<(), CloudError> {
    let organizations = aws.organizations();
    let deleted = aws
        .call(DELETE, || {
            organizations.delete_policy().policy_id(policy_id).send()
        })
        .await;
    done_already(deleted, NO_SUCH_POLICY)
}

pub(crate) async fn attach(aws: &Aws, policy: &str, target_id: &str) -> Result<(), CloudError> {
    let id = id_of(aws, policy).await?;
    let organizations = aws.organizations();
    let attached = aws
        .call(ATTACH, || {
            organizations
                .attach_policy()
                .policy_id(&id)
                .target_id(target_id)
                .send()
        })
        .await;
    done_already(attached, &["DuplicatePolicyAttachmentException"])
}

pub(crate) async fn detach(aws: &Aws, policy_id: &str, target_id: &str) -> Result<(), CloudError> {
    let organizations = aws.organizations();
    let detached = aws
        .call(DETACH, || {
            organizations
                .detach_policy()
                .policy_id(policy_id)
                .target_id(target_id)
                .send()
        })
        .await;
    done_already(
        detached,
        &["PolicyNotAttachedException", "PolicyNotFoundException"],
    )
}
