//! AMIs cannot be shared with everyone. Those that are public already stay so: EC2 blocks new sharing only.
//!
//! New accounts come with the block on (EC2 User Guide, "Understand block public access for AMIs"), so this mostly
//! keeps it on. EC2 takes up to ten minutes to show it (EC2 API, `EnableImageBlockPublicAccess`).

use std::fmt;

use landfall_model::control::Scope;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::CloudError;
use crate::session::Session;

pub(crate) struct Ec2ImageBlockPublicAccess;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {}

#[derive(Debug, Serialize)]
pub(crate) struct Desired {
    blocked: bool,
}

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    blocked: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Block,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change::Block = self;
        f.write_str("block new public sharing of AMIs, which EC2 may show ten minutes later")
    }
}

const GET: &str = "ec2:GetImageBlockPublicAccessState";
const ENABLE: &str = "ec2:EnableImageBlockPublicAccess";

const BLOCKED: &str = "block-new-sharing";

impl Control for Ec2ImageBlockPublicAccess {
    const ID: &'static str = "ec2.image-block-public-access";
    const TITLE: &'static str = "AMIs cannot be made public";
    const SCOPE: Scope = Scope::Region;
    const ACTIONS: &'static [&'static str] = &[GET, ENABLE];
    const AFTER: &'static [&'static str] = &["account.regions"];

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(_parameters: &Parameters, _place: &Place) -> Result<Desired, CloudError> {
        Ok(Desired { blocked: true })
    }

    async fn observe(aws: &Session, _desired: &Desired) -> Result<Observed, CloudError> {
        const STATE: &str = "imageBlockPublicAccessState";
        let aws = aws.target().await?;
        let answer = aws.ec2().get(GET, &[STATE]).await?;
        Ok(Observed {
            blocked: answer.text(STATE) == Some(BLOCKED),
        })
    }

    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        if observed.blocked == desired.blocked {
            Vec::new()
        } else {
            vec![Change::Block]
        }
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let Change::Block = change;
        let parameters = [("ImageBlockPublicAccessState", BLOCKED)];
        aws.target().await?.ec2().act(ENABLE, &parameters).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_blocked_where_it_is_not() {
        for (blocked, changes) in [(true, vec![]), (false, vec![Change::Block])] {
            let plan =
                Ec2ImageBlockPublicAccess::plan(&Desired { blocked: true }, &Observed { blocked });
            assert_eq!(plan, changes);
        }
    }
}
