//! Roles: who may become them, what bounds them, how they are labelled.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use landfall_policy::Policy;
use serde_json::{Value, json};

use super::document::Document;
use super::{
    Grants, State, Tags, already_exists, delete_conflict, limit, merge_tags, no_such_entity, page,
    seconds, tag_list,
};
use crate::call::{AccountId, Answer, AwsError, Call};
use crate::world::World;

/// A role as STS and the authorizer see it.
pub struct RoleView<'a> {
    pub arn: &'a str,
    pub unique_id: &'a str,
    pub trust: &'a Arc<Policy>,
    /// Inline and attached policies, all of which speak for the role.
    pub policies: Vec<Arc<Policy>>,
    pub boundary: Option<Arc<Policy>>,
    /// From when on it can be assumed: roles take some seconds to reach every Region.
    pub assumable_from: Timestamp,
    pub max_session: SignedDuration,
}

#[derive(Clone)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) arn: String,
    pub(super) id: String,
    pub(super) created: Timestamp,
    pub(super) description: Option<String>,
    pub(super) trust: Document,
    pub(super) grants: Grants,
    /// The ARN of the managed policy that bounds the role.
    pub(super) boundary: Option<String>,
    pub(super) tags: Tags,
    pub(super) max_session_seconds: i64,
    pub(super) assumable_from: Timestamp,
    /// The service that alone may change the role, if it is a service-linked one.
    pub(super) linked_service: Option<String>,
}

impl Role {
    /// A role that nobody has configured yet.
    pub(super) fn new(
        account: AccountId,
        path: &str,
        name: &str,
        id: String,
        trust: Document,
        now: Timestamp,
    ) -> Self {
        Role {
            name: name.to_owned(),
            path: path.to_owned(),
            arn: format!("arn:aws:iam::{account}:role{path}{name}"),
            id,
            created: now,
            description: None,
            trust,
            grants: Grants::default(),
            boundary: None,
            tags: Tags::new(),
            max_session_seconds: 3600,
            assumable_from: now,
            linked_service: None,
        }
    }

    /// The members that `ListRoles` shows of a role.
    fn summary(&self) -> Value {
        let mut role = json!({
            "Path": self.path,
            "RoleName": self.name,
            "RoleId": self.id,
            "Arn": self.arn,
            "CreateDate": seconds(self.created),
            "AssumeRolePolicyDocument": self.trust.encoded(),
            "MaxSessionDuration": self.max_session_seconds,
        });
        if let Some(description) = &self.description {
            role["Description"] = json!(description);
        }
        role
    }

    /// All members: tags, boundary and last use are in `GetRole` alone, not in lists.
    pub(super) fn describe(&self) -> Value {
        let mut role = self.summary();
        role["RoleLastUsed"] = json!({});
        if let Some(arn) = &self.boundary {
            role["PermissionsBoundary"] = boundary(arn);
        }
        if !self.tags.is_empty() {
            role["Tags"] = tag_list(&self.tags);
        }
        role
    }

    /// Refuses to touch what a service owns.
    pub(super) fn modifiable(&mut self) -> Result<&mut Self, AwsError> {
        match self.linked_service {
            None => Ok(self),
            Some(_) => Err(AwsError::new(
                "UnmodifiableEntity",
                format!(
                    "Cannot perform the operation on the protected role '{}' - this role is only modifiable by AWS",
                    self.name
                ),
            )),
        }
    }
}

pub(super) fn boundary(arn: &str) -> Value {
    json!({"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": arn})
}

impl State {
    /// Creates the administrator role that Organizations puts into a new account, trusted by the management account.
    /// It becomes assumable some seconds after `now`.
    pub fn create_organization_role(
        &mut self,
        account: AccountId,
        name: &str,
        now: Timestamp,
        delay: SignedDuration,
    ) {
        let management = crate::world::MANAGEMENT_ACCOUNT;
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": format!("arn:aws:iam::{management}:root")},
            "Action": "sts:AssumeRole",
        }]});
        let trust = Document::trust(&trust.to_string(), |_| true)
            .expect("the statement above is a trust policy");
        let id = self.unique_id("AROA", 17);
        let mut role = Role::new(account, "/", name, id, trust, now);
        role.grants
            .attached
            .insert("arn:aws:iam::aws:policy/AdministratorAccess".to_owned());
        role.assumable_from = now + delay;
        self.account(account).roles.insert(name.to_owned(), role);
    }

    /// Whether an ARN in a `Principal` names somebody who is there. Accounts that nobody here knows are taken on trust:
    /// they are somewhere else in AWS.
    pub(crate) fn principal_exists(&self, arn: &str) -> bool {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let [_, _, _, _, account, resource] = parts[..] else {
            return false;
        };
        let Ok(account) = account.parse::<AccountId>() else {
            return false;
        };
        if resource == "root" {
            return true;
        }
        let Some(known) = self.accounts.get(&account) else {
            return true;
        };
        match resource.split_once('/') {
            Some(("role", name)) => known
                .roles
                .get(last(name))
                .is_some_and(|role| role.arn == arn),
            Some(("user", name)) => known
                .users
                .get(last(name))
                .is_some_and(|user| user.arn == arn),
            Some(("assumed-role", session)) => session
                .split_once('/')
                .is_some_and(|(role, _)| known.roles.contains_key(role)),
            _ => false,
        }
    }

    pub(super) fn role_record(&self, account: AccountId, name: &str) -> Result<&Role, AwsError> {
        self.accounts
            .get(&account)
            .and_then(|account| account.roles.get(name))
            .ok_or_else(|| no_role(name))
    }

    pub(super) fn role_mut(
        &mut self,
        account: AccountId,
        name: &str,
    ) -> Result<&mut Role, AwsError> {
        self.account(account)
            .roles
            .get_mut(name)
            .ok_or_else(|| no_role(name))
    }

    /// Checks that a policy may bound an identity.
    pub(super) fn check_boundary(&self, account: AccountId, arn: &str) -> Result<(), AwsError> {
        match self.managed(account, arn) {
            Some(_) => Ok(()),
            None => Err(no_such_entity(format!(
                "Scope ARN: {arn} does not exist or is not attachable."
            ))),
        }
    }
}

fn no_role(name: &str) -> AwsError {
    no_such_entity(format!("The role with name {name} cannot be found."))
}

/// The name at the end of a path.
fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The most characters that a trust policy may have (the default quota), white space not counted.
const TRUST_POLICY_SIZE: usize = 2048;

fn trust_document(state: &State, text: &str) -> Result<Document, AwsError> {
    let document = Document::trust(text, |arn| state.principal_exists(arn))
        .map_err(|message| AwsError::new("MalformedPolicyDocument", message))?;
    if document.size() > TRUST_POLICY_SIZE {
        return Err(limit(&format!("ACLSizePerRole: {TRUST_POLICY_SIZE}")));
    }
    Ok(document)
}

/// How long a new role takes until every Region's STS knows it, at most; the least is three seconds.
const PROPAGATION_SECONDS: u64 = 12;

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Answer {
    let (account, name) = (call.account(), call.required("RoleName"));
    let propagation =
        SignedDuration::from_secs(3 + world.random_below(PROPAGATION_SECONDS - 3).cast_signed());
    let propagation = world.wait(propagation);
    let state = &mut world.iam;
    let roles = &state.account(account).roles;
    // Names are told apart without regard to case.
    if roles
        .keys()
        .any(|existing| existing.eq_ignore_ascii_case(name))
    {
        return Err(already_exists(format!(
            "Role with name {name} already exists."
        )));
    }
    if roles.len() >= 1000 {
        return Err(limit("RolesPerAccount: 1000"));
    }
    let trust = trust_document(state, call.required("AssumeRolePolicyDocument"))?;
    if let Some(arn) = call.text("PermissionsBoundary") {
        state.check_boundary(account, arn)?;
    }
    let mut tags = Tags::new();
    merge_tags(&mut tags, call)?;
    let id = state.unique_id("AROA", 17);
    let mut role = Role::new(
        account,
        call.text("Path").unwrap_or("/"),
        name,
        id,
        trust,
        call.now,
    );
    role.description = call.text("Description").map(str::to_owned);
    role.max_session_seconds = call.integer("MaxSessionDuration").unwrap_or(3600);
    role.boundary = call.text("PermissionsBoundary").map(str::to_owned);
    role.tags = tags;
    role.assumable_from = call.now + propagation;
    let answer = role.describe();
    state.account(account).roles.insert(name.to_owned(), role);
    Ok(json!({"Role": answer}))
}

pub(super) fn get(world: &World, call: &Call<'_>) -> Answer {
    Ok(
        json!({"Role": world.iam.role_record(call.account(), call.required("RoleName"))?.describe()}),
    )
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Answer {
    let prefix = call.text("PathPrefix").unwrap_or("/");
    let roles = world.iam.account(call.account()).roles.values();
    page(
        call,
        "Roles",
        roles
            .filter(|role| role.path.starts_with(prefix))
            .map(Role::summary)
            .collect(),
    )
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let (account, name) = (call.account(), call.required("RoleName"));
    let role = world.iam.role_mut(account, name)?.modifiable()?;
    if !role.grants.attached.is_empty() {
        return Err(delete_conflict(
            "Cannot delete entity, must detach all policies first.",
        ));
    }
    if !role.grants.inline.is_empty() {
        return Err(delete_conflict(
            "Cannot delete entity, must delete policies first.",
        ));
    }
    world.iam.account(account).roles.remove(name);
    Ok(json!({}))
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Answer {
    let role = world
        .iam
        .role_mut(call.account(), call.required("RoleName"))?
        .modifiable()?;
    if let Some(description) = call.text("Description") {
        role.description = Some(description.to_owned());
    }
    if let Some(duration) = call.integer("MaxSessionDuration") {
        role.max_session_seconds = duration;
    }
    Ok(json!({}))
}

/// The older way to the description. It alone also works on service-linked roles, as the IAM API reference says.
pub(super) fn update_description(world: &mut World, call: &Call<'_>) -> Answer {
    let role = world
        .iam
        .role_mut(call.account(), call.required("RoleName"))?;
    role.description = Some(call.required("Description").to_owned());
    Ok(json!({"Role": role.describe()}))
}

pub(super) fn update_trust(world: &mut World, call: &Call<'_>) -> Answer {
    let (account, name) = (call.account(), call.required("RoleName"));
    world.iam.role_mut(account, name)?.modifiable()?;
    let trust = trust_document(&world.iam, call.required("PolicyDocument"))?;
    world.iam.role_mut(account, name)?.trust = trust;
    Ok(json!({}))
}

pub(super) fn tag(world: &mut World, call: &Call<'_>) -> Answer {
    let role = world
        .iam
        .role_mut(call.account(), call.required("RoleName"))?
        .modifiable()?;
    merge_tags(&mut role.tags, call)?;
    Ok(json!({}))
}

pub(super) fn untag(world: &mut World, call: &Call<'_>) -> Answer {
    let role = world
        .iam
        .role_mut(call.account(), call.required("RoleName"))?
        .modifiable()?;
    for key in call.list("TagKeys").iter().filter_map(Value::as_str) {
        role.tags.shift_remove(key);
    }
    Ok(json!({}))
}

pub(super) fn list_tags(world: &World, call: &Call<'_>) -> Answer {
    let role = world
        .iam
        .role_record(call.account(), call.required("RoleName"))?;
    page(
        call,
        "Tags",
        role.tags
            .iter()
            .map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect(),
    )
}

pub(super) fn put_boundary(world: &mut World, call: &Call<'_>) -> Answer {
    let (account, arn) = (call.account(), call.required("PermissionsBoundary"));
    world
        .iam
        .role_mut(account, call.required("RoleName"))?
        .modifiable()?;
    world.iam.check_boundary(account, arn)?;
    world
        .iam
        .role_mut(account, call.required("RoleName"))?
        .boundary = Some(arn.to_owned());
    Ok(json!({}))
}

pub(super) fn delete_boundary(world: &mut World, call: &Call<'_>) -> Answer {
    let role = world
        .iam
        .role_mut(call.account(), call.required("RoleName"))?
        .modifiable()?;
    match role.boundary.take() {
        Some(_) => Ok(json!({})),
        None => Err(no_such_entity(format!(
            "The role with name {} has no permissions boundary.",
            role.name
        ))),
    }
}
