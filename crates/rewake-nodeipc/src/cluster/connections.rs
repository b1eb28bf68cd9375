//! Connections that are given out one by one (round robin, and rescue in the other modes). Never loses one: what a
//! worker did not say to accept goes to another.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    group::{Group, State},
    order::{ConnectionId, GroupId, Handle, Order, WorkerId},
    worker::Worker,
};

/// Connections that one worker may hold without having answered. Measured: waiting for each answer costs a third of the
/// rate, more than eight wins nothing.
const WINDOW: usize = 8;

/// A connection that no worker has.
#[derive(Debug)]
struct Homeless {
    connection: ConnectionId,
    group: GroupId,
    /// Workers that said no since anything changed: asking them again at once would go on for ever.
    refused_by: BTreeSet<WorkerId>,
}

/// The queue of connections that wait for a worker.
#[derive(Debug, Default)]
pub(super) struct Connections {
    waiting: VecDeque<Homeless>,
    turns: u64,
}

impl Connections {
    pub(super) fn add(&mut self, connection: ConnectionId, group: GroupId, refused_by: Option<WorkerId>) {
        self.waiting.push_back(Homeless { connection, group, refused_by: refused_by.into_iter().collect() });
    }

    /// Who said no may be asked again: a place became free, or a server came or went.
    pub(super) fn forgive(&mut self) {
        for homeless in &mut self.waiting {
            homeless.refused_by.clear();
        }
    }

    /// Gives out what can be given out.
    pub(super) fn give_out(
        &mut self,
        groups: &BTreeMap<GroupId, Group>,
        workers: &mut BTreeMap<WorkerId, Worker>,
        out: &mut Vec<Order>,
    ) {
        for homeless in std::mem::take(&mut self.waiting) {
            let Some(group) = groups.get(&homeless.group) else {
                out.push(Order::Close(homeless.connection));
                continue;
            };
            let Some(id) = taker(group, workers, &homeless.refused_by) else {
                self.waiting.push_back(homeless);
                continue;
            };
            if let Some(worker) = workers.get_mut(&id) {
                self.turns += 1;
                worker.last_turn = self.turns;
                let (seq, message) = worker.message();
                worker.offered.insert(seq, (homeless.connection, homeless.group));
                let message = message.text("act", "newconn").text("key", &group.key);
                worker.send_handle(message, group.listen.handle_type(), Handle::Connection(homeless.connection), out);
            }
        }
    }

    /// Lets go of a group's connections: it is over.
    pub(super) fn drop_group(&mut self, group: GroupId, out: &mut Vec<Order>) {
        self.waiting.retain(|homeless| {
            let stays = homeless.group != group;
            if !stays {
                out.push(Order::Close(homeless.connection));
            }
            stays
        });
    }

    pub(super) fn is_waiting_for(&self, group: GroupId) -> bool {
        self.waiting.iter().any(|homeless| homeless.group == group)
    }
}

/// The worker that takes the next connection: listening, with a free place, the one with the fewest unanswered, and of
/// those the one whose last turn is longest ago.
pub(super) fn taker(
    group: &Group,
    workers: &BTreeMap<WorkerId, Worker>,
    refused_by: &BTreeSet<WorkerId>,
) -> Option<WorkerId> {
    if !matches!(group.state, State::Bound { .. }) {
        return None;
    }
    let listening = group.holders.iter().filter(|(_, hold)| hold.listening).map(|(id, _)| id);
    listening
        .filter(|id| !refused_by.contains(id))
        .filter_map(|id| workers.get(id))
        .filter(|worker| !worker.leaving && worker.offered.len() < WINDOW)
        .min_by_key(|worker| (worker.offered.len(), worker.last_turn))
        .map(|worker| worker.id)
}
