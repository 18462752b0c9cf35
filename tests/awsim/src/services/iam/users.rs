//! Users and their access keys.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::document::Document;
use super::roles::boundary;
use super::{
    Grants, State, Tags, already_exists, delete_conflict, limit, merge_tags, no_such_entity, page,
    seconds, tag_list,
};
use crate::call::{AccountId, Answer, AwsError, Call};
use crate::world::World;

pub(super) struct User {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) arn: String,
    pub(super) id: String,
    pub(super) created: Timestamp,
    pub(super) grants: Grants,
    /// The ARN of the managed policy that bounds the user.
    pub(super) boundary: Option<String>,
    pub(super) tags: Tags,
}

/// A long-lived key. It names its user, so that authorization finds the user in one step.
pub(super) struct AccessKey {
    pub(super) account: AccountId,
    pub(super) user: String,
    pub(super) created: Timestamp,
}

impl User {
    pub(super) fn new(
        account: AccountId,
        path: &str,
        name: &str,
        id: String,
        now: Timestamp,
    ) -> Self {
        User {
            name: name.to_owned(),
            path: path.to_owned(),
            arn: format!("arn:aws:iam::{account}:user{path}{name}"),
            id,
            created: now,
            grants: Grants::default(),
            boundary: None,
            tags: Tags::new(),
        }
    }

    fn describe(&self) -> Value {
        json!({
            "Path": self.path,
            "UserName": self.name,
            "UserId": self.id,
            "Arn": self.arn,
            "CreateDate": seconds(self.created),
        })
    }
}

/// The default quota of access keys for one user.
const KEYS: usize = 2;
/// All inline policies of a user together, in characters without white space.
const INLINE_SIZE: usize = 2048;
/// The default quota of managed policies attached to one user.
const ATTACHED: usize = 10;

impl State {
    fn user_mut(&mut self, account: AccountId, name: &str) -> Result<&mut User, AwsError> {
        self.account(account)
            .users
            .get_mut(name)
            .ok_or_else(|| no_user(name))
    }

    fn keys_of<'a>(
        &'a self,
        account: AccountId,
        user: &'a str,
    ) -> impl Iterator<Item = (&'a String, &'a AccessKey)> {
        self.access_keys
            .iter()
            .filter(move |(_, key)| key.account == account && key.user == user)
    }
}

fn no_user(name: &str) -> AwsError {
    no_such_entity(format!("The user with name {name} cannot be found."))
}

/// The user that a call names, or else the one who calls.
fn named_or_caller(call: &Call<'_>) -> Result<String, AwsError> {
    let caller = || {
        call.principal
            .arn
            .split_once(":user/")
            .and_then(|(_, path)| path.rsplit('/').next())
    };
    let name = call.text("UserName").or_else(caller);
    name.map(str::to_owned).ok_or_else(|| {
        AwsError::new(
            "ValidationError",
            "Must specify userName when calling with non-User credentials",
        )
    })
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Answer {
    let (account, name) = (call.account(), call.required("UserName"));
    let users = &world.iam.account(account).users;
    // Names are told apart without regard to case.
    if users
        .keys()
        .any(|existing| existing.eq_ignore_ascii_case(name))
    {
        return Err(already_exists(format!(
            "User with name {name} already exists."
        )));
    }
    if users.len() >= 5000 {
        return Err(limit("UsersPerAccount: 5000"));
    }
    if let Some(arn) = call.text("PermissionsBoundary") {
        world.iam.check_boundary(account, arn)?;
    }
    let mut tags = Tags::new();
    merge_tags(&mut tags, call)?;
    let mut user = User::new(
        account,
        call.text("Path").unwrap_or("/"),
        name,
        world.iam.unique_id("AIDA", 17),
        call.now,
    );
    user.boundary = call.text("PermissionsBoundary").map(str::to_owned);
    user.tags = tags;
    let answer = detail(&user);
    world
        .iam
        .account(account)
        .users
        .insert(name.to_owned(), user);
    Ok(json!({"User": answer}))
}

/// All members: tags and boundary are not in lists.
fn detail(user: &User) -> Value {
    let mut answer = user.describe();
    if let Some(arn) = &user.boundary {
        answer["PermissionsBoundary"] = boundary(arn);
    }
    if !user.tags.is_empty() {
        answer["Tags"] = tag_list(&user.tags);
    }
    answer
}

pub(super) fn get(world: &World, call: &Call<'_>) -> Answer {
    let name = named_or_caller(call)?;
    let user = world
        .iam
        .user(call.account(), &name)
        .ok_or_else(|| no_user(&name))?;
    Ok(json!({"User": detail(user)}))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Answer {
    let prefix = call.text("PathPrefix").unwrap_or("/");
    let users = world.iam.account(call.account()).users.values();
    page(
        call,
        "Users",
        users
            .filter(|user| user.path.starts_with(prefix))
            .map(User::describe)
            .collect(),
    )
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let (account, name) = (call.account(), call.required("UserName"));
    let user = world.iam.user(account, name).ok_or_else(|| no_user(name))?;
    if !user.grants.attached.is_empty() {
        return Err(delete_conflict(
            "Cannot delete entity, must detach all policies first.",
        ));
    }
    if !user.grants.inline.is_empty() {
        return Err(delete_conflict(
            "Cannot delete entity, must delete policies first.",
        ));
    }
    if world.iam.keys_of(account, name).next().is_some() {
        return Err(delete_conflict(
            "Cannot delete entity, must delete access keys first.",
        ));
    }
    world.iam.account(account).users.remove(name);
    Ok(json!({}))
}

pub(super) fn create_access_key(world: &mut World, call: &Call<'_>) -> Answer {
    let (account, name) = (call.account(), named_or_caller(call)?);
    world.iam.user_mut(account, &name)?;
    if world.iam.keys_of(account, &name).count() >= KEYS {
        return Err(limit(&format!("AccessKeysPerUser: {KEYS}")));
    }
    let id = world.iam.unique_id("AKIA", 16);
    let secret = world.random_text(
        40,
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    );
    let key = AccessKey {
        account,
        user: name.clone(),
        created: call.now,
    };
    let answer = json!({
        "UserName": name,
        "AccessKeyId": id,
        "Status": "Active",
        "SecretAccessKey": secret,
        "CreateDate": seconds(key.created),
    });
    world.iam.access_keys.insert(id, key);
    Ok(json!({"AccessKey": answer}))
}

pub(super) fn list_access_keys(world: &World, call: &Call<'_>) -> Answer {
    let name = named_or_caller(call)?;
    world
        .iam
        .user(call.account(), &name)
        .ok_or_else(|| no_user(&name))?;
    let mut keys: Vec<_> = world.iam.keys_of(call.account(), &name).collect();
    keys.sort_by_key(|(id, _)| *id);
    let keys = keys.into_iter().map(|(id, key)| {
        json!({"UserName": name, "AccessKeyId": id, "Status": "Active", "CreateDate": seconds(key.created)})
    });
    page(call, "AccessKeyMetadata", keys.collect())
}

pub(super) fn delete_access_key(world: &mut World, call: &Call<'_>) -> Answer {
    let (name, id) = (named_or_caller(call)?, call.required("AccessKeyId"));
    let owned = world
        .iam
        .access_keys
        .get(id)
        .is_some_and(|key| key.account == call.account() && key.user == name);
    if !owned {
        return Err(no_such_entity(format!(
            "The Access Key with id {id} cannot be found."
        )));
    }
    world.iam.access_keys.remove(id);
    Ok(json!({}))
}

pub(super) fn attach(world: &mut World, call: &Call<'_>) -> Answer {
    let (account, arn) = (call.account(), call.required("PolicyArn"));
    world.iam.check_attachable(account, arn)?;
    let attached = &mut world
        .iam
        .user_mut(account, call.required("UserName"))?
        .grants
        .attached;
    if !attached.contains(arn) && attached.len() >= ATTACHED {
        return Err(limit(&format!("PoliciesPerUser: {ATTACHED}")));
    }
    attached.insert(arn.to_owned());
    Ok(json!({}))
}

pub(super) fn detach(world: &mut World, call: &Call<'_>) -> Answer {
    let arn = call.required("PolicyArn");
    let user = world
        .iam
        .user_mut(call.account(), call.required("UserName"))?;
    if user.grants.attached.remove(arn) {
        Ok(json!({}))
    } else {
        Err(no_such_entity(format!("Policy {arn} was not found.")))
    }
}

pub(super) fn list_attached(world: &mut World, call: &Call<'_>) -> Answer {
    let user = world
        .iam
        .user_mut(call.account(), call.required("UserName"))?;
    page(
        call,
        "AttachedPolicies",
        user.grants
            .attached_under(call.text("PathPrefix").unwrap_or("/")),
    )
}

pub(super) fn put_policy(world: &mut World, call: &Call<'_>) -> Answer {
    let (user_name, name) = (call.required("UserName"), call.required("PolicyName"));
    let user = world.iam.user_mut(call.account(), user_name)?;
    let document = Document::identity(call.required("PolicyDocument"))
        .map_err(|message| AwsError::new("MalformedPolicyDocument", message))?;
    let others = user
        .grants
        .inline
        .iter()
        .filter(|(other, _)| *other != name)
        .map(|(_, document)| document.size());
    if others.sum::<usize>() + document.size() > INLINE_SIZE {
        return Err(AwsError::new(
            "LimitExceeded",
            format!("Maximum policy size of {INLINE_SIZE} bytes exceeded for user {user_name}"),
        )
        .status(409));
    }
    user.grants.inline.insert(name.to_owned(), document);
    Ok(json!({}))
}

pub(super) fn delete_policy(world: &mut World, call: &Call<'_>) -> Answer {
    let name = call.required("PolicyName");
    let user = world
        .iam
        .user_mut(call.account(), call.required("UserName"))?;
    let removed = user.grants.inline.remove(name);
    removed
        .map(|_| json!({}))
        .ok_or_else(|| no_such_entity(format!("The user policy with name {name} cannot be found.")))
}

pub(super) fn list_policies(world: &mut World, call: &Call<'_>) -> Answer {
    let user = world
        .iam
        .user_mut(call.account(), call.required("UserName"))?;
    page(
        call,
        "PolicyNames",
        user.grants.inline.keys().map(|name| json!(name)).collect(),
    )
}
