//! What the tests stand on.

pub mod bare;
pub mod clock;
pub mod database;
pub mod events;
pub mod measure;
pub mod process;
pub mod rollouts;
pub mod stage;
pub mod world;
