//! Workers come, speak and go; the primary's orders are carried out. A worker that misbehaves harms its own app at most.

use std::collections::VecDeque;
use std::rc::Rc;

use rewake_core::{Fact, Phase, RunId, SlotId};
use rewake_nodeipc::cluster::{GroupId, Handle, Listen, Order, SlotId as WorkerSlot, Told, WorkerId};

use rewake_unix::listen;
use rewake_wire::keeper;
use tokio::time::Instant;

use super::{AppKey, Sockets, bind, prefix, socket_name};
use crate::effects::Outgoing;
use crate::engine::Engine;
use crate::plan::is_worker;

/// First number of our messages to a worker that an earlier daemon talked to; that one sent a few for each server and connection.
const ADOPTED_SEQ: i64 = 1 << 40;

impl Engine {
    /// A process exists; if it is a cluster worker, its primary knows it from here on.
    pub(crate) fn worker_came(&mut self, slot: SlotId, run: RunId) {
        if let Some(key) = self.cluster_of(slot) {
            self.clusters.app(key).primary.joined(WorkerId(run.0), WorkerSlot(slot.0), 0);
        }
    }

    /// As [`Self::worker_came`], for a worker that an earlier daemon has talked to: our numbers must be none that it used.
    /// False: the slot's processes are no workers.
    pub(crate) fn worker_adopted(&mut self, slot: SlotId, run: RunId) -> bool {
        let Some(key) = self.cluster_of(slot) else { return false };
        let app = self.clusters.app(key);
        app.adopted = true;
        app.primary.joined(WorkerId(run.0), WorkerSlot(slot.0), ADOPTED_SEQ);
        true
    }

    /// A message of Node's own.
    pub(crate) fn worker_said(&mut self, run: RunId, cmd: &str, text: &str) {
        let slot = self.runs.get(&run).map(|run| run.slot);
        let Some(key) = slot.and_then(|slot| self.cluster_of(slot)) else {
            tracing::debug!(run = run.0, cmd, "a message of Node's own, from a process that is no worker");
            return;
        };
        let mut orders = Vec::new();
        self.clusters.app(key.clone()).primary.internal(WorkerId(run.0), cmd, text, &mut orders);
        self.carry_out_orders(&key, orders);
        self.step_facts();
    }

    /// Tells a worker to stop accepting: it closes its servers, serves what it has, and closes its channel.
    pub(crate) fn drain_worker(&mut self, run: RunId) {
        let slot = self.runs.get(&run).map(|run| run.slot);
        let Some(key) = slot.and_then(|slot| self.cluster_of(slot)) else { return };
        let mut orders = Vec::new();
        self.clusters.app(key.clone()).primary.disconnect(WorkerId(run.0), &mut orders);
        self.carry_out_orders(&key, orders);
    }

    /// Nothing is left of a run.
    pub(crate) fn worker_gone(&mut self, run: RunId) {
        let slot = self.runs.get(&run).map(|run| run.slot);
        let Some(key) = slot.and_then(|slot| self.cluster_of(slot)) else { return };
        let mut orders = Vec::new();
        let app = self.clusters.app(key.clone());
        app.primary.left(WorkerId(run.0), &mut orders);
        app.check_soon();
        let resting = self
            .slots_of(&key)
            .all(|slot| matches!(slot.phase, Phase::Stopped | Phase::Errored) && slot.second.is_none());
        if resting {
            self.clusters.app(key.clone()).primary.drop_all(&mut orders);
        }
        self.carry_out_orders(&key, orders);
        if resting {
            self.clusters.apps.remove(&key);
            self.let_go_of_inherited(&key);
        }
    }

    /// Closes the sockets that no worker holds any more, where every worker has had the time to ask for its own.
    pub(crate) fn drop_unheld_sockets(&mut self) {
        let now = Instant::now();
        let due = |app: &super::App| app.check_at.is_some_and(|at| at <= now);
        let keys: Vec<AppKey> =
            self.clusters.apps.iter().filter(|(_, app)| due(app)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            let settled = self.slots_of(&key).all(|slot| matches!(slot.phase, Phase::Online { .. }));
            let app = self.clusters.app(key.clone());
            if !settled {
                app.check_soon();
                continue;
            }
            app.check_at = None;
            if app.adopted {
                continue;
            }
            let mut orders = Vec::new();
            app.primary.drop_unheld(&mut orders);
            self.carry_out_orders(&key, orders);
        }
    }

    fn cluster_of(&self, slot: SlotId) -> Option<AppKey> {
        let spec = &self.sheets.get(&slot)?.spec;
        is_worker(&spec.launch).then(|| (spec.name.clone(), spec.namespace.clone()))
    }

    fn slots_of<'a>(&'a self, key: &'a AppKey) -> impl Iterator<Item = &'a rewake_core::Slot> {
        self.core.slots().filter(|slot| slot.name == key.0 && slot.namespace == key.1)
    }

    fn carry_out_orders(&mut self, key: &AppKey, orders: Vec<Order>) {
        let mut orders = VecDeque::from(orders);
        while let Some(order) = orders.pop_front() {
            match order {
                Order::Bind { group, key: address, listen, backlog } => {
                    orders.extend(self.bind_for(key, group, &address, &listen, backlog));
                }
                Order::Send { to, json, handle } => self.send_to_worker(key, to, &json, handle),
                Order::Drop(group) => {
                    if let Some(sockets) = self.clusters.app(key.clone()).sockets.remove(&group) {
                        remove_file(&sockets);
                        self.order(keeper::Order::LetGo { name: sockets.name });
                    }
                }
                Order::Tell(told) => self.worker_told(key, &told),
                // Only what we accepted ourselves is closed here, and we accept nothing.
                Order::Close(_) => {}
            }
        }
    }

    fn bind_for(&mut self, app: &AppKey, group: GroupId, key: &str, listen: &Listen, backlog: u32) -> Vec<Order> {
        let name = socket_name(app, key);
        let left = self.clusters.inherited.remove(&name);
        let bound = bind::bind(listen, backlog, name.clone(), left).map(|(sockets, bound)| {
            self.outgoing.push_back(Outgoing::Keep { name, socket: Rc::clone(&sockets.shared) });
            self.clusters.app(app.clone()).sockets.insert(group, sockets);
            bound
        });
        let mut orders = Vec::new();
        self.clusters.app(app.clone()).primary.bound(group, bound, &mut orders);
        orders
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

    fn send_to_worker(&mut self, key: &AppKey, to: WorkerId, json: &str, handle: Option<Handle>) {
        let socket = match handle {
            Some(Handle::Listener { group, slot }) => {
                let app = self.clusters.app(key.clone());
                app.sockets.get(&group).map(|sockets| sockets.of(SlotId(slot.0)))
            }
            Some(Handle::Connection(_)) | None => None,
        };
        if let Some(ipc) = self.runs.get_mut(&RunId(to.0)).and_then(|run| run.ipc.as_mut()) {
            ipc.send_own(json, socket);
        }
    }

    fn worker_told(&mut self, key: &AppKey, told: &Told) {
        match told {
            Told::Online(_) | Told::ExitedAfterDisconnect(_) => {}
            Told::Listening { worker, port, .. } => {
                tracing::debug!(app = %key.0, run = worker.0, port, "a worker listens");
                self.facts.push_back(Fact::Listening { run: RunId(worker.0) });
            }
            Told::Closed { .. } => self.clusters.app(key.clone()).check_soon(),
        }
    }
}

fn remove_file(sockets: &Sockets) {
    if let Some((path, ours)) = &sockets.path
        && let Err(error) = listen::remove(path, *ours)
    {
        tracing::warn!(path = %path.display(), "socket file cannot be removed: {error}");
    }
}
