//! EBS snapshots are not shared with everyone.

use std::fmt;

use landfall_model::control::Scope;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::CloudError;
use crate::session::Session;

pub(crate) struct Ec2SnapshotBlockPublicAccess;

/// What a baseline says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    sharing: Sharing,
}

/// What is blocked, by EC2's names: all public sharing, or new public sharing only, which leaves snapshots public that
/// are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Sharing {
    BlockAllSharing,
    BlockNewSharing,
}

impl Sharing {
    fn name(self) -> &'static str {
        match self {
            Sharing::BlockAllSharing => "block-all-sharing",
            Sharing::BlockNewSharing => "block-new-sharing",
        }
    }
}

/// EC2's state: one of [`Sharing`], or `unblocked`.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    sharing: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Block { sharing: Sharing },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change::Block { sharing } = self;
        f.write_str(match sharing {
            Sharing::BlockAllSharing => "block all public sharing of EBS snapshots",
            Sharing::BlockNewSharing => "block new public sharing of EBS snapshots",
        })
    }
}

const GET: &str = "ec2:GetSnapshotBlockPublicAccessState";
const ENABLE: &str = "ec2:EnableSnapshotBlockPublicAccess";

impl Control for Ec2SnapshotBlockPublicAccess {
    const ID: &'static str = "ec2.snapshot-block-public-access";
    const TITLE: &'static str = "EBS snapshots are not public";
    const SCOPE: Scope = Scope::Region;
    const ACTIONS: &'static [&'static str] = &[GET, ENABLE];
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
        let answer = aws.ec2().get(GET, &["state"]).await?;
        Ok(Observed {
            sharing: answer.text("state").unwrap_or("unblocked").to_owned(),
        })
    }

    fn plan(desired: &Parameters, observed: &Observed) -> Vec<Change> {
        // Blocking more than is asked for is not drift.
        if observed.sharing == desired.sharing.name()
            || observed.sharing == Sharing::BlockAllSharing.name()
        {
            return Vec::new();
        }
        vec![Change::Block {
            sharing: desired.sharing,
        }]
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let Change::Block { sharing } = change;
        let parameters = [("State", sharing.name())];
        aws.target().await?.ec2().act(ENABLE, &parameters).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_more_than_it_should_be_is_blocked() {
        use Sharing::{BlockAllSharing as All, BlockNewSharing as New};
        for (desired, observed, blocks) in [
            (All, "unblocked", true),
            (All, "block-new-sharing", true),
            (All, "block-all-sharing", false),
            (New, "unblocked", true),
            (New, "block-new-sharing", false),
            (New, "block-all-sharing", false),
        ] {
            let observed = Observed {
                sharing: observed.to_owned(),
            };
            let plan =
                Ec2SnapshotBlockPublicAccess::plan(&Parameters { sharing: desired }, &observed);
            let expected = blocks.then_some(Change::Block { sharing: desired });
            assert_eq!(plan, Vec::from_iter(expected), "{desired:?} {observed:?}");
        }
    }
}
