//! What the configuration makes of files, flags and objects. Never starts an app.

mod anything;
mod bench;
mod environment;
mod evaluated;
mod formats;
mod forms;
mod keys;
mod problems;
mod programs;
mod sockets;
