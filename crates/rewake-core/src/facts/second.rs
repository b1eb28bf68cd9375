//! Facts about the run beside a slot's own. Whatever it does, the slot's own run is not touched before it is ready.

use crate::second::Due;
use crate::transitions::Step;
use crate::{
    Awaits, Change, Exit, ExitStatus, Fact, Failure, Leaving, ReloadFailure, RunId, Second, Slot, Stopping, Successor,
    Time,
};

pub(super) fn apply(slot: &mut Slot, fact: Fact, step: &mut Step<'_>) {
    match fact {
        Fact::Spawned { .. } => spawned(slot, step),
        Fact::SpawnFailed { .. } => failed(slot, step),
        Fact::Exited { status, tree_gone, .. } => exited(slot, status, tree_gone, step),
        Fact::TreeGone { .. } => {
            if let Some(Second::Leaving(Leaving::Stopping(Stopping { run, exit: Some(_), .. }))) = slot.second {
                step.second_gone(slot, run);
            }
        }
        Fact::Ready { .. } => ready(slot, step),
        Fact::Listening { .. } => listening(slot, step),
        Fact::Drained { .. } => {
            if let Some(Second::Leaving(Leaving::Stopping(stopping))) = &mut slot.second {
                step.drained(&slot.policy, stopping);
            }
        }
        Fact::ShutdownUndeliverable { .. } => {
            if let Some(Second::Leaving(Leaving::Stopping(stopping))) = &mut slot.second {
                step.signal_instead(&slot.policy, stopping);
            }
        }
    }
}

/// Meets what is due with it, once.
pub(super) fn deadline(slot: &mut Slot, step: &mut Step<'_>) {
    match slot.second.clone() {
        Some(Second::Successor(successor)) => {
            if let Some((_, due)) = slot.successor_due(&successor) {
                successor_due(slot, &successor, due, step);
            }
        }
        Some(Second::Leaving(Leaving::Stopping(mut stopping))) => {
            let spent = step.harder(&slot.policy, &mut stopping);
            slot.second = Some(Second::Leaving(Leaving::Stopping(stopping.clone())));
            if spent {
                stuck(slot, &stopping, step);
            }
        }
        Some(Second::Leaving(Leaving::Spawning { .. })) | None => {}
    }
}

fn successor_due(slot: &mut Slot, successor: &Successor, due: Due, step: &mut Step<'_>) {
    let (Successor::Launching { run, since, listened, .. } | Successor::Soaking { run, since, listened, .. }) =
        *successor
    else {
        return;
    };
    match due {
        Due::Soaked => step.take_over(slot, run, since, listened),
        Due::Grown => is_ready(slot, run, since, listened, step),
        Due::Late => {
            step.tell(slot, Some(run), Change::ReadyTimeout, false);
            if slot.policy.accept_unready {
                is_ready(slot, run, since, listened, step);
            } else {
                let stopping = step.ask(&slot.policy, run, since);
                step.give_up(slot, run, ReloadFailure::NotReady, Some(Leaving::Stopping(stopping)));
            }
        }
    }
}

/// SIGKILL does not help.
fn stuck(slot: &mut Slot, stopping: &Stopping, step: &mut Step<'_>) {
    step.tell(slot, Some(stopping.run), Change::CannotBeKilled, false);
    match stopping.exit {
        // The process itself is gone; a straggler that SIGKILL does not end must not hold the slot for ever.
        Some(_) => step.second_gone(slot, stopping.run),
        None => step.reload_over(slot, Err(Failure::CannotBeKilled)),
    }
}

fn spawned(slot: &mut Slot, step: &mut Step<'_>) {
    let now = step.now;
    let policy = &slot.policy;
    match &slot.second {
        Some(Second::Successor(Successor::Spawning { run })) => {
            let awaits = Awaits::of(policy, now);
            let launching = Successor::Launching { run: *run, since: now, listened: false, awaits };
            slot.second = Some(Second::Successor(launching));
        }
        Some(Second::Leaving(Leaving::Spawning { run })) => {
            slot.second = Some(Second::Leaving(Leaving::Stopping(step.ask(policy, *run, now))));
        }
        Some(
            Second::Successor(Successor::Launching { .. } | Successor::Soaking { .. })
            | Second::Leaving(Leaving::Stopping(_)),
        )
        | None => {}
    }
}

fn failed(slot: &mut Slot, step: &mut Step<'_>) {
    match slot.second {
        Some(Second::Successor(Successor::Spawning { run })) => {
            step.effects.push(crate::Effect::Release { run });
            step.tell(slot, Some(run), Change::SpawnFailed, false);
            step.give_up(slot, run, ReloadFailure::SpawnFailed, None);
        }
        Some(Second::Leaving(Leaving::Spawning { run })) => step.second_gone(slot, run),
        Some(
            Second::Successor(Successor::Launching { .. } | Successor::Soaking { .. })
            | Second::Leaving(Leaving::Stopping(_)),
        )
        | None => {}
    }
}

fn ready(slot: &mut Slot, step: &mut Step<'_>) {
    if let Some(Second::Successor(Successor::Launching { run, since, listened, awaits: Awaits::Ready { .. } })) =
        slot.second
    {
        is_ready(slot, run, since, listened, step);
    }
}

fn listening(slot: &mut Slot, step: &mut Step<'_>) {
    match &mut slot.second {
        Some(Second::Successor(Successor::Launching { run, since, awaits: Awaits::Listening { .. }, .. })) => {
            let (run, since) = (*run, *since);
            is_ready(slot, run, since, true, step);
        }
        Some(Second::Successor(Successor::Launching { listened, .. } | Successor::Soaking { listened, .. })) => {
            *listened = true;
        }
        Some(Second::Successor(Successor::Spawning { .. }) | Second::Leaving(_)) | None => {}
    }
}

fn is_ready(slot: &mut Slot, run: RunId, since: Time, listened: bool, step: &mut Step<'_>) {
    let soak = slot.reload_soak();
    if soak == 0 {
        return step.take_over(slot, run, since, listened);
    }
    let until = step.now + soak;
    slot.second = Some(Second::Successor(Successor::Soaking { run, since, listened, until }));
}

fn exited(slot: &mut Slot, status: ExitStatus, tree_gone: bool, step: &mut Step<'_>) {
    if matches!(
        slot.second,
        Some(Second::Successor(Successor::Spawning { .. }) | Second::Leaving(Leaving::Spawning { .. }))
    ) {
        // The outside reports the birth before the death; should it not, the death says both.
        spawned(slot, step);
    }
    match slot.second.clone() {
        Some(Second::Successor(Successor::Launching { run, since, .. })) => {
            let exit = Exit { run, status, at: step.now, lived: step.now - since };
            successor_died(slot, exit, since, tree_gone, ReloadFailure::Exited(exit), step);
        }
        Some(Second::Successor(Successor::Soaking { run, since, .. })) => {
            let exit = Exit { run, status, at: step.now, lived: step.now - since };
            successor_died(slot, exit, since, tree_gone, ReloadFailure::DiedInSoak(exit), step);
        }
        Some(Second::Leaving(Leaving::Stopping(mut stopping))) if stopping.exit.is_none() => {
            let exit = stopping.exit(status, step.now);
            stopping.exit = Some(exit);
            step.note_exit(slot, exit);
            if tree_gone {
                step.second_gone(slot, exit.run);
                return;
            }
            step.press_the_tree(&slot.policy, &mut stopping);
            slot.second = Some(Second::Leaving(Leaving::Stopping(stopping)));
        }
        Some(
            Second::Leaving(Leaving::Stopping(_) | Leaving::Spawning { .. })
            | Second::Successor(Successor::Spawning { .. }),
        )
        | None => {}
    }
}

fn successor_died(slot: &mut Slot, exit: Exit, since: Time, tree_gone: bool, why: ReloadFailure, step: &mut Step<'_>) {
    step.note_exit(slot, exit);
    let left = if tree_gone {
        step.effects.push(crate::Effect::Release { run: exit.run });
        None
    } else {
        Some(Leaving::Stopping(step.left_behind(&slot.policy, exit, since)))
    };
    step.give_up(slot, exit.run, why, left);
}
