//! Security Hub: hubs, standards, members.

use crate::call::{Answer, AwsError, Call};
use crate::world::World;

#[derive(Default)]
pub struct State {}

pub fn answer(_world: &mut World, _call: &Call<'_>) -> Answer {
    Err(AwsError::not_built())
}
