//! What the primary wants done and what it tells. Names of things only; what they stand for is the owner's.

use super::Listen;

/// One run that is a cluster worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub u64);

/// The slot that a run belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub u32);

/// All sockets of one listening address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u64);

/// A connection that the owner has accepted; its own number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A descriptor that rides on a message. It must be non-blocking: Node does not make it so, and a blocking one freezes
/// the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handle {
    /// The socket of this group that this slot listens on.
    Listener { group: GroupId, slot: SlotId },
    /// A connection. It stays open here until [`Order::Close`].
    Connection(ConnectionId),
}

/// One thing to do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Make the listening (UDP: bound) socket or sockets of a new group, then call [`super::Primary::bound`].
    /// `key` names the address among those of the app, also for a later primary.
    Bind { group: GroupId, key: String, listen: Listen, backlog: u32 },
    /// Send a message of Node's own ([`crate::encode_own`]). The descriptor goes with its first byte, one per `sendmsg`.
    Send { to: WorkerId, json: String, handle: Option<Handle> },
    /// The connection has been taken by a worker: close our copy.
    Close(ConnectionId),
    /// The group is over: close its sockets, remove its socket file.
    Drop(GroupId),
    /// Something the supervisor wants to know.
    Tell(Told),
}

/// What a worker has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Node runs; user code starts now.
    Online(WorkerId),
    /// It listens. `port` is the real one, `None` for a path.
    Listening { worker: WorkerId, group: GroupId, port: Option<u16> },
    /// It no longer listens.
    Closed { worker: WorkerId, group: GroupId },
    /// It is about to leave because it was asked to, by us or by its own code: its exit is no loss.
    ExitedAfterDisconnect(WorkerId),
}
