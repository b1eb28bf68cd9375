//! What the next daemon must know, in memory that the keeper holds, too: each slot as the core has it, and the orders that are not carried
//! out yet. Written before what it is about is done; what cannot be written costs the next daemon that knowledge, never this one its work.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rewake_core::{Memory, Slot, SlotId};
use rewake_unix::double::{Double, Found, newest};
use rewake_wire::keeper::Order;
use rewake_wire::snapshot::{
    Description, SNAPSHOT, SavedCluster, SavedMemory, SavedOrder, SavedSlot, Snapshot, from_bytes, to_bytes,
};
use serde_json::value::{RawValue, to_raw_value};

use crate::effects::Outgoing;
use crate::engine::{Ended, Engine};
use crate::sheet::Sheet;

/// The keeper's names for the two halves.
const NAMES: [&str; 2] = ["record 1", "record 2"];
/// Of the record of clusters, which is apart because it is written in the middle of steps.
const CLUSTER_NAMES: [&str; 2] = ["clusters 1", "clusters 2"];
/// The record is written whole again when its additions have made it this many times as long, and no sooner than at
/// [`LEAST_BYTES`]: so the cost of a change does not grow with the number of slots.
const GROWTH: u64 = 3;
const LEAST_BYTES: u64 = 256 << 10;

/// The record, and what it says by now.
#[derive(Debug)]
pub(crate) struct Record {
    double: Double,
    /// Length of what was last written whole; `None`: nothing yet, or an addition has failed.
    whole: Option<u64>,
    slots: BTreeMap<SlotId, Recorded>,
    memory: Option<Remembered>,
    /// Orders below this number are on record.
    orders: u64,
}

/// What is on record of one slot.
#[derive(Debug, PartialEq)]
struct Recorded {
    slot: Slot,
    started_at_ms: Option<u64>,
    reason: Option<String>,
}

/// What is on record beside slots.
#[derive(Debug, Clone, PartialEq)]
struct Remembered {
    core: Memory,
    next_request: u64,
    reloads: Vec<u64>,
    ending: Option<Ended>,
    table_generation: u64,
}

impl Engine {
    /// Takes the record of an earlier daemon out of what the keeper has held, with the number of orders that it has carried out; and
    /// goes on with it.
    pub(crate) fn take_record(&mut self, kept: &mut Vec<(String, OwnedFd)>) -> Option<(Snapshot, u64)> {
        let (double, found) = self.take_double(kept, NAMES)?;
        self.record = Some(Record::over(double));
        let found = found?;
        Some((understood(&found)?, found.mark))
    }

    /// The same of what is known of clusters.
    pub(crate) fn take_cluster_record(&mut self, kept: &mut Vec<(String, OwnedFd)>) -> Option<Vec<SavedCluster>> {
        let (double, found) = self.take_double(kept, CLUSTER_NAMES)?;
        self.cluster_record = Some(double);
        understood(&found?)?.clusters
    }

    /// Both halves of what the keeper has held under these names, or new ones; and what they hold.
    fn take_double(&mut self, kept: &mut Vec<(String, OwnedFd)>, names: [&str; 2]) -> Option<(Double, Option<Found>)> {
        let mut halves = BTreeMap::new();
        for (name, fd) in std::mem::take(kept) {
            if names.contains(&name.as_str()) {
                halves.insert(name, fd);
            } else {
                kept.push((name, fd));
            }
        }
        let halves: Vec<OwnedFd> = halves.into_values().collect();
        let found = newest(&halves);
        Some((self.begin_double(halves, found.as_ref(), names)?, found))
    }

    /// Writes down what has changed. To be called between steps: what they have ordered is still to be carried out.
    pub(crate) fn record(&mut self) {
        self.record_clusters();
        if !self.caught_up {
            return;
        }
        let Some(mut record) = self.record.take() else { return };
        let written = self.write_record(&mut record);
        if let Err(error) = written {
            record.whole = None;
            tracing::error!("the record for the next daemon cannot be written: {error}");
        }
        self.record = Some(record);
    }

    /// Writes down what has changed of clusters, also in the middle of a step.
    pub(crate) fn record_clusters(&mut self) {
        if !self.caught_up || !self.clusters.take_unrecorded() {
            return;
        }
        let Some(record) = &mut self.cluster_record else { return };
        let snapshot = Snapshot { version: SNAPSHOT, clusters: Some(self.clusters.record()), ..Snapshot::default() };
        let written = to_bytes(&snapshot).map_err(io::Error::from).and_then(|bytes| record.write(&bytes, 0));
        if let Err(error) = written {
            tracing::error!("the record of clusters for the next daemon cannot be written: {error}");
        }
    }

    /// The first of what waits for the keeper or an app has been carried out.
    pub(crate) fn order_done(&mut self) {
        self.orders_done += 1;
        if let Some(record) = self.record.as_mut().filter(|record| record.whole.is_some()) {
            // It succeeds where the record itself could be written.
            let _ = record.double.mark(self.orders_done);
        }
    }

    fn write_record(&mut self, record: &mut Record) -> io::Result<()> {
        let length = record.double.length();
        let whole = record.whole.is_none_or(|whole| length > LEAST_BYTES && length > whole.saturating_mul(GROWTH));
        if whole {
            record.forget();
        }
        let Some(snapshot) = self.changes(record, whole)? else { return Ok(()) };
        let bytes = to_bytes(&snapshot)?;
        if whole {
            record.double.write(&bytes, self.orders_done)?;
            record.whole = Some(record.double.length());
            return Ok(());
        }
        record.double.add(&bytes)
    }

    /// What is not on record yet; `None`: everything is.
    fn changes(&mut self, record: &mut Record, whole: bool) -> io::Result<Option<Snapshot>> {
        let undescribed = std::mem::take(&mut self.undescribed);
        let described =
            |(id, sheet): (&SlotId, &Sheet)| (whole || undescribed.contains(id)).then(|| (id.0, description(sheet)));
        let descriptions: BTreeMap<u32, Description> = self.sheets.iter().filter_map(described).collect();
        let (slots, removed) = self.changed_slots(record)?;
        let snapshot = Snapshot {
            version: SNAPSHOT,
            clusters: None,
            descriptions,
            slots,
            removed,
            memory: self.changed_memory(record)?,
            orders: self.new_orders(record),
        };
        let nothing = snapshot.descriptions.is_empty()
            && snapshot.slots.is_empty()
            && snapshot.removed.is_empty()
            && snapshot.memory.is_none()
            && snapshot.orders.is_empty();
        Ok((whole || !nothing).then_some(snapshot))
    }

    fn changed_slots(&self, record: &mut Record) -> io::Result<(BTreeMap<u32, SavedSlot>, Vec<u32>)> {
        let mut changed = BTreeMap::new();
        for slot in self.core.slots() {
            let sheet = self.sheets.get(&slot.id);
            let (started_at_ms, reason) = (sheet.and_then(|s| s.started_at_ms), sheet.and_then(|s| s.reason.as_ref()));
            let known = record.slots.get(&slot.id);
            if known.is_some_and(|known| {
                known.slot == *slot && known.started_at_ms == started_at_ms && known.reason.as_ref() == reason
            }) {
                continue;
            }
            let saved = SavedSlot { slot: to_raw_value(slot)?, started_at_ms, reason: reason.cloned() };
            changed.insert(slot.id.0, saved);
            record.slots.insert(slot.id, Recorded { slot: slot.clone(), started_at_ms, reason: reason.cloned() });
        }
        let gone: Vec<SlotId> =
            record.slots.extract_if(.., |id, _| self.core.slot(*id).is_none()).map(|(id, _)| id).collect();
        Ok((changed, gone.into_iter().map(|id| id.0).collect()))
    }

    fn changed_memory(&self, record: &mut Record) -> io::Result<Option<SavedMemory>> {
        let (next_request, reloads) = self.requests.memory();
        let remembered = Remembered {
            core: self.core.memory(),
            next_request,
            reloads,
            ending: self.ending.as_ref().map(|ending| ending.ended),
            table_generation: self.saving.wanted,
        };
        if record.memory.as_ref() == Some(&remembered) {
            return Ok(None);
        }
        record.memory = Some(remembered.clone());
        Ok(Some(SavedMemory {
            core: to_raw_value(&remembered.core)?,
            next_request: remembered.next_request,
            reloads: remembered.reloads,
            ending: remembered.ending.and_then(Ended::saved),
            table_generation: remembered.table_generation,
        }))
    }

    /// The orders that were given since the last time and wait.
    fn new_orders(&self, record: &mut Record) -> BTreeMap<u64, SavedOrder> {
        let numbered = (self.orders_done..).zip(&self.outgoing).filter(|(number, _)| *number >= record.orders);
        let orders = numbered.filter_map(|(number, order)| Some((number, saved(order)?))).collect();
        record.orders = self.orders_done + self.outgoing.len() as u64;
        orders
    }

    fn begin_double(&mut self, halves: Vec<OwnedFd>, found: Option<&Found>, names: [&str; 2]) -> Option<Double> {
        // An embedded engine ends with its host: nobody would read its record.
        self.home.as_ref()?;
        if let Ok(halves) = <[OwnedFd; 2]>::try_from(halves) {
            return Some(Double::follow(halves, found));
        }
        let begun = Double::new("rewake-record").and_then(|double| {
            let [one, two] = double.halves();
            let copies = [one.try_clone_to_owned()?, two.try_clone_to_owned()?];
            Ok((double, copies))
        });
        match begun {
            Ok((double, copies)) => {
                for (name, half) in names.into_iter().zip(copies) {
                    self.outgoing.push_back(Outgoing::Keep { name: name.into(), socket: Rc::new(half) });
                }
                Some(double)
            }
            Err(error) => {
                tracing::error!("there will be no record for the next daemon: {error}");
                None
            }
        }
    }
}

impl Record {
    /// One that says nothing yet.
    fn over(double: Double) -> Self {
        Self { double, whole: None, slots: BTreeMap::new(), memory: None, orders: 0 }
    }

    /// Everything is to be said again.
    fn forget(&mut self) {
        self.slots.clear();
        self.memory = None;
        self.orders = 0;
    }
}

/// Slots whose description is not on record yet.
pub(crate) type Undescribed = BTreeSet<SlotId>;

/// The whole of what was found; `None` for another version's.
fn read(found: &Found) -> Result<Option<Snapshot>, serde_json::Error> {
    let Some(mut snapshot) = from_bytes(&found.base)? else { return Ok(None) };
    for addition in &found.additions {
        let Some(addition) = from_bytes(addition)? else { return Ok(None) };
        snapshot.add(addition);
    }
    Ok(Some(snapshot))
}

/// What was found, if this version can use it.
fn understood(found: &Found) -> Option<Snapshot> {
    match read(found) {
        Ok(Some(snapshot)) => Some(snapshot),
        Ok(None) => {
            tracing::warn!(
                "the last daemon's record is of another version; going on with the list and what can be seen"
            );
            None
        }
        Err(error) => {
            tracing::error!(
                "the last daemon's record is damaged ({error}); going on with the list and what can be seen"
            );
            None
        }
    }
}

/// What is left to do when the daemon dies before it is done. Descriptors die with it.
fn saved(order: &Outgoing) -> Option<SavedOrder> {
    match order {
        Outgoing::Spawn { run, slot, .. } => Some(SavedOrder::Spawn { slot: slot.0, run: run.0 }),
        Outgoing::Shutdown { run } => Some(SavedOrder::Shutdown { run: run.0 }),
        Outgoing::Drain { run } => Some(SavedOrder::Drain { run: run.0 }),
        Outgoing::Order(order) => match order {
            Order::Signal { .. } | Order::Release { .. } | Order::LetGo { .. } => {
                Some(SavedOrder::Keeper(order.clone()))
            }
            // The next daemon says itself how it is.
            Order::Spawn { .. } | Order::Keep { .. } | Order::Notify { .. } | Order::Shutdown | Order::Up => None,
            // A new keeper has it from a daemon that lives, and an update is given up with its daemon.
            Order::Succeed { .. } | Order::Adopt(_) | Order::Update { .. } => None,
        },
        Outgoing::Keep { .. } | Outgoing::Adopt { .. } => None,
    }
}

fn description(sheet: &Sheet) -> Description {
    let Sheet { spec, before_reload, created_at_ms, .. } = sheet;
    Description { spec: spec.clone(), before_reload: before_reload.clone(), created_at_ms: *created_at_ms }
}

/// The core's own words back.
pub(crate) fn in_core<T: for<'de> serde::Deserialize<'de>>(raw: &RawValue) -> Result<T, serde_json::Error> {
    serde_json::from_str(raw.get())
}
