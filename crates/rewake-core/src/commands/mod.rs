//! Commands: one file per verb. Each answers for every slot it names, now or through a waiter.

mod delete;
mod reload;
mod reset;
mod restart;
mod signal;
mod start;
mod stop;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::transitions::Step;
use crate::{CallId, Command, Core, Effect, Failure, Goal, Slot, SlotId, Time, Wanted};

/// How far a command got with one slot.
pub(crate) enum Progress {
    /// Nothing more to do.
    Done(Result<(), Failure>),
    /// It is answered when the slot gets there.
    Wait(Goal),
}

/// Runs one command over its slots.
pub(crate) fn run(core: &mut Core, now: Time, call: CallId, command: Command, effects: &mut Vec<Effect>) {
    if command == Command::Shutdown {
        core.close();
    }
    let mut ids = command.slots().map_or_else(|| core.ids(), <[_]>::to_vec);
    ids.sort_unstable();
    ids.dedup();
    core.calls().open(call, ids.len());
    match command {
        Command::Reload { parallel, .. } => queue(core, call, ids, parallel, effects),
        Command::Start { .. }
        | Command::Stop { .. }
        | Command::Restart { .. }
        | Command::Delete { .. }
        | Command::Retire { .. }
        | Command::Reset { .. }
        | Command::Signal { .. }
        | Command::Shutdown => {
            for id in ids {
                with(core, now, call, id, effects, |slot, step| run_one(slot, call, &command, step));
            }
        }
    }
    core.calls().close_if_done(call, effects);
}

/// Begins with the slots of reloads whose turn has come. `true`: there were some.
pub(crate) fn take_turns(core: &mut Core, now: Time, effects: &mut Vec<Effect>) -> bool {
    let mut any = false;
    while let Some((call, id)) = core.next_turn() {
        with(core, now, call, id, effects, |slot, step| reload::run(slot, call, step));
        any = true;
    }
    any
}

/// A slot that is not there when the command comes is no failure of a reload; what befalls it later is.
fn queue(core: &mut Core, call: CallId, ids: Vec<SlotId>, parallel: usize, effects: &mut Vec<Effect>) {
    let mut waiting = VecDeque::with_capacity(ids.len());
    for id in ids {
        match core.slot(id) {
            Some(slot) if slot.wanted != Wanted::Gone && !core.is_closing() => waiting.push_back(id),
            Some(slot) if slot.wanted != Wanted::Gone => {
                core.calls().settle(call, id, Err(Failure::ShuttingDown), effects);
            }
            Some(_) | None => core.calls().settle(call, id, Err(Failure::Unknown), effects),
        }
    }
    core.calls().take_turns(call, waiting, parallel);
}

fn with(
    core: &mut Core,
    now: Time,
    call: CallId,
    id: SlotId,
    effects: &mut Vec<Effect>,
    act: impl FnOnce(&mut Slot, &mut Step<'_>) -> Progress,
) {
    let known = core.with_slot(now, id, effects, |slot, step| match act(slot, step) {
        Progress::Done(result) => step.calls.settle(call, slot.id, result, step.effects),
        Progress::Wait(goal) => step.wait(slot, call, goal),
    });
    if known.is_none() {
        core.calls().settle(call, id, Err(Failure::Unknown), effects);
    }
}

fn run_one(slot: &mut Slot, call: CallId, command: &Command, step: &mut Step<'_>) -> Progress {
    let deleted = slot.wanted == Wanted::Gone;
    match command {
        Command::Delete { .. } => delete::run(slot, step),
        Command::Retire { .. } => delete::retire(slot, step),
        Command::Shutdown => stop::shut_down(slot, step),
        Command::Start { .. }
        | Command::Stop { .. }
        | Command::Restart { .. }
        | Command::Reload { .. }
        | Command::Reset { .. }
        | Command::Signal { .. }
            if deleted =>
        {
            Progress::Done(Err(Failure::Unknown))
        }
        Command::Stop { .. } => stop::run(slot, step),
        Command::Reset { .. } => reset::run(slot),
        Command::Signal { signal, .. } => signal::run(slot, *signal, step),
        Command::Start { .. } | Command::Restart { .. } | Command::Reload { .. } if step.closing => {
            Progress::Done(Err(Failure::ShuttingDown))
        }
        Command::Start { settle, .. } => start::run(slot, *settle, step),
        Command::Restart { settle, .. } => restart::run(slot, *settle, step),
        Command::Reload { .. } => reload::run(slot, call, step),
    }
}
