//! Counts what lives meet, to show that they are not all the same quiet one. Changes nothing.

use std::collections::BTreeMap;

use rewake_core::{Change, Core, Effect, Failure, Input, ReloadFailure, Second, Slot, Successor, Time};

use super::subject::Subject;

/// How often each thing came out of the core.
pub type Counts = BTreeMap<&'static str, u64>;

/// A core whose orders are counted.
#[derive(Debug, Default)]
pub struct Tally {
    core: Core,
    pub counts: Counts,
}

/// All that can come out; [`Effect::Never`] must not.
pub const EVERYTHING: [&str; 39] = [
    "Spawn",
    "Signal",
    "SIGKILL",
    "SendShutdown",
    "Release",
    "Ok",
    "Unknown",
    "NotRunning",
    "Superseded",
    "Err(SpawnFailed)",
    "ExitedEarly",
    "Err(CannotBeKilled)",
    "ShuttingDown",
    "Start",
    "Online",
    "ReadyTimeout",
    "Exit",
    "Stop",
    "Restart",
    "Delete",
    "RestartOverlimit",
    "SpawnFailed",
    "CannotBeKilled",
    "Save",
    "Removed",
    "Serve",
    "Drain",
    "Reload",
    "ReloadFailed",
    "NotReloaded",
    "SuccessorSpawnFailed",
    "SuccessorExited",
    "SuccessorNotReady",
    "SuccessorDiedInSoak",
    "AloneSpawnFailed",
    "AloneExited",
    "AloneNotReady",
    "AloneDiedInSoak",
    "SoakSpared",
];

impl Subject for Tally {
    fn step(&mut self, now: Time, input: Input, effects: &mut Vec<Effect>) {
        let launching: Vec<Slot> = self.core.slots().filter(|slot| ought_to_soak(slot)).cloned().collect();
        self.core.step(now, input, effects);
        let spared = |slot: &&Slot| {
            let now = self.core.slot(slot.id).filter(|now| now.restarts > slot.restarts);
            now.is_some_and(|now| now.run() == slot.second.as_ref().map(Second::run) && now.second.is_some())
        };
        let spared = launching.iter().filter(spared).map(|_| "SoakSpared");
        for name in effects.iter().flat_map(names).chain(spared) {
            *self.counts.entry(name).or_default() += 1;
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        self.core.next_deadline()
    }

    fn core(&self) -> &Core {
        &self.core
    }

    fn core_mut(&mut self) -> &mut Core {
        &mut self.core
    }
}

/// Whether its new run is not yet ready, and would have to soak if nothing were proven.
fn ought_to_soak(slot: &Slot) -> bool {
    let launches = matches!(slot.second, Some(Second::Successor(Successor::Launching { .. })));
    launches && slot.policy.reload_soak > 0
}

fn names(effect: &Effect) -> Vec<&'static str> {
    match effect {
        Effect::Spawn { .. } => vec!["Spawn"],
        Effect::Signal { signal: 9, .. } => vec!["SIGKILL"],
        Effect::Signal { .. } => vec!["Signal"],
        Effect::SendShutdown { .. } => vec!["SendShutdown"],
        Effect::Serve { .. } => vec!["Serve"],
        Effect::Drain { .. } => vec!["Drain"],
        Effect::Release { .. } => vec!["Release"],
        Effect::Reply { slots, .. } => slots.iter().map(|outcome| result(outcome.result)).collect(),
        Effect::Changed { change, .. } => vec![changed(*change)],
        Effect::Save => vec!["Save"],
        Effect::Removed { .. } => vec!["Removed"],
        Effect::Never { .. } => vec!["Never"],
    }
}

fn result(result: Result<(), Failure>) -> &'static str {
    match result {
        Ok(()) => "Ok",
        Err(Failure::Unknown) => "Unknown",
        Err(Failure::NotRunning) => "NotRunning",
        Err(Failure::Superseded) => "Superseded",
        Err(Failure::SpawnFailed) => "Err(SpawnFailed)",
        Err(Failure::ExitedEarly(_)) => "ExitedEarly",
        Err(Failure::CannotBeKilled) => "Err(CannotBeKilled)",
        Err(Failure::ShuttingDown) => "ShuttingDown",
        Err(Failure::ReloadFailed { .. }) => "ReloadFailed",
        Err(Failure::NotReloaded) => "NotReloaded",
    }
}

fn changed(change: Change) -> &'static str {
    match change {
        Change::Start => "Start",
        Change::Online => "Online",
        Change::ReadyTimeout => "ReadyTimeout",
        Change::Exit(_) => "Exit",
        Change::Stop => "Stop",
        Change::Restart => "Restart",
        Change::Delete => "Delete",
        Change::RestartOverlimit => "RestartOverlimit",
        Change::SpawnFailed => "SpawnFailed",
        Change::CannotBeKilled => "CannotBeKilled",
        Change::Reload => "Reload",
        Change::ReloadFailed { why, alone: false } => match why {
            ReloadFailure::SpawnFailed => "SuccessorSpawnFailed",
            ReloadFailure::Exited(_) => "SuccessorExited",
            ReloadFailure::NotReady => "SuccessorNotReady",
            ReloadFailure::DiedInSoak(_) => "SuccessorDiedInSoak",
        },
        Change::ReloadFailed { why, alone: true } => match why {
            ReloadFailure::SpawnFailed => "AloneSpawnFailed",
            ReloadFailure::Exited(_) => "AloneExited",
            ReloadFailure::NotReady => "AloneNotReady",
            ReloadFailure::DiedInSoak(_) => "AloneDiedInSoak",
        },
    }
}
