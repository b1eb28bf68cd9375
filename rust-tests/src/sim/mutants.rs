//! Cores with a planted bug each, to show that the simulation would notice. The core itself is untouched: a mutant alters
//! what goes in and what comes out.

use std::collections::BTreeMap;

use rewake_core::{
    Awaits, CallId, Change, Command, Core, Effect, Fact, Failure, Input, Leaving, Phase, RunId, Second, Slot, SlotId,
    SlotOutcome, StopStage, Stopping, Successor, Time,
};

use super::reload_mutants::{Memory, ReloadBug};
use super::subject::Subject;

const SIGKILL: i32 = 9;
/// Calls from here on are the mutant's own; nobody hears of their answers.
const HIDDEN: u64 = 1 << 63;
/// Bugs that would show at once strike only every so often.
const NOW_AND_THEN: u64 = 10;

/// A planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A late exit of an old run is taken for the new one's.
    LateExitTaken,
    /// A stop during the spawn is answered and forgotten.
    StopDuringSpawnLost,
    /// The time for SIGKILL passes and nothing is done.
    KillForgotten,
    /// Nobody is woken when SIGKILL is due.
    KillDeadlineHidden,
    /// Now and then an answer is lost.
    ReplyLost,
    /// Now and then an answer is given twice.
    ReplyTwice,
    /// `stop` is answered before the process has ended.
    ReplyTooSoon,
    /// Now and then two processes are made where one was due.
    TwoRuns,
    /// A slot is started again after it was stopped.
    RestartAfterStop,
    /// Now and then a run is never let go of.
    ReleaseLost,
    /// A run is let go of although its tree is alive.
    TreeForgotten,
    /// SIGKILL comes first.
    KillAtOnce,
    /// The count of failures is lost at each exit.
    EndlessRestarts,
    /// A delayed restart does not come.
    RestartForgotten,
    /// `'ready'` is not heard.
    ReadyUnheard,
    /// Changes are not saved.
    SaveForgotten,
    /// Shutting down forgets what was wanted.
    ShutdownForgets,
    /// There is always something due.
    BusyLoop,
    /// A new run that is no good is left beside the old one.
    TwoRunsLeft,
    /// What the old run says is taken for the new one's word.
    OldReadyTaken,
    /// The old run is told to go when the new one is only being made.
    OldStoppedTooSoon,
    /// A reload that has failed goes on with the next slot.
    FailedReloadGoesOn,
    /// A reload is not answered.
    ReloadReplyLost,
    /// The time for draining passes and nothing is done.
    DrainForgotten,
    /// Nobody is woken when the time for draining is over.
    DrainDeadlineHidden,
    /// Now and then a new run that hangs replaces the old one.
    HangingReplaces,
    Reload(ReloadBug),
}

/// A core with one bug.
#[derive(Debug)]
pub struct Mutant {
    core: Core,
    bug: Bug,
    count: u64,
    /// Every run that ever was.
    runs: BTreeMap<RunId, SlotId>,
    reloads: BTreeMap<CallId, Vec<SlotId>>,
    /// What was draining before this step.
    draining: Vec<RunId>,
    now: Time,
    memory: Memory,
}

impl Mutant {
    #[must_use]
    pub fn new(bug: Bug) -> Self {
        Self {
            core: Core::default(),
            bug,
            count: 0,
            runs: BTreeMap::new(),
            reloads: BTreeMap::new(),
            draining: Vec::new(),
            now: Time(0),
            memory: Memory::default(),
        }
    }

    fn now_and_then(&mut self) -> bool {
        self.count += 1;
        self.count.is_multiple_of(NOW_AND_THEN)
    }

    /// What the core gets to see; `None`: nothing.
    fn altered(&mut self, now: Time, input: Input, effects: &mut Vec<Effect>) -> Option<Input> {
        match self.bug {
            Bug::LateExitTaken => Some(self.for_the_new_run(input)),
            Bug::TreeForgotten => Some(without_tree(input)),
            Bug::OldReadyTaken => Some(self.for_the_successor(input)),
            Bug::HangingReplaces => Some(self.ready_after_all(now, input, effects)),
            Bug::StopDuringSpawnLost => {
                if let Input::Command(call, Command::Stop { slots }) = &input
                    && let [slot] = slots[..]
                    && self.core.slot(slot).is_some_and(|slot| matches!(slot.phase, Phase::Spawning { .. }))
                {
                    effects.push(all_is_well(*call, slots));
                    return None;
                }
                Some(input)
            }
            Bug::ReadyUnheard => (!matches!(input, Input::Fact(Fact::Ready { .. }))).then_some(input),
            Bug::EndlessRestarts => {
                if let Input::Fact(Fact::Exited { run, .. }) = &input {
                    let slots: Vec<SlotId> = self.runs.get(run).copied().into_iter().collect();
                    self.core.step(now, Input::Command(CallId(HIDDEN), Command::Reset { slots }), effects);
                }
                Some(input)
            }
            Bug::ShutdownForgets => {
                if matches!(input, Input::Command(_, Command::Shutdown)) {
                    let slots = self.core.slots().map(|slot| slot.id).collect();
                    self.core.step(now, Input::Command(CallId(HIDDEN), Command::Stop { slots }), effects);
                }
                Some(input)
            }
            Bug::KillForgotten
            | Bug::KillDeadlineHidden
            | Bug::ReplyLost
            | Bug::ReplyTwice
            | Bug::ReplyTooSoon
            | Bug::TwoRuns
            | Bug::RestartAfterStop
            | Bug::ReleaseLost
            | Bug::KillAtOnce
            | Bug::RestartForgotten
            | Bug::SaveForgotten
            | Bug::BusyLoop
            | Bug::TwoRunsLeft
            | Bug::OldStoppedTooSoon
            | Bug::FailedReloadGoesOn
            | Bug::ReloadReplyLost
            | Bug::DrainForgotten
            | Bug::DrainDeadlineHidden => Some(input),
            Bug::Reload(bug) => {
                bug.before(&mut self.memory, &mut self.core, &input);
                Some(input)
            }
        }
    }

    fn for_the_new_run(&self, input: Input) -> Input {
        let Input::Fact(Fact::Exited { run, status, tree_gone }) = input else {
            return input;
        };
        let slot = self.runs.get(&run).and_then(|slot| self.core.slot(*slot));
        let run = slot.and_then(Slot::run).unwrap_or(run);
        Input::Fact(Fact::Exited { run, status, tree_gone })
    }

    fn for_the_successor(&self, input: Input) -> Input {
        let (Input::Fact(Fact::Ready { run }) | Input::Fact(Fact::Listening { run })) = &input else {
            return input;
        };
        let slot = self.core.slot_of(*run).filter(|slot| slot.run() == Some(*run));
        match (slot.and_then(|slot| slot.second.as_ref()), &input) {
            (Some(Second::Successor(successor)), Input::Fact(Fact::Ready { .. })) => {
                Input::Fact(Fact::Ready { run: successor.run() })
            }
            (Some(Second::Successor(successor)), _) => Input::Fact(Fact::Listening { run: successor.run() }),
            (Some(Second::Leaving(_)) | None, _) => input,
        }
    }

    fn ready_after_all(&mut self, now: Time, input: Input, effects: &mut Vec<Effect>) -> Input {
        if input != Input::Tick {
            return input;
        }
        let late = |slot: &Slot| match &slot.second {
            Some(Second::Successor(Successor::Launching { run, awaits: Awaits::Ready { by }, .. })) if *by <= now => {
                Some(*run)
            }
            Some(_) | None => None,
        };
        let late: Vec<RunId> = self.core.slots().filter_map(late).collect();
        for run in late {
            self.core.step(now, Input::Fact(Fact::Ready { run }), effects);
        }
        input
    }

    /// What the outside gets to see.
    fn alter(&mut self, now: Time, input: &Input, effects: &mut Vec<Effect>) {
        match self.bug {
            Bug::KillForgotten => {
                effects.retain(|effect| {
                    *input != Input::Tick || !matches!(effect, Effect::Signal { signal: SIGKILL, .. })
                });
            }
            Bug::ReplyLost => effects.retain(|effect| !matches!(effect, Effect::Reply { .. }) || !self.now_and_then()),
            Bug::ReleaseLost => {
                effects.retain(|effect| !matches!(effect, Effect::Release { .. }) || !self.now_and_then());
            }
            Bug::ReplyTwice => {
                self.twice(effects, |effect| matches!(effect, Effect::Reply { .. }).then(|| effect.clone()));
            }
            Bug::TwoRuns => self.twice(effects, |effect| {
                let Effect::Spawn { slot, run } = effect else {
                    return None;
                };
                Some(Effect::Spawn { slot: *slot, run: RunId(run.0 + 1000) })
            }),
            Bug::KillAtOnce => {
                for effect in effects {
                    if let Effect::Signal { signal, .. } = effect {
                        *signal = SIGKILL;
                    }
                }
            }
            Bug::SaveForgotten => effects.retain(|effect| *effect != Effect::Save),
            Bug::RestartForgotten => {
                effects.retain(|effect| *input != Input::Tick || !matches!(effect, Effect::Spawn { .. }));
            }
            Bug::RestartAfterStop => {
                if let Input::Command(_, Command::Stop { slots }) = input {
                    let start = Command::Start { slots: slots.clone(), settle: 0 };
                    self.core.step(now, Input::Command(CallId(HIDDEN), start), effects);
                }
            }
            Bug::ReplyTooSoon => {
                if let Input::Command(call, Command::Stop { slots }) = input
                    && !effects.iter().any(|effect| matches!(effect, Effect::Reply { .. }))
                {
                    effects.push(all_is_well(*call, slots));
                }
            }
            Bug::TwoRunsLeft => {
                let failed = |effect: &Effect| {
                    let Effect::Changed { run, change: Change::ReloadFailed { .. }, .. } = effect else {
                        return None;
                    };
                    *run
                };
                let failed: Vec<RunId> = effects.iter().filter_map(failed).collect();
                effects.retain(|effect| !asks(effect).is_some_and(|run| failed.contains(&run)));
            }
            Bug::OldStoppedTooSoon => {
                let begun = |effect: &Effect| {
                    let Effect::Changed { slot, change: Change::Reload, .. } = effect else {
                        return None;
                    };
                    self.core.slot(*slot).and_then(Slot::run)
                };
                let old: Vec<RunId> = effects.iter().filter_map(begun).collect();
                effects.extend(old.into_iter().map(|run| Effect::Drain { run }));
            }
            Bug::FailedReloadGoesOn => self.go_on(now, effects),
            Bug::ReloadReplyLost => effects
                .retain(|effect| !matches!(effect, Effect::Reply { call, .. } if self.reloads.contains_key(call))),
            Bug::DrainForgotten => effects.retain(|effect| {
                *input != Input::Tick || !asks(effect).is_some_and(|run| self.draining.contains(&run))
            }),
            Bug::Reload(bug) => bug.after(&mut self.memory, &mut self.core, now, effects),
            Bug::LateExitTaken
            | Bug::StopDuringSpawnLost
            | Bug::KillDeadlineHidden
            | Bug::OldReadyTaken
            | Bug::HangingReplaces
            | Bug::DrainDeadlineHidden
            | Bug::TreeForgotten
            | Bug::EndlessRestarts
            | Bug::ReadyUnheard
            | Bug::ShutdownForgets
            | Bug::BusyLoop => {}
        }
    }

    fn go_on(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let answered = |effect: &Effect| {
            let Effect::Reply { call, slots } = effect else {
                return None;
            };
            self.reloads.contains_key(call).then(|| slots.clone())
        };
        let answers: Vec<Vec<SlotOutcome>> = effects.iter().filter_map(answered).collect();
        for outcome in answers.into_iter().flatten() {
            if outcome.result == Err(Failure::NotReloaded) {
                let next = Command::Reload { slots: vec![outcome.slot], parallel: 1 };
                self.core.step(now, Input::Command(CallId(HIDDEN), next), effects);
            }
        }
    }

    fn twice(&mut self, effects: &mut Vec<Effect>, again: impl Fn(&Effect) -> Option<Effect>) {
        let more: Vec<Effect> = effects.iter().filter_map(again).filter(|_| self.now_and_then()).collect();
        effects.extend(more);
    }
}

impl Subject for Mutant {
    fn step(&mut self, now: Time, input: Input, effects: &mut Vec<Effect>) {
        self.now = now;
        if let Input::Command(call, Command::Reload { slots, .. }) = &input {
            self.reloads.insert(*call, slots.clone());
        }
        self.draining = self.core.slots().flat_map(draining).collect();
        if let Some(seen) = self.altered(now, input.clone(), effects) {
            self.core.step(now, seen, effects);
        }
        self.alter(now, &input, effects);
        effects.retain(|effect| !matches!(effect, Effect::Reply { call, .. } if call.0 >= HIDDEN));
        for effect in effects {
            if let Effect::Spawn { slot, run } = effect {
                self.runs.insert(*run, *slot);
            }
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        match self.bug {
            Bug::BusyLoop => Some(self.now),
            Bug::KillDeadlineHidden => {
                let heard = |slot: &&Slot| !matches!(slot.phase, Phase::Stopping(_));
                self.core.slots().filter(heard).filter_map(Slot::next_deadline).min()
            }
            Bug::DrainDeadlineHidden => {
                let heard = |slot: &&Slot| draining(slot).next().is_none();
                self.core.slots().filter(heard).filter_map(Slot::next_deadline).min()
            }
            Bug::TwoRunsLeft
            | Bug::OldReadyTaken
            | Bug::OldStoppedTooSoon
            | Bug::FailedReloadGoesOn
            | Bug::ReloadReplyLost
            | Bug::DrainForgotten
            | Bug::Reload(_)
            | Bug::HangingReplaces
            | Bug::LateExitTaken
            | Bug::StopDuringSpawnLost
            | Bug::KillForgotten
            | Bug::ReplyLost
            | Bug::ReplyTwice
            | Bug::ReplyTooSoon
            | Bug::TwoRuns
            | Bug::RestartAfterStop
            | Bug::ReleaseLost
            | Bug::TreeForgotten
            | Bug::KillAtOnce
            | Bug::EndlessRestarts
            | Bug::RestartForgotten
            | Bug::ReadyUnheard
            | Bug::SaveForgotten
            | Bug::ShutdownForgets => self.core.next_deadline(),
        }
    }

    fn core(&self) -> &Core {
        &self.core
    }

    fn core_mut(&mut self) -> &mut Core {
        &mut self.core
    }
}

/// The runs of a slot that drain.
fn draining(slot: &Slot) -> impl Iterator<Item = RunId> {
    let drains = |stopping: &Stopping| matches!(stopping.stage, StopStage::Draining { .. }).then_some(stopping.run);
    let own = match &slot.phase {
        Phase::Stopping(stopping) => drains(stopping),
        Phase::Stopped
        | Phase::Errored
        | Phase::Spawning { .. }
        | Phase::Launching { .. }
        | Phase::Online { .. }
        | Phase::WaitingRestart { .. } => None,
    };
    let beside = match &slot.second {
        Some(Second::Leaving(Leaving::Stopping(stopping))) => drains(stopping),
        Some(Second::Leaving(Leaving::Spawning { .. }) | Second::Successor(_)) | None => None,
    };
    own.into_iter().chain(beside)
}

/// Whom an order asks to end.
fn asks(effect: &Effect) -> Option<RunId> {
    match effect {
        Effect::Signal { run, .. } | Effect::SendShutdown { run } => Some(*run),
        Effect::Spawn { .. }
        | Effect::Serve { .. }
        | Effect::Drain { .. }
        | Effect::Release { .. }
        | Effect::Reply { .. }
        | Effect::Changed { .. }
        | Effect::Save
        | Effect::Removed { .. }
        | Effect::Never { .. } => None,
    }
}

fn without_tree(input: Input) -> Input {
    let Input::Fact(Fact::Exited { run, status, .. }) = input else {
        return input;
    };
    Input::Fact(Fact::Exited { run, status, tree_gone: true })
}

fn all_is_well(call: CallId, slots: &[SlotId]) -> Effect {
    let mut slots = slots.to_vec();
    slots.sort_unstable();
    slots.dedup();
    Effect::Reply { call, slots: slots.into_iter().map(|slot| SlotOutcome { slot, result: Ok(()) }).collect() }
}
