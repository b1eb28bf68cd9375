//! The primary of one app: from what its workers say to orders. Never waits, never answers twice, and answers every
//! question but those of workers that have been told to leave (as Node does).

use std::collections::BTreeMap;

use super::{
    address::{Listen, key},
    connections::Connections,
    group::{Group, Hold, State},
    message::{Incoming, Query, parse},
    order::{ConnectionId, GroupId, Handle, Order, SlotId, Told, WorkerId},
    worker::Worker,
};

/// Most addresses of one app. Each costs a descriptor per slot, twice; an app that asks for more is out of its mind.
pub const MAX_GROUPS: usize = 1024;

/// Node's default, for a worker that names none.
const DEFAULT_BACKLOG: u32 = 511;

// Linux' numbers, negative as libuv has them: a worker shows their names to its user.
const EINVAL: i64 = -22;
const EMFILE: i64 = -24;
const EADDRINUSE: i64 = -98;

/// How workers get connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Each worker gets a listening socket and accepts by itself.
    Sockets,
    /// The owner accepts and gives connections out ([`Primary::offer`]). UDP is shared all the same.
    RoundRobin,
}

/// A socket that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The address as text and the real port; `None` for a path.
    pub address: Option<(std::net::IpAddr, u16)>,
}

/// The primary's side of Node's `cluster`, for one app.
#[derive(Debug)]
pub struct Primary {
    sharing: Sharing,
    pub(super) workers: BTreeMap<WorkerId, Worker>,
    pub(super) groups: BTreeMap<GroupId, Group>,
    next_group: u64,
    connections: Connections,
}

impl Primary {
    /// A primary without workers.
    #[must_use]
    pub fn new(sharing: Sharing) -> Self {
        Self {
            sharing,
            workers: BTreeMap::new(),
            groups: BTreeMap::new(),
            next_group: 0,
            connections: Connections::default(),
        }
    }

    /// A run was started. `first_seq` is 0, or for a run that an earlier daemon has talked to a number that was surely
    /// never used.
    pub fn joined(&mut self, worker: WorkerId, slot: SlotId, first_seq: i64) {
        self.workers.insert(worker, Worker::new(worker, slot, first_seq));
    }

    /// A run's channel has ended and was read to its end. Its unanswered connections go to others; those of which it may have read
    /// something are closed, as they would be if it had answered: nobody else could make sense of the rest.
    pub fn left(&mut self, worker: WorkerId, is_untouched: impl Fn(ConnectionId) -> bool, out: &mut Vec<Order>) {
        let Some(gone) = self.workers.remove(&worker) else { return };
        self.connections.forget(worker);
        for group in self.groups.values_mut() {
            group.holders.remove(&worker);
            if let State::Binding(waiting) = &mut group.state {
                waiting.retain(|(asker, _)| *asker != worker);
            }
        }
        for connection in gone.offered.into_values() {
            if is_untouched(connection.id) {
                self.connections.add_back(connection);
            } else {
                out.push(Order::Close(connection.id));
            }
        }
        self.connections.forgive();
        self.give_out(out);
    }

    /// A message of Node's own came from a worker: [`crate::Happening::Internal`].
    pub fn internal(&mut self, worker: WorkerId, cmd: &str, text: &str, out: &mut Vec<Order>) {
        let Some(sender) = self.workers.get_mut(&worker) else { return };
        match cmd {
            "NODE_HANDLE_ACK" => sender.acknowledged(),
            "NODE_HANDLE_NACK" => {
                let lost = sender.refused(out);
                self.lost(worker, lost, out);
            }
            "NODE_CLUSTER" => {
                if let Some(message) = parse(text) {
                    self.act(worker, message, out);
                }
            }
            // Node ignores what it does not know.
            _ => {}
        }
    }

    /// Whether connections may be given to a worker; they may from its joining on. Those that it has been given stay with it.
    pub fn set_serving(&mut self, worker: WorkerId, serving: bool, out: &mut Vec<Order>) {
        let Some(found) = self.workers.get_mut(&worker) else { return };
        if found.serving != serving {
            found.serving = serving;
            self.connections.forgive();
            self.give_out(out);
        }
    }

    /// Tells a worker to close its servers, let open connections end, and close its channel. `signal`, by its name, will follow then; Node
    /// does not look at it, what else runs in the worker may.
    pub fn disconnect(&mut self, worker: WorkerId, signal: Option<&str>, out: &mut Vec<Order>) {
        let Some(worker) = self.workers.get_mut(&worker) else { return };
        if !worker.leaving {
            worker.leaving = true;
            let (_, message) = worker.message();
            let message = message.text("act", "disconnect");
            let message = match signal {
                Some(signal) => message.text("signal", signal),
                None => message,
            };
            worker.send(message, out);
        }
    }

    /// The sockets of a group were made, or could not be: a negative errno. A group that could not be made is forgotten,
    /// so that the next question tries again.
    pub fn bound(&mut self, group: GroupId, result: Result<Bound, i64>, out: &mut Vec<Order>) {
        let Some(found) = self.groups.get_mut(&group) else { return };
        let State::Binding(waiting) = &mut found.state else { return };
        let waiting = std::mem::take(waiting);
        match result {
            Ok(bound) => {
                found.state = State::bound(&bound);
                for (worker, seq) in waiting {
                    self.admit(worker, seq, group, out);
                }
            }
            Err(errno) => {
                let Some(failed) = self.groups.remove(&group) else { return };
                for (worker, seq) in waiting {
                    self.refuse(worker, seq, errno, &failed.key, &failed.data, out);
                }
            }
        }
    }

    /// Whether a connection of this group would find a worker now. Accept only then: a connection that waits in the
    /// kernel is not lost with us.
    #[must_use]
    pub fn has_taker(&self, group: GroupId) -> bool {
        self.groups.get(&group).is_some_and(|group| self.connections.has_taker(group, &self.workers))
    }

    /// Whether this run is one of the workers.
    #[must_use]
    pub fn has_worker(&self, worker: WorkerId) -> bool {
        self.workers.contains_key(&worker)
    }

    /// Whether there are any.
    #[must_use]
    pub fn has_workers(&self) -> bool {
        !self.workers.is_empty()
    }

    /// Whether a worker listens on this group, as far as it has said.
    #[must_use]
    pub fn is_listening(&self, group: GroupId, worker: WorkerId) -> bool {
        self.groups.get(&group).is_some_and(|group| group.holders.get(&worker).is_some_and(|hold| hold.listening))
    }

    /// How many connections a worker has taken of those that were given out.
    #[must_use]
    pub fn taken(&self, worker: WorkerId) -> u64 {
        self.workers.get(&worker).map_or(0, |worker| worker.taken)
    }

    /// The descriptor of the message that was ordered last cannot be had: as if it had been lost on its way for good.
    pub fn unsent(&mut self, worker: WorkerId, handle: Handle, out: &mut Vec<Order>) {
        let lost = self.workers.get_mut(&worker).and_then(|worker| worker.take_back(handle));
        self.lost(worker, lost, out);
    }

    /// Gives a connection that the owner has accepted to a worker; it waits if none has a free place. The owner keeps it
    /// open until [`Order::Close`].
    pub fn offer(&mut self, group: GroupId, connection: ConnectionId, out: &mut Vec<Order>) {
        self.connections.add(connection, group);
        self.give_out(out);
    }

    /// Addresses with a connection that has been refused (`maxConnections`) and waits. No worker says when it has room again, so the owner
    /// is to call [`Primary::offer_again`] after a while. Until then nobody accepts for these addresses.
    pub fn refused(&self) -> impl Iterator<Item = GroupId> {
        self.connections.refused()
    }

    /// Offers again what was refused.
    pub fn offer_again(&mut self, out: &mut Vec<Order>) {
        self.connections.forgive();
        self.give_out(out);
    }

    /// Drops the groups that no worker holds. To be called only when every slot has a live, settled run and no reload is
    /// under way: until then a dead worker's successor must find the address still bound.
    pub fn drop_unheld(&mut self, out: &mut Vec<Order>) {
        let unheld: Vec<GroupId> =
            self.groups.values().filter(|group| !group.is_held()).map(|group| group.id).collect();
        for group in unheld {
            self.drop_group(group, out);
        }
    }

    /// Drops all groups: the app has been stopped.
    pub fn drop_all(&mut self, out: &mut Vec<Order>) {
        let all: Vec<GroupId> = self.groups.keys().copied().collect();
        for group in all {
            self.drop_group(group, out);
        }
    }

    fn act(&mut self, worker: WorkerId, message: Incoming, out: &mut Vec<Order>) {
        match message {
            Incoming::Online => out.push(Order::Tell(Told::Online(worker))),
            Incoming::QueryServer(query) => self.query(worker, &query, out),
            Incoming::Listening(query) => self.listening(worker, &query, out),
            Incoming::Close { key } => self.close(worker, &key, out),
            Incoming::ExitedAfterDisconnect { seq } => {
                if let Some(worker) = self.workers.get_mut(&worker) {
                    let (_, reply) = worker.message();
                    worker.send(reply.number("ack", seq), out);
                }
                out.push(Order::Tell(Told::ExitedAfterDisconnect(worker)));
            }
            Incoming::Reply { ack, accepted } => self.reply(worker, ack, accepted, out),
        }
    }

    fn query(&mut self, worker: WorkerId, query: &Query, out: &mut Vec<Order>) {
        if self.workers.get(&worker).is_none_or(|worker| worker.leaving) {
            return;
        }
        let key = key(query);
        // A port that the system chose for port 0 may later be asked for by its number; the group is still bound then.
        let listen = Listen::of(query);
        let wanted = listen.as_ref().and_then(Listen::with_port_zero);
        let known = self.groups.values().find(|group| group.key == key);
        let known =
            known.or_else(|| self.groups.values().find(|group| group.chose(wanted.as_ref()))).map(|group| group.id);
        let known = known.and_then(|id| self.groups.get_mut(&id));
        if let Some(group) = known {
            let id = group.id;
            match (&mut group.state, group.holders.get(&worker)) {
                (State::Binding(waiting), _) => {
                    if !waiting.contains(&(worker, query.seq)) {
                        waiting.push((worker, query.seq));
                    }
                }
                // Asked again, because the first answer may not have been sent by an earlier daemon.
                (State::Bound { .. }, Some(hold)) if hold.seq == query.seq => self.admit(worker, query.seq, id, out),
                // The same key twice in one worker is an assertion in Node.
                (State::Bound { .. }, Some(_)) => {
                    let (key, data) = (group.key.clone(), group.data.clone());
                    self.refuse(worker, query.seq, EADDRINUSE, &key, &data, out);
                }
                (State::Bound { .. }, None) => self.admit(worker, query.seq, id, out),
            }
            return;
        }
        let data = query.data.clone().unwrap_or_else(|| "null".to_owned());
        let Some(listen) = listen else {
            return self.refuse(worker, query.seq, EINVAL, &key, &data, out);
        };
        if self.groups.len() == MAX_GROUPS {
            return self.refuse(worker, query.seq, EMFILE, &key, &data, out);
        }
        let id = self.number_group();
        let backlog = query.backlog.and_then(|backlog| u32::try_from(backlog).ok()).filter(|&backlog| backlog > 0);
        let backlog = backlog.unwrap_or(DEFAULT_BACKLOG);
        out.push(Order::Bind { group: id, key: key.clone(), listen: listen.clone(), backlog });
        let state = State::Binding(vec![(worker, query.seq)]);
        self.groups.insert(id, Group { id, key, listen, data, state, holders: BTreeMap::new() });
    }

    /// Answers a question with yes. A worker that holds the group already under another question gets a no.
    fn admit(&mut self, worker: WorkerId, seq: i64, group: GroupId, out: &mut Vec<Order>) {
        let Some(group) = self.groups.get_mut(&group) else { return };
        let Some(worker) = self.workers.get_mut(&worker).filter(|worker| !worker.leaving) else { return };
        let State::Bound { sockname, .. } = &group.state else { return };
        if group.holders.get(&worker.id).is_some_and(|hold| hold.seq != seq) {
            let (id, key, data) = (worker.id, group.key.clone(), group.data.clone());
            return self.refuse(id, seq, EADDRINUSE, &key, &data, out);
        }
        group.holders.entry(worker.id).or_insert(Hold { seq, listening: false });
        let (_, reply) = worker.message();
        let reply = reply.number("ack", seq).number("errno", 0).text("key", &group.key).raw("data", &group.data);
        if self.sharing == Sharing::RoundRobin && group.listen.has_connections() {
            let reply = match sockname {
                Some(sockname) => reply.raw("sockname", sockname),
                None => reply,
            };
            worker.send(reply, out);
        } else {
            let handle = Handle::Listener { group: group.id, slot: worker.slot };
            worker.send_handle(reply, group.listen.handle_type(), handle, out);
        }
    }

    /// Answers a question with no. `data` must be there: a TLS server reads it before it looks at the errno.
    fn refuse(&mut self, worker: WorkerId, seq: i64, errno: i64, key: &str, data: &str, out: &mut Vec<Order>) {
        if let Some(worker) = self.workers.get_mut(&worker).filter(|worker| !worker.leaving) {
            let (_, reply) = worker.message();
            worker.send(reply.number("ack", seq).number("errno", errno).text("key", key).raw("data", data), out);
        }
    }

    fn listening(&mut self, worker: WorkerId, query: &Query, out: &mut Vec<Order>) {
        // The port is the real one here: what asked for port 0 is found by the key of that question.
        let (exact, of_zero) = (key(query), key(&Query { port: Some(0), ..query.clone() }));
        let wanted = Listen::of(query).as_ref().and_then(Listen::with_port_zero);
        let mut held =
            self.groups.values().filter(|group| group.holders.get(&worker).is_some_and(|hold| !hold.listening));
        let mut chosen = held.clone().filter(|group| group.chose(wanted.as_ref()));
        let group = held.clone().find(|group| group.key == exact);
        let group = group.or_else(|| held.find(|group| group.key == of_zero)).or_else(|| chosen.next());
        let group = group.map(|group| group.id);
        let Some(group) = group.and_then(|id| self.groups.get_mut(&id)) else { return };
        if let Some(hold) = group.holders.get_mut(&worker) {
            hold.listening = true;
        }
        out.push(Order::Tell(Told::Listening { worker, group: group.id, port: group.port() }));
        self.connections.forgive();
        self.give_out(out);
    }

    fn close(&mut self, worker: WorkerId, key: &str, out: &mut Vec<Order>) {
        let Some(group) = self.groups.values_mut().find(|group| group.key == key) else { return };
        if group.holders.remove(&worker).is_some() {
            let group = group.id;
            out.push(Order::Tell(Told::Closed { worker, group }));
            self.connections.forgive();
            self.give_out(out);
        }
    }

    fn reply(&mut self, worker: WorkerId, ack: i64, accepted: bool, out: &mut Vec<Order>) {
        // Replies to what an earlier daemon sent are unknown, and nobody waits for them.
        let offered = self.workers.get_mut(&worker).and_then(|worker| worker.offered.remove(&ack));
        let Some(connection) = offered else { return };
        if accepted {
            if let Some(worker) = self.workers.get_mut(&worker) {
                worker.taken += 1;
            }
            out.push(Order::Close(connection.id));
            self.connections.forgive();
        } else {
            self.connections.add_refused(connection, worker);
        }
        self.give_out(out);
    }

    /// A descriptor did not arrive, however often it was sent: the worker has no room for one.
    fn lost(&mut self, worker: WorkerId, lost: Option<Handle>, out: &mut Vec<Order>) {
        match lost {
            None => {}
            Some(Handle::Connection(connection)) => {
                let withdrawn = self.workers.get_mut(&worker).and_then(|worker| worker.withdraw(connection));
                if let Some(connection) = withdrawn {
                    self.connections.add_refused(connection, worker);
                    self.give_out(out);
                }
            }
            Some(Handle::Listener { group, .. }) => {
                let Some(group) = self.groups.get_mut(&group) else { return };
                if let Some(hold) = group.holders.remove(&worker) {
                    let (key, data) = (group.key.clone(), group.data.clone());
                    self.refuse(worker, hold.seq, EMFILE, &key, &data, out);
                }
            }
        }
    }

    fn give_out(&mut self, out: &mut Vec<Order>) {
        self.connections.give_out(&self.groups, &mut self.workers, out);
    }

    pub(super) fn number_group(&mut self) -> GroupId {
        self.next_group += 1;
        GroupId(self.next_group)
    }

    fn drop_group(&mut self, group: GroupId, out: &mut Vec<Order>) {
        if self.groups.remove(&group).is_some() {
            self.connections.drop_group(group, out);
            out.push(Order::Drop(group));
        }
    }
}
