//! Looks at the queues of an address's seats, so that a worker that does not keep up gets no more than it can take. Only while connections
//! come: the first one after a rest brings the first look.

use std::time::Duration;

use rewake_core::Sample;
use rewake_nodeipc::cluster::GroupId;
use rewake_unix::{listen, proc};
use tokio::time::Instant;

use super::{AppKey, NextLook, Sockets};
use crate::engine::Engine;

impl Engine {
    /// One look, and what follows from it.
    pub(super) fn look_at(&mut self, key: &AppKey, group: GroupId) {
        let samples = self.samples(key, group);
        let now = self.clock.now();
        let address = self.clusters.apps.get_mut(key).and_then(|app| app.addresses.get_mut(&group));
        let Some(address) = address else { return };
        let weights_before: Vec<u32> = samples.iter().map(|sample| address.balancer.weight(sample.seat)).collect();
        let look = address.balancer.look(now, &samples);
        let next = Instant::now() + Duration::from_millis(look.after);
        address.next_look = if look.rest { NextLook::OnArrivalAfter(next) } else { NextLook::At(next) };
        if look.weights != weights_before {
            self.steer(key);
        } else {
            self.attend(key, group);
        }
    }

    fn samples(&self, key: &AppKey, group: GroupId) -> Vec<Sample> {
        let address = self.clusters.apps.get(key).and_then(|app| app.addresses.get(&group));
        let Some(address) = address else { return Vec::new() };
        let Sockets::Seats(seats) = &address.sockets else { return Vec::new() };
        let sample = |&seat: &u16| {
            let waiting = listen::queue(seats.socket(seat)?).ok()?.waiting;
            let pid = seats.holders(seat).first().and_then(|run| self.runs.get(run)?.pid);
            Some(Sample { seat, waiting, open: pid.and_then(proc::open_descriptors) })
        };
        address.live.iter().filter_map(sample).collect()
    }
}
