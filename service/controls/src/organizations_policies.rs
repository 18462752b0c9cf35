//! Service control policies: Landfall's documents are what the landing zone says, and stand where it says.
//!
//! Only policies whose names begin with `landfall-` are Landfall's. Others, of AWS, of Control Tower or of a person, are
//! neither changed nor moved; they only count, because a target takes no more than ten of all together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use landfall_model::asset::Asset;
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::control::Scope;
use landfall_model::place::Place;
use landfall_model::scp::{PREFIX, ScpLimits, ScpTarget};
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
    /// Minified documents by policy name.
    documents: BTreeMap<String, String>,
    attachments: Vec<(ScpTarget, BTreeSet<String>)>,
}

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    enabled: bool,
    /// Landfall's policies by name.
    policies: BTreeMap<String, Found>,
    /// Every target that has or should have one of them.
    targets: Vec<Target>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Target {
    id: String,
    /// A path, or for targets that the landing zone does not know, AWS's name.
    name: String,
    wanted: BTreeSet<String>,
    attached: BTreeSet<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    EnableType,
    Create {
        policy: String,
        content: String,
    },
    Update {
        policy: String,
        content: String,
    },
    Attach {
        policy: String,
        target: String,
        target_id: String,
    },
    Detach {
        policy: String,
        target: String,
        target_id: String,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::EnableType => f.write_str("enable service control policies"),
            Change::Create { policy, .. } => write!(f, "create the policy {policy}"),
            Change::Update { policy, .. } => {
                write!(f, "bring the policy {policy} up to date")
            }
            Change::Attach { policy, target, .. } => write!(f, "attach {policy} to {target}"),
            Change::Detach { policy, target, .. } => write!(f, "detach {policy} from {target}"),
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
        let attachments = place.scps.attachments.iter();
        Ok(Desired {
            documents: place.scps.documents.clone(),
            attachments: attachments
                .map(|(target, names)| (target.clone(), names.iter().cloned().collect()))
                .collect(),
        })
    }

    async fn observe(aws: &Session, desired: &Desired) -> Result<Observed, CloudError> {
        let root_id = &aws.place().organization.root_id;
        let management = aws.management().await?;
        let mut targets = BTreeMap::new();
        for (target, wanted) in &desired.attachments {
            let (id, name) = match target {
                ScpTarget::Root => (root_id.clone(), "the root".to_owned()),
                ScpTarget::Unit(path) => (
                    aws.units().id_of(management, root_id, path).await?,
                    path.to_string(),
                ),
            };
            targets.insert(id, (name, wanted.clone()));
        }
        let observed = Observed {
            enabled: scps::enabled(management, root_id).await?,
            policies: scps::ours(management).await?,
            targets: Vec::new(),
        };
        for found in observed.policies.values() {
            for Attached { target_id, name } in scps::targets(management, &found.id).await? {
                targets.entry(target_id).or_insert((name, BTreeSet::new()));
            }
        }
        let targets = attached(management, targets).await?;
        for target in &targets {
            check_room(target, observed.enabled)?;
        }
        Ok(Observed {
            targets,
            ..observed
        })
    }

    /// What is new comes first, so that no target is without its policies on the way.
    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        let mut changes = Vec::new();
        if !observed.enabled {
            changes.push(Change::EnableType);
        }
        for (policy, content) in &desired.documents {
            let (policy, content) = (policy.clone(), content.clone());
            match observed.policies.get(&policy) {
                None => changes.push(Change::Create { policy, content }),
                Some(found) if found.content != content => {
                    changes.push(Change::Update { policy, content });
                }
                Some(_) => {}
            }
        }
        let mut last = Vec::new();
        for target in &observed.targets {
            let mut stray: Vec<Change> = target
                .strays()
                .map(|policy| Change::Detach {
                    policy: policy.clone(),
                    target: target.name.clone(),
                    target_id: target.id.clone(),
                })
                .collect();
            let missing = || target.wanted.difference(&target.attached);
            // Where all ten places are taken, room is made first.
            let over = (target.attached.len() + missing().count()).saturating_sub(most());
            changes.extend(stray.drain(..over.min(stray.len())));
            changes.extend(missing().map(|policy| Change::Attach {
                policy: policy.clone(),
                target: target.name.clone(),
                target_id: target.id.clone(),
            }));
            // AWS leaves nothing without a policy: one that would be the last stays.
            let alone =
                target.wanted.is_empty() && target.attached.len() == target.strays().count();
            if alone {
                stray.pop();
            }
            last.extend(stray);
        }
        changes.extend(last);
        changes
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let root_id = &aws.place().organization.root_id;
        let management = aws.management().await?;
        match change {
            Change::EnableType => scps::enable(management, root_id).await,
            Change::Create { policy, content } => scps::create(management, policy, content).await,
            Change::Update { policy, content } => scps::update(management, policy, content).await,
            Change::Attach {
                policy, target_id, ..
            } => scps::attach(management, policy, target_id).await,
            Change::Detach {
                policy, target_id, ..
            } => scps::detach(management, policy, target_id).await,
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

impl Target {
    /// Policies of Landfall's that do not belong here.
    fn strays(&self) -> impl Iterator<Item = &String> {
        self.attached
            .difference(&self.wanted)
            .filter(|name| name.starts_with(PREFIX))
    }
}

/// How many policies AWS takes on one target.
fn most() -> usize {
    ScpLimits::default().attached
}

/// What is attached to each of the targets, given by id with name and wanted policies.
async fn attached(
    aws: &Aws,
    targets: BTreeMap<String, (String, BTreeSet<String>)>,
) -> Result<Vec<Target>, CloudError> {
    let mut all = Vec::new();
    for (id, (name, wanted)) in targets {
        let attached = scps::attached(aws, &id).await?;
        all.push(Target {
            id,
            name,
            wanted,
            attached,
        });
    }
    Ok(all)
}

/// Whether all that is wanted fits beside what is not Landfall's, before anything is attached.
fn check_room(target: &Target, enabled: bool) -> Result<(), CloudError> {
    let others = target
        .attached
        .iter()
        .filter(|name| !name.starts_with(PREFIX))
        .count();
    // Enabling the type brings FullAWSAccess.
    let others = if enabled { others } else { others.max(1) };
    let (wanted, most) = (target.wanted.len(), most());
    if others + wanted <= most || target.wanted.is_subset(&target.attached) {
        return Ok(());
    }
    Err(CloudError::new(
        CloudErrorKind::Quota,
        scps::ATTACH,
        format!(
            "{} has {others} policies that are not Landfall's; with {wanted} of Landfall's that makes {}, and AWS takes {most}",
            target.name,
            others + wanted
        ),
    ))
}

#[cfg(test)]
mod tests {
    use landfall_model::scp::FULL_AWS_ACCESS;

    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn target(wanted: &[&str], attached: &[&str]) -> Target {
        Target {
            id: "ou-1".to_owned(),
            name: "Admin".to_owned(),
            wanted: set(wanted),
            attached: set(attached),
        }
    }

    /// A plan where `landfall-a` and `landfall-b` exist as they should.
    fn plan(targets: Vec<Target>) -> Vec<String> {
        let documents = ["landfall-a", "landfall-b"].map(|name| (name.to_owned(), "{}".to_owned()));
        let found = |(name, content): &(String, String)| {
            let found = Found {
                id: format!("p-{name}"),
                arn: String::new(),
                content: content.clone(),
            };
            (name.clone(), found)
        };
        let observed = Observed {
            enabled: true,
            policies: documents.iter().map(found).collect(),
            targets,
        };
        let desired = Desired {
            documents: documents.into(),
            attachments: Vec::new(),
        };
        sentences(&desired, &observed)
    }

    fn sentences(desired: &Desired, observed: &Observed) -> Vec<String> {
        let plan = OrganizationsPolicies::plan(desired, observed);
        plan.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn policies_are_attached_where_they_belong_and_nowhere_else() {
        for (wanted, attached, changes) in [
            (
                vec!["landfall-a"],
                vec![FULL_AWS_ACCESS, "landfall-a"],
                vec![],
            ),
            (
                vec!["landfall-a"],
                vec![FULL_AWS_ACCESS, "aws-guardrails", "landfall-b"],
                vec!["attach landfall-a to Admin", "detach landfall-b from Admin"],
            ),
            (vec![], vec![FULL_AWS_ACCESS, "other"], vec![]),
            (
                vec![],
                vec![FULL_AWS_ACCESS, "landfall-old"],
                vec!["detach landfall-old from Admin"],
            ),
            (vec![], vec!["landfall-a"], vec![]),
            (
                vec![],
                vec!["landfall-a", "landfall-b"],
                vec!["detach landfall-a from Admin"],
            ),
        ] {
            assert_eq!(
                plan(vec![target(&wanted, &attached)]),
                changes,
                "{attached:?}"
            );
        }
    }

    #[test]
    fn the_new_is_attached_everywhere_before_the_old_is_detached() {
        let changes = plan(vec![
            target(&["landfall-a"], &[FULL_AWS_ACCESS, "landfall-b"]),
            target(&["landfall-b"], &[FULL_AWS_ACCESS, "landfall-a"]),
        ]);
        assert_eq!(
            changes,
            [
                "attach landfall-a to Admin",
                "attach landfall-b to Admin",
                "detach landfall-b from Admin",
                "detach landfall-a from Admin",
            ]
        );
    }

    #[test]
    fn where_all_places_are_taken_room_is_made_first() {
        let attached: Vec<String> = (0..9).map(|n| format!("other-{n}")).collect();
        let mut attached: Vec<&str> = attached.iter().map(String::as_str).collect();
        attached.push("landfall-b");
        assert_eq!(
            plan(vec![target(&["landfall-a"], &attached)]),
            ["detach landfall-b from Admin", "attach landfall-a to Admin"]
        );
    }

    #[test]
    fn documents_are_made_and_brought_up_to_date() {
        let desired = Desired {
            documents: ["landfall-a", "landfall-b"]
                .map(|name| (name.to_owned(), "{}".to_owned()))
                .into(),
            attachments: Vec::new(),
        };
        let old = Found {
            id: "p-1".to_owned(),
            arn: String::new(),
            content: "{ }".to_owned(),
        };
        let observed = Observed {
            enabled: false,
            policies: [("landfall-b".to_owned(), old)].into(),
            targets: Vec::new(),
        };
        assert_eq!(
            sentences(&desired, &observed),
            [
                "enable service control policies",
                "create the policy landfall-a",
                "bring the policy landfall-b up to date",
            ]
        );
    }

    #[test]
    fn what_cannot_fit_is_told_with_figures_before_anything_is_attached() {
        let attached: Vec<String> = (0..10).map(|n| format!("other-{n}")).collect();
        let attached: Vec<&str> = attached.iter().map(String::as_str).collect();
        let full = target(&["landfall-a"], &attached);
        let error = check_room(&full, true).unwrap_err();
        assert_eq!(error.kind, CloudErrorKind::Quota);
        assert!(
            error.message.contains("has 10") && error.message.contains("makes 11"),
            "{error}"
        );
        assert!(check_room(&target(&["landfall-a"], &attached[1..]), true).is_ok());
        assert!(check_room(&target(&["landfall-a"], &[]), false).is_ok());
    }
}
