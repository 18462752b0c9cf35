//! IAM: roles, policies, users and the password policy. One state for each account, the same in every Region.
//!
//! Rules and messages follow the IAM API reference; the answers' shapes are the service model's.
//! A document is kept as it was written and as it is understood: answers give back the text (percent-encoded, as
//! IAM does), authorization and STS get the parsed policy without parsing it again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use landfall_policy::Policy;
use serde_json::{Value, json};

use crate::call::{AccountId, Answer, AwsError, Call, Principal};
use crate::paging::Paging;
use crate::world::World;

mod account;
mod authorization_details;
mod aws_managed;
pub(crate) mod document;
mod founding;
mod password_policy;
mod policies;
mod role_policies;
mod roles;
mod service_linked;
mod tamper;
mod users;

pub use founding::found;
pub use roles::RoleView;
pub use tamper::tamper;

/// What IAM knows of all accounts.
#[derive(Default)]
pub struct State {
    accounts: HashMap<AccountId, Account>,
    /// Access key id to the user behind it: looked up on every call.
    access_keys: HashMap<String, users::AccessKey>,
    /// How many unique ids were given out.
    ids: u64,
}

/// What IAM knows of one account.
#[derive(Default)]
struct Account {
    roles: BTreeMap<String, roles::Role>,
    users: BTreeMap<String, users::User>,
    /// Customer managed policies by ARN.
    policies: BTreeMap<String, policies::ManagedPolicy>,
    password_policy: Option<password_policy::PasswordPolicy>,
    alias: Option<String>,
    deletions: BTreeMap<String, service_linked::Deletion>,
}

pub fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    match call.operation {
        "CreateRole" => roles::create(world, call),
        "GetRole" => roles::get(world, call),
        "ListRoles" => roles::list(world, call),
        "DeleteRole" => roles::delete(world, call),
        "UpdateRole" => roles::update(world, call),
        "UpdateRoleDescription" => roles::update_description(world, call),
        "UpdateAssumeRolePolicy" => roles::update_trust(world, call),
        "TagRole" => roles::tag(world, call),
        "UntagRole" => roles::untag(world, call),
        "ListRoleTags" => roles::list_tags(world, call),
        "PutRolePermissionsBoundary" => roles::put_boundary(world, call),
        "DeleteRolePermissionsBoundary" => roles::delete_boundary(world, call),
        "PutRolePolicy" => role_policies::put(world, call),
        "GetRolePolicy" => role_policies::get(world, call),
        "ListRolePolicies" => role_policies::list(world, call),
        "DeleteRolePolicy" => role_policies::delete(world, call),
        "AttachRolePolicy" => role_policies::attach(world, call),
        "DetachRolePolicy" => role_policies::detach(world, call),
        "ListAttachedRolePolicies" => role_policies::list_attached(world, call),
        "CreatePolicy" => policies::create(world, call),
        "GetPolicy" => policies::get(world, call),
        "ListPolicies" => policies::list(world, call),
        "DeletePolicy" => policies::delete(world, call),
        "CreatePolicyVersion" => policies::create_version(world, call),
        "GetPolicyVersion" => policies::get_version(world, call),
        "ListPolicyVersions" => policies::list_versions(world, call),
        "SetDefaultPolicyVersion" => policies::set_default_version(world, call),
        "DeletePolicyVersion" => policies::delete_version(world, call),
        "CreateServiceLinkedRole" => service_linked::create(world, call),
        "DeleteServiceLinkedRole" => service_linked::delete(world, call),
        "GetServiceLinkedRoleDeletionStatus" => service_linked::deletion_status(world, call),
        "UpdateAccountPasswordPolicy" => password_policy::update(world, call),
        "GetAccountPasswordPolicy" => password_policy::get(world, call),
        "DeleteAccountPasswordPolicy" => password_policy::delete(world, call),
        "GetAccountAuthorizationDetails" => authorization_details::get(world, call),
        "GetAccountSummary" => account::summary(world, call),
        "CreateAccountAlias" => account::create_alias(world, call),
        "DeleteAccountAlias" => account::delete_alias(world, call),
        "ListAccountAliases" => account::list_aliases(world, call),
        "CreateUser" => users::create(world, call),
        "GetUser" => users::get(world, call),
        "ListUsers" => users::list(world, call),
        "DeleteUser" => users::delete(world, call),
        "CreateAccessKey" => users::create_access_key(world, call),
        "ListAccessKeys" => users::list_access_keys(world, call),
        "DeleteAccessKey" => users::delete_access_key(world, call),
        "AttachUserPolicy" => users::attach(world, call),
        "DetachUserPolicy" => users::detach(world, call),
        "ListAttachedUserPolicies" => users::list_attached(world, call),
        "PutUserPolicy" => users::put_policy(world, call),
        "DeleteUserPolicy" => users::delete_policy(world, call),
        "ListUserPolicies" => users::list_policies(world, call),
        _ => Err(AwsError::not_built()),
    }
}

/// The ARN that a call acts on. `*` for the operations to which the service authorization reference gives no resource.
pub fn resource(world: &World, call: &Call<'_>) -> String {
    let account = call.account();
    let path = call.text("Path").unwrap_or("/");
    if call.operation == "CreateServiceLinkedRole" {
        let service = call.required("AWSServiceName");
        let name = service_linked::role_name(service, call.text("CustomSuffix"))
            .unwrap_or_else(|| "*".to_owned());
        return format!("arn:aws:iam::{account}:role/aws-service-role/{service}/{name}");
    }
    if let Some(name) = call.text("RoleName") {
        return match world.iam.role(account, name) {
            Some(role) => role.arn.to_owned(),
            None => format!("arn:aws:iam::{account}:role{path}{name}"),
        };
    }
    if let Some(arn) = call
        .text("PolicyArn")
        .filter(|_| call.text("UserName").is_none())
    {
        return arn.to_owned();
    }
    if let Some(name) = call
        .text("PolicyName")
        .filter(|_| call.operation == "CreatePolicy")
    {
        return format!("arn:aws:iam::{account}:policy{path}{name}");
    }
    if let Some(name) = call.text("UserName") {
        return match world.iam.user(account, name) {
            Some(user) => user.arn.clone(),
            None => format!("arn:aws:iam::{account}:user{path}{name}"),
        };
    }
    match call.operation {
        "GetUser" | "CreateAccessKey" | "ListAccessKeys" | "DeleteAccessKey" => {
            call.principal.arn.clone()
        }
        _ => "*".to_owned(),
    }
}

impl State {
    /// The identity policies of an IAM user.
    pub fn user_policies(&self, account: AccountId, name: &str) -> Vec<Arc<Policy>> {
        self.user(account, name)
            .map_or_else(Vec::new, |user| self.policies_of(account, &user.grants))
    }

    /// The policy that bounds an IAM user, if there is one.
    pub fn user_boundary(&self, account: AccountId, name: &str) -> Option<Arc<Policy>> {
        let arn = self.user(account, name)?.boundary.as_deref()?;
        self.managed(account, arn)
            .map(policies::ManagedPolicy::policy)
    }

    /// The user behind a long-lived access key.
    pub fn access_key(&self, access_key_id: &str) -> Option<Principal> {
        let key = self.access_keys.get(access_key_id)?;
        let user = self.user(key.account, &key.user)?;
        Some(Principal {
            account: key.account,
            arn: user.arn.clone(),
            unique_id: user.id.clone(),
            role: None,
            session_policy: None,
            source_identity: None,
            tags: Vec::new(),
        })
    }

    /// A role by account and name.
    pub fn role(&self, account: AccountId, name: &str) -> Option<RoleView<'_>> {
        let role = self.accounts.get(&account)?.roles.get(name)?;
        Some(RoleView {
            arn: &role.arn,
            unique_id: &role.id,
            trust: &role.trust.policy,
            policies: self.policies_of(account, &role.grants),
            boundary: role
                .boundary
                .as_deref()
                .and_then(|arn| self.managed(account, arn))
                .map(policies::ManagedPolicy::policy),
            assumable_from: role.assumable_from,
            max_session: SignedDuration::from_secs(role.max_session_seconds),
        })
    }

    /// Whether a role such as `AWSServiceRoleForConfig` is there.
    pub fn has_role(&self, account: AccountId, name: &str) -> bool {
        self.accounts
            .get(&account)
            .is_some_and(|account| account.roles.contains_key(name))
    }

    fn account(&mut self, account: AccountId) -> &mut Account {
        self.accounts.entry(account).or_default()
    }

    fn user(&self, account: AccountId, name: &str) -> Option<&users::User> {
        self.accounts.get(&account)?.users.get(name)
    }

    /// A managed policy, the account's own or AWS's.
    fn managed(&self, account: AccountId, arn: &str) -> Option<&policies::ManagedPolicy> {
        aws_managed::policy(arn).or_else(|| self.accounts.get(&account)?.policies.get(arn))
    }

    /// All that speaks for an identity: its inline policies and the default versions of those attached.
    fn policies_of(&self, account: AccountId, grants: &Grants) -> Vec<Arc<Policy>> {
        let inline = grants
            .inline
            .values()
            .map(|document| Arc::clone(&document.policy));
        let attached = grants
            .attached
            .iter()
            .filter_map(|arn| self.managed(account, arn))
            .map(policies::ManagedPolicy::policy);
        inline.chain(attached).collect()
    }

    /// `AROA…`, `AIDA…`, `ANPA…`, `AKIA…`: the prefix and characters of base 32 that no other id has.
    fn unique_id(&mut self, prefix: &str, characters: usize) -> String {
        self.ids += 1;
        let mut bits = self.ids;
        let mut id = prefix.to_owned();
        for _ in 0..characters {
            // The finalizer of SplitMix64: spreads a counter over all the digits, the same in every run.
            bits = bits.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut digit = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            digit = (digit ^ (digit >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            id.push(char::from(
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(digit >> 59) as usize],
            ));
        }
        id
    }
}

/// The permissions of a role or user: inline policies by name, and the ARNs of the attached ones.
#[derive(Clone, Default)]
struct Grants {
    inline: BTreeMap<String, document::Document>,
    attached: std::collections::BTreeSet<String>,
}

impl Grants {
    /// Inline policies as the `PolicyDetail` list of the authorization details.
    fn inline_details(&self) -> Value {
        self.inline.iter().map(|(name, document)| json!({"PolicyName": name, "PolicyDocument": document.encoded()})).collect()
    }

    /// Attached policies as `AttachedPolicy` items, of which only those under `path`.
    fn attached_under(&self, path: &str) -> Vec<Value> {
        let items = self.attached.iter().filter_map(|arn| {
            let resource = arn
                .split_once(":policy")
                .map_or("", |(_, resource)| resource);
            let name = resource.rsplit('/').next().unwrap_or_default();
            resource
                .starts_with(path)
                .then(|| json!({"PolicyName": name, "PolicyArn": arn}))
        });
        items.collect()
    }
}

/// One page of a list, with the `IsTruncated` and `Marker` that all of IAM's lists share: 100 items unless asked, at most 1,000.
fn page(call: &Call<'_>, items: &'static str, values: Vec<Value>) -> Answer {
    let most = if call.integer("MaxItems").is_some() {
        1000
    } else {
        100
    };
    let paging = Paging {
        items,
        limit: "MaxItems",
        token: ("Marker", "Marker"),
        most,
        bad_token: "InvalidInput",
        empty_first: false,
    };
    let mut page = paging.page(call, values)?;
    let truncated = page.contains_key("Marker");
    page.insert("IsTruncated".to_owned(), truncated.into());
    Ok(Value::Object(page))
}

/// Tags in the order in which they were given.
type Tags = IndexMap<String, String>;

/// Lays the call's `Tags` over `tags`. Keys are unique without regard to case, and a resource has at most 50.
fn merge_tags(tags: &mut Tags, call: &Call<'_>) -> Result<(), AwsError> {
    let mut seen = std::collections::BTreeSet::new();
    let mut merged = tags.clone();
    for tag in call.list("Tags") {
        let (key, value) = (
            tag["Key"].as_str().unwrap_or_default(),
            tag["Value"].as_str().unwrap_or_default(),
        );
        if !seen.insert(key.to_lowercase()) {
            return Err(invalid(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(invalid(
                "Tag keys cannot start with the reserved prefix aws:.",
            ));
        }
        merged.insert(key.to_owned(), value.to_owned());
    }
    if merged.len() > 50 {
        return Err(limit("TagsPerResource: 50"));
    }
    *tags = merged;
    Ok(())
}

fn tag_list(tags: &Tags) -> Value {
    tags.iter()
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect()
}

/// IAM's times have whole seconds.
fn seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second())
        .unwrap_or(time)
        .to_string()
}

fn no_such_entity(message: impl Into<String>) -> AwsError {
    AwsError::new("NoSuchEntity", message).status(404)
}

fn already_exists(message: impl Into<String>) -> AwsError {
    AwsError::new("EntityAlreadyExists", message).status(409)
}

fn delete_conflict(message: &str) -> AwsError {
    AwsError::new("DeleteConflict", message).status(409)
}

fn limit(quota: &str) -> AwsError {
    AwsError::new("LimitExceeded", format!("Cannot exceed quota for {quota}")).status(409)
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new("InvalidInput", message)
}

#[cfg(test)]
mod tests;
