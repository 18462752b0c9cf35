//! Tags on accounts, OUs, policies and the root.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{State, constraint, cut, invalid};
use crate::call::{AccountId, Answer, AwsError, Call};

/// Quota: tags on one resource.
const MOST_TAGS: usize = 50;

pub(super) type Tags = BTreeMap<String, String>;

/// The `Tags` of a call: keys once each, none of AWS's own, not too many.
pub(super) fn read(call: &Call<'_>) -> Result<Tags, AwsError> {
    let mut tags = Tags::new();
    for tag in call.list("Tags") {
        let text = |member: &str| {
            tag.get(member)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let (key, value) = (text("Key"), text("Value"));
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid(
                "INVALID_SYSTEM_TAGS_PARAMETER",
                "You can't add, edit, or delete system tags.",
            ));
        }
        if tags.insert(key, value).is_some() {
            return Err(invalid("DUPLICATE_TAG_KEY", "Tag keys must be unique."));
        }
    }
    room(tags.len())?;
    Ok(tags)
}

fn room(number: usize) -> Result<(), AwsError> {
    if number > MOST_TAGS {
        return Err(constraint(
            "MAX_TAG_LIMIT_EXCEEDED",
            "You have exceeded the number of tags allowed on this resource.",
        ));
    }
    Ok(())
}

impl State {
    /// Puts tags on something new.
    pub(super) fn set_tags(&mut self, id: &str, tags: Tags) {
        self.tags.insert(id.to_owned(), tags);
    }

    fn taggable<'c>(&self, call: &'c Call<'_>) -> Result<&'c str, AwsError> {
        let id = call.required("ResourceId");
        let member = id
            .parse()
            .is_ok_and(|id: AccountId| self.accounts.contains_key(&id));
        let own = self
            .policies
            .get(id)
            .is_some_and(|policy| !policy.aws_managed);
        if member || own || self.nodes.contains_key(id) {
            return Ok(id);
        }
        let message =
            "We can't find a root, OU, account, or policy with the TargetId that you specified.";
        Err(AwsError::new("TargetNotFoundException", message))
    }

    pub(super) fn tag_resource(&mut self, call: &Call<'_>) -> Answer {
        let id = self.taggable(call)?;
        let mut tags = self.tags.get(id).cloned().unwrap_or_default();
        tags.extend(read(call)?);
        room(tags.len())?;
        self.set_tags(id, tags);
        Ok(json!({}))
    }

    pub(super) fn untag_resource(&mut self, call: &Call<'_>) -> Answer {
        let id = self.taggable(call)?;
        if let Some(tags) = self.tags.get_mut(id) {
            tags.retain(|key, _| {
                !call
                    .list("TagKeys")
                    .iter()
                    .any(|gone| gone.as_str() == Some(key))
            });
        }
        Ok(json!({}))
    }

    pub(super) fn list_tags(&self, call: &Call<'_>) -> Answer {
        let tags = self.tags.get(self.taggable(call)?).into_iter().flatten();
        let items = tags
            .map(|(key, value)| json!({ "Key": key, "Value": value }))
            .collect();
        cut(call, "Tags", MOST_TAGS, items).map(Value::Object)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::Org;

    #[test]
    fn everything_can_be_tagged() {
        let mut org = Org::new();
        let root = org.root();
        let (account, unit) = (
            org.account("a@example.com"),
            org.unit(&root, "Applications"),
        );
        let policy = org.policy(
            "Deny",
            r#"{"Statement":{"Effect":"Deny","Action":"s3:*","Resource":"*"}}"#,
        );
        for id in [root, account, unit, policy] {
            let tag = |value: &str| json!({ "ResourceId": id, "Tags": [{ "Key": "owner", "Value": value }] });
            org.call("TagResource", tag("me"));
            org.call("TagResource", tag("you"));
            let list = json!({ "ResourceId": id });
            let tags = org.list("ListTagsForResource", list.clone(), "Tags");
            assert_eq!(tags, [json!({ "Key": "owner", "Value": "you" })], "{id}");
            org.call(
                "UntagResource",
                json!({ "ResourceId": id, "TagKeys": ["owner", "absent"] }),
            );
            assert!(org.list("ListTagsForResource", list, "Tags").is_empty());
        }
        for id in ["999999999999", "p-FullAWSAccess"] {
            assert_eq!(
                org.refusal("ListTagsForResource", json!({ "ResourceId": id })),
                "TargetNotFoundException"
            );
        }
    }

    #[test]
    fn fifty_tags_at_most() {
        let mut org = Org::new();
        let account = org.account("a@example.com");
        let tags = |range: std::ops::Range<u8>| {
            let tags = range
                .map(|n| json!({ "Key": n.to_string(), "Value": "" }))
                .collect::<Value>();
            json!({ "ResourceId": account, "Tags": tags })
        };
        org.call("TagResource", tags(0..30));
        org.call("TagResource", tags(10..50));
        assert_eq!(
            org.refusal("TagResource", tags(50..51)),
            "ConstraintViolationException MAX_TAG_LIMIT_EXCEEDED"
        );
        org.call("TagResource", tags(49..50));
    }
}
