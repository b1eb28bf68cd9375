//! Accepts connections that no worker accepts by itself, and gives them out: all of them in round robin, otherwise those that wait for a
//! worker that is dead, draining or blocked. Never accepts what nobody could take: what waits in the kernel is not lost with us.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use rewake_nodeipc::cluster::GroupId;
use rewake_unix::listen;
use tokio::time::Instant;

use super::{AppKey, Sockets};
use crate::engine::Engine;

/// Connections accepted before others get their turn.
const AT_ONCE: usize = 64;
/// When accepting is tried again after it failed, mostly for want of descriptors; and when connections are offered again that all workers
/// have refused.
pub(super) const RETRY: Duration = Duration::from_millis(100);

impl Engine {
    /// Accepts from one socket as long as there is something and somebody for it.
    pub(super) fn accept(&mut self, key: &AppKey, group: GroupId, index: u16) {
        for _ in 0..AT_ONCE {
            let Some(app) = self.clusters.apps.get_mut(key) else { return };
            if !app.primary.has_taker(group) {
                break;
            }
            match app.accept_one(group, index) {
                Ok(connection) => self.give_out(key, group, connection),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return self.accept_later(key, group, &error),
            }
        }
        self.attend(key, group);
    }

    fn give_out(&mut self, key: &AppKey, group: GroupId, connection: OwnedFd) {
        let id = self.clusters.number_connection();
        let Some(app) = self.clusters.apps.get_mut(key) else { return };
        app.connections.insert(id, Rc::new(connection));
        let mut orders = Vec::new();
        app.primary.offer(group, id, &mut orders);
        self.carry_out_orders(key, orders);
    }

    fn accept_later(&mut self, key: &AppKey, group: GroupId, error: &io::Error) {
        let address = self.clusters.apps.get_mut(key).and_then(|app| app.addresses.get_mut(&group));
        let Some(address) = address else { return };
        tracing::warn!(app = %key.0, "connections cannot be accepted: {error}");
        address.retry_at = Some(Instant::now() + RETRY);
    }
}

impl super::App {
    fn accept_one(&self, group: GroupId, index: u16) -> io::Result<OwnedFd> {
        let address = self.addresses.get(&group).ok_or(io::ErrorKind::WouldBlock)?;
        match &address.sockets {
            Sockets::Shared(socket) | Sockets::GivenOut(socket) => listen::accept_nonblocking(socket.as_fd()),
            Sockets::Seats(seats) => listen::accept_nonblocking(seats.socket(index).ok_or(io::ErrorKind::WouldBlock)?),
        }
    }
}
