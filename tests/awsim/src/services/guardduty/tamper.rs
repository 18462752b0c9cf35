//! Changes behind the product's back, as an administrator at the console or a mistake would make them.

use jiff::Timestamp;
use serde_json::Value;

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
    let name = text("region")?;
    let state = &mut world.guardduty;
    let mut regions = state.detectors.keys().map(|(_, region)| *region);
    let region = regions
        .find(|region| *region == name)
        .ok_or("GuardDuty is not on in this Region")?;
    let no_detector = "the account has no detector in this Region";
    match text("action")? {
        "delete_detector" => {
            state.membership.disassociate(region, account, now);
            let detector = state.detectors.remove(&(account, region));
            detector.ok_or(no_detector)?;
        }
        "suspend_detector" => {
            let detector = state.detector_mut(region, account).ok_or(no_detector)?;
            detector.enabled = false;
            detector.updated_at = now;
        }
        "disable_feature" => {
            let feature = text("feature")?;
            let detector = state.detector_mut(region, account).ok_or(no_detector)?;
            if !detector.features.disable(feature, now) {
                return Err(format!("GuardDuty has no feature `{feature}`"));
            }
        }
        "disassociate_member" => {
            if !state.membership.disassociate(region, account, now) {
                return Err("the account is not a member in this Region".to_owned());
            }
        }
        action => return Err(format!("GuardDuty has no action `{action}`")),
    }
    Ok(Value::Null)
}
