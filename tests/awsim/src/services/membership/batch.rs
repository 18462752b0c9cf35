//! Batch calls: what they name one by one, and what they leave out beside HTTP status 200.

use serde_json::{Value, json};

use super::{Refusal, Service};
use crate::call::{AccountId, Answer, Call};
use crate::world::World;

/// `AccountIds` of a batch call, as written and as understood.
pub(crate) fn ids<'c>(call: &'c Call<'_>) -> impl Iterator<Item = (&'c str, Option<AccountId>)> {
    call.list("AccountIds")
        .iter()
        .filter_map(Value::as_str)
        .map(|id| (id, id.parse().ok()))
}

/// Does `act` for every account that a batch call names, and answers what was refused; what is no account's id is
/// refused as `malformed`.
pub(crate) fn each<S: Service>(
    world: &mut World,
    call: &Call<'_>,
    malformed: Refusal,
    mut act: impl FnMut(&mut World, AccountId) -> Result<(), Refusal>,
) -> Answer {
    let mut refused = Vec::new();
    for (id, account) in ids(call) {
        let result = account.ok_or(malformed);
        if let Err(why) = result.and_then(|account| act(world, account)) {
            refused.push(unprocessed::<S>(call, id, why));
        }
    }
    Ok(json!({ "UnprocessedAccounts": refused }))
}

/// An entry of `UnprocessedAccounts`.
pub(super) fn unprocessed<S: Service>(call: &Call<'_>, account: &str, why: Refusal) -> Value {
    json!({ "AccountId": account, S::REASON: S::refusal(call, why).message })
}
