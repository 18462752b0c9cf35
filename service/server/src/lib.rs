//! The `landfall` program: server, engine and command line.

pub mod api;
pub mod catalogue;
pub mod cli;
pub mod config;
pub mod controls_page;
pub mod doctor;
pub mod engine;
pub mod enrollment;
pub mod html;
pub mod listening;
pub mod log_reading;
pub mod policy_validation;
pub mod scp_check;
pub mod store;
pub mod telemetry;
