//! Organizations: accounts, OUs, policies, and which services and accounts may look in.
//!
//! One organization with one root and all features on. The root and the OUs are the nodes of a tree (`units`); an
//! account hangs under exactly one of them (`accounts`). Policies (`policies`) and their attachments (`attachments`),
//! and tags (`tags`), are kept by the id of what they belong to, because AWS treats roots, OUs and accounts alike there.
//!
//! What AWS does in the background (creating and closing accounts) is a list of events with a time, which [`settle`]
//! carries out once their time has come. Besides, lists of accounts lag a moment behind.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use landfall_policy::Policy;
use serde_json::{Map, Value, json};

use crate::call::{AccountId, Answer, AwsError, Call};
use crate::paging::Paging;
use crate::world::{MANAGEMENT_ACCOUNT, World};

mod accounts;
mod attachments;
mod close_account;
mod create_account;
mod email;
mod policies;
mod resources;
mod tags;
mod tamper;
mod trusted_access;
mod units;

pub use accounts::{Description, accounts_report};
pub use policies::policies_report;
pub use resources::resource;
pub use tamper::tamper;

use accounts::{Account, Joined, Standing};

/// The quota on accounts that a world starts with. AWS's own default is 10, and raised for anyone who vends accounts.
const ACCOUNT_QUOTA: usize = 10_000;

#[derive(Default)]
pub struct State {
    /// `o-…`
    id: String,
    /// `r-…`
    root: String,
    /// The root and all OUs by id.
    nodes: BTreeMap<String, units::Node>,
    accounts: BTreeMap<AccountId, Account>,
    /// Members by e-mail in lower case.
    emails: BTreeMap<String, AccountId>,
    /// E-mails in lower case that accounts outside the organization hold.
    emails_elsewhere: HashSet<String>,
    account_quota: usize,
    creations: IndexMap<String, create_account::Creation>,
    /// Reasons that the next creations fail for, whatever they ask.
    failures: VecDeque<String>,
    /// When members were asked to be closed, for the quota over 30 days.
    closures: Vec<Timestamp>,
    policies: BTreeMap<String, policies::Document>,
    /// Attached policies by target, and only while the policy type is enabled.
    attached: BTreeMap<String, Vec<String>>,
    scps_enabled: bool,
    tags: BTreeMap<String, tags::Tags>,
    /// Service principals with trusted access, since when.
    trusted: BTreeMap<String, Timestamp>,
    /// Service principal and delegated administrator, since when.
    delegated: BTreeMap<(String, AccountId), Timestamp>,
    due: BTreeMap<(Timestamp, u64), Event>,
    events: u64,
}

/// Something that AWS finishes later on its own.
enum Event {
    Create(String),
    Close(AccountId),
    Expunge(AccountId),
}

/// Answers an authorized call.
pub fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    if call.region != "us-east-1" {
        let message = format!(
            "Credential should be scoped to a valid region, not '{}'.",
            call.region
        );
        return Err(AwsError::new("InvalidSignatureException", message));
    }
    settle(world, call.now);
    world.organizations.admit(call)?;
    let state = &mut world.organizations;
    match call.operation {
        "DescribeOrganization" => Ok(state.describe_organization()),
        "ListRoots" => state.list_roots(call),

        "CreateAccount" => create_account::create(world, call),
        "DescribeCreateAccountStatus" => state.describe_creation(call),
        "ListCreateAccountStatus" => state.list_creations(call),

        "ListAccounts" => state.list_accounts(call),
        "DescribeAccount" => state.describe_account(call),
        "ListAccountsForParent" => state.list_accounts_for_parent(call),
        "MoveAccount" => state.move_account(call),
        "CloseAccount" => close_account::close(world, call),

        "CreateOrganizationalUnit" => units::create(world, call),
        "DescribeOrganizationalUnit" => state.describe_unit(call),
        "UpdateOrganizationalUnit" => state.update_unit(call),
        "DeleteOrganizationalUnit" => state.delete_unit(call),
        "ListOrganizationalUnitsForParent" => state.list_units(call),
        "ListParents" => state.list_parents(call),
        "ListChildren" => state.list_children(call),

        "TagResource" => state.tag_resource(call),
        "UntagResource" => state.untag_resource(call),
        "ListTagsForResource" => state.list_tags(call),

        "CreatePolicy" => policies::create(world, call),
        "DescribePolicy" => state.describe_policy(call),
        "UpdatePolicy" => state.update_policy(call),
        "DeletePolicy" => state.delete_policy(call),
        "ListPolicies" => state.list_policies(call),

        "EnablePolicyType" => state.enable_policy_type(call),
        "DisablePolicyType" => state.disable_policy_type(call),
        "AttachPolicy" => state.attach_policy(call),
        "DetachPolicy" => state.detach_policy(call),
        "ListPoliciesForTarget" => state.list_policies_for_target(call),
        "ListTargetsForPolicy" => state.list_targets_for_policy(call),

        "EnableAWSServiceAccess" => state.enable_service_access(call),
        "DisableAWSServiceAccess" => state.disable_service_access(call),
        "ListAWSServiceAccessForOrganization" => state.list_service_access(call),
        "RegisterDelegatedAdministrator" => state.register(call),
        "DeregisterDelegatedAdministrator" => state.deregister(call),
        "ListDelegatedAdministrators" => state.list_delegated_administrators(call),
        "ListDelegatedServicesForAccount" => state.list_delegated_services(call),
        _ => Err(AwsError::not_built()),
    }
}

/// The bare organization that a world starts with: the management account, a root, all features, nothing else.
/// The management account is a year old.
pub fn found(world: &mut World, now: Timestamp) {
    let organization = format!("o-{}", world.random_id(10));
    let root = format!("r-{}", world.random_id(4));
    let state = &mut world.organizations;
    state.id = organization;
    state.root.clone_from(&root);
    state.account_quota = ACCOUNT_QUOTA;
    state
        .nodes
        .insert(root.clone(), units::Node::new("Root", None));
    let joined = now - SignedDuration::from_hours(365 * 24);
    state.add_account(
        MANAGEMENT_ACCOUNT,
        Account {
            name: "Management".to_owned(),
            email: "aws-management@example.com".to_owned(),
            parent: root,
            joined,
            listed_from: joined,
            method: Joined::Invited,
            standing: Standing::Active,
        },
    );
    state.add_full_access();
}

/// Carries out what has come due by `now`, in order of time.
pub fn settle(world: &mut World, now: Timestamp) {
    while let Some(next) = world
        .organizations
        .due
        .first_entry()
        .filter(|next| next.key().0 <= now)
    {
        let ((at, _), event) = next.remove_entry();
        match event {
            Event::Create(id) => create_account::finish(world, &id, at),
            Event::Close(account) => close_account::finish(world, account, at),
            Event::Expunge(account) => world.organizations.expunge(account),
        }
    }
}

impl State {
    /// Whether the account exists and is neither suspended nor closed.
    pub fn is_active(&self, account: AccountId) -> bool {
        self.accounts
            .get(&account)
            .is_some_and(|a| a.standing.answers())
    }

    /// When the account's creation was finished; young accounts refuse what old ones allow.
    pub fn created_at(&self, account: AccountId) -> Option<Timestamp> {
        self.accounts.get(&account).map(|a| a.joined)
    }

    /// The root e-mail of an account, as GuardDuty's and Security Hub's invitations compare it.
    pub fn email(&self, account: AccountId) -> Option<&str> {
        self.accounts.get(&account).map(|a| a.email.as_str())
    }

    /// What other services show of a member.
    pub fn describe(&self, account: AccountId) -> Option<Description<'_>> {
        self.accounts.get(&account).map(Account::describe)
    }

    /// `o-…`
    pub fn organization_id(&self) -> &str {
        &self.id
    }

    /// Members, management account included, whatever their state.
    pub fn accounts(&self) -> Vec<AccountId> {
        self.accounts.keys().copied().collect()
    }

    /// Whether trusted access is on for a service principal such as `cloudtrail.amazonaws.com`.
    pub fn trusted_access(&self, service_principal: &str) -> bool {
        self.trusted.contains_key(service_principal)
    }

    /// Whether the account is registered as delegated administrator of a service principal.
    pub fn is_delegated_administrator(&self, account: AccountId, service_principal: &str) -> bool {
        self.delegated
            .contains_key(&(service_principal.to_owned(), account))
    }

    /// Switches trusted access on on behalf of another service (GuardDuty and Security Hub do that themselves).
    pub fn enable_trusted_access(&mut self, service_principal: &str, now: Timestamp) {
        self.trusted
            .entry(service_principal.to_owned())
            .or_insert(now);
    }

    /// Registers a delegated administrator on behalf of another service (GuardDuty and Security Hub do that themselves).
    pub fn register_delegated_administrator(
        &mut self,
        account: AccountId,
        service_principal: &str,
        now: Timestamp,
    ) {
        self.delegated
            .entry((service_principal.to_owned(), account))
            .or_insert(now);
    }

    /// The SCPs that bind an account, one list for each level from the root down to the account itself.
    /// Empty for the management account, which no SCP binds, and while the policy type is off.
    pub fn service_control_policies(&self, account: AccountId) -> Vec<Vec<Arc<Policy>>> {
        let Some(member) = self.accounts.get(&account) else {
            return Vec::new();
        };
        if account == MANAGEMENT_ACCOUNT || !self.scps_enabled {
            return Vec::new();
        }
        let mut levels = vec![self.parsed(&account.to_string())];
        levels.extend(self.up(&member.parent).map(|(id, _)| self.parsed(id)));
        levels.reverse();
        levels
    }

    /// `o-…/r-…/ou-…/`, the value of `aws:PrincipalOrgPaths`.
    pub fn path(&self, account: AccountId) -> String {
        self.accounts
            .get(&account)
            .map_or_else(String::new, |a| self.unit_path(&a.parent))
    }

    /// Organizations answers the management account; delegated administrators of any service may read, and everyone in
    /// the organization may ask what organization it is.
    fn admit(&self, call: &Call<'_>) -> Result<(), AwsError> {
        let caller = call.account();
        let reads = call.operation.starts_with("Describe") || call.operation.starts_with("List");
        let delegated = || self.delegated.keys().any(|(_, account)| *account == caller);
        if caller == MANAGEMENT_ACCOUNT
            || call.operation == "DescribeOrganization"
            || (reads && delegated())
        {
            return Ok(());
        }
        Err(AwsError::new(
            "AccessDeniedException",
            "You don't have permissions to access this resource.",
        ))
    }

    fn describe_organization(&self) -> Value {
        json!({ "Organization": {
            "Id": self.id,
            "Arn": format!("arn:aws:organizations::{MANAGEMENT_ACCOUNT}:organization/{}", self.id),
            "FeatureSet": "ALL",
            "MasterAccountArn": self.account_arn(MANAGEMENT_ACCOUNT),
            "MasterAccountId": MANAGEMENT_ACCOUNT.to_string(),
            "MasterAccountEmail": self.email(MANAGEMENT_ACCOUNT),
            "AvailablePolicyTypes": [{ "Type": policies::SCP, "Status": "ENABLED" }],
        }})
    }

    fn schedule(&mut self, at: Timestamp, event: Event) {
        self.events += 1;
        self.due.insert((at, self.events), event);
    }
}

/// How Organizations' lists page: the first of several pages comes empty, which clients tend not to expect.
fn cut(
    call: &Call<'_>,
    items: &'static str,
    most: usize,
    all: Vec<Value>,
) -> Result<Map<String, Value>, AwsError> {
    let paging = Paging {
        items,
        limit: "MaxResults",
        token: ("NextToken", "NextToken"),
        most,
        bad_token: "InvalidInputException",
        empty_first: true,
    };
    paging
        .page(call, all)
        .map_err(|error| error.with("Reason", "INVALID_NEXT_TOKEN"))
}

/// Cuts the page that `call` asks for out of `ids` and describes only what is on it.
fn page(
    call: &Call<'_>,
    items: &'static str,
    ids: impl Iterator<Item = String>,
    describe: impl Fn(&str) -> Value,
) -> Answer {
    let mut page = cut(call, items, 20, ids.map(Value::String).collect())?;
    if let Some(Value::Array(ids)) = page.get_mut(items) {
        for id in ids {
            *id = describe(id.as_str().unwrap_or_default());
        }
    }
    Ok(Value::Object(page))
}

/// A number or a state that AWS does not allow, with its machine-readable reason.
fn constraint(reason: &str, message: &str) -> AwsError {
    AwsError::new("ConstraintViolationException", message).with("Reason", reason)
}

/// A parameter that AWS does not understand, with its machine-readable reason.
fn invalid(reason: &str, message: &str) -> AwsError {
    AwsError::new("InvalidInputException", message).with("Reason", reason)
}

fn no_account() -> AwsError {
    AwsError::new(
        "AccountNotFoundException",
        "You specified an account that doesn't exist.",
    )
}

#[cfg(test)]
mod tests;
