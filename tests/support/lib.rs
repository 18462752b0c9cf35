//! What the tests stand on.

pub mod database;
pub mod process;
pub mod stage;
pub mod world;
