//! AWS Config: recorder, delivery channel, aggregator.

use crate::call::{AccountId, Answer, AwsError, Call, Region};
use crate::world::World;

#[derive(Default)]
pub struct State {}

pub fn answer(_world: &mut World, _call: &Call<'_>) -> Answer {
    Err(AwsError::not_built())
}

impl State {
    /// Whether a recorder is recording in this account and Region: Security Hub's standards need it.
    pub fn is_recording(&self, _account: AccountId, _region: Region) -> bool {
        false
    }
}
