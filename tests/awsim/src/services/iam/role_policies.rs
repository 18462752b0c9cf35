//! What a role may do: its inline policies and the managed policies attached to it.

use serde_json::json;

use super::document::Document;
use super::{limit, no_such_entity, page};
use crate::call::{Answer, AwsError, Call};
use crate::world::World;

/// All inline policies of a role together, in characters without white space.
const INLINE_SIZE: usize = 10_240;
/// The default quota of managed policies attached to one role.
const ATTACHED: usize = 10;

pub(super) fn put(world: &mut World, call: &Call<'_>) -> Answer {
    let (role_name, name) = (call.required("RoleName"), call.required("PolicyName"));
    let role = world
        .iam
        .role_mut(call.account(), role_name)?
        .modifiable()?;
    let document = Document::identity(call.required("PolicyDocument"))
        .map_err(|message| AwsError::new("MalformedPolicyDocument", message))?;
    let others = role
        .grants
        .inline
        .iter()
        .filter(|(other, _)| *other != name)
        .map(|(_, document)| document.size());
    if others.sum::<usize>() + document.size() > INLINE_SIZE {
        return Err(AwsError::new(
            "LimitExceeded",
            format!("Maximum policy size of {INLINE_SIZE} bytes exceeded for role {role_name}"),
        )
        .status(409));
    }
    role.grants.inline.insert(name.to_owned(), document);
    Ok(json!({}))
}

pub(super) fn get(world: &World, call: &Call<'_>) -> Answer {
    let (role_name, name) = (call.required("RoleName"), call.required("PolicyName"));
    let role = world.iam.role_record(call.account(), role_name)?;
    let document = role
        .grants
        .inline
        .get(name)
        .ok_or_else(|| no_policy(name))?;
    Ok(json!({"RoleName": role_name, "PolicyName": name, "PolicyDocument": document.encoded()}))
}

pub(super) fn list(world: &World, call: &Call<'_>) -> Answer {
    let role = world
        .iam
        .role_record(call.account(), call.required("RoleName"))?;
    page(
        call,
        "PolicyNames",
        role.grants.inline.keys().map(|name| json!(name)).collect(),
    )
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let role = world
        .iam
        .role_mut(call.account(), call.required("RoleName"))?
        .modifiable()?;
    let name = call.required("PolicyName");
    role.grants
        .inline
        .remove(name)
        .map(|_| json!({}))
        .ok_or_else(|| no_policy(name))
}

fn no_policy(name: &str) -> AwsError {
    no_such_entity(format!("The role policy with name {name} cannot be found."))
}

pub(super) fn attach(world: &mut World, call: &Call<'_>) -> Answer {
    let (account, role_name, arn) = (
        call.account(),
        call.required("RoleName"),
        call.required("PolicyArn"),
    );
    world.iam.role_mut(account, role_name)?.modifiable()?;
    world.iam.check_attachable(account, arn)?;
    let attached = &mut world.iam.role_mut(account, role_name)?.grants.attached;
    if !attached.contains(arn) && attached.len() >= ATTACHED {
        return Err(limit(&format!("PoliciesPerRole: {ATTACHED}")));
    }
    attached.insert(arn.to_owned());
    Ok(json!({}))
}

pub(super) fn detach(world: &mut World, call: &Call<'_>) -> Answer {
    let role = world
        .iam
        .role_mut(call.account(), call.required("RoleName"))?
        .modifiable()?;
    let arn = call.required("PolicyArn");
    if role.grants.attached.remove(arn) {
        Ok(json!({}))
    } else {
        Err(no_such_entity(format!("Policy {arn} was not found.")))
    }
}

pub(super) fn list_attached(world: &World, call: &Call<'_>) -> Answer {
    let role = world
        .iam
        .role_record(call.account(), call.required("RoleName"))?;
    page(
        call,
        "AttachedPolicies",
        role.grants
            .attached_under(call.text("PathPrefix").unwrap_or("/")),
    )
}
