//! What of a primary must outlive its daemon, and a primary from it. Never holds what workers will say again by themselves.

use super::{
    address::Listen,
    group::{Group, Hold, State},
    order::{GroupId, WorkerId},
    primary::{Bound, Primary},
};

/// One listening address and who uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedGroup {
    pub key: String,
    pub listen: Listen,
    /// JSON text.
    pub data: String,
    pub holders: Vec<SavedHolder>,
}

/// A worker that got the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedHolder {
    pub worker: WorkerId,
    /// Number of its question: asked again, it gets the same answer.
    pub seq: i64,
}

impl Primary {
    /// All addresses that are bound.
    pub fn saved(&self) -> impl Iterator<Item = (GroupId, SavedGroup)> {
        self.groups.values().filter(|group| group.is_bound()).map(|group| {
            let holders = group.holders.iter();
            let saved = SavedGroup {
                key: group.key.clone(),
                listen: group.listen.clone(),
                data: group.data.clone(),
                holders: holders.map(|(&worker, hold)| SavedHolder { worker, seq: hold.seq }).collect(),
            };
            (group.id, saved)
        })
    }

    /// An address that an earlier primary had, with its sockets. Who holds it is taken to listen on it: what it said since is lost, and
    /// most do.
    pub fn restore(&mut self, saved: SavedGroup, bound: &Bound) -> GroupId {
        let id = self.number_group();
        let holders = saved.holders.into_iter();
        let group = Group {
            id,
            key: saved.key,
            listen: saved.listen,
            data: saved.data,
            state: State::bound(bound),
            holders: holders.map(|holder| (holder.worker, Hold { seq: holder.seq, listening: true })).collect(),
        };
        self.groups.insert(id, group);
        id
    }

    /// Forgets holders that have not joined: they ended while there was no daemon.
    pub fn forget_strangers(&mut self) {
        for group in self.groups.values_mut() {
            group.holders.retain(|worker, _| self.workers.contains_key(worker));
        }
    }
}
