//! Which sockets are watched for connections, why, and what follows when one comes. Asks for one arrival at a time, so that a connection
//! that finds its worker by itself costs nothing here.

use std::io;

use rewake_core::RunId;
use rewake_nodeipc::cluster::{GroupId, Primary, WorkerId};
use rewake_wire::ClusterBalance;
use tokio::io::Interest;
use tokio::time::Instant;

use super::accept::RETRY;
use super::{App, AppKey, NextLook, Sockets};
use crate::engine::Engine;

/// What an arrival at a socket is for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Its worker accepts; nothing is to be done.
    Left,
    /// We accept and give out.
    GivenOut,
    /// Its worker accepts, but whether it keeps up with the others is to be looked at.
    LookedAt,
}

impl Engine {
    /// Connections have arrived at sockets that we asked about.
    pub(crate) fn take_arrivals(&mut self) {
        loop {
            match self.clusters.arrivals.try_io(Interest::READABLE, take_some) {
                Ok(tokens) => tokens.into_iter().for_each(|token| self.arrived(token)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return tracing::error!("connections cannot be watched: {error}"),
            }
        }
    }

    fn arrived(&mut self, token: u64) {
        let (watch, index) = (u32::try_from(token >> 16).unwrap_or(0), (token & 0xFFFF) as u16);
        let Some((key, group)) = self.clusters.watches.get(&watch).cloned() else { return };
        let Some(app) = self.clusters.apps.get(&key) else { return };
        match app.role(group, index) {
            Role::Left => {}
            Role::GivenOut => self.accept(&key, group, index),
            Role::LookedAt => self.look_at(&key, group),
        }
    }

    /// Asks about the sockets of an address that somebody has to look after now.
    pub(super) fn attend(&mut self, key: &AppKey, group: GroupId) {
        let Some(app) = self.clusters.apps.get_mut(key) else { return };
        let has_taker = app.primary.has_taker(group);
        let Some(address) = app.addresses.get(&group) else { return };
        let mut starved = false;
        for (index, socket) in address.sockets() {
            let asked = match app.role(group, index) {
                Role::Left => false,
                Role::GivenOut => {
                    starved |= !has_taker;
                    has_taker && address.retry_at.is_none()
                }
                Role::LookedAt => address.next_look == NextLook::OnArrival,
            };
            if asked && let Err(error) = self.clusters.arrivals.get_ref().ask(socket, address.token(index)) {
                tracing::error!("a socket cannot be watched: {error}");
            }
        }
        if starved {
            app.starved.insert(group);
        } else {
            app.starved.remove(&group);
        }
    }

    /// Offers connections again, after a while, that all workers have refused: none of them says when it has room.
    pub(super) fn look_after_refused(&mut self, key: &AppKey) {
        let Some(app) = self.clusters.apps.get_mut(key) else { return };
        for group in app.primary.refused() {
            if let Some(address) = app.addresses.get_mut(&group) {
                address.retry_at.get_or_insert_with(|| Instant::now() + RETRY);
            }
        }
    }

    fn offer_again(&mut self, key: &AppKey) {
        let Some(app) = self.clusters.apps.get_mut(key) else { return };
        let mut orders = Vec::new();
        app.primary.offer_again(&mut orders);
        self.carry_out_orders(key, orders);
    }

    /// Takes up again what had to wait until a worker could be given connections.
    pub(super) fn feed_starved(&mut self, key: &AppKey) {
        let Some(app) = self.clusters.apps.get(key) else { return };
        let groups: Vec<GroupId> = app.starved.iter().copied().filter(|group| app.primary.has_taker(*group)).collect();
        for group in groups {
            self.attend(key, group);
        }
    }

    /// Meets what is due by itself.
    pub(crate) fn meet_cluster_deadlines(&mut self) {
        let now = Instant::now();
        let mut due = Vec::new();
        for (key, app) in &mut self.clusters.apps {
            for (group, address) in &mut app.addresses {
                if address.due().is_some_and(|at| at <= now) {
                    due.push((key.clone(), *group));
                }
            }
        }
        for (key, group) in due {
            self.meet_deadline(&key, group, now);
        }
        self.drop_unheld_sockets(now);
    }

    fn meet_deadline(&mut self, key: &AppKey, group: GroupId, now: Instant) {
        let address = self.clusters.apps.get_mut(key).and_then(|app| app.addresses.get_mut(&group));
        let Some(address) = address else { return };
        let again = address.retry_at.take_if(|at| *at <= now).is_some();
        match address.next_look {
            NextLook::At(at) if at <= now => self.look_at(key, group),
            NextLook::OnArrivalAfter(at) if at <= now => {
                address.next_look = NextLook::OnArrival;
                self.attend(key, group);
            }
            NextLook::At(_) | NextLook::OnArrivalAfter(_) | NextLook::OnArrival => self.attend(key, group),
        }
        if again {
            self.offer_again(key);
        }
    }
}

impl App {
    pub(super) fn role(&self, group: GroupId, index: u16) -> Role {
        let Some(address) = self.addresses.get(&group) else { return Role::Left };
        match &address.sockets {
            Sockets::Shared(_) => Role::Left,
            Sockets::GivenOut(_) => Role::GivenOut,
            Sockets::Seats(seats) => {
                let served = any_listens(&self.primary, group, seats.holders(index));
                if !served || address.balancer.is_out(index) {
                    return Role::GivenOut;
                }
                let spread = self.balance == ClusterBalance::Kernel && address.live.len() > 1;
                if spread && address.live.contains(&index) { Role::LookedAt } else { Role::Left }
            }
        }
    }
}

fn any_listens(primary: &Primary, group: GroupId, holders: &[RunId]) -> bool {
    holders.iter().any(|run| primary.is_listening(group, WorkerId(run.0)))
}

/// What has arrived; `WouldBlock` when that was all.
fn take_some(arrivals: &rewake_unix::listen::Arrivals) -> io::Result<Vec<u64>> {
    let tokens = arrivals.take()?;
    if tokens.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(tokens) }
}
