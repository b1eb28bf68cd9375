//! What the tests of the workspace share. Never shipped.

pub mod sim;
