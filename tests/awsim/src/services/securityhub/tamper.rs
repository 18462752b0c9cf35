//! Changes behind the product's back, as an administrator at the console or a mistake would make them.

use jiff::Timestamp;
use serde_json::Value;

use super::standards;
use crate::call::AccountId;
use crate::world::World;

/// Does what `request` says: `action` is `disable_hub`, `disable_standard` (with `standard`, a path such as
/// `pci-dss/v/3.2.1` or an ARN that ends in one) or `disassociate_member`; `account` and `region` name whose hub.
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
    let state = &mut world.securityhub;
    let mut regions = state.hubs.keys().map(|(_, region)| *region);
    let region = regions
        .find(|region| *region == name)
        .ok_or("Security Hub is not on in this Region")?;
    let no_hub = "Security Hub is not on in this account and Region";
    match text("action")? {
        "disable_hub" => {
            state.membership.disassociate(region, account, now);
            state.switch_off(region, account).ok_or(no_hub)?;
        }
        "disable_standard" => {
            let standard = text("standard")?;
            let path = standard
                .rsplit(':')
                .next()
                .and_then(|path| path.split_once('/'))
                .filter(|_| standard.starts_with("arn:"));
            let path = path.map_or(standard, |(_, path)| path);
            let hub = state.hubs.get_mut(&(account, region)).ok_or(no_hub)?;
            if !standards::remove(&mut hub.subscriptions, path) {
                return Err(format!("the standard `{standard}` is not on"));
            }
        }
        "disassociate_member" => {
            if !state.membership.disassociate(region, account, now) {
                return Err("the account is not a member in this Region".to_owned());
            }
        }
        action => return Err(format!("Security Hub has no action `{action}`")),
    }
    Ok(Value::Null)
}
