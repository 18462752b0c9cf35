//! Managed policies and their versions.

use std::sync::Arc;

use jiff::Timestamp;
use landfall_policy::Policy;
use serde_json::{Value, json};

use super::document::Document;
use super::{
    Account, State, Tags, already_exists, aws_managed, delete_conflict, invalid, limit, merge_tags,
    no_such_entity, page, seconds, tag_list,
};
use crate::call::{AccountId, Answer, AwsError, Call};
use crate::world::World;

pub(super) struct ManagedPolicy {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) arn: String,
    pub(super) id: String,
    pub(super) description: Option<String>,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) versions: Vec<Version>,
    /// The number of the version in force.
    pub(super) default: u32,
    /// The number given last: numbers are never given twice.
    newest: u32,
    pub(super) tags: Tags,
}

pub(super) struct Version {
    /// 1 for `v1`.
    pub(super) number: u32,
    pub(super) document: Document,
    pub(super) created: Timestamp,
}

impl ManagedPolicy {
    /// A policy with its first version.
    pub(super) fn new(
        owner: &str,
        path: &str,
        name: &str,
        id: String,
        document: Document,
        now: Timestamp,
    ) -> Self {
        ManagedPolicy {
            name: name.to_owned(),
            path: path.to_owned(),
            arn: format!("arn:aws:iam::{owner}:policy{path}{name}"),
            id,
            description: None,
            created: now,
            updated: now,
            versions: vec![Version {
                number: 1,
                document,
                created: now,
            }],
            default: 1,
            newest: 1,
            tags: Tags::new(),
        }
    }

    /// What the policy says now.
    pub(super) fn policy(&self) -> Arc<Policy> {
        let version = self
            .versions
            .iter()
            .find(|version| version.number == self.default);
        Arc::clone(
            &version
                .expect("the default version cannot be deleted")
                .document
                .policy,
        )
    }

    /// The members of the `Policy` shape, with how often `account` uses it.
    pub(super) fn describe(&self, account: &Account) -> Value {
        let (attached, bounding) = account.uses_of(&self.arn);
        json!({
            "PolicyName": self.name,
            "PolicyId": self.id,
            "Arn": self.arn,
            "Path": self.path,
            "DefaultVersionId": format!("v{}", self.default),
            "AttachmentCount": attached,
            "PermissionsBoundaryUsageCount": bounding,
            "IsAttachable": true,
            "CreateDate": seconds(self.created),
            "UpdateDate": seconds(self.updated),
        })
    }

    fn version(&self, id: &str) -> Result<&Version, AwsError> {
        let version = self
            .versions
            .iter()
            .find(|version| format!("v{}", version.number) == id);
        version.ok_or_else(|| {
            no_such_entity(format!(
                "Policy {} version {id} does not exist or is not attachable.",
                self.arn
            ))
        })
    }

    pub(super) fn describe_version(&self, version: &Version, with_document: bool) -> Value {
        let mut value = json!({
            "VersionId": format!("v{}", version.number),
            "IsDefaultVersion": version.number == self.default,
            "CreateDate": seconds(version.created),
        });
        if with_document {
            value["Document"] = json!(version.document.encoded());
        }
        value
    }
}

impl Account {
    /// Whether anybody has a policy attached or is bounded by it.
    pub(super) fn uses(&self, arn: &str) -> bool {
        self.uses_of(arn) != (0, 0)
    }

    /// How many identities a policy is attached to, and how many it bounds.
    fn uses_of(&self, arn: &str) -> (usize, usize) {
        let roles = self
            .roles
            .values()
            .map(|role| (&role.grants, &role.boundary));
        let users = self
            .users
            .values()
            .map(|user| (&user.grants, &user.boundary));
        roles
            .chain(users)
            .fold((0, 0), |(attached, bounding), (grants, boundary)| {
                (
                    attached + usize::from(grants.attached.contains(arn)),
                    bounding + usize::from(boundary.as_deref() == Some(arn)),
                )
            })
    }
}

impl State {
    pub(super) fn check_attachable(&self, account: AccountId, arn: &str) -> Result<(), AwsError> {
        match self.managed(account, arn) {
            Some(_) => Ok(()),
            None if !arn.starts_with("arn:aws:iam::") => {
                Err(invalid(format!("ARN {arn} is not valid.")))
            }
            None => Err(no_such_entity(format!(
                "Policy {arn} does not exist or is not attachable."
            ))),
        }
    }

    /// A policy of the account itself, to be changed.
    fn own_policy(
        &mut self,
        account: AccountId,
        arn: &str,
    ) -> Result<&mut ManagedPolicy, AwsError> {
        if aws_managed::policy(arn).is_some() {
            return Err(AwsError::new(
                "AccessDenied",
                format!("Policy {arn} is managed by AWS and cannot be changed."),
            )
            .status(403));
        }
        self.account(account)
            .policies
            .get_mut(arn)
            .ok_or_else(|| no_such_entity(format!("Policy {arn} does not exist.")))
    }

    fn any_policy(&self, account: AccountId, arn: &str) -> Result<&ManagedPolicy, AwsError> {
        self.managed(account, arn)
            .ok_or_else(|| no_such_entity(format!("Policy {arn} was not found.")))
    }
}

/// The most characters of a managed policy, white space not counted.
const POLICY_SIZE: usize = 6144;
const VERSIONS: usize = 5;

fn policy_document(call: &Call<'_>) -> Result<Document, AwsError> {
    let document = Document::identity(call.required("PolicyDocument"))
        .map_err(|message| AwsError::new("MalformedPolicyDocument", message))?;
    if document.size() > POLICY_SIZE {
        return Err(limit(&format!("PolicySize: {POLICY_SIZE}")));
    }
    Ok(document)
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Answer {
    let (account, name) = (call.account(), call.required("PolicyName"));
    let existing = &world.iam.account(account).policies;
    if existing
        .values()
        .any(|policy| policy.name.eq_ignore_ascii_case(name))
    {
        return Err(already_exists(format!(
            "A policy called {name} already exists. Duplicate names are not allowed."
        )));
    }
    if existing.len() >= 1500 {
        return Err(limit("PoliciesPerAccount: 1500"));
    }
    let document = policy_document(call)?;
    let mut tags = Tags::new();
    merge_tags(&mut tags, call)?;
    let id = world.iam.unique_id("ANPA", 17);
    let mut policy = ManagedPolicy::new(
        &account.to_string(),
        call.text("Path").unwrap_or("/"),
        name,
        id,
        document,
        call.now,
    );
    policy.description = call.text("Description").map(str::to_owned);
    policy.tags = tags;
    let account = world.iam.account(account);
    let mut answer = policy.describe(account);
    if !policy.tags.is_empty() {
        answer["Tags"] = tag_list(&policy.tags);
    }
    account.policies.insert(policy.arn.clone(), policy);
    Ok(json!({"Policy": answer}))
}

pub(super) fn get(world: &mut World, call: &Call<'_>) -> Answer {
    world.iam.account(call.account());
    let policy = world
        .iam
        .any_policy(call.account(), call.required("PolicyArn"))?;
    let mut answer = policy.describe(&world.iam.accounts[&call.account()]);
    answer["Tags"] = tag_list(&policy.tags);
    if let Some(description) = &policy.description {
        answer["Description"] = json!(description);
    }
    Ok(json!({"Policy": answer}))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Answer {
    let account = &*world.iam.account(call.account());
    let scope = call.text("Scope").unwrap_or("All");
    let path = call.text("PathPrefix").unwrap_or("/");
    let attached_only = call.flag("OnlyAttached").unwrap_or(false);
    let usage = call.text("PolicyUsageFilter");
    let mut policies: Vec<&ManagedPolicy> = Vec::new();
    if scope != "AWS" {
        policies.extend(account.policies.values());
    }
    if scope != "Local" {
        policies.extend(aws_managed::all());
    }
    policies.retain(|policy| {
        let (attached, bounding) = account.uses_of(&policy.arn);
        policy.path.starts_with(path)
            && (!attached_only || attached > 0)
            && match usage {
                Some("PermissionsPolicy") => attached > 0,
                Some("PermissionsBoundary") => bounding > 0,
                _ => true,
            }
    });
    page(
        call,
        "Policies",
        policies
            .into_iter()
            .map(|policy| policy.describe(account))
            .collect(),
    )
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let (account, arn) = (call.account(), call.required("PolicyArn"));
    if world.iam.own_policy(account, arn)?.versions.len() > 1 {
        return Err(delete_conflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
        ));
    }
    let account = world.iam.account(account);
    if account.uses(arn) {
        return Err(delete_conflict(
            "Cannot delete a policy attached to entities.",
        ));
    }
    account.policies.remove(arn);
    Ok(json!({}))
}

pub(super) fn create_version(world: &mut World, call: &Call<'_>) -> Answer {
    let policy = world
        .iam
        .own_policy(call.account(), call.required("PolicyArn"))?;
    let document = policy_document(call)?;
    if policy.versions.len() >= VERSIONS {
        let message = format!(
            "A managed policy can have up to {VERSIONS} versions. Before you create a new version, you must delete an existing version."
        );
        return Err(AwsError::new("LimitExceeded", message).status(409));
    }
    policy.newest += 1;
    let number = policy.newest;
    if call.flag("SetAsDefault").unwrap_or(false) {
        policy.default = number;
    }
    policy.updated = call.now;
    policy.versions.push(Version {
        number,
        document,
        created: call.now,
    });
    let version = policy.version(&format!("v{number}"))?;
    Ok(json!({"PolicyVersion": policy.describe_version(version, false)}))
}

pub(super) fn get_version(world: &World, call: &Call<'_>) -> Answer {
    let policy = world
        .iam
        .any_policy(call.account(), call.required("PolicyArn"))?;
    let version = policy.version(call.required("VersionId"))?;
    Ok(json!({"PolicyVersion": policy.describe_version(version, true)}))
}

pub(super) fn list_versions(world: &World, call: &Call<'_>) -> Answer {
    let policy = world
        .iam
        .any_policy(call.account(), call.required("PolicyArn"))?;
    let versions = policy.versions.iter().rev();
    page(
        call,
        "Versions",
        versions
            .map(|version| policy.describe_version(version, false))
            .collect(),
    )
}

pub(super) fn set_default_version(world: &mut World, call: &Call<'_>) -> Answer {
    let policy = world
        .iam
        .own_policy(call.account(), call.required("PolicyArn"))?;
    policy.default = policy.version(call.required("VersionId"))?.number;
    policy.updated = call.now;
    Ok(json!({}))
}

pub(super) fn delete_version(world: &mut World, call: &Call<'_>) -> Answer {
    let policy = world
        .iam
        .own_policy(call.account(), call.required("PolicyArn"))?;
    let number = policy.version(call.required("VersionId"))?.number;
    if number == policy.default {
        return Err(delete_conflict(
            "Cannot delete the default version of a policy.",
        ));
    }
    policy.versions.retain(|version| version.number != number);
    Ok(json!({}))
}
