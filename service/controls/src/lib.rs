//! Controls: what Landfall guarantees in an account, one file for each guarantee, and the way to AWS that they share.
//!
//! This crate alone names types of the AWS SDK. A control observes, plans and applies (`control::Control`); everything
//! it calls goes through `aws::Aws::call`, which waits for a token, sends, and says what an error means.
//! Adding a control is one file and one line in `registry`.

pub mod aws;
mod clients;
pub mod cloud;
pub mod control;
pub mod enrollment;
pub mod error;
pub mod external_id;
mod kept_credentials;
pub mod limiter;
pub mod limits;
mod line;
mod localhost;
pub mod members;
pub mod names;
pub mod organizational_units;
pub mod policy_validation;
pub mod preflight;
pub mod queue;
pub mod registry;
pub mod roles;
pub mod roster;
pub mod session;
pub mod session_policy;
pub mod trail_logs;
pub mod vending;

mod access_analyzer;
mod accessanalyzer_analyzer;
mod accessanalyzer_organization_analyzer;
mod account_alternate_contacts;
mod account_name_and_tags;
mod account_regions;
mod cloudtrail_organization_trail;
mod cloudtrail_trail;
mod config_aggregator;
mod config_recorder;
mod ec2;
mod ec2_default_vpc;
mod ec2_ebs_encryption;
mod ec2_image_block_public_access;
mod ec2_instance_metadata_defaults;
mod ec2_serial_console_access;
mod ec2_snapshot_block_public_access;
mod finding_aggregator;
mod guardduty;
mod guardduty_detector;
mod guardduty_membership;
mod guardduty_organization;
mod iam_bootstrap_role;
mod iam_execution_role;
mod iam_password_policy;
mod iam_service_linked_roles;
mod membership;
mod organizations_delegated_administrators;
mod organizations_placement;
pub mod organizations_policies;
mod organizations_trusted_access;
mod organizations_units;
mod s3_account_public_access_block;
mod s3_bucket;
mod s3_log_bucket;
mod securityhub_hub;
mod securityhub_membership;
mod securityhub_organization;
mod securityhub_standards;
mod service_control_policies;
#[cfg(test)]
mod wire;
