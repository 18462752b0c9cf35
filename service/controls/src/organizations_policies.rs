//! Service control policies: what is packed from the landing zone's files stands where it says.
//!
//! A packed policy is named by its content, so a change is another policy: made, attached wherever it is wanted, and only
//! then is the old one detached and deleted (`scp::changeover`). Before each detachment AWS is asked whether what takes its
//! place is there, on the same target or, where it moves, on another. Policies from before policies were packed go the same way: Landfall's, and wanted no more.
//!
//! Others, of AWS, of Control Tower or of a person, are neither changed nor moved; they only count, because AWS limits how
//! many a target may have.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use landfall_model::asset::Asset;
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::control::Scope;
use landfall_model::json_text::JsonText;
use landfall_model::place::Place;
use landfall_model::scp::changeover::{self, Attachment, Changeover, NoRoom, Step};
use landfall_model::scp::{Document, FULL_AWS_ACCESS, ScpTarget, sources};
use landfall_policy::Policy;
use serde::{Deserialize, Serialize};

use crate::aws::Aws;
use crate::control::Control;
use crate::error::CloudError;
use crate::service_control_policies::{self as scps, Attached, Found};
use crate::session::Session;

pub(crate) struct OrganizationsPolicies;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {}

#[derive(Debug, Serialize)]
pub(crate) struct Desired {
    /// Packed policies by name.
    documents: BTreeMap<String, Document>,
    attachments: Vec<(ScpTarget, BTreeSet<String>)>,
    /// How many policies AWS takes on one target.
    limit: usize,
}

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    enabled: bool,
    /// Landfall's policies by name.
    policies: BTreeMap<String, Found>,
    /// Every target that has or should have one of them.
    targets: Vec<Target>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct Target {
    id: String,
    /// `None` for targets that the landing zone does not know.
    #[serde(skip)]
    place: Option<ScpTarget>,
    /// A path, or for targets that the landing zone does not know, AWS's name.
    name: String,
    wanted: BTreeSet<String>,
    /// Landfall's.
    attached: BTreeSet<String>,
    /// Somebody else's.
    others: BTreeSet<String>,
}

/// `sources` are the files that a policy was packed from, for people.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    EnableType,
    Create {
        policy: String,
        document: Document,
    },
    Update {
        policy: String,
        document: Document,
    },
    Attach {
        policy: String,
        sources: String,
        target: String,
        target_id: String,
    },
    Detach {
        policy: String,
        policy_id: String,
        sources: String,
        target: String,
        target_id: String,
        /// What has to be attached there by then.
        beside: BTreeSet<String>,
        /// What has to be attached to others above and below by then.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        elsewhere: Vec<Elsewhere>,
    },
    Delete {
        policy: String,
        policy_id: String,
        sources: String,
    },
}

/// Policies of another target that say what one said.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Elsewhere {
    target: String,
    target_id: String,
    policies: BTreeSet<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |sources: &str| match sources {
            "" => String::new(),
            sources => format!(" ({sources})"),
        };
        let said = |document: &Document| of(sources(&document.description).unwrap_or_default());
        match self {
            Change::EnableType => f.write_str("enable service control policies"),
            Change::Create { policy, document } => {
                write!(f, "create the policy {policy}{}", said(document))
            }
            Change::Update { policy, document } => {
                write!(f, "restore the policy {policy}{}", said(document))
            }
            Change::Attach {
                policy,
                sources,
                target,
                ..
            } => write!(f, "attach {policy}{} to {target}", of(sources)),
            Change::Detach {
                policy,
                sources,
                target,
                ..
            } => write!(f, "detach {policy}{} from {target}", of(sources)),
            Change::Delete {
                policy, sources, ..
            } => write!(f, "delete the policy {policy}{}", of(sources)),
        }
    }
}

impl Control for OrganizationsPolicies {
    const ID: &'static str = "organizations.policies";
    const TITLE: &'static str = "Service control policies stand where they should";
    const SCOPE: Scope = Scope::Organization;
    const ACTIONS: &'static [&'static str] = scps::ACTIONS;
    const AFTER: &'static [&'static str] = &["organizations.units"];

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(_parameters: &Parameters, place: &Place) -> Result<Desired, CloudError> {
        let settings = place.landing_zone.scps;
        let packed = place.scps.packed(settings).map_err(|error| {
            CloudError::new(CloudErrorKind::Quota, scps::ATTACH, error.to_string())
        })?;
        Ok(Desired {
            documents: packed.documents,
            attachments: packed.attachments.into_iter().collect(),
            limit: settings.attached,
        })
    }

    async fn observe(aws: &Session, desired: &Desired) -> Result<Observed, CloudError> {
        let root_id = &aws.place().organization.root_id;
        let management = aws.management().await?;
        let mut targets = BTreeMap::new();
        for (target, wanted) in &desired.attachments {
            let id = match target {
                ScpTarget::Root => root_id.clone(),
                ScpTarget::Unit(path) => aws.units().id_of(management, root_id, path).await?,
            };
            targets.insert(
                id.clone(),
                Target {
                    id,
                    place: Some(target.clone()),
                    name: target.to_string(),
                    wanted: wanted.clone(),
                    ..Target::default()
                },
            );
        }
        let enabled = scps::enabled(management, root_id).await?;
        let policies = scps::ours(management).await?;
        for found in policies.values() {
            for Attached { target_id, name } in scps::targets(management, &found.id).await? {
                let id = target_id.clone();
                targets.entry(target_id).or_insert_with(|| Target {
                    id,
                    name,
                    ..Target::default()
                });
            }
        }
        let mut targets: Vec<Target> = targets.into_values().collect();
        for target in &mut targets {
            for (name, ours) in scps::attached(management, &target.id).await? {
                let those = match ours {
                    true => &mut target.attached,
                    false => &mut target.others,
                };
                those.insert(name);
            }
            if !enabled {
                // Enabling the type brings it everywhere.
                target.others.insert(FULL_AWS_ACCESS.to_owned());
            }
        }
        let observed = Observed {
            enabled,
            policies,
            targets,
        };
        observed.steps(desired).map_err(|error| {
            CloudError::new(CloudErrorKind::Quota, scps::ATTACH, error.to_string())
        })?;
        Ok(observed)
    }

    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        let mut changes = Vec::new();
        if !observed.enabled {
            changes.push(Change::EnableType);
        }
        for (policy, document) in &desired.documents {
            let (policy, document) = (policy.clone(), document.clone());
            match observed.policies.get(&policy) {
                None => changes.push(Change::Create { policy, document }),
                Some(found) if !found.is(&document) => {
                    changes.push(Change::Update { policy, document });
                }
                Some(_) => {}
            }
        }
        // A target that there is no room on is an error of looking.
        let steps = observed.steps(desired).unwrap_or_default();
        let mut unused: BTreeMap<&str, &Found> = observed
            .policies
            .iter()
            .filter(|(name, _)| !desired.documents.contains_key(*name))
            .map(|(name, found)| (name.as_str(), found))
            .collect();
        for (index, target) in observed.targets.iter().enumerate() {
            let stays = |policy: &str| {
                let gone = |step: &Step<'_>| {
                    let this = Attachment {
                        target: index,
                        policy,
                    };
                    matches!(step, Step::Detach { old, .. } if *old == this)
                };
                target.attached.contains(policy) && !steps.iter().any(gone)
            };
            unused.retain(|policy, _| !stays(policy));
        }
        let steps = steps.into_iter();
        changes.extend(steps.filter_map(|step| observed.change(step, desired)));
        changes.extend(unused.into_iter().map(|(policy, found)| Change::Delete {
            policy: policy.to_owned(),
            policy_id: found.id.clone(),
            sources: found.sources(),
        }));
        changes
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let root_id = &aws.place().organization.root_id;
        let management = aws.management().await?;
        match change {
            Change::EnableType => scps::enable(management, root_id).await,
            Change::Create { policy, document } => scps::create(management, policy, document).await,
            Change::Update { policy, document } => scps::update(management, policy, document).await,
            Change::Attach {
                policy, target_id, ..
            } => scps::attach(management, policy, target_id).await,
            Change::Detach {
                policy_id,
                target,
                target_id,
                beside,
                elsewhere,
                ..
            } => {
                require(management, target, target_id, beside).await?;
                for Elsewhere {
                    target,
                    target_id,
                    policies,
                } in elsewhere
                {
                    require(management, target, target_id, policies).await?;
                }
                scps::detach(management, policy_id, target_id).await
            }
            Change::Delete { policy_id, .. } => scps::delete(management, policy_id).await,
        }
    }

    fn assets(place: &Place, observed: &Observed) -> Vec<Asset> {
        let asset = |(name, found): (&String, &Found)| Asset {
            arn: found.arn.clone(),
            kind: "AWS::Organizations::Policy".to_owned(),
            account_id: place.organization.management_account.clone(),
            region: None,
            name: name.clone(),
            configuration: serde_json::json!({
                "content": found.content,
                "description": found.description,
                "targets": observed
                    .targets
                    .iter()
                    .filter(|target| target.attached.contains(name))
                    .map(|target| &target.name)
                    .collect::<Vec<_>>(),
            }),
        };
        observed.policies.iter().map(asset).collect()
    }
}

/// The policies on each target that are not Landfall's, by the target's name, in what this control saw.
pub fn others(observed: &JsonText) -> BTreeMap<String, Vec<String>> {
    let observed = observed.to_value();
    let targets = observed["targets"].as_array().into_iter().flatten();
    let of_target = |target: &serde_json::Value| {
        let names = target["others"].as_array()?.iter();
        let names = names.filter_map(|name| name.as_str().map(str::to_owned));
        Some((target["name"].as_str()?.to_owned(), names.collect()))
    };
    targets.filter_map(of_target).collect()
}

impl Found {
    fn is(&self, document: &Document) -> bool {
        self.content == document.content && self.description == document.description
    }

    fn sources(&self) -> String {
        sources(&self.description).unwrap_or_default().to_owned()
    }
}

impl Observed {
    /// How the targets' policies come to be those that are wanted.
    fn steps<'a>(&'a self, desired: &'a Desired) -> Result<Vec<Step<'a>>, NoRoom> {
        // What is written wrong is written right before anything is detached.
        let wanted: BTreeMap<&str, Policy> = desired
            .documents
            .iter()
            .filter_map(|(name, document)| {
                Some((name.as_str(), Policy::parse(&document.content).ok()?))
            })
            .collect();
        let stray: BTreeMap<&str, Policy> = self
            .policies
            .iter()
            .filter(|(name, _)| !desired.documents.contains_key(*name))
            .filter_map(|(name, found)| Some((name.as_str(), Policy::parse(&found.content).ok()?)))
            .collect();
        let changeovers = self.targets.iter().map(|target| Changeover {
            target: &target.name,
            place: target.place.as_ref(),
            limit: desired.limit,
            others: target.others.iter().map(String::as_str).collect(),
            attached: target
                .attached
                .iter()
                .map(|name| {
                    let policy = wanted.get(name.as_str());
                    (name.as_str(), policy.or_else(|| stray.get(name.as_str())))
                })
                .collect(),
            wanted: target
                .wanted
                .iter()
                .filter_map(|name| Some((name.as_str(), wanted.get(name.as_str())?)))
                .collect(),
        });
        changeover::steps(&changeovers.collect::<Vec<_>>())
    }

    /// A step as a change. `None` where AWS shows a policy on the target that it does not list yet: it is there next time.
    fn change(&self, step: Step<'_>, desired: &Desired) -> Option<Change> {
        match step {
            Step::Attach(Attachment { target, policy }) => {
                let target = self.targets.get(target)?;
                let description = &desired.documents.get(policy)?.description;
                Some(Change::Attach {
                    policy: policy.to_owned(),
                    sources: sources(description).unwrap_or_default().to_owned(),
                    target: target.name.clone(),
                    target_id: target.id.clone(),
                })
            }
            Step::Detach { old, beside } => {
                let found = self.policies.get(old.policy)?;
                let mut by_target: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
                for one in beside {
                    let of_target = by_target.entry(one.target).or_default();
                    of_target.insert(one.policy.to_owned());
                }
                let target = self.targets.get(old.target)?;
                let beside = by_target.remove(&old.target).unwrap_or_default();
                let elsewhere = by_target.into_iter().filter_map(|(index, policies)| {
                    let target = self.targets.get(index)?;
                    Some(Elsewhere {
                        target: target.name.clone(),
                        target_id: target.id.clone(),
                        policies,
                    })
                });
                Some(Change::Detach {
                    policy: old.policy.to_owned(),
                    policy_id: found.id.clone(),
                    sources: found.sources(),
                    target: target.name.clone(),
                    target_id: target.id.clone(),
                    beside,
                    elsewhere: elsewhere.collect(),
                })
            }
        }
    }
}

/// Asks AWS whether these policies, which take another's place, are attached to a target.
async fn require(
    aws: &Aws,
    target: &str,
    target_id: &str,
    policies: &BTreeSet<String>,
) -> Result<(), CloudError> {
    if policies.is_empty() {
        return Ok(());
    }
    let attached = scps::attached(aws, target_id).await?;
    match policies.iter().find(|name| !attached.contains_key(*name)) {
        None => Ok(()),
        Some(missing) => Err(CloudError::not_ready(
            scps::DETACH,
            format!("{missing} is not seen on {target} yet, and it takes this one's place"),
        )),
    }
}

#[cfg(test)]
mod tests;
