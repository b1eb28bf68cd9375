//! What the next daemon must know beyond the list, in memory that the keeper holds, too. Written before what it is about is done; what
//! cannot be written costs the next daemon that knowledge, never this one its work.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use rewake_unix::double::{Double, newest};
use rewake_wire::snapshot::{SNAPSHOT, Snapshot, from_bytes, to_bytes};

use crate::effects::Outgoing;
use crate::engine::Engine;

/// The keeper's names for the two halves.
const NAMES: [&str; 2] = ["record 1", "record 2"];

impl Engine {
    /// Takes the record of an earlier daemon out of what the keeper has held, and begins one that follows it.
    pub(crate) fn take_record(&mut self, kept: &mut Vec<(String, OwnedFd)>) -> Option<Snapshot> {
        let (halves, others) = std::mem::take(kept).into_iter().partition(|(name, _)| NAMES.contains(&name.as_str()));
        *kept = others;
        let halves: Vec<(String, OwnedFd)> = halves;
        let halves: Vec<OwnedFd> = halves.into_iter().map(|(_, half)| half).collect();
        let found = newest(&halves);
        self.begin_record(found.as_ref().map_or(0, |(generation, _)| *generation));
        match from_bytes(&found?.1) {
            Ok(Some(snapshot)) => Some(snapshot),
            Ok(None) => {
                tracing::warn!("the last daemon's record is of another version; going on with what can be seen");
                None
            }
            Err(error) => {
                tracing::error!("the last daemon's record is damaged ({error}); going on with what can be seen");
                None
            }
        }
    }

    /// Writes down what has changed.
    pub(crate) fn record(&mut self) {
        if !self.clusters.take_unrecorded() {
            return;
        }
        let Some(record) = &mut self.record else { return };
        let snapshot = Snapshot { version: SNAPSHOT, clusters: self.clusters.record() };
        let written = to_bytes(&snapshot).map_err(std::io::Error::from).and_then(|bytes| record.write(&bytes));
        if let Err(error) = written {
            tracing::error!("the record for the next daemon cannot be written: {error}");
        }
    }

    /// An embedded engine ends with its host: nobody would read its record.
    fn begin_record(&mut self, after: u64) {
        if self.home.is_none() {
            return;
        }
        let begun = Double::new("rewake-record", after).and_then(|record| {
            let [one, two] = record.halves();
            let copies = [one.try_clone_to_owned()?, two.try_clone_to_owned()?];
            Ok((record, copies))
        });
        match begun {
            Ok((record, copies)) => {
                self.record = Some(record);
                for (name, half) in NAMES.into_iter().zip(copies) {
                    self.outgoing.push_back(Outgoing::Keep { name: name.into(), socket: Rc::new(half) });
                }
            }
            Err(error) => tracing::error!("there will be no record for the next daemon: {error}"),
        }
    }
}
