//! The words of the domain and every decision that Landfall takes.
//!
//! Nothing here does I/O, waits, or asks what time it is: a moment is an argument. So each rule can be read, tested
//! and trusted by itself, in milliseconds.

pub mod account;
pub mod asset;
pub mod aws_state;
pub mod baseline;
pub mod cell;
pub mod closure;
pub mod cloud_error;
pub mod cloud_event;
pub mod concern;
pub mod consent;
pub mod control;
pub mod creation;
pub mod event;
pub mod finding;
pub mod ids;
pub mod json_text;
pub mod landing_zone;
pub mod place;
pub mod plan;
pub mod repair;
pub mod request;
pub mod rollout;
pub mod scp;
pub mod waiver;
pub mod waiver_form;
