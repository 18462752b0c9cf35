//! No bucket of the account can be public, whatever its own settings say.

use std::fmt;

use aws_sdk_s3control::types::PublicAccessBlockConfiguration;
use landfall_model::control::Scope;
use landfall_model::place::Place;
use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::error::{CloudError, absent};
use crate::session::Session;

pub(crate) struct S3AccountPublicAccessBlock;

/// AWS's four settings, as the account has them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    /// Calls that would set a public ACL are refused.
    block_public_acls: bool,
    /// Public ACLs that are there count for nothing.
    ignore_public_acls: bool,
    /// Calls that would set a public bucket policy are refused.
    block_public_policy: bool,
    /// A public bucket policy opens its bucket to services and the account alone.
    restrict_public_buckets: bool,
}

/// What holds for the account; `None` where nothing was ever set, which is as if all four were off.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Observed {
    block: Option<Parameters>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Set { block: Parameters },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change::Set { block } = self;
        let settings = [
            (block.block_public_acls, "new public ACLs"),
            (block.ignore_public_acls, "public ACLs"),
            (block.block_public_policy, "new public bucket policies"),
            (block.restrict_public_buckets, "public bucket policies"),
        ];
        let blocked: Vec<&str> = settings
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, what)| *what)
            .collect();
        match blocked.len() {
            0 => f.write_str("let buckets of the account be public"),
            4 => f.write_str("block all public access to the account's buckets"),
            _ => write!(
                f,
                "block {} in the account, and no more",
                blocked.join(", ")
            ),
        }
    }
}

const GET: &str = "s3:GetAccountPublicAccessBlock";
const PUT: &str = "s3:PutAccountPublicAccessBlock";

impl Control for S3AccountPublicAccessBlock {
    const ID: &'static str = "s3.account-public-access-block";
    const TITLE: &'static str = "No bucket of the account can be public";
    const SCOPE: Scope = Scope::Account;
    const ACTIONS: &'static [&'static str] = &[GET, PUT];

    type Parameters = Parameters;
    type Desired = Parameters;
    type Observed = Observed;
    type Change = Change;

    fn desired(parameters: &Parameters, _place: &Place) -> Result<Parameters, CloudError> {
        Ok(*parameters)
    }

    async fn observe(aws: &Session, _desired: &Parameters) -> Result<Observed, CloudError> {
        let aws = aws.target().await?;
        let s3control = aws.s3control();
        let answer = aws
            .call(GET, || {
                s3control
                    .get_public_access_block()
                    .account_id(aws.account().as_str())
                    .send()
            })
            .await;
        let block = absent(answer, &["NoSuchPublicAccessBlockConfiguration"])?
            .and_then(|answer| answer.public_access_block_configuration);
        let on = |setting: Option<bool>| setting.unwrap_or_default();
        Ok(Observed {
            block: block.map(|block| Parameters {
                block_public_acls: on(block.block_public_acls),
                ignore_public_acls: on(block.ignore_public_acls),
                block_public_policy: on(block.block_public_policy),
                restrict_public_buckets: on(block.restrict_public_buckets),
            }),
        })
    }

    fn plan(desired: &Parameters, observed: &Observed) -> Vec<Change> {
        if observed.block == Some(*desired) {
            return Vec::new();
        }
        vec![Change::Set { block: *desired }]
    }

    async fn apply(aws: &Session, change: &Change) -> Result<(), CloudError> {
        let Change::Set { block } = change;
        let aws = aws.target().await?;
        let s3control = aws.s3control();
        let block = PublicAccessBlockConfiguration::builder()
            .block_public_acls(block.block_public_acls)
            .ignore_public_acls(block.ignore_public_acls)
            .block_public_policy(block.block_public_policy)
            .restrict_public_buckets(block.restrict_public_buckets)
            .build();
        aws.call(PUT, || {
            s3control
                .put_public_access_block()
                .account_id(aws.account().as_str())
                .public_access_block_configuration(block.clone())
                .send()
        })
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_four_settings_are_as_desired() {
        let all = |on| Parameters {
            block_public_acls: on,
            ignore_public_acls: on,
            block_public_policy: on,
            restrict_public_buckets: on,
        };
        let one_off = Parameters {
            block_public_policy: false,
            ..all(true)
        };
        let block = "block all public access to the account's buckets";
        for (desired, observed, sentences) in [
            (all(true), None, vec![block]),
            (all(true), Some(one_off), vec![block]),
            (all(true), Some(all(true)), vec![]),
            (
                one_off,
                Some(all(true)),
                vec![
                    "block new public ACLs, public ACLs, public bucket policies in the account, and no more",
                ],
            ),
            (
                all(false),
                Some(all(true)),
                vec!["let buckets of the account be public"],
            ),
        ] {
            let plan = S3AccountPublicAccessBlock::plan(&desired, &Observed { block: observed });
            let plan: Vec<String> = plan.iter().map(ToString::to_string).collect();
            assert_eq!(plan, sentences);
        }
    }
}
