//! The Node addon: what `npm/rewake` calls. Translates between JavaScript's thread and ours; never decides anything.

mod session;

mod thread;

mod feed;
mod outbox;
mod own_node;
mod reader;
mod reading;
mod resolve;

mod backend;
mod daemon;
mod engine;

mod answer;
mod mailbox;

mod options;
mod post;
