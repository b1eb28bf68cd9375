//! Keeps new connections with those runs that are up: whenever what a slot does changes, before anything is done to its processes. Never
//! decides who is up: that is the core's.

use std::collections::BTreeSet;

use rewake_core::{Balancer, Effect, Phase, RunId, SlotId};
use rewake_nodeipc::cluster::{GroupId, WorkerId};
use rewake_unix::listen::group::Choice;
use rewake_wire::ClusterBalance;

use super::{AppKey, NextLook, Sockets};
use crate::engine::Engine;

/// A run that may get connections.
#[derive(Debug, Clone, Copy)]
struct Live {
    run: RunId,
    /// Number of its slot among the app's: what `client-ip` knows it by.
    instance: u32,
}

impl Engine {
    /// Steers anew where these effects change who is up. To be called before they are carried out: who is asked to stop must get no
    /// new connection.
    pub(crate) fn steer_for(&mut self, effects: &[Effect]) {
        let slots: BTreeSet<SlotId> = effects.iter().filter_map(|effect| self.slot_of_effect(effect)).collect();
        let apps: BTreeSet<AppKey> = slots.into_iter().filter_map(|slot| self.cluster_of(slot)).collect();
        for key in apps {
            self.steer(&key);
        }
    }

    /// Whom an effect may take from, or bring to, those that are up.
    fn slot_of_effect(&self, effect: &Effect) -> Option<SlotId> {
        match effect {
            Effect::Serve { slot, .. } => Some(*slot),
            Effect::Signal { run, .. } | Effect::Drain { run } | Effect::SendShutdown { run } => {
                self.runs.get(run).map(|run| run.slot)
            }
            Effect::Spawn { .. }
            | Effect::Release { .. }
            | Effect::Reply { .. }
            | Effect::Changed { .. }
            | Effect::Save
            | Effect::Removed { .. }
            | Effect::Never { .. } => None,
        }
    }

    /// Sends new connections of an app to those of its runs that are up and listen, and to no other.
    pub(super) fn steer(&mut self, key: &AppKey) {
        let groups = self.clusters.apps.get(key).map(|app| app.addresses.keys().copied().collect());
        self.steer_groups(key, groups.unwrap_or_default());
    }

    /// The same for one address, where somebody has begun or ceased to listen.
    pub(super) fn steer_one(&mut self, key: &AppKey, group: GroupId) {
        self.steer_groups(key, vec![group]);
    }

    fn steer_groups(&mut self, key: &AppKey, groups: Vec<GroupId>) {
        let live = self.live_runs(key);
        let runs: Vec<RunId> = self.slots_of(key).flat_map(rewake_core::Slot::runs).collect();
        let Some(app) = self.clusters.apps.get_mut(key) else { return };
        for group in &groups {
            app.steer(*group, &live);
        }
        let mut orders = Vec::new();
        for run in runs {
            let up = live.iter().any(|live| live.run == run);
            let blocked = app.addresses.values().any(|address| address.is_blocked(run));
            app.primary.set_serving(WorkerId(run.0), up && !blocked, &mut orders);
        }
        self.carry_out_orders(key, orders);
        for group in groups {
            self.attend(key, group);
        }
    }

    fn live_runs(&self, key: &AppKey) -> Vec<Live> {
        let own = |slot: &rewake_core::Slot| match slot.phase {
            Phase::Online { run, .. } => Some(Live { run, instance: slot.instance }),
            Phase::Stopped
            | Phase::Errored
            | Phase::Spawning { .. }
            | Phase::Launching { .. }
            | Phase::Stopping(_)
            | Phase::WaitingRestart { .. } => None,
        };
        let mut live: Vec<Live> = self.slots_of(key).filter_map(own).collect();
        live.sort_by_key(|live| live.instance);
        live
    }
}

impl super::App {
    fn steer(&mut self, group: GroupId, live: &[Live]) {
        let primary = &self.primary;
        let Some(address) = self.addresses.get_mut(&group) else { return };
        let Sockets::Seats(seats) = &mut address.sockets else { return };
        let seated: Vec<(u16, Live)> = live
            .iter()
            .filter(|live| primary.is_listening(group, WorkerId(live.run.0)))
            .filter_map(|live| Some((seats.of(live.run)?, *live)))
            .collect();
        let indexes: Vec<u16> = seated.iter().map(|(seat, _)| *seat).collect();
        if indexes.len() < 2 {
            // There is nobody to compare with: who was out is in again, or nobody would be.
            address.balancer = Balancer::default();
        }
        let steered = if self.balance == ClusterBalance::ClientIp {
            let names: Vec<u32> = seated.iter().map(|(_, live)| live.instance).collect();
            seats.steer(&indexes, &names, Choice::ClientAddress)
        } else {
            let weights: Vec<u32> = indexes.iter().map(|seat| address.balancer.weight(*seat)).collect();
            seats.steer(&indexes, &weights, Choice::Random)
        };
        if let Err(error) = steered {
            tracing::warn!(address = %address.name.escape_debug(), "connections cannot be steered: {error}");
        }
        address.live = indexes;
        if address.live.len() < 2 {
            address.next_look = NextLook::OnArrival;
        }
    }
}
