//! Node's IPC channel as machines: bytes in, messages and answers out. Never touches a socket or a clock, never panics
//! on what the other side sends.

mod channel;
pub mod cluster;
mod encode;
mod framer;
mod happening;
mod json;
mod mode;
mod outbox;
mod sample;
mod search;
mod text;
mod v8;

pub use channel::{Channel, MAX_MESSAGE_BYTES, MAX_WAITING_DESCRIPTORS};
pub use encode::{EncodeError, MAX_ADVANCED_DEPTH, encode, encode_own, shutdown};
pub use happening::Happening;
pub use mode::Mode;
pub use outbox::{ANSWER_RESERVE_BYTES, DEFAULT_OUTBOX_BYTES, Full, Outbox};
pub use text::Text;
