//! Account: opt-in Regions and alternate contacts.

use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::world::World;

#[derive(Default)]
pub struct State {}

pub fn answer(_world: &mut World, _call: &Call<'_>) -> Answer {
    Err(AwsError::not_built())
}

impl State {
    /// Whether the Region answers for this account: enabled by default, or opted in.
    pub fn region_enabled(&self, _account: AccountId, _region: Region) -> bool {
        true
    }
}
