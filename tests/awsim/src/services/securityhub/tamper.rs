//! Changes behind the product's back, as an administrator at the console or a mistake would make them.

use jiff::Timestamp;
use serde_json::Value;

use super::members::{Standing, part};
use super::{Account, Regional, standards};
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
    let regional = world
        .securityhub
        .regions
        .get_mut(text("region")?)
        .ok_or("Security Hub is not on in this Region")?;
    match text("action")? {
        "disable_hub" => {
            disassociate(regional, account, now);
            let there = regional
                .accounts
                .get_mut(&account)
                .filter(|there| there.hub.is_some());
            *there.ok_or("Security Hub is not on in this account and Region")? = Account::default();
        }
        "disable_standard" => {
            let standard = text("standard")?;
            let path = standard
                .rsplit(':')
                .next()
                .and_then(|path| path.split_once('/'))
                .filter(|_| standard.starts_with("arn:"));
            let path = path.map_or(standard, |(_, path)| path);
            let hub = regional
                .accounts
                .get_mut(&account)
                .and_then(|there| there.hub.as_mut());
            let hub = hub.ok_or("Security Hub is not on in this account and Region")?;
            if !standards::remove(&mut hub.subscriptions, path) {
                return Err(format!("the standard `{standard}` is not on"));
            }
        }
        "disassociate_member" => {
            if !disassociate(regional, account, now) {
                return Err("the account is not a member in this Region".to_owned());
            }
        }
        action => return Err(format!("Security Hub has no action `{action}`")),
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
