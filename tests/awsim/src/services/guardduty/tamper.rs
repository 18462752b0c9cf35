//! Changes behind the product's back, as an administrator at the console or a mistake would make them.

use jiff::Timestamp;
use serde_json::Value;

use super::Regional;
use super::members::{Standing, part};
use crate::call::AccountId;
use crate::world::World;

/// Does what `request` says: `action` is `delete_detector`, `suspend_detector`, `disable_feature` (with `feature`) or
/// `disassociate_member`; `account` and `region` name whose detector.
///
/// # Errors
///
/// A sentence about what the request lacks or what is not there to be changed.
pub fn tamper(world: &mut World, request: &Value, now: Timestamp) -> Result<Value, String> {
    let text = |member: &str| {
        request[member]
            .as_str()
            .ok_or_else(|| format!("`{member}` is missing"))
    };
    let account: AccountId = text("account")?
        .parse()
        .map_err(|()| "`account` is not an account id".to_owned())?;
    let regional = world
        .guardduty
        .regions
        .get_mut(text("region")?)
        .ok_or("GuardDuty is not on in this Region")?;
    match text("action")? {
        "delete_detector" => {
            disassociate(regional, account, now);
            let detector = regional
                .accounts
                .get_mut(&account)
                .and_then(|there| there.detector.take());
            detector.ok_or("the account has no detector in this Region")?;
        }
        "suspend_detector" => {
            let detector = regional
                .detector_mut(account)
                .ok_or("the account has no detector in this Region")?;
            detector.enabled = false;
            detector.updated_at = now;
        }
        "disable_feature" => {
            let feature = text("feature")?;
            let detector = regional
                .detector_mut(account)
                .ok_or("the account has no detector in this Region")?;
            if !detector.features.disable(feature, now) {
                return Err(format!("GuardDuty has no feature `{feature}`"));
            }
        }
        "disassociate_member" => {
            if !disassociate(regional, account, now) {
                return Err("the account is not a member in this Region".to_owned());
            }
        }
        action => return Err(format!("GuardDuty has no action `{action}`")),
    }
    Ok(Value::Null)
}

fn disassociate(regional: &mut Regional, account: AccountId, now: Timestamp) -> bool {
    let administrator = regional
        .accounts
        .get(&account)
        .and_then(|there| there.administrator);
    if let Some(administrator) = administrator {
        part(regional, administrator, account, Standing::Removed, now);
    }
    administrator.is_some()
}
