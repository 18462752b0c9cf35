//! What others do to IAM behind a test's back: `POST /_awsim/tamper`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::document::Document;
use super::roles::Role;
use crate::call::AccountId;
use crate::world::World;

/// Disturbs an account's IAM as `request` says. Service-linked roles are not spared.
///
/// | `action` | members besides `account` |
/// | --- | --- |
/// | `create_organization_role` | `role`: an administrator's role as Organizations makes it in a new account |
/// | `delete_role` | `role`; with all that is attached to it |
/// | `edit_role_trust` | `role`, `policy`: a document as text |
/// | `set_role_policy` | `role`, `name`, `policy` |
/// | `delete_role_policy` | `role`, `name` |
/// | `attach_role_policy`, `detach_role_policy` | `role`, `policy_arn` |
/// | `delete_password_policy` | |
/// | `edit_password_policy` | `policy`: members of the `PasswordPolicy` shape |
/// | `delete_access_key` | `access_key` |
///
/// # Errors
///
/// A sentence about what the request lacks or what is not there to be changed.
pub fn tamper(world: &mut World, request: &Value, now: Timestamp) -> Result<Value, String> {
    let account: AccountId = text(request, "account")?
        .parse()
        .map_err(|()| "`account` is to be twelve digits")?;
    let state = &mut world.iam;
    match text(request, "action")? {
        "create_organization_role" => {
            let role = text(request, "role")?;
            state.create_organization_role(account, role, now, jiff::SignedDuration::ZERO);
        }
        "delete_role" => {
            let role = text(request, "role")?;
            state
                .account(account)
                .roles
                .remove(role)
                .ok_or_else(|| format!("no role {role}"))?;
        }
        "edit_role_trust" => {
            let document =
                Document::trust(text(request, "policy")?, |arn| state.principal_exists(arn))?;
            role(world, account, request)?.trust = document;
        }
        "set_role_policy" => {
            let document = Document::identity(text(request, "policy")?)?;
            role(world, account, request)?
                .grants
                .inline
                .insert(text(request, "name")?.to_owned(), document);
        }
        "delete_role_policy" => {
            let name = text(request, "name")?;
            role(world, account, request)?
                .grants
                .inline
                .remove(name)
                .ok_or_else(|| format!("no policy {name}"))?;
        }
        "attach_role_policy" => {
            role(world, account, request)?
                .grants
                .attached
                .insert(text(request, "policy_arn")?.to_owned());
        }
        "detach_role_policy" => {
            let arn = text(request, "policy_arn")?;
            if !role(world, account, request)?.grants.attached.remove(arn) {
                return Err(format!("{arn} is not attached"));
            }
        }
        "delete_password_policy" => state.account(account).password_policy = None,
        "edit_password_policy" => {
            let changes = request
                .get("policy")
                .and_then(Value::as_object)
                .ok_or("`policy` is missing")?;
            state
                .account(account)
                .password_policy
                .as_mut()
                .ok_or("there is no password policy")?
                .edit(changes);
        }
        "delete_access_key" => {
            let key = text(request, "access_key")?;
            state
                .access_keys
                .remove(key)
                .ok_or_else(|| format!("no access key {key}"))?;
        }
        other => return Err(format!("iam does not know the action `{other}`")),
    }
    Ok(json!({}))
}

fn role<'a>(
    world: &'a mut World,
    account: AccountId,
    request: &Value,
) -> Result<&'a mut Role, String> {
    world
        .iam
        .role_mut(account, text(request, "role")?)
        .map_err(|error| error.message)
}

fn text<'a>(request: &'a Value, member: &str) -> Result<&'a str, String> {
    request
        .get(member)
        .and_then(Value::as_str)
        .ok_or_else(|| format!("`{member}` is missing"))
}
