//! The primary of Node's `cluster`, as decisions. Never holds a socket: it orders what to bind, what to send and which
//! descriptor rides on it, and its owner tells what came of it.

mod address;
mod connections;
mod group;
mod message;
mod order;
mod primary;
mod saved;
mod worker;

pub use address::Listen;
pub use order::{ConnectionId, GroupId, Handle, Order, SlotId, Told, WorkerId};
pub use primary::{Bound, MAX_GROUPS, Primary, Sharing};
pub use saved::{SavedGroup, SavedHolder};
