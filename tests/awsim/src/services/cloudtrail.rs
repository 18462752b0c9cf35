//! CloudTrail: trails, and the organization trail that every member sees.

use crate::call::{Answer, AwsError, Call};
use crate::world::World;

#[derive(Default)]
pub struct State {}

pub fn answer(_world: &mut World, _call: &Call<'_>) -> Answer {
    Err(AwsError::not_built())
}

pub fn resource(_world: &World, _call: &Call<'_>) -> String {
    "*".to_owned()
}
