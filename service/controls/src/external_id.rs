//! External ids, as everybody who may read sees them: which ones a policy asks for can be told from their digests, and nobody can
//! come with a digest.

use landfall_model::ids::Revision;
use serde_json::Value;

/// What a condition on them is called.
const KEY: &str = "sts:ExternalId";

/// The same document with a digest in the place of each external id that a condition asks for.
pub fn veiled(mut document: Value) -> Value {
    veil(&mut document, false);
    document
}

fn veil(value: &mut Value, is_external_id: bool) {
    match value {
        Value::String(id) if is_external_id => {
            *id = format!("digest {}", Revision::of(id.as_bytes()));
        }
        Value::Array(list) => list.iter_mut().for_each(|one| veil(one, is_external_id)),
        Value::Object(map) => map.iter_mut().for_each(|(key, one)| {
            veil(one, key.eq_ignore_ascii_case(KEY));
        }),
        _ => {}
    }
}
