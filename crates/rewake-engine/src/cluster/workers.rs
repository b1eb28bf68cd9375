//! Workers come, speak and go; the primary's orders are carried out. A worker that misbehaves harms its own app at most.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use rewake_core::{Fact, Phase, RunId, Slot, SlotId};
use rewake_nodeipc::cluster::{GroupId, Handle, Listen, Order, SlotId as WorkerSlot, Told, WorkerId};
use rewake_unix::{listen, signal};
use rewake_wire::{ClusterBalance, StopWith, keeper};
use tokio::time::Instant;

use super::bind::{Way, bind, remove_file, socket_address};
use super::{Address, App, AppKey, Letter, Sockets, prefix, seat_name, socket_name};
use crate::clock::epoch_ms;
use crate::effects::Outgoing;
use crate::engine::Engine;
use crate::ipc_out::Once;
use crate::plan::is_worker;

/// Messages to a worker are numbered from the daemon's start in ms times this, so that none is numbered as one of an earlier daemon's.
/// Exact in JavaScript for 280 years to come.
const MESSAGES_A_MS: i64 = 1 << 10;

impl Engine {
    /// A process exists; if it is a cluster worker, its primary knows it from here on.
    pub(crate) fn worker_came(&mut self, slot: SlotId, run: RunId) {
        if let Some((key, balance)) = self.cluster_and_balance(slot) {
            let primary = &mut self.clusters.app(&key, balance).primary;
            primary.joined(WorkerId(run.0), WorkerSlot(slot.0), 0);
            primary.set_serving(WorkerId(run.0), false, &mut Vec::new());
        }
    }

    /// As [`Self::worker_came`], for a worker that an earlier daemon has talked to: our numbers must be none that it used.
    /// False: the slot's processes are no workers.
    pub(crate) fn worker_adopted(&mut self, slot: SlotId, run: RunId) -> bool {
        let Some((key, balance)) = self.cluster_and_balance(slot) else { return false };
        let known = self.clusters.apps.contains_key(&key);
        let app = self.clusters.app(&key, balance);
        app.strangers |= !known;
        let first_seq = i64::try_from(epoch_ms()).unwrap_or(0).saturating_mul(MESSAGES_A_MS);
        app.primary.joined(WorkerId(run.0), WorkerSlot(slot.0), first_seq);
        true
    }

    /// A message of Node's own.
    pub(crate) fn worker_said(&mut self, run: RunId, cmd: &str, text: &str) {
        let slot = self.runs.get(&run).map(|run| run.slot);
        let Some((key, balance)) = slot.and_then(|slot| self.cluster_and_balance(slot)) else {
            tracing::debug!(run = run.0, cmd, "a message of Node's own, from a process that is no worker");
            return;
        };
        let mut orders = Vec::new();
        self.clusters.app(&key, balance).primary.internal(WorkerId(run.0), cmd, text, &mut orders);
        self.carry_out_orders(&key, orders);
        self.look_after_refused(&key);
        self.feed_starved(&key);
        self.step_facts();
    }

    /// Tells a worker to stop accepting: it closes its servers, serves what it has, and closes its channel.
    pub(crate) fn drain_worker(&mut self, run: RunId) {
        let slot = self.runs.get(&run).map(|run| run.slot);
        let Some(key) = slot.and_then(|slot| self.cluster_of(slot)) else { return };
        let signal = slot.and_then(|slot| self.stop_signal(slot));
        let Some(app) = self.clusters.apps.get_mut(&key) else { return };
        let mut orders = Vec::new();
        app.primary.disconnect(WorkerId(run.0), signal.as_deref(), &mut orders);
        let before = self.clusters.letters.len();
        self.carry_out_orders(&key, orders);
        for letter in self.clusters.letters.iter_mut().skip(before) {
            letter.once = Some(Once::Drain);
        }
    }

    /// The signal that asks a slot's processes to end, if one does.
    fn stop_signal(&self, slot: SlotId) -> Option<String> {
        match self.sheets.get(&slot)?.spec.policy.stop_with {
            StopWith::Signal(number) => Some(signal::name(number)),
            StopWith::Message => None,
        }
    }

    /// A run has ended and its channel is read to the end: what it had not taken goes to others, and what waits for it.
    pub(crate) fn worker_ended(&mut self, run: RunId) {
        let Some(key) = self.cluster_with(run) else { return };
        let Some(app) = self.clusters.apps.get_mut(&key) else { return };
        let mut orders = Vec::new();
        let connections = &app.connections;
        let is_untouched =
            |id| connections.get(&id).is_some_and(|connection: &Rc<OwnedFd>| listen::is_untouched(connection.as_fd()));
        app.primary.left(WorkerId(run.0), is_untouched, &mut orders);
        app.leave_seats(run);
        app.check_soon();
        self.clusters.unrecorded = true;
        self.carry_out_orders(&key, orders);
        self.steer(&key);
    }

    /// Nothing is left of a run.
    pub(crate) fn worker_gone(&mut self, run: RunId) {
        let of_run = self.cluster_with(run);
        self.worker_ended(run);
        let slot = self.runs.get(&run).map(|run| run.slot);
        let Some(key) = of_run.or_else(|| slot.and_then(|slot| self.cluster_of(slot))) else { return };
        if !self.is_resting(&key) {
            return;
        }
        let mut orders = Vec::new();
        if let Some(app) = self.clusters.apps.get_mut(&key) {
            app.primary.drop_all(&mut orders);
        }
        self.carry_out_orders(&key, orders);
        self.clusters.apps.remove(&key);
        self.let_go_of_inherited(&key);
    }

    /// Whether nothing of the app's cluster runs or is about to: it is stopped, or its processes are no workers any more.
    fn is_resting(&self, key: &AppKey) -> bool {
        let is_still = |slot: &Slot| matches!(slot.phase, Phase::Stopped | Phase::Errored) && slot.second.is_none();
        let has_workers = self.clusters.apps.get(key).is_some_and(|app| app.primary.has_workers());
        !has_workers && self.slots_of(key).all(|slot| is_still(slot) || self.cluster_of(slot.id).is_none())
    }

    /// The cluster that has this run, whatever its slot's description says by now.
    fn cluster_with(&self, run: RunId) -> Option<AppKey> {
        let has_it = |app: &App| app.primary.has_worker(WorkerId(run.0));
        self.clusters.apps.iter().find(|(_, app)| has_it(app)).map(|(key, _)| key.clone())
    }

    /// Closes the sockets that no worker holds any more, where every worker has had the time to ask for its own.
    pub(super) fn drop_unheld_sockets(&mut self, now: Instant) {
        let due = |app: &App| app.check_at.is_some_and(|at| at <= now);
        let keys: Vec<AppKey> =
            self.clusters.apps.iter().filter(|(_, app)| due(app)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            let settled = self.slots_of(&key).all(|slot| matches!(slot.phase, Phase::Online { .. }));
            let Some(app) = self.clusters.apps.get_mut(&key) else { continue };
            if !settled {
                app.check_soon();
                continue;
            }
            app.check_at = None;
            if app.strangers {
                continue;
            }
            let mut orders = Vec::new();
            app.primary.drop_unheld(&mut orders);
            self.carry_out_orders(&key, orders);
        }
    }

    pub(super) fn cluster_of(&self, slot: SlotId) -> Option<AppKey> {
        self.cluster_and_balance(slot).map(|(key, _)| key)
    }

    fn cluster_and_balance(&self, slot: SlotId) -> Option<(AppKey, ClusterBalance)> {
        let spec = &self.sheets.get(&slot)?.spec;
        is_worker(&spec.launch).then(|| ((spec.name.clone(), spec.namespace.clone()), spec.launch.cluster_balance))
    }

    pub(super) fn slots_of<'a>(&'a self, key: &'a AppKey) -> impl Iterator<Item = &'a Slot> {
        self.core.slots().filter(|slot| slot.name == key.0 && slot.namespace == key.1)
    }

    pub(super) fn carry_out_orders(&mut self, key: &AppKey, orders: Vec<Order>) {
        let mut orders = VecDeque::from(orders);
        while let Some(order) = orders.pop_front() {
            match order {
                Order::Bind { group, key: address, listen, backlog } => {
                    orders.extend(self.bind_for(key, group, &address, &listen, backlog));
                }
                Order::Send { to, json, handle } => orders.extend(self.send_to_worker(key, to, json, handle)),
                Order::Close(connection) => {
                    if let Some(app) = self.clusters.apps.get_mut(key) {
                        app.connections.remove(&connection);
                    }
                }
                Order::Drop(group) => self.drop_address(key, group),
                Order::Tell(told) => self.worker_told(key, &told),
            }
        }
    }

    fn bind_for(&mut self, key: &AppKey, group: GroupId, address: &str, listen: &Listen, backlog: u32) -> Vec<Order> {
        let mut orders = Vec::new();
        let Some(balance) = self.clusters.apps.get(key).map(|app| app.balance) else { return orders };
        let name = socket_name(key, address);
        let left = self.clusters.take_inherited(&name);
        let way = Way::of(listen, balance, || self.clusters.kernel_chooses());
        let made = bind(listen, backlog, way, left);
        if let Err(errno) = made {
            self.note_refusal(key, listen, errno);
        }
        let made = made.map(|made| {
            let watch = self.clusters.watch(key, group);
            let bound = made.bound.clone();
            let address = Address::new(name, watch, made);
            self.keep_address(&address);
            if let Some(app) = self.clusters.apps.get_mut(key) {
                app.addresses.insert(group, address);
            }
            self.clusters.unrecorded = true;
            bound
        });
        if let Some(app) = self.clusters.apps.get_mut(key) {
            app.primary.bound(group, made, &mut orders);
        }
        orders
    }

    /// A worker may not listen where it wants to. Node tells it what is wrong; who is in the way is ours to say.
    fn note_refusal(&mut self, key: &AppKey, listen: &Listen, errno: i64) {
        let error = io::Error::from_raw_os_error(i32::try_from(-errno).unwrap_or(0));
        let why = self.why_refused(key, &socket_address(listen), &error);
        tracing::warn!(app = %key.0, "{why}");
        let slots: Vec<SlotId> = self.slots_of(key).map(|slot| slot.id).collect();
        for slot in slots {
            if let Some(sheet) = self.sheets.get_mut(&slot) {
                sheet.refused = Some(why.clone());
            }
        }
    }

    /// Gives copies of an address's sockets to the keeper.
    fn keep_address(&mut self, address: &Address) {
        for ((_, socket), name) in address.sockets().into_iter().zip(address.names()) {
            match socket.try_clone_to_owned() {
                Ok(copy) => self.outgoing.push_back(Outgoing::Keep { name, socket: Rc::new(copy) }),
                Err(error) => tracing::error!("a listening socket would not outlive this daemon: {error}"),
            }
        }
    }

    fn drop_address(&mut self, key: &AppKey, group: GroupId) {
        let Some(app) = self.clusters.apps.get_mut(key) else { return };
        app.starved.remove(&group);
        let Some(address) = app.addresses.remove(&group) else { return };
        remove_file(&address);
        self.clusters.watches.remove(&address.watch);
        for (_, socket) in address.sockets() {
            self.clusters.arrivals.get_ref().forget(socket);
            // Clients are refused from now on, and not when the keeper closes its copy. A datagram socket does not listen.
            let _ = listen::stop_listening(socket);
        }
        for name in address.names() {
            self.order(keeper::Order::LetGo { name });
        }
        self.clusters.unrecorded = true;
    }

    /// Lets go of what an earlier daemon left of an app that no longer runs.
    fn let_go_of_inherited(&mut self, app: &AppKey) {
        let prefix = prefix(app);
        let names: Vec<String> =
            self.clusters.inherited.keys().filter(|name| name.starts_with(&prefix)).cloned().collect();
        for name in names {
            self.clusters.inherited.remove(&name);
            self.order(keeper::Order::LetGo { name });
        }
    }

    /// Writes to a worker, and what follows when what is to go with it cannot be had.
    fn send_to_worker(&mut self, key: &AppKey, to: WorkerId, json: String, handle: Option<Handle>) -> Vec<Order> {
        let mut orders = Vec::new();
        let descriptor = match handle.map(|handle| self.descriptor(key, to, handle)).transpose() {
            Ok(descriptor) => descriptor,
            Err(error) => {
                tracing::warn!(app = %key.0, run = to.0, "a socket cannot be handed over: {error}");
                if let (Some(app), Some(handle)) = (self.clusters.apps.get_mut(key), handle) {
                    app.primary.unsent(to, handle, &mut orders);
                }
                return orders;
            }
        };
        let to = RunId(to.0);
        let in_hand = matches!(handle, Some(Handle::Connection(_)));
        if in_hand && self.clusters.letters.iter().all(|letter| letter.to != to) {
            // An accepted connection is on no record: the sooner it is with the worker, the less is lost with this daemon.
            if let Some(ipc) = self.runs.get_mut(&to).and_then(|run| run.ipc.as_mut()) {
                ipc.send_own(&json, descriptor, None);
            }
        } else {
            self.clusters.letters.push_back(Letter { to, json, descriptor, once: None });
        }
        orders
    }

    /// Sends what has been written to workers. What it is about is on record by then: should this daemon die now, the next one knows what
    /// each worker has.
    pub(crate) fn post_letters(&mut self) {
        for Letter { to, json, descriptor, once } in std::mem::take(&mut self.clusters.letters) {
            if let Some(ipc) = self.runs.get_mut(&to).and_then(|run| run.ipc.as_mut()) {
                ipc.send_own(&json, descriptor, once);
            }
        }
    }

    fn descriptor(&mut self, key: &AppKey, to: WorkerId, handle: Handle) -> io::Result<Rc<OwnedFd>> {
        let app = self.clusters.apps.get_mut(key).ok_or(io::ErrorKind::NotFound)?;
        let (group, slot) = match handle {
            Handle::Connection(id) => {
                return app.connections.get(&id).map(Rc::clone).ok_or(io::ErrorKind::NotFound.into());
            }
            Handle::Listener { group, slot } => (group, slot),
        };
        let address = app.addresses.get_mut(&group).ok_or(io::ErrorKind::NotFound)?;
        let seats = match &mut address.sockets {
            Sockets::Shared(socket) | Sockets::GivenOut(socket) => return Ok(Rc::clone(socket)),
            Sockets::Seats(seats) => seats,
        };
        let core = &self.core;
        let (seat, new) = seats.take(SlotId(slot.0), RunId(to.0), |slot| core.slot(slot).is_some())?;
        let socket = Rc::new(seats.copy(seat)?);
        if new {
            let name = seat_name(&address.name, seat);
            self.outgoing.push_back(Outgoing::Keep { name, socket: Rc::clone(&socket) });
        }
        self.clusters.unrecorded = true;
        Ok(socket)
    }

    fn worker_told(&mut self, key: &AppKey, told: &Told) {
        match told {
            Told::Online(_) | Told::ExitedAfterDisconnect(_) => {}
            Told::Listening { worker, port, group } => {
                tracing::debug!(app = %key.0, run = worker.0, port, "a worker listens");
                self.facts.push_back(Fact::Listening { run: RunId(worker.0) });
                self.steer_one(key, *group);
            }
            Told::Closed { worker, group } => {
                self.clusters.unrecorded = true;
                if let Some(app) = self.clusters.apps.get_mut(key) {
                    app.check_soon();
                    app.leave_seat(*group, RunId(worker.0));
                }
                self.steer_one(key, *group);
            }
        }
    }
}

impl App {
    fn leave_seats(&mut self, run: RunId) {
        for address in self.addresses.values_mut() {
            address.leave(run);
        }
    }

    fn leave_seat(&mut self, group: GroupId, run: RunId) {
        if let Some(address) = self.addresses.get_mut(&group) {
            address.leave(run);
        }
    }
}

impl Address {
    fn leave(&mut self, run: RunId) {
        match &mut self.sockets {
            Sockets::Shared(_) | Sockets::GivenOut(_) => {}
            Sockets::Seats(seats) => seats.leave(run),
        }
    }
}
