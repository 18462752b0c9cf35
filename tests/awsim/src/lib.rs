//! A strict, stateful, multi-account, multi-Region AWS on loopback.

pub mod call;
pub mod paging;
pub mod regions;
pub mod services;
pub mod world;
