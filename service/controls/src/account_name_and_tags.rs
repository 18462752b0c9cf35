//! The account is called, and tagged, as it was asked for: by its tags people, bills and other programs find out whose it
//! is.
//!
//! The name is the account's to change and is changed there. Tags belong to Organizations, which takes them from the
//! management account alone. Only the keys that the request brings are Landfall's; other tags stay.

use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_organizations::types::Tag;
use landfall_model::control::Scope;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::CloudError;
use crate::session::Session;

pub(crate) struct AccountNameAndTags;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {}

#[derive(Debug, Serialize)]
pub(crate) struct Desired {
    /// `None` where nobody asked for a name.
    name: Option<String>,
    tags: BTreeMap<String, String>,
}

/// The name, and of the tags those that are Landfall's.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    name: Option<String>,
    tags: BTreeMap<String, String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Rename { from: Option<String>, to: String },
    Tag { tags: BTreeMap<String, String> },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Rename {
                from: Some(from),
                to,
            } => write!(f, "rename the account from {from:?} to {to:?}"),
            Change::Rename { from: None, to } => write!(f, "name the account {to:?}"),
            Change::Tag { tags } => {
                f.write_str("tag the account with ")?;
                for (index, (key, value)) in tags.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{key}={value}")?;
                }
                Ok(())
            }
        }
    }
}

const NAME: &str = "account:GetAccountInformation";
const RENAME: &str = "account:PutAccountName";
const LIST_TAGS: &str = "organizations:ListTagsForResource";
const TAG: &str = "organizations:TagResource";

impl Control for AccountNameAndTags {
    const ID: &'static str = "account.name-and-tags";
    const TITLE: &'static str = "The account is named and tagged as it was asked for";
    const SCOPE: Scope = Scope::Account;
    const ACTIONS: &'static [&'static str] = &[NAME, RENAME, LIST_TAGS, TAG];
    const MEMBERS_ONLY: bool = true;

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(_parameters: &Parameters, place: &Place) -> Result<Desired, CloudError> {
        Ok(Desired {
            name: place.account_name.clone(),
            tags: place.account_tags.clone(),
        })
    }

    async fn observe(session: &Session, desired: &Desired) -> Result<Observed, CloudError> {
        let aws = session.target().await?;
        let account = aws.account_management();
        let information = aws
            .call(NAME, || account.get_account_information().send())
            .await?;
        let aws = session.management().await?;
        let organizations = aws.organizations();
        let mut tags = BTreeMap::new();
        let mut token = None;
        loop {
            let page = aws
                .call(LIST_TAGS, || {
                    organizations
                        .list_tags_for_resource()
                        .resource_id(session.place().account.as_str())
                        .set_next_token(token.clone())
                        .send()
                })
                .await?;
            let found = page.tags.unwrap_or_default().into_iter();
            tags.extend(
                found
                    .filter(|tag| desired.tags.contains_key(&tag.key))
                    .map(|tag| (tag.key, tag.value)),
            );
            token = page.next_token;
            if token.is_none() {
                return Ok(Observed {
                    name: information.account_name,
                    tags,
                });
            }
        }
    }

    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        let mut changes = Vec::new();
        if let Some(name) = &desired.name
            && observed.name.as_ref() != Some(name)
        {
            changes.push(Change::Rename {
                from: observed.name.clone(),
                to: name.clone(),
            });
        }
        let differs = |(key, value): &(&String, &String)| observed.tags.get(*key) != Some(*value);
        let tags: BTreeMap<String, String> = desired
            .tags
            .iter()
            .filter(differs)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if !tags.is_empty() {
            changes.push(Change::Tag { tags });
        }
        changes
    }

    async fn apply(session: &Session, change: &Change) -> Result<(), CloudError> {
        match change {
            Change::Rename { to, .. } => {
                let aws = session.target().await?;
                let account = aws.account_management();
                aws.call(RENAME, || {
                    account.put_account_name().account_name(to).send()
                })
                .await?;
            }
            Change::Tag { tags } => {
                let aws = session.management().await?;
                let organizations = aws.organizations();
                let tags: Vec<Tag> = tags
                    .iter()
                    .map(|(key, value)| {
                        Tag::builder()
                            .key(key)
                            .value(value)
                            .build()
                            .expect("a tag has a key and a value")
                    })
                    .collect();
                aws.call(TAG, || {
                    organizations
                        .tag_resource()
                        .resource_id(session.place().account.as_str())
                        .set_tags(Some(tags.clone()))
                        .send()
                })
                .await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_written_and_other_tags_stay() {
        let tags = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let pairs = pairs.iter();
            pairs
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        let wanted = tags(&[("landfall:owner", "me@example.com"), ("team", "blue")]);
        let name = |name: &str| Some(name.to_owned());
        for (desired_name, observed_name, observed_tags, sentences) in [
            (name("Shop"), name("Shop"), wanted.clone(), vec![]),
            (None, name("Anything"), wanted.clone(), vec![]),
            (
                name("Shop"),
                name("Old"),
                wanted.clone(),
                vec![r#"rename the account from "Old" to "Shop""#],
            ),
            (
                name("Shop"),
                None,
                tags(&[("team", "red")]),
                vec![
                    r#"name the account "Shop""#,
                    "tag the account with landfall:owner=me@example.com, team=blue",
                ],
            ),
            (
                name("Shop"),
                name("Shop"),
                tags(&[("landfall:owner", "me@example.com")]),
                vec!["tag the account with team=blue"],
            ),
        ] {
            let plan = AccountNameAndTags::plan(
                &Desired {
                    name: desired_name,
                    tags: wanted.clone(),
                },
                &Observed {
                    name: observed_name,
                    tags: observed_tags,
                },
            );
            let plan: Vec<String> = plan.iter().map(ToString::to_string).collect();
            assert_eq!(plan, sentences);
        }
    }
}
