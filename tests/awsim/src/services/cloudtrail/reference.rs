//! How a caller names a trail: by name, which means his own in this Region, or by ARN.

use crate::call::{AccountId, AwsError, Call, Region};
use crate::regions;

use super::trail::{self, Trail};

/// A well-formed reference; whether there is such a trail is another question.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reference {
    pub(super) owner: AccountId,
    pub(super) home: Region,
    pub(super) name: String,
    pub(super) by_name: bool,
}

impl Reference {
    /// Reads a name or an ARN.
    ///
    /// # Errors
    ///
    /// `InvalidTrailNameException` or `CloudTrailARNInvalidException`.
    pub(super) fn read(call: &Call<'_>, text: &str) -> Result<Self, AwsError> {
        if text.starts_with("arn:") {
            return Reference::read_arn(text);
        }
        trail::check_name(text)?;
        Ok(Reference {
            owner: call.account(),
            home: call.region,
            name: text.to_owned(),
            by_name: true,
        })
    }

    pub(super) fn read_arn(arn: &str) -> Result<Self, AwsError> {
        let parse = || {
            let rest = arn.strip_prefix("arn:aws:cloudtrail:")?;
            let (region, rest) = rest.split_once(':')?;
            let (account, name) = rest.split_once(":trail/")?;
            trail::check_name(name).ok()?;
            Some(Reference {
                owner: account.parse().ok()?,
                home: regions::find(region)?,
                name: name.to_owned(),
                by_name: false,
            })
        };
        parse().ok_or_else(|| arn_invalid(format!("The trail ARN {arn} is not valid.")))
    }

    pub(super) fn of(trail: &Trail) -> Self {
        Reference {
            owner: trail.owner,
            home: trail.home,
            name: trail.name.clone(),
            by_name: false,
        }
    }

    pub(super) fn names(&self, trail: &Trail) -> bool {
        trail.owner == self.owner && trail.home == self.home && trail.name == self.name
    }

    pub(super) fn arn(&self) -> String {
        let Reference {
            owner, home, name, ..
        } = self;
        format!("arn:aws:cloudtrail:{home}:{owner}:trail/{name}")
    }

    /// `TrailNotFoundException`, in AWS's words.
    pub(super) fn unknown(&self, call: &Call<'_>) -> AwsError {
        AwsError::new(
            "TrailNotFoundException",
            format!(
                "Unknown trail: {} for the user: {}",
                self.arn(),
                call.account()
            ),
        )
    }
}

pub(super) fn arn_invalid(message: String) -> AwsError {
    AwsError::new("CloudTrailARNInvalidException", message)
}
