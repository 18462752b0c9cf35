//! What others do to an account's settings behind a test's back: `POST /_awsim/tamper`.

use serde_json::{Value, json};

use crate::call::AccountId;
use crate::regions;
use crate::world::World;

/// Disturbs an account as `request` says.
///
/// | `action` | members besides `account` |
/// | --- | --- |
/// | `delete_alternate_contact` | `type` |
/// | `disable_region` | `region`: is off at once |
/// | `edit_alternate_contact` | `type`, `contact`: members of the `AlternateContact` shape |
///
/// # Errors
///
/// A sentence about what the request lacks or what is not there to be changed.
pub fn tamper(world: &mut World, request: &Value) -> Result<Value, String> {
    let text = |member: &str| {
        request
            .get(member)
            .and_then(Value::as_str)
            .ok_or_else(|| format!("`{member}` is missing"))
    };
    let account: AccountId = text("account")?
        .parse()
        .map_err(|()| "`account` is to be twelve digits")?;
    if text("action")? == "disable_region" {
        let region = regions::find(text("region")?).ok_or("`region` is to be a Region")?;
        world.account.opted.disable_at_once(account, region);
        return Ok(json!({}));
    }
    let contacts = &mut world.account.contacts;
    match text("action")? {
        "delete_alternate_contact" => contacts.remove_alternate(account, text("type")?),
        "edit_alternate_contact" => {
            let contact = contacts
                .alternate_mut(account, text("type")?)
                .ok_or("there is no such contact")?;
            let changes = request.get("contact").and_then(Value::as_object);
            for (member, value) in changes.ok_or("`contact` is missing")? {
                contact[member] = value.clone();
            }
        }
        other => return Err(format!("account does not know the action `{other}`")),
    }
    Ok(json!({}))
}
