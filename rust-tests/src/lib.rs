//! What the tests of the workspace share. Never shipped.

pub mod client;
pub mod home;
pub mod load;
pub mod net;
pub mod ports;
pub mod raw;
pub mod script;
pub mod sim;
