//! Every integration test, in one program: one thing to link, and the tests run side by side.

mod laws;
mod store;
mod vending;
