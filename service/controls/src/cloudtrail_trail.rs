//! What happens in the account is logged: the organization trail reaches it in each Region.
//!
//! A member sees the organization trail and cannot change it (CloudTrail User Guide, "Creating a trail for an
//! organization"). So this control only looks; the organization's own reconcile mends what is wrong.

use std::fmt;

use landfall_model::control::Scope;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::{CloudError, absent};
use crate::names;
use crate::session::Session;

pub(crate) struct CloudTrailTrail;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {}

#[derive(Debug, Serialize)]
pub(crate) struct Desired {
    trail_arn: String,
}

/// The organization trail as this account sees it in this Region.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    visible: bool,
    logging: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    AwaitOrganizationTrail { visible: bool },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change::AwaitOrganizationTrail { visible } = self;
        f.write_str(if *visible {
            "wait until the organization trail logs again, which the organization's controls see to"
        } else {
            "wait until the organization trail is here, which the organization's controls see to"
        })
    }
}

const STATUS: &str = "cloudtrail:GetTrailStatus";

impl Control for CloudTrailTrail {
    const ID: &'static str = "cloudtrail.trail";
    const TITLE: &'static str = "The organization trail logs what happens";
    const SCOPE: Scope = Scope::Region;
    const ACTIONS: &'static [&'static str] = &[STATUS];
    const AFTER: &'static [&'static str] = &["account.regions", "cloudtrail.organization-trail"];

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(_parameters: &Parameters, place: &Place) -> Result<Desired, CloudError> {
        Ok(Desired {
            trail_arn: names::trail_arn(place),
        })
    }

    async fn observe(aws: &Session, desired: &Desired) -> Result<Observed, CloudError> {
        let aws = aws.target().await?;
        let cloudtrail = aws.cloudtrail();
        // Where it is not the account's own, a trail has to be named by its ARN. A trail of this ARN is the management
        // account's; a member that can see it sees the organization's.
        let status = aws
            .call(STATUS, || {
                cloudtrail
                    .get_trail_status()
                    .name(&desired.trail_arn)
                    .send()
            })
            .await;
        let status = absent(status, &["TrailNotFoundException"])?;
        Ok(Observed {
            visible: status.is_some(),
            logging: status.is_some_and(|status| status.is_logging == Some(true)),
        })
    }

    fn plan(_desired: &Desired, observed: &Observed) -> Vec<Change> {
        if observed.visible && observed.logging {
            return Vec::new();
        }
        vec![Change::AwaitOrganizationTrail {
            visible: observed.visible,
        }]
    }

    async fn apply(_aws: &Session, change: &Change) -> Result<(), CloudError> {
        Err(CloudError::not_ready(STATUS, change.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trail_that_is_here_and_logs_will_do() {
        let desired = Desired {
            trail_arn: "arn".to_owned(),
        };
        for (visible, logging, waits) in [
            (true, true, false),
            (true, false, true),
            (false, false, true),
        ] {
            let plan = CloudTrailTrail::plan(&desired, &Observed { visible, logging });
            assert_eq!(!plan.is_empty(), waits, "{visible} {logging}");
        }
    }
}
