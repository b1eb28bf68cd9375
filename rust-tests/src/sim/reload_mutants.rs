//! Planted bugs of reloads: who is given connections, how long a new run soaks, and what an old run's end means. As the other
//! mutants they alter what goes in and what comes out; never the core.

use std::collections::BTreeSet;

use rewake_core::{
    Change, Core, Effect, Fact, Failure, Input, Phase, Policy, RunId, Second, SlotId, SlotOutcome, Successor, Time,
};

/// A planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadBug {
    /// The new run takes over, and goes without connections.
    ServeForgotten,
    /// The new run is given connections while it soaks.
    ServedInSoak,
    /// A run that is told to drain is given connections again.
    ServedWhileDraining,
    /// The first new run takes over as soon as it is ready.
    SoakSkipped,
    /// Every new run soaks, whatever was proven.
    SoakedByAll,
    /// A release that has failed counts as proven from then on.
    ProvenByAFailure,
    /// One app's new run proves the release of every other.
    ProvenByAnotherApp,
    /// When the old run has ended by itself the new one counts as ready.
    OldDeathIsSuccess,
    /// That a new run is no good is not told when the old one has ended by itself.
    FailureAloneHidden,
    /// An old run that ended by itself takes its new one's chance with it: that is told to go, too.
    OldDeathEndsBoth,
}

/// What such a bug remembers.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Apps that a bug is about.
    apps: BTreeSet<String>,
    /// Policies that were altered for one step.
    altered: Vec<(SlotId, Policy)>,
    /// New runs that soaked before the step.
    soaking: Vec<(SlotId, RunId)>,
    /// New runs whose old run ends with this step.
    bereft: Vec<RunId>,
}

impl ReloadBug {
    /// Before the core's step.
    pub(super) fn before(self, memory: &mut Memory, core: &mut Core, input: &Input) {
        memory.soaking = soaking(core).collect();
        match self {
            Self::SoakSkipped => memory.lower(core, |_, _| true),
            Self::ProvenByAFailure => memory.lower(core, BTreeSet::contains),
            Self::ProvenByAnotherApp => memory.lower(core, |apps, app| apps.iter().any(|other| other != app)),
            Self::SoakedByAll => {
                let all: Vec<(SlotId, Policy)> = core.slots().map(|slot| (slot.id, slot.policy.clone())).collect();
                for (id, policy) in all {
                    core.redefine(id, policy);
                }
            }
            Self::OldDeathIsSuccess | Self::OldDeathEndsBoth => memory.bereft = bereft(core, input),
            Self::ServeForgotten | Self::ServedInSoak | Self::ServedWhileDraining | Self::FailureAloneHidden => {}
        }
    }

    /// After it.
    pub(super) fn after(self, memory: &mut Memory, core: &mut Core, now: Time, effects: &mut Vec<Effect>) {
        for (id, policy) in std::mem::take(&mut memory.altered) {
            core.redefine(id, policy);
        }
        match self {
            Self::ServeForgotten => {
                let drains = effects.iter().any(|effect| matches!(effect, Effect::Drain { .. }));
                effects.retain(|effect| !drains || !matches!(effect, Effect::Serve { .. }));
            }
            Self::ServedInSoak => {
                let new = soaking(core).filter(|soaks| !memory.soaking.contains(soaks));
                effects.extend(new.map(|(slot, run)| Effect::Serve { slot, run }));
            }
            Self::ServedWhileDraining => {
                let drained = |effect: &Effect| {
                    let Effect::Drain { run } = effect else {
                        return None;
                    };
                    Some(Effect::Serve { slot: core.slot_of(*run)?.id, run: *run })
                };
                let again: Vec<Effect> = effects.iter().filter_map(drained).collect();
                effects.extend(again);
            }
            Self::ProvenByAFailure => {
                memory.remember(core, effects, |change| matches!(change, Change::ReloadFailed { .. }));
            }
            Self::ProvenByAnotherApp => {
                let soaked = std::mem::take(&mut memory.soaking);
                let took_over =
                    soaked.iter().filter(|(slot, run)| core.slot(*slot).is_some_and(|s| s.run() == Some(*run)));
                memory.apps.extend(took_over.filter_map(|(slot, _)| Some(core.slot(*slot)?.name.clone())));
            }
            Self::OldDeathIsSuccess => {
                for run in std::mem::take(&mut memory.bereft) {
                    core.step(now, Input::Fact(Fact::Listening { run }), effects);
                    core.step(now, Input::Fact(Fact::Ready { run }), effects);
                }
            }
            Self::OldDeathEndsBoth => {
                let asked = |run: RunId| Effect::Signal { run, signal: 2, tree: true };
                effects.extend(std::mem::take(&mut memory.bereft).into_iter().map(asked));
            }
            Self::FailureAloneHidden => {
                for effect in effects {
                    if let Effect::Reply { slots, .. } = effect {
                        slots.iter_mut().for_each(hide);
                    }
                }
            }
            Self::SoakSkipped | Self::SoakedByAll => {}
        }
    }
}

impl Memory {
    /// Takes the soak out of some policies for one step.
    fn lower(&mut self, core: &mut Core, whose: impl Fn(&BTreeSet<String>, &String) -> bool) {
        let soaks = core.slots().filter(|slot| slot.policy.reload_soak > 0 && whose(&self.apps, &slot.name));
        self.altered = soaks.map(|slot| (slot.id, slot.policy.clone())).collect();
        for (id, policy) in &self.altered {
            core.redefine(*id, Policy { reload_soak: 0, ..policy.clone() });
        }
    }

    /// Notes the apps of which there is such news.
    fn remember(&mut self, core: &Core, effects: &[Effect], such: impl Fn(&Change) -> bool) {
        let news = |effect: &Effect| {
            let Effect::Changed { slot, change, .. } = effect else {
                return None;
            };
            such(change).then(|| core.slot(*slot).map(|slot| slot.name.clone())).flatten()
        };
        self.apps.extend(effects.iter().filter_map(news));
    }
}

fn soaking(core: &Core) -> impl Iterator<Item = (SlotId, RunId)> {
    core.slots().filter_map(|slot| match &slot.second {
        Some(Second::Successor(Successor::Soaking { run, .. })) => Some((slot.id, *run)),
        Some(Second::Successor(_) | Second::Leaving(_)) | None => None,
    })
}

/// The new run that is not yet ready, if this input ends the old one.
fn bereft(core: &Core, input: &Input) -> Vec<RunId> {
    let Input::Fact(Fact::Exited { run, .. }) = input else {
        return Vec::new();
    };
    let old = core.slot_of(*run).filter(|slot| matches!(slot.phase, Phase::Online { run: own, .. } if own == *run));
    match old.and_then(|slot| slot.second.as_ref()) {
        Some(Second::Successor(Successor::Launching { run, .. })) => vec![*run],
        Some(Second::Successor(_) | Second::Leaving(_)) | None => Vec::new(),
    }
}

fn hide(outcome: &mut SlotOutcome) {
    if matches!(outcome.result, Err(Failure::ReloadFailed { alone: true, .. })) {
        outcome.result = Ok(());
    }
}
