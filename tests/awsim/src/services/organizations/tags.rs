//! Tags on accounts, OUs, policies and the root.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{State, constraint, invalid};
use crate::call::{AccountId, Answer, AwsError, Call};
use crate::paging::Paging;

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
        let paging = Paging {
            items: "Tags",
            limit: "MaxResults",
            token: ("NextToken", "NextToken"),
            most: MOST_TAGS,
            bad_token: "InvalidInputException",
            empty_first: true,
        };
        let tags = self.tags.get(self.taggable(call)?).into_iter().flatten();
        let items = tags
            .map(|(key, value)| json!({ "Key": key, "Value": value }))
            .collect();
        paging.page(call, items).map(Value::Object)
    }
}
