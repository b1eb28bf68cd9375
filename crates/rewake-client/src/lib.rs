//! The way to the daemon: connect (starting it if absent), handshake, call, subscribe. Never decides anything.

mod client;
mod connect;
mod driver;
mod error;
mod home;
mod queue;
mod start;
mod subscription;

pub use client::Client;
pub use error::ClientError;
pub use home::Home;
pub use subscription::Subscription;
