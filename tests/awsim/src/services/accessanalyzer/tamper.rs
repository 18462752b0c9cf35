//! What others do to analyzers behind a test's back: `POST /_awsim/tamper`.

use serde_json::{Value, json};

use crate::call::AccountId;
use crate::regions;
use crate::world::World;

/// Disturbs the analyzers of an account and Region as `request` says: `delete_analyzers` takes all of them away,
/// `fail_analyzers` stops them. With `type`, only those of that type.
///
/// # Errors
///
/// A sentence about what the request lacks.
pub fn tamper(world: &mut World, request: &Value) -> Result<Value, String> {
    let text = |member: &str| request.get(member).and_then(Value::as_str);
    let account: AccountId = text("account")
        .and_then(|account| account.parse().ok())
        .ok_or("`account` is to be twelve digits")?;
    let region = text("region")
        .and_then(regions::find)
        .ok_or("`region` is to be a Region")?;
    let fits = |kind: &str| text("type").is_none_or(|wanted| wanted == kind);
    let analyzers = world
        .accessanalyzer
        .analyzers
        .entry((account, region))
        .or_default();
    match text("action") {
        Some("delete_analyzers") => analyzers.retain(|_, one| !fits(&one.kind)),
        Some("fail_analyzers") => analyzers
            .values_mut()
            .filter(|one| fits(&one.kind))
            .for_each(|one| one.failed = true),
        other => {
            return Err(format!(
                "accessanalyzer does not know the action `{}`",
                other.unwrap_or_default()
            ));
        }
    }
    Ok(json!({}))
}
