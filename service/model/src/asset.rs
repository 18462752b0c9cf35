//! The CMDB's rows: every resource that Landfall created or governs, and whose it is.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{AccountId, Region};

/// A resource as a control reports it after looking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asset {
    /// The resource's ARN: its key in the CMDB.
    pub arn: String,
    /// CloudFormation's name of the type, `AWS::GuardDuty::Detector`: the names that AWS Config uses too.
    #[serde(rename = "type")]
    pub kind: String,
    pub account_id: AccountId,
    /// `None` for a global resource.
    pub region: Option<Region>,
    pub name: String,
    pub configuration: Value,
}

/// The type of an account's own row.
pub const ACCOUNT_TYPE: &str = "AWS::Organizations::Account";
