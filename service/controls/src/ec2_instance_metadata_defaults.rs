//! New instances answer for their metadata as the baseline says, above all with IMDSv2 alone.
//!
//! The account's defaults hold for what a launch and its image leave open (EC2 User Guide, "Order of precedence for
//! instance metadata options"). What the baseline does not name is left as it is.

use std::fmt;

use landfall_model::control::Scope;
use landfall_model::place::Place;
use serde::{Deserialize, Deserializer, Serialize};

use crate::control::Control;
use crate::error::CloudError;
use crate::session::Session;

pub(crate) struct Ec2InstanceMetadataDefaults;

/// What a baseline says: any of EC2's four defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    /// Whether a session token, which is IMDSv2, is `required` or `optional`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http_tokens: Option<Tokens>,
    /// How many hops an answer may go, 1 to 64. Containers need 2.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "hop_limit"
    )]
    http_put_response_hop_limit: Option<u8>,
    /// Whether instances answer at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http_endpoint: Option<Switch>,
    /// Whether an instance's tags are part of its metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instance_metadata_tags: Option<Switch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Tokens {
    Required,
    Optional,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Switch {
    Enabled,
    Disabled,
}

fn hop_limit<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u8>, D::Error> {
    let hops = u8::deserialize(from)?;
    if (1..=64).contains(&hops) {
        Ok(Some(hops))
    } else {
        Err(serde::de::Error::custom(format!(
            "http_put_response_hop_limit is {hops}; EC2 takes 1 to 64"
        )))
    }
}

/// The defaults by EC2's own names; one that is not in it has no preference.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Observed {
    http_tokens: Option<String>,
    http_put_response_hop_limit: Option<String>,
    http_endpoint: Option<String>,
    instance_metadata_tags: Option<String>,
}

/// The parameters of the call, by EC2's names.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Set { defaults: Vec<(String, String)> },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change::Set { defaults } = self;
        f.write_str("have new instances start with ")?;
        for (n, (name, value)) in defaults.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{name} {value}")?;
        }
        Ok(())
    }
}

const GET: &str = "ec2:GetInstanceMetadataDefaults";
const MODIFY: &str = "ec2:ModifyInstanceMetadataDefaults";

const HTTP_TOKENS: &str = "accountLevel/httpTokens";
const HOP_LIMIT: &str = "accountLevel/httpPutResponseHopLimit";
const HTTP_ENDPOINT: &str = "accountLevel/httpEndpoint";
const METADATA_TAGS: &str = "accountLevel/instanceMetadataTags";

impl Control for Ec2InstanceMetadataDefaults {
    const ID: &'static str = "ec2.instance-metadata-defaults";
    const TITLE: &'static str = "New instances serve their metadata by IMDSv2";
    const SCOPE: Scope = Scope::Region;
    const ACTIONS: &'static [&'static str] = &[GET, MODIFY];
    const AFTER: &'static [&'static str] = &["account.regions"];

    type Parameters = Parameters;
    type Desired = Parameters;
    type Observed = Observed;
    type Change = Change;

    fn desired(parameters: &Parameters, _place: &Place) -> Result<Parameters, CloudError> {
        Ok(parameters.clone())
    }

    async fn observe(aws: &Session, _desired: &Parameters) -> Result<Observed, CloudError> {
        let aws = aws.target().await?;
        let paths = &[HTTP_TOKENS, HOP_LIMIT, HTTP_ENDPOINT, METADATA_TAGS];
        let answer = aws.ec2().get(GET, paths).await?;
        let text = |path| answer.text(path).map(str::to_owned);
        Ok(Observed {
            http_tokens: text(HTTP_TOKENS),
            http_put_response_hop_limit: text(HOP_LIMIT),
            http_endpoint: text(HTTP_ENDPOINT),
            instance_metadata_tags: text(METADATA_TAGS),
        })
    }

    fn plan(desired: &Parameters, observed: &Observed) -> Vec<Change> {
        let switch = |switch| match switch {
            Switch::Enabled => "enabled",
            Switch::Disabled => "disabled",
        };
        let tokens = desired.http_tokens.map(|tokens| match tokens {
            Tokens::Required => "required",
            Tokens::Optional => "optional",
        });
        let hops = desired.http_put_response_hop_limit;
        let hops = hops.map(|hops| hops.to_string());
        let wanted = [
            ("HttpTokens", tokens, &observed.http_tokens),
            (
                "HttpPutResponseHopLimit",
                hops.as_deref(),
                &observed.http_put_response_hop_limit,
            ),
            (
                "HttpEndpoint",
                desired.http_endpoint.map(switch),
                &observed.http_endpoint,
            ),
            (
                "InstanceMetadataTags",
                desired.instance_metadata_tags.map(switch),
                &observed.instance_metadata_tags,
            ),
        ];
        let defaults: Vec<_> = wanted
            .into_iter()
            .filter(|(_, wanted, is)| wanted.is_some() && *wanted != is.as_deref())
            .filter_map(|(name, wanted, _)| Some((name.to_owned(), wanted?.to_owned())))
            .collect();
        if defaults.is_empty() {
            Vec::new()
        } else {
            vec![Change::Set { defaults }]
        }
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let Change::Set { defaults } = change;
        let parameters: Vec<_> = defaults
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        aws.target().await?.ec2().act(MODIFY, &parameters).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_the_baseline_names_is_set() {
        let text = |text: &str| Some(text.to_owned());
        let desired: Parameters = serde_json::from_value(json!({
            "http_tokens": "required", "http_put_response_hop_limit": 2,
        }))
        .unwrap();
        for (observed, sentence) in [
            (
                Observed::default(),
                text(
                    "have new instances start with HttpTokens required, HttpPutResponseHopLimit 2",
                ),
            ),
            (
                Observed {
                    http_tokens: text("optional"),
                    http_put_response_hop_limit: text("2"),
                    ..Observed::default()
                },
                text("have new instances start with HttpTokens required"),
            ),
            (
                Observed {
                    http_tokens: text("required"),
                    http_put_response_hop_limit: text("2"),
                    http_endpoint: text("disabled"),
                    instance_metadata_tags: text("enabled"),
                },
                None,
            ),
        ] {
            let plan = Ec2InstanceMetadataDefaults::plan(&desired, &observed);
            assert_eq!(plan.first().map(ToString::to_string), sentence);
        }
    }

    #[test]
    fn a_baseline_s_mistakes_are_found_when_it_is_read() {
        for wrong in [
            json!({ "http_tokens": "require" }),
            json!({ "http_put_response_hop_limit": 0 }),
            json!({ "http_put_response_hop_limit": 65 }),
            json!({ "http_endpoint": true }),
            json!({ "tokens": "required" }),
        ] {
            assert!(serde_json::from_value::<Parameters>(wrong).is_err());
        }
    }
}
