//! Connections that are given out one by one (round robin, and rescue in the other modes). Never loses one: what a
//! worker did not say to accept goes to another.

use std::collections::{BTreeMap, VecDeque};

use super::{
    group::Group,
    order::{ConnectionId, GroupId, Handle, Order, WorkerId},
    worker::Worker,
};

/// Connections that one worker may hold without having answered. Measured: waiting for each answer costs a third of the
/// rate, more than eight wins nothing.
const WINDOW: usize = 8;

/// A connection that no worker has accepted yet.
#[derive(Debug)]
pub(super) struct Unaccepted {
    pub(super) id: ConnectionId,
    pub(super) group: GroupId,
    /// Workers that said no, and in which age. Asking one again in the same age would go on for ever.
    refused_by: BTreeMap<WorkerId, u64>,
}

/// The queue of connections that wait for a worker.
#[derive(Debug, Default)]
pub(super) struct Connections {
    waiting: VecDeque<Unaccepted>,
    /// When a worker last got a connection of an address, in connections. For each address apart: otherwise two that are asked in turns
    /// would each have a worker to themselves.
    last_turns: BTreeMap<(GroupId, WorkerId), u64>,
    turns: u64,
    /// Raised whenever something changes that may make a worker say yes: a place became free, a server came or went.
    age: u64,
}

impl Connections {
    pub(super) fn add(&mut self, id: ConnectionId, group: GroupId) {
        self.add_back(Unaccepted { id, group, refused_by: BTreeMap::new() });
    }

    /// A connection whose worker has gone.
    pub(super) fn add_back(&mut self, connection: Unaccepted) {
        self.waiting.push_back(connection);
    }

    /// A connection that this worker did not take.
    pub(super) fn add_refused(&mut self, mut connection: Unaccepted, by: WorkerId) {
        connection.refused_by.insert(by, self.age);
        self.add_back(connection);
    }

    /// Something has changed: who said no may be asked again.
    pub(super) fn forgive(&mut self) {
        self.age += 1;
    }

    /// Whether a new connection of this group would find a worker at once.
    pub(super) fn has_taker(&self, group: &Group, workers: &BTreeMap<WorkerId, Worker>) -> bool {
        let others_wait = self.waiting.iter().any(|connection| connection.group == group.id);
        !others_wait && self.taker(group, workers, &BTreeMap::new()).is_some()
    }

    /// Gives out what can be given out.
    pub(super) fn give_out(
        &mut self,
        groups: &BTreeMap<GroupId, Group>,
        workers: &mut BTreeMap<WorkerId, Worker>,
        out: &mut Vec<Order>,
    ) {
        for connection in std::mem::take(&mut self.waiting) {
            let Some(group) = groups.get(&connection.group) else {
                out.push(Order::Close(connection.id));
                continue;
            };
            let Some(id) = self.taker(group, workers, &connection.refused_by) else {
                self.waiting.push_back(connection);
                continue;
            };
            if let Some(worker) = workers.get_mut(&id) {
                self.turns += 1;
                self.last_turns.insert((group.id, id), self.turns);
                let (seq, message) = worker.message();
                let handle = Handle::Connection(connection.id);
                worker.offered.insert(seq, connection);
                let message = message.text("act", "newconn").text("key", &group.key);
                worker.send_handle(message, group.listen.handle_type(), handle, out);
            }
        }
    }

    /// Addresses with a connection that a worker has refused and nobody else could take since.
    pub(super) fn refused(&self) -> impl Iterator<Item = GroupId> {
        let refused = |connection: &&Unaccepted| connection.refused_by.values().any(|age| *age == self.age);
        self.waiting.iter().filter(refused).map(|connection| connection.group)
    }

    /// A worker has gone, and its turns with it.
    pub(super) fn forget(&mut self, worker: WorkerId) {
        self.last_turns.retain(|(_, of), _| *of != worker);
    }

    /// Lets go of a group's connections: it is over.
    pub(super) fn drop_group(&mut self, group: GroupId, out: &mut Vec<Order>) {
        self.last_turns.retain(|(of, _), _| *of != group);
        self.waiting.retain(|connection| {
            let stays = connection.group != group;
            if !stays {
                out.push(Order::Close(connection.id));
            }
            stays
        });
    }

    /// The worker that takes the next connection: serving and listening, with a free place, the one with the fewest unanswered, and
    /// of those the one whose last turn at this address is longest ago.
    fn taker(
        &self,
        group: &Group,
        workers: &BTreeMap<WorkerId, Worker>,
        refused_by: &BTreeMap<WorkerId, u64>,
    ) -> Option<WorkerId> {
        let listening = group.holders.iter().filter(|(_, hold)| hold.listening).map(|(id, _)| id);
        listening
            .filter(|id| refused_by.get(id) != Some(&self.age))
            .filter_map(|id| workers.get(id))
            .filter(|worker| worker.serving && !worker.leaving && worker.offered.len() < WINDOW)
            .min_by_key(|worker| (worker.offered.len(), self.last_turns.get(&(group.id, worker.id))))
            .map(|worker| worker.id)
    }
}
