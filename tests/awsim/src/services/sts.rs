//! STS: who is calling, and as whom else.

use jiff::Timestamp;
use serde_json::json;

use crate::call::{Answer, AwsError, Call, Principal};
use crate::protocol::Credentials;
use crate::world::World;

#[derive(Default)]
pub struct State {}

pub fn answer(_world: &mut World, call: &Call<'_>) -> Answer {
    match call.operation {
        "GetCallerIdentity" => Ok(json!({
            "UserId": call.principal.unique_id,
            "Account": call.account().to_string(),
            "Arn": call.principal.arn,
        })),
        _ => Err(AwsError::not_built()),
    }
}

pub fn resource(_world: &World, _call: &Call<'_>) -> String {
    "*".to_owned()
}

impl State {
    /// The session behind temporary credentials and the credentials' secret, if the token fits and has not run out.
    pub fn session(
        &self,
        _access_key_id: &str,
        _token: Option<&str>,
        _now: Timestamp,
    ) -> Result<(Principal, String), Credentials> {
        Err(Credentials::Unknown)
    }
}
