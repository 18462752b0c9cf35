//! What others do to the organization behind a test's back: `POST /_awsim/tamper`.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::accounts::Standing;
use super::{Event, State};
use crate::call::{AccountId, AwsError};
use crate::world::World;

/// Disturbs the organization as `request` says, and obeys AWS's rules in doing so.
///
/// # Errors
///
/// A sentence about what the request lacks, or why AWS would not have it.
///
/// | `action` | further members |
/// | --- | --- |
/// | `attach_scp`, `detach_scp` | `policy` (id or name), `target` (id) |
/// | `create_scp` | `policy` (name), `description`, `content` |
/// | `edit_scp` | `policy` (id or name), `content` |
/// | `move_account` | `account`, `to` (id of an OU or the root) |
/// | `suspend_account`, `close_account` | `account`; at once |
/// | `rename_ou` | `ou` (id), `name` |
/// | `disable_trusted_access` | `service_principal` |
/// | `rename_account` | `account`, `name` |
/// | `edit_tag` | `resource`, `key`, `value` |
/// | `delete_tag` | `resource`, `key` |
/// | `take_email` | `email`: some account outside the organization gets it |
/// | `set_account_quota` | `quota` |
/// | `fail_creation` | `reason`: why the next account is not made, such as `INTERNAL_FAILURE` |
pub fn tamper(world: &mut World, request: &Value, now: Timestamp) -> Result<Value, String> {
    super::settle(world, now);
    let gone = now + world.wait(SignedDuration::from_hours(90 * 24));
    let state = &mut world.organizations;
    let told = |error: AwsError| format!("{}: {}", error.code, error.message);
    match text(request, "action")? {
        "attach_scp" => {
            let policy = state.policy_id(text(request, "policy")?)?;
            state
                .attach(&policy, text(request, "target")?)
                .map_err(told)?;
        }
        "detach_scp" => {
            let policy = state.policy_id(text(request, "policy")?)?;
            state
                .detach(&policy, text(request, "target")?)
                .map_err(told)?;
        }
        "create_scp" => {
            let named = |member| text(request, member).map(str::to_owned);
            let (name, description) = (named("policy")?, named("description")?);
            let id = format!("p-{}", world.random_id(8));
            let state = &mut world.organizations;
            state
                .add_policy(id, name, description, text(request, "content")?)
                .map_err(told)?;
        }
        "edit_scp" => {
            let policy = state.policy_id(text(request, "policy")?)?;
            state
                .edit_policy(&policy, text(request, "content")?)
                .map_err(told)?;
        }
        "move_account" => {
            let (account, to) = (state.named(request)?, text(request, "to")?);
            state.node(to).map_err(told)?;
            state.place(account, to);
        }
        "suspend_account" => {
            let account = state.named(request)?;
            state.stand(account, Standing::Suspended);
        }
        "close_account" => {
            let account = state.named(request)?;
            state.stand(account, Standing::Closed);
            state.schedule(gone, Event::Expunge(account));
        }
        "rename_account" => {
            let account = state.named(request)?;
            state.rename_account(account, text(request, "name")?);
        }
        "edit_tag" => {
            let (key, value) = (text(request, "key")?, text(request, "value")?);
            state
                .tags
                .entry(text(request, "resource")?.to_owned())
                .or_default()
                .insert(key.to_owned(), value.to_owned());
        }
        "delete_tag" => {
            let key = text(request, "key")?;
            state
                .tags
                .get_mut(text(request, "resource")?)
                .and_then(|tags| tags.remove(key))
                .ok_or_else(|| format!("no tag {key}"))?;
        }
        "rename_ou" => state
            .rename_unit(text(request, "ou")?, text(request, "name")?)
            .map_err(told)?,
        "disable_trusted_access" => {
            let service = text(request, "service_principal")?;
            state
                .trusted
                .remove(service)
                .ok_or_else(|| format!("no trusted access for {service}"))?;
        }
        "deregister_administrator" => {
            let key = (
                text(request, "service_principal")?.to_owned(),
                state.named(request)?,
            );
            state
                .delegated
                .remove(&key)
                .ok_or("the account does not administer this service")?;
        }
        "take_email" => {
            state
                .emails_elsewhere
                .insert(text(request, "email")?.to_ascii_lowercase());
        }
        "set_account_quota" => {
            let quota = request
                .get("quota")
                .and_then(Value::as_u64)
                .and_then(|n| usize::try_from(n).ok());
            state.account_quota = quota.ok_or("`quota` is to be a number")?;
        }
        "fail_creation" => state
            .failures
            .push_back(text(request, "reason")?.to_owned()),
        other => return Err(format!("organizations does not know the action `{other}`")),
    }
    Ok(json!({}))
}

fn text<'a>(request: &'a Value, member: &str) -> Result<&'a str, String> {
    request
        .get(member)
        .and_then(Value::as_str)
        .ok_or_else(|| format!("`{member}` is missing"))
}

impl State {
    fn policy_id(&self, policy: &str) -> Result<String, String> {
        let named = || {
            self.policies
                .iter()
                .find(|(_, document)| document.name == policy)
                .map(|(id, _)| id)
        };
        let id = self
            .policies
            .get_key_value(policy)
            .map(|(id, _)| id)
            .or_else(named);
        id.cloned().ok_or_else(|| format!("no policy `{policy}`"))
    }

    fn named(&self, request: &Value) -> Result<AccountId, String> {
        let id = text(request, "account")?;
        self.member(id).map_err(|_| format!("no account {id}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::Org;

    #[test]
    fn every_action_leaves_its_mark() {
        let mut org = Org::new();
        org.enable_scps();
        let root = org.root();
        let account = org.account("a@example.com");
        let unit = org.unit(&root, "Applications");
        let deny = r#"{"Statement":{"Effect":"Deny","Action":"s3:*","Resource":"*"}}"#;
        let policy = org.policy("Deny", deny);
        org.call(
            "EnableAWSServiceAccess",
            json!({ "ServicePrincipal": "config.amazonaws.com" }),
        );
        let attached = |org: &Org| org.world.organizations.parsed(&unit).len();

        org.tamper(&json!({ "action": "attach_scp", "policy": "Deny", "target": unit }))
            .unwrap();
        assert_eq!(attached(&org), 2);
        org.tamper(&json!({ "action": "detach_scp", "policy": policy, "target": unit }))
            .unwrap();
        assert_eq!(attached(&org), 1);
        let edited = deny.replace("s3:*", "ec2:*");
        org.tamper(&json!({ "action": "edit_scp", "policy": "Deny", "content": edited }))
            .unwrap();
        assert_eq!(
            org.call("DescribePolicy", json!({ "PolicyId": policy }))["Policy"]["Content"],
            edited
        );
        org.tamper(&json!({ "action": "rename_ou", "ou": unit, "name": "Renamed" }))
            .unwrap();
        org.tamper(&json!({ "action": "move_account", "account": account, "to": unit }))
            .unwrap();
        let accounts = super::super::accounts_report(&org.world);
        assert!(
            accounts
                .as_array()
                .unwrap()
                .iter()
                .any(|row| row["path"] == "Renamed")
        );
        org.tamper(
            &json!({ "action": "disable_trusted_access", "service_principal": "config.amazonaws.com" }),
        )
        .unwrap();
        assert!(
            !org.world
                .organizations
                .trusted_access("config.amazonaws.com")
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let mut org = Org::new();
        org.enable_scps();
        let root = org.root();
        for request in [
            json!({ "action": "detach_scp", "policy": "FullAWSAccess", "target": root }),
            json!({ "action": "edit_scp", "policy": "FullAWSAccess", "content": "{}" }),
            json!({ "action": "move_account", "account": "999999999999", "to": root }),
            json!({ "action": "move_account", "account": "111111111111", "to": "ou-none-00000000" }),
            json!({ "action": "disable_trusted_access", "service_principal": "config.amazonaws.com" }),
            json!({ "action": "set_account_quota", "quota": "many" }),
            json!({ "action": "explode" }),
            json!({}),
        ] {
            assert!(org.tamper(&request).is_err(), "{request}");
        }
    }
}
