//! A strict, stateful, multi-account, multi-Region AWS on loopback.

mod authorize;
pub mod call;
pub mod calls;
pub mod clock;
mod control;
mod dependent_actions;
mod exchange;
pub mod faults;
mod identity;
pub mod latencies;
pub mod limits;
pub mod paging;
pub mod protocol;
pub mod regions;
mod server;
pub mod services;
pub mod stacks;
pub mod world;

pub use identity::MANAGEMENT_ACCESS_KEY;
pub use server::{Options, Shared, Sim, Traffic};
