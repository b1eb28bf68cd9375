//! Commands: one file per verb. Each answers for every slot it names, now or through a waiter.

mod delete;
mod reset;
mod restart;
mod signal;
mod start;
mod stop;

use alloc::vec::Vec;

use crate::transitions::Step;
use crate::{CallId, Command, Core, Effect, Failure, Goal, Slot, Time, Wanted};

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
    for id in ids {
        let known = core.with_slot(now, id, effects, |slot, step| match run_one(slot, &command, step) {
            Progress::Done(result) => step.calls.settle(call, slot.id, result, step.effects),
            Progress::Wait(goal) => step.wait(slot, call, goal),
        });
        if known.is_none() {
            core.calls().settle(call, id, Err(Failure::Unknown), effects);
        }
    }
    core.calls().close_if_done(call, effects);
}

fn run_one(slot: &mut Slot, command: &Command, step: &mut Step<'_>) -> Progress {
    let deleted = slot.wanted == Wanted::Gone;
    match command {
        Command::Delete { .. } => delete::run(slot, step),
        Command::Shutdown => stop::shut_down(slot, step),
        Command::Start { .. }
        | Command::Stop { .. }
        | Command::Restart { .. }
        | Command::Reset { .. }
        | Command::Signal { .. }
            if deleted =>
        {
            Progress::Done(Err(Failure::Unknown))
        }
        Command::Stop { .. } => stop::run(slot, step),
        Command::Reset { .. } => reset::run(slot),
        Command::Signal { signal, .. } => signal::run(slot, *signal, step),
        Command::Start { .. } | Command::Restart { .. } if step.closing => Progress::Done(Err(Failure::ShuttingDown)),
        Command::Start { settle, .. } => start::run(slot, *settle, step),
        Command::Restart { settle, .. } => restart::run(slot, *settle, step),
    }
}
