//! S3: buckets and their settings.

use crate::call::{AccountId, Answer, AwsError, Call};
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
    /// The account that owns a bucket, if there is such a bucket.
    pub fn owner(&self, _bucket: &str) -> Option<AccountId> {
        None
    }

    /// Whether the bucket's policy lets a service principal do `action` on `resource`, with the condition keys given.
    pub fn lets_service(&self, _bucket: &str, _service_principal: &str, _action: &str, _resource: &str, _context: &[(&str, &str)]) -> bool {
        false
    }
}
