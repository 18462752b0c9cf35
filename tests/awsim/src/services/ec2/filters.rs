//! How EC2's `Describe…` operations choose: by ids, by filters, page by page.

use landfall_policy::Glob;
use serde_json::Value;

use super::network::Tags;
use crate::call::{Answer, AwsError, Call};
use crate::paging::Paging;

/// One thing that is described: what filters ask of it, and how it is shown.
pub(super) struct Item<'a> {
    pub(super) id: String,
    pub(super) tags: &'a Tags,
    /// What the item has for each filter of the operation; all items have the same filters.
    pub(super) traits: Vec<(&'static str, String)>,
    pub(super) shown: Value,
}

/// How a kind of thing is listed.
pub(super) struct Listing {
    /// The output member with the items, `Vpcs`.
    pub(super) items: &'static str,
    /// The input member with ids, `VpcIds`.
    pub(super) ids: &'static str,
    /// The filters that the operation has beside those for tags.
    pub(super) filters: &'static [&'static str],
    pub(super) not_found: fn(&str) -> AwsError,
}

impl Listing {
    /// What a call chooses of all items: those with the ids, if it names any, that pass every filter.
    pub(super) fn answer(&self, call: &Call<'_>, all: Vec<Item<'_>>) -> Answer {
        let ids: Vec<&str> = texts(call.list(self.ids)).collect();
        if let Some(missing) = ids.iter().find(|id| all.iter().all(|item| item.id != **id)) {
            return Err((self.not_found)(missing));
        }
        if !ids.is_empty() && call.integer("MaxResults").is_some() {
            let message = format!(
                "The parameter {} cannot be used with the parameter MaxResults",
                self.ids
            );
            return Err(AwsError::new("InvalidParameterCombination", message));
        }
        for filter in call.list("Filters") {
            let name = filter["Name"].as_str().unwrap_or_default();
            if !self.filters.contains(&name) && name != "tag-key" && !name.starts_with("tag:") {
                let message = format!("The filter '{name}' is invalid");
                return Err(AwsError::new("InvalidParameterValue", message));
            }
        }
        let chosen = all.into_iter().filter(|item| {
            (ids.is_empty() || ids.contains(&item.id.as_str()))
                && call
                    .list("Filters")
                    .iter()
                    .all(|filter| passes(item, filter))
        });
        let paging = Paging {
            items: self.items,
            limit: "MaxResults",
            token: ("NextToken", "NextToken"),
            most: 1000,
            bad_token: "InvalidNextToken",
            empty_first: false,
        };
        let page = paging.page(call, chosen.map(|item| item.shown).collect())?;
        Ok(Value::Object(page))
    }
}

/// Whether one of the item's values for the filter is one of those wanted; `*` and `?` stand for anything.
fn passes(item: &Item<'_>, filter: &Value) -> bool {
    let name = filter["Name"].as_str().unwrap_or_default();
    let wanted: Vec<Glob> = filter["Values"]
        .as_array()
        .map_or(&[][..], Vec::as_slice)
        .iter()
        .filter_map(|value| Some(Glob::new(value.as_str()?)))
        .collect();
    let fits = |value: &str| wanted.iter().any(|wanted| wanted.matches(value));
    if name == "tag-key" {
        return item.tags.keys().any(|key| fits(key));
    }
    match name.strip_prefix("tag:") {
        Some(key) => item.tags.get(key).is_some_and(|value| fits(value)),
        None => item
            .traits
            .iter()
            .any(|(one, value)| *one == name && fits(value)),
    }
}

pub(super) fn texts(values: &[Value]) -> impl Iterator<Item = &str> {
    values.iter().filter_map(Value::as_str)
}
