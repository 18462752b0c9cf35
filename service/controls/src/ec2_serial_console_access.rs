//! Nobody logs in to instances through EC2's serial console, which no security group and no network ACL guards.

use std::fmt;

use landfall_model::control::Scope;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::CloudError;
use crate::session::Session;

pub(crate) struct Ec2SerialConsoleAccess;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {}

#[derive(Debug, Serialize)]
pub(crate) struct Desired {
    open: bool,
}

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    open: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Disable,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change::Disable = self;
        f.write_str("close the EC2 serial console")
    }
}

const GET: &str = "ec2:GetSerialConsoleAccessStatus";
const DISABLE: &str = "ec2:DisableSerialConsoleAccess";

impl Control for Ec2SerialConsoleAccess {
    const ID: &'static str = "ec2.serial-console-access";
    const TITLE: &'static str = "The EC2 serial console is closed";
    const SCOPE: Scope = Scope::Region;
    const ACTIONS: &'static [&'static str] = &[GET, DISABLE];
    const AFTER: &'static [&'static str] = &["account.regions"];

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(_parameters: &Parameters, _place: &Place) -> Result<Desired, CloudError> {
        Ok(Desired { open: false })
    }

    async fn observe(aws: &Session, _desired: &Desired) -> Result<Observed, CloudError> {
        const ENABLED: &str = "serialConsoleAccessEnabled";
        let aws = aws.target().await?;
        let answer = aws.ec2().get(GET, &[ENABLED]).await?;
        Ok(Observed {
            open: answer.text(ENABLED) == Some("true"),
        })
    }

    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        if observed.open == desired.open {
            Vec::new()
        } else {
            vec![Change::Disable]
        }
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let Change::Disable = change;
        aws.target().await?.ec2().act(DISABLE, &[]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_closed_where_it_is_open() {
        for (open, changes) in [(false, vec![]), (true, vec![Change::Disable])] {
            let plan = Ec2SerialConsoleAccess::plan(&Desired { open: false }, &Observed { open });
            assert_eq!(plan, changes);
        }
    }
}
