//! Cores with a planted bug each, to show that the simulation would notice. The core itself is untouched: a mutant alters
//! what goes in and what comes out.

use std::collections::BTreeMap;

use rewake_core::{CallId, Command, Core, Effect, Fact, Input, Phase, RunId, Slot, SlotId, SlotOutcome, Time};

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
}

/// A core with one bug.
#[derive(Debug)]
pub struct Mutant {
    core: Core,
    bug: Bug,
    count: u64,
    /// Every run that ever was.
    runs: BTreeMap<RunId, SlotId>,
    now: Time,
}

impl Mutant {
    #[must_use]
    pub fn new(bug: Bug) -> Self {
        Self { core: Core::default(), bug, count: 0, runs: BTreeMap::new(), now: Time(0) }
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
            | Bug::BusyLoop => Some(input),
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
            Bug::LateExitTaken
            | Bug::StopDuringSpawnLost
            | Bug::KillDeadlineHidden
            | Bug::TreeForgotten
            | Bug::EndlessRestarts
            | Bug::ReadyUnheard
            | Bug::ShutdownForgets
            | Bug::BusyLoop => {}
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
            Bug::LateExitTaken
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
