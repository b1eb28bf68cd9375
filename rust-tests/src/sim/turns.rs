//! Whose turn it is in each reload, and how it must be answered. Written apart from the core; never looks into it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rewake_core::{CallId, Failure, SlotId, SlotOutcome};

/// The reloads that are not yet answered.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns {
    open: BTreeMap<CallId, Reload>,
}

#[derive(Debug, Clone)]
struct Reload {
    parallel: usize,
    waiting: VecDeque<SlotId>,
    going: Vec<SlotId>,
    results: BTreeMap<SlotId, Result<(), Failure>>,
    /// Apps of which one slot was started and stayed up.
    started: BTreeSet<String>,
    /// Apps of which one slot has a new run that lived through the soak.
    soaked: BTreeSet<String>,
    /// Apps that were given another policy since: what was seen of them, or will be, says nothing.
    altered: BTreeSet<String>,
}

/// What a slot of a reload has come through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stood {
    /// It was started and has stayed up.
    Started,
    /// Its new run took over.
    TookOver,
}

/// What a slot need not go through, because another of its app has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spared {
    pub settling: bool,
    pub soak: bool,
}

impl Turns {
    /// A reload is asked for. `refused`: slots that it cannot begin with.
    pub(super) fn opened(
        &mut self,
        call: CallId,
        parallel: usize,
        waiting: VecDeque<SlotId>,
        refused: BTreeMap<SlotId, Result<(), Failure>>,
    ) {
        let parallel = parallel.max(1);
        let none = BTreeSet::new;
        let (started, soaked, altered) = (none(), none(), none());
        let reload = Reload { parallel, waiting, going: Vec::new(), results: refused, started, soaked, altered };
        self.open.insert(call, reload);
    }

    /// A slot of this app has come through something.
    pub(super) fn stood(&mut self, call: CallId, app: &str, what: Stood) {
        if let Some(reload) = self.open.get_mut(&call) {
            match what {
                Stood::Started => reload.started.insert(app.into()),
                Stood::TookOver => reload.soaked.insert(app.into()),
            };
        }
    }

    /// The app was given another policy.
    pub(super) fn altered(&mut self, app: &str) {
        for reload in self.open.values_mut() {
            reload.altered.insert(app.into());
        }
    }

    /// What the next slot of this app need not go through.
    pub(super) fn spared(&self, call: CallId, app: &str) -> Spared {
        let reload = self.open.get(&call).filter(|reload| !reload.altered.contains(app));
        let soak = reload.is_some_and(|reload| reload.soaked.contains(app));
        Spared { soak, settling: soak || reload.is_some_and(|reload| reload.started.contains(app)) }
    }

    /// A slot that has begun is done.
    pub(super) fn settled(&mut self, call: CallId, slot: SlotId, result: Result<(), Failure>) {
        if let Some(reload) = self.open.get_mut(&call) {
            reload.going.retain(|going| *going != slot);
            reload.results.insert(slot, result);
        }
        if result.is_err() {
            self.broken(call);
        }
    }

    /// No other slot of this reload begins.
    pub(super) fn broken(&mut self, call: CallId) {
        if let Some(reload) = self.open.get_mut(&call) {
            let never = reload.waiting.drain(..).map(|slot| (slot, Err(Failure::NotReloaded)));
            reload.results.extend(never);
        }
    }

    /// Another command has claimed a slot that waits for its turn.
    pub(super) fn claimed(&mut self, slot: SlotId, failure: Failure) {
        let waits = |reload: &Reload| reload.waiting.contains(&slot);
        let calls: Vec<CallId> = self.open.iter().filter(|(_, reload)| waits(reload)).map(|(call, _)| *call).collect();
        for call in calls {
            self.broken(call);
            if let Some(reload) = self.open.get_mut(&call) {
                reload.results.insert(slot, Err(failure));
            }
        }
    }

    /// The next slot whose turn it is. It has begun.
    pub(super) fn next(&mut self, is_free: impl Fn(SlotId) -> bool) -> Option<(CallId, SlotId)> {
        for (call, reload) in &mut self.open {
            let room = reload.going.len() < reload.parallel;
            if let Some(slot) = reload.waiting.front().copied().filter(|slot| room && is_free(*slot)) {
                reload.waiting.pop_front();
                reload.going.push(slot);
                return Some((*call, slot));
            }
        }
        None
    }

    /// The reloads that are over, with the one right answer to each.
    pub(super) fn answers(&mut self) -> Vec<(CallId, Vec<SlotOutcome>)> {
        let is_over = |reload: &Reload| reload.waiting.is_empty() && reload.going.is_empty();
        let over: Vec<CallId> = self.open.iter().filter(|(_, reload)| is_over(reload)).map(|(call, _)| *call).collect();
        over.into_iter()
            .filter_map(|call| {
                let results = self.open.remove(&call)?.results;
                Some((call, results.into_iter().map(|(slot, result)| SlotOutcome { slot, result }).collect()))
            })
            .collect()
    }
}
