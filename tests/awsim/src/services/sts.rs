//! STS: who is calling, and as whom else.

use jiff::Timestamp;

use crate::call::{Answer, AwsError, Call, Principal};
use crate::world::World;

#[derive(Default)]
pub struct State {}

pub fn answer(_world: &mut World, _call: &Call<'_>) -> Answer {
    Err(AwsError::not_built())
}

pub fn resource(_world: &World, _call: &Call<'_>) -> String {
    "*".to_owned()
}

impl State {
    /// The session behind temporary credentials, if the token fits and has not run out.
    pub fn session(&self, _access_key_id: &str, _token: Option<&str>, _now: Timestamp) -> Result<Principal, AwsError> {
        Err(AwsError::new("InvalidClientTokenId", "The security token included in the request is invalid.").status(403))
    }
}
