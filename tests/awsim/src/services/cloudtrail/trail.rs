//! What a trail is, and what it may be called.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Reference;
use super::selectors::Selectors;
use crate::call::{AccountId, AwsError, Region};

#[derive(Clone)]
pub(super) struct Trail {
    pub(super) name: String,
    pub(super) owner: AccountId,
    pub(super) home: Region,
    pub(super) bucket: String,
    pub(super) prefix: Option<String>,
    pub(super) global_events: bool,
    pub(super) multi_region: bool,
    pub(super) validation: bool,
    pub(super) organization: bool,
    pub(super) selectors: Selectors,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) logging: bool,
    pub(super) started: Option<Timestamp>,
    pub(super) stopped: Option<Timestamp>,
}

impl Trail {
    pub(super) fn arn(&self) -> String {
        Reference::of(self).arn()
    }

    /// Whether the trail, as its owner sees it, exists in a Region: at home, or as a shadow.
    pub(super) fn reaches(&self, region: Region) -> bool {
        self.multi_region || self.home == region
    }

    pub(super) fn start(&mut self, now: Timestamp) {
        if !self.logging {
            self.logging = true;
            self.started = Some(now);
        }
    }

    pub(super) fn stop(&mut self, now: Timestamp) {
        if self.logging {
            self.logging = false;
            self.stopped = Some(now);
        }
    }

    /// What `CreateTrail` and `UpdateTrail` answer.
    pub(super) fn settings(&self) -> Value {
        let mut settings = json!({
            "Name": self.name,
            "S3BucketName": self.bucket,
            "IncludeGlobalServiceEvents": self.global_events,
            "IsMultiRegionTrail": self.multi_region,
            "TrailARN": self.arn(),
            "LogFileValidationEnabled": self.validation,
            "IsOrganizationTrail": self.organization,
        });
        if let Some(prefix) = &self.prefix {
            settings["S3KeyPrefix"] = prefix.clone().into();
        }
        settings
    }

    /// What `DescribeTrails` and `GetTrail` answer.
    pub(super) fn describe(&self) -> Value {
        let mut trail = self.settings();
        trail["HomeRegion"] = self.home.into();
        trail["HasCustomEventSelectors"] = self.selectors.are_custom().into();
        trail["HasInsightSelectors"] = false.into();
        trail
    }
}

/// Checks a trail's name: 3 to 128 letters, digits, `.`, `_` and `-`, beginning and ending with a letter or digit,
/// no two separators in a row, not an IP address (CloudTrail User Guide, "Naming requirements").
pub(super) fn check_name(name: &str) -> Result<(), AwsError> {
    let separator = |b: u8| matches!(b, b'.' | b'_' | b'-');
    let bytes = name.as_bytes();
    let rule = if !(3..=128).contains(&bytes.len()) {
        "Trail name must be between 3 and 128 characters."
    } else if !bytes
        .iter()
        .all(|&b| b.is_ascii_alphanumeric() || separator(b))
    {
        "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), hyphens (-), and underscores (_)."
    } else if bytes.first().is_some_and(|&b| separator(b)) {
        "Trail name must start with a letter or number."
    } else if bytes.last().is_some_and(|&b| separator(b)) {
        "Trail name must end with a letter or number."
    } else if bytes
        .windows(2)
        .any(|pair| pair.iter().all(|&b| separator(b)))
    {
        "Trail name cannot have adjacent periods, hyphens or underscores."
    } else if name.parse::<std::net::Ipv4Addr>().is_ok() {
        "Trail name must not have the form of an IP address."
    } else {
        return Ok(());
    };
    Err(AwsError::new("InvalidTrailNameException", rule))
}
