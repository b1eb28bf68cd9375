//! The engine: one loop that waits for one happening, lets the core decide, and carries its effects out.
//! Never listens for clients (the daemon and the embedding host do) and never decides what the core can.

mod adopt;
mod alive;
mod asks;
mod boot;
mod clock;
mod cluster;
mod drain;
mod effects;
mod ending;
mod engine;
mod handle;
mod holding;
mod info;
mod inspect;
mod ipc;
mod ipc_out;
mod journals;
mod logs;
mod lost;
mod options;
mod output;
mod pending;
mod plan;
mod record;
mod replace;
mod reports;
mod resume;
mod run;
mod sample;
mod sheet;
mod sockets;
mod store;
mod strays;
mod subscribers;
mod verbs;
mod watched;
mod words;

pub use engine::{Begin, Ended, Engine, EngineError, Greeting, Options, daemon, embed};
pub use handle::{Handle, Subscription};
