//! The `landfall` program: server, engine and command line.

pub mod catalogue;
pub mod engine;
pub mod store;
