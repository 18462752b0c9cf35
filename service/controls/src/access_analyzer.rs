//! Analyzers of IAM Access Analyzer, which both kinds are alike: one that works is there, in one Region.

use std::fmt;

use aws_sdk_accessanalyzer::types::{AnalyzerStatus, Type};
use landfall_model::asset::Asset;
use landfall_model::ids::AccountId;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::aws::Aws;
use crate::error::{CloudError, done_already};

/// Within whose borders access is nobody else's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ZoneOfTrust {
    Account,
    Organization,
}

impl ZoneOfTrust {
    fn to_aws(self) -> Type {
        match self {
            ZoneOfTrust::Account => Type::Account,
            ZoneOfTrust::Organization => Type::Organization,
        }
    }

    /// What an analyzer is called that Landfall makes.
    fn analyzer(self) -> &'static str {
        match self {
            ZoneOfTrust::Account => "landfall-account",
            ZoneOfTrust::Organization => "landfall-organization",
        }
    }
}

impl fmt::Display for ZoneOfTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ZoneOfTrust::Account => "account",
            ZoneOfTrust::Organization => "organization",
        })
    }
}

/// The external access analyzers with one zone of trust, by name.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    analyzers: Vec<Analyzer>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Analyzer {
    name: String,
    arn: String,
    status: Status,
}

/// AWS's states of an analyzer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Active,
    Creating,
    /// Disabled or failed: it finds nothing any more.
    Stopped,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    /// One of Landfall's own that stopped. AWS has no call that starts it again.
    Delete {
        name: String,
    },
    Create {
        zone: ZoneOfTrust,
    },
    Await {
        name: String,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Delete { name } => write!(f, "delete the analyzer {name}, which has stopped"),
            Change::Create { zone } => {
                write!(f, "analyze who outside the {zone} has access to what")
            }
            Change::Await { name } => write!(f, "wait until the analyzer {name} is made"),
        }
    }
}

const LIST: &str = "access-analyzer:ListAnalyzers";
const CREATE: &str = "access-analyzer:CreateAnalyzer";
const DELETE: &str = "access-analyzer:DeleteAnalyzer";
/// The first analyzer of an account makes the service's own role.
const CREATE_ROLE: &str = "iam:CreateServiceLinkedRole";

pub(crate) const ACTIONS: &[&str] = &[LIST, CREATE, DELETE, CREATE_ROLE];

pub(crate) async fn observe(aws: &Aws, zone: ZoneOfTrust) -> Result<Observed, CloudError> {
    let client = aws.accessanalyzer();
    let mut analyzers = Vec::new();
    let mut token = None;
    loop {
        let page = aws
            .call(LIST, || {
                client
                    .list_analyzers()
                    .r#type(zone.to_aws())
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        analyzers.extend(page.analyzers.into_iter().map(|analyzer| Analyzer {
            name: analyzer.name,
            arn: analyzer.arn,
            status: match analyzer.status {
                AnalyzerStatus::Active => Status::Active,
                AnalyzerStatus::Creating => Status::Creating,
                _ => Status::Stopped,
            },
        }));
        token = page.next_token;
        if token.is_none() {
            analyzers.sort_by(|a, b| a.name.cmp(&b.name));
            return Ok(Observed { analyzers });
        }
    }
}

/// Any analyzer that works will do, whoever made it: an account may have only one. Of those that stopped, only
/// Landfall's own makes way.
pub(crate) fn plan(zone: ZoneOfTrust, observed: &Observed) -> Vec<Change> {
    let with = |status| {
        let mut analyzers = observed.analyzers.iter();
        analyzers.find(|analyzer| analyzer.status == status)
    };
    if with(Status::Active).is_some() {
        return Vec::new();
    }
    if let Some(creating) = with(Status::Creating) {
        return vec![Change::Await {
            name: creating.name.clone(),
        }];
    }
    let stopped = observed
        .analyzers
        .iter()
        .filter(|analyzer| analyzer.name == zone.analyzer());
    stopped
        .map(|analyzer| Change::Delete {
            name: analyzer.name.clone(),
        })
        .chain([Change::Create { zone }])
        .collect()
}

pub(crate) async fn apply(aws: &Aws, change: &Change) -> Result<(), CloudError> {
    let client = aws.accessanalyzer();
    match change {
        Change::Delete { name } => {
            let deleted = aws
                .call(DELETE, || {
                    client.delete_analyzer().analyzer_name(name).send()
                })
                .await;
            done_already(deleted, &["ResourceNotFoundException"])
        }
        Change::Create { zone } => {
            let created = aws
                .call(CREATE, || {
                    client
                        .create_analyzer()
                        .analyzer_name(zone.analyzer())
                        .r#type(zone.to_aws())
                        .send()
                })
                .await;
            done_already(created, &["ConflictException"])
        }
        Change::Await { .. } => Err(CloudError::not_ready(CREATE, change.to_string())),
    }
}

pub(crate) fn assets(owner: &AccountId, place: &Place, observed: &Observed) -> Vec<Asset> {
    let asset = |analyzer: &Analyzer| Asset {
        arn: analyzer.arn.clone(),
        kind: "AWS::AccessAnalyzer::Analyzer".to_owned(),
        account_id: owner.clone(),
        region: Some(place.region.clone()),
        name: analyzer.name.clone(),
        configuration: serde_json::json!(analyzer),
    };
    observed.analyzers.iter().map(asset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_works_is_enough_and_only_our_own_is_replaced() {
        use Status::{Active, Creating, Stopped};
        let create = "analyze who outside the account has access to what";
        let delete = "delete the analyzer landfall-account, which has stopped";
        let wait = "wait until the analyzer landfall-account is made";
        for (analyzers, sentences) in [
            (vec![], vec![create]),
            (vec![("landfall-account", Active)], vec![]),
            (vec![("theirs", Active)], vec![]),
            (vec![("landfall-account", Creating)], vec![wait]),
            (vec![("landfall-account", Stopped)], vec![delete, create]),
            (vec![("theirs", Stopped)], vec![create]),
            (
                vec![("landfall-account", Stopped), ("theirs", Active)],
                vec![],
            ),
        ] {
            let analyzers = analyzers.into_iter().map(|(name, status)| Analyzer {
                name: name.to_owned(),
                arn: String::new(),
                status,
            });
            let observed = Observed {
                analyzers: analyzers.collect(),
            };
            let plan = plan(ZoneOfTrust::Account, &observed);
            let plan: Vec<String> = plan.iter().map(ToString::to_string).collect();
            assert_eq!(plan, sentences, "{observed:?}");
        }
    }
}
