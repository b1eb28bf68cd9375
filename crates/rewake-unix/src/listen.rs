//! Listening sockets of every kind, to be handed to other programs. Never accepts by itself and never closes for others:
//! all are close-on-exec and non-blocking, and errors carry the plain error number.

pub mod group;

mod address;
mod arrivals;
mod owner;
mod queue;
mod served;
mod steer;
mod tcp;
mod udp;
mod unix;
mod untouched;

pub use address::{is_listening, local_address, local_port, stop_listening};
pub use arrivals::Arrivals;
pub use owner::{Transport, owner_of_path, owner_of_port, owners_of_port};
pub use queue::{Queue, accept_nonblocking, queue};
pub use served::open_connections;
pub use tcp::tcp;
pub use udp::udp;
pub use unix::{FileId, Unix, file_id, remove, set_mode, unix, unix_with_mode};
pub use untouched::is_untouched;
