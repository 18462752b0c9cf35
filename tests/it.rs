//! Every integration test, in one program: one thing to link, and the tests run side by side.

mod crash;
mod default_vpc;
mod doctor;
mod drift;
mod enrolling;
mod events;
mod execution_role;
mod exemptions;
mod faults;
mod laws;
mod life;
mod management;
mod membership;
mod outages;
mod plan_consent;
mod plan_crash;
mod plans;
mod policies;
mod rollout;
mod rollout_scps;
mod scan;
mod scp_check;
mod scp_days;
mod start;
mod store;
mod vending;
