//! What the primary knows about one worker. Never outlives the end of its channel.

use std::collections::{BTreeMap, VecDeque};

use super::{
    connections::Unaccepted,
    message::Outgoing,
    order::{ConnectionId, Handle, Order, SlotId, WorkerId},
};

/// How often a message whose descriptor was lost is sent again: as often as Node does. A worker that is out of
/// descriptors would refuse for ever.
const MAX_RESENDS: u32 = 3;

/// A message with a descriptor that is on its way.
#[derive(Debug)]
struct Sent {
    json: String,
    handle: Handle,
    resends: u32,
}

/// One run.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) id: WorkerId,
    pub(super) slot: SlotId,
    next_seq: i64,
    /// It has been told to disconnect.
    pub(super) leaving: bool,
    /// Connections may be given to it.
    pub(super) serving: bool,
    /// Connections that it has taken of those that were given out.
    pub(super) taken: u64,
    /// Messages with a descriptor that it has neither acknowledged nor refused. It does either in their order.
    unacknowledged: VecDeque<Sent>,
    /// Connections that it has not said to accept, by the number of our message.
    pub(super) offered: BTreeMap<i64, Unaccepted>,
}

impl Worker {
    pub(super) fn new(id: WorkerId, slot: SlotId, first_seq: i64) -> Self {
        Self {
            id,
            slot,
            next_seq: first_seq,
            leaving: false,
            serving: true,
            taken: 0,
            unacknowledged: VecDeque::new(),
            offered: BTreeMap::new(),
        }
    }

    /// Begins a message and gives its number.
    pub(super) fn message(&mut self) -> (i64, Outgoing) {
        let seq = self.next_seq;
        self.next_seq += 1;
        (seq, Outgoing::new(seq))
    }

    pub(super) fn send(&mut self, message: Outgoing, out: &mut Vec<Order>) {
        out.push(Order::Send { to: self.id, json: message.plain(), handle: None });
    }

    pub(super) fn send_handle(&mut self, message: Outgoing, kind: &str, handle: Handle, out: &mut Vec<Order>) {
        self.put_on_way(Sent { json: message.on_handle(kind), handle, resends: 0 }, out);
    }

    /// The oldest descriptor arrived.
    pub(super) fn acknowledged(&mut self) {
        self.unacknowledged.pop_front();
    }

    /// The oldest descriptor did not arrive. It is sent again; one that was lost too often is given back.
    pub(super) fn refused(&mut self, out: &mut Vec<Order>) -> Option<Handle> {
        let sent = self.unacknowledged.pop_front()?;
        if sent.resends == MAX_RESENDS {
            return Some(sent.handle);
        }
        self.put_on_way(Sent { resends: sent.resends + 1, ..sent }, out);
        None
    }

    /// The newest message could not be sent.
    pub(super) fn take_back(&mut self, handle: Handle) -> Option<Handle> {
        self.unacknowledged.pop_back_if(|sent| sent.handle == handle).map(|sent| sent.handle)
    }

    /// The connection is not this worker's any more.
    pub(super) fn withdraw(&mut self, connection: ConnectionId) -> Option<Unaccepted> {
        let (&seq, _) = self.offered.iter().find(|(_, offered)| offered.id == connection)?;
        self.offered.remove(&seq)
    }

    fn put_on_way(&mut self, sent: Sent, out: &mut Vec<Order>) {
        out.push(Order::Send { to: self.id, json: sent.json.clone(), handle: Some(sent.handle) });
        self.unacknowledged.push_back(sent);
    }
}
