//! New EBS volumes are encrypted, whoever makes them.
//!
//! The account's default key stays as it is: with none set, it is the AWS managed key `aws/ebs`.

use std::fmt;

use landfall_model::control::Scope;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::CloudError;
use crate::session::Session;

pub(crate) struct Ec2EbsEncryption;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {}

#[derive(Debug, Serialize)]
pub(crate) struct Desired {
    by_default: bool,
}

#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    by_default: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Enable,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change::Enable = self;
        f.write_str("encrypt new EBS volumes by default")
    }
}

const GET: &str = "ec2:GetEbsEncryptionByDefault";
const ENABLE: &str = "ec2:EnableEbsEncryptionByDefault";

impl Control for Ec2EbsEncryption {
    const ID: &'static str = "ec2.ebs-encryption";
    const TITLE: &'static str = "New EBS volumes are encrypted";
    const SCOPE: Scope = Scope::Region;
    const ACTIONS: &'static [&'static str] = &[GET, ENABLE];
    const AFTER: &'static [&'static str] = &["account.regions"];

    type Parameters = Parameters;
    type Desired = Desired;
    type Observed = Observed;
    type Change = Change;

    fn desired(_parameters: &Parameters, _place: &Place) -> Result<Desired, CloudError> {
        Ok(Desired { by_default: true })
    }

    async fn observe(aws: &Session, _desired: &Desired) -> Result<Observed, CloudError> {
        const BY_DEFAULT: &str = "ebsEncryptionByDefault";
        let aws = aws.target().await?;
        let answer = aws.ec2().get(GET, &[BY_DEFAULT]).await?;
        Ok(Observed {
            by_default: answer.text(BY_DEFAULT) == Some("true"),
        })
    }

    fn plan(desired: &Desired, observed: &Observed) -> Vec<Change> {
        if observed.by_default == desired.by_default {
            Vec::new()
        } else {
            vec![Change::Enable]
        }
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let Change::Enable = change;
        aws.target().await?.ec2().act(ENABLE, &[]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_turned_on_where_it_is_off() {
        for (by_default, changes) in [(true, vec![]), (false, vec![Change::Enable])] {
            let plan =
                Ec2EbsEncryption::plan(&Desired { by_default: true }, &Observed { by_default });
            assert_eq!(plan, changes);
        }
    }
}
