//! The account has opted in to the Regions that are governed.
//!
//! A cell is one Region, so that what else is to hold in a Region waits for that Region alone. Nobody asks about the
//! Regions that every account has from the start. A Region that is not governed has no cell: it is left as it is.
//!
//! It takes AWS minutes, now and then hours, to make a Region ready, and six at once in an account and fifty in the
//! organization are the most that it takes ("Quotas for AWS Account Management"). Which of them are under way only AWS
//! knows, whoever began them: a refusal for that reason is *not ready*, and the cell comes back (`error.rs`).

use std::fmt;

use aws_sdk_account::types::RegionOptStatus;
use landfall_model::control::Scope;
use landfall_model::ids::Region;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::CloudError;
use crate::session::Session;

pub(crate) struct AccountRegions;

/// Regions that every account has from the start and that cannot be turned off ("Considerations before enabling and
/// disabling Regions", Account Management Reference Guide). AWS adds none: each Region since March 2019 is one to opt in to.
const ALWAYS_ON: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {}

/// The Region that is to be on.
#[derive(Debug, Serialize)]
pub(crate) struct Desired {
    region: Region,
}

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    status: Status,
}

/// AWS's states of a Region in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    EnabledByDefault,
    Enabled,
    Enabling,
    Disabling,
    Disabled,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Enable { region: Region },
    AwaitEnabled { region: Region },
    AwaitDisabled { region: Region },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Enable { region } => write!(f, "turn the Region {region} on"),
            Change::AwaitEnabled { region } => {
                write!(f, "wait until the Region {region} is on")
            }
            Change::AwaitDisabled { region } => write!(
                f,
                "wait until the Region {region}, which is being turned off, can be turned on again"
            ),
        }
    }
}

const STATUS: &str = "account:GetRegionOptStatus";
pub(crate) const ENABLE: &str = "account:EnableRegion";

impl Control for AccountRegions {
    const ID: &'static str = "account.regions";
    const TITLE: &'static str = "The Region is on";
    const SCOPE: Scope = Scope::Region;
    const ACTIONS: &'static [&'static str] = &[STATUS, ENABLE];

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(_parameters: &Parameters, place: &Place) -> Result<Desired, CloudError> {
        Ok(Desired {
            region: place.region.clone(),
        })
    }

    async fn observe(aws: &Session, desired: &Desired) -> Result<Observed, CloudError> {
        if ALWAYS_ON.contains(&desired.region.as_str()) {
            return Ok(Observed {
                status: Status::EnabledByDefault,
            });
        }
        // The account's home Region answers, not the one that may be off.
        let aws = aws.target().await?;
        let account = aws.account_management();
        let answer = aws
            .call(STATUS, || {
                account
                    .get_region_opt_status()
                    .region_name(desired.region.as_str())
                    .send()
            })
            .await?;
        let status = match answer.region_opt_status {
            Some(RegionOptStatus::EnabledByDefault) => Status::EnabledByDefault,
            Some(RegionOptStatus::Enabled) => Status::Enabled,
            Some(RegionOptStatus::Enabling) => Status::Enabling,
            Some(RegionOptStatus::Disabling) => Status::Disabling,
            _ => Status::Disabled,
        };
        Ok(Observed { status })
    }

    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        let region = desired.region.clone();
        match observed.status {
            Status::EnabledByDefault | Status::Enabled => Vec::new(),
            Status::Disabled => vec![Change::Enable { region }],
            Status::Enabling => vec![Change::AwaitEnabled { region }],
            Status::Disabling => vec![Change::AwaitDisabled { region }],
        }
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let Change::Enable { region } = change else {
            return Err(CloudError::not_ready(ENABLE, change.to_string()));
        };
        let aws = aws.target().await?;
        let account = aws.account_management();
        let enabled = aws
            .call(ENABLE, || {
                account.enable_region().region_name(region.as_str()).send()
            })
            .await;
        match enabled {
            Ok(_) => Ok(()),
            // It is being turned on already, or is on; the next look tells which.
            Err(error)
                if error.is(&["ValidationException"]) && error.says("current opt-in status") =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_turned_on_once_and_then_waited_for() {
        let region: Region = "eu-south-1".parse().unwrap();
        let desired = Desired { region };
        for (status, sentences) in [
            (Status::EnabledByDefault, vec![]),
            (Status::Enabled, vec![]),
            (Status::Disabled, vec!["turn the Region eu-south-1 on"]),
            (
                Status::Enabling,
                vec!["wait until the Region eu-south-1 is on"],
            ),
            (
                Status::Disabling,
                vec![
                    "wait until the Region eu-south-1, which is being turned off, can be turned on again",
                ],
            ),
        ] {
            let plan = AccountRegions::plan(&desired, &Observed { status });
            let plan: Vec<String> = plan.iter().map(ToString::to_string).collect();
            assert_eq!(plan, sentences, "{status:?}");
        }
    }
}
