//! Who waits for an answer, and which answers would be true. Never predicts the one answer, only refuses the false ones
//! and those that are late.

use rewake_core::{CallId, Command, ExitStatus, Failure, RunId, SlotId, SlotOutcome, Time, Wanted};

use super::book::{Book, News};
use super::rule::{Breach, Rule, breach};
use super::slot_book::SlotBook;

/// The open calls.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    open: Vec<OpenCall>,
    /// Exits that were reported, for `ExitedEarly`.
    exits: Vec<(RunId, SlotId, ExitStatus)>,
    /// Reloads that were answered.
    reloads: Vec<CallId>,
}

#[derive(Debug, Clone)]
struct OpenCall {
    call: CallId,
    verb: Verb,
    slots: Vec<Named>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    /// To be up for so long.
    Up {
        settle: u64,
    },
    /// To be without a process.
    Down,
    Reset,
    Signal,
    /// Foretold by `Turns`.
    Reload,
}

/// One slot that a call named, and what has happened to it since.
#[derive(Debug, Clone, Copy)]
struct Named {
    slot: SlotId,
    known: bool,
    live: bool,
    refused: bool,
    was_up: bool,
    was_down: bool,
    taken_down: bool,
    spawn_failed: bool,
    crashed: bool,
    stuck: bool,
}

impl Calls {
    /// A command is about to be stepped.
    pub fn opened(&mut self, call: CallId, command: &Command, book: &Book) {
        let verb = match command {
            Command::Start { settle, .. } | Command::Restart { settle, .. } => Verb::Up { settle: *settle },
            Command::Stop { .. } | Command::Delete { .. } | Command::Retire { .. } | Command::Shutdown => Verb::Down,
            Command::Reload { .. } => Verb::Reload,
            Command::Reset { .. } => Verb::Reset,
            Command::Signal { .. } => Verb::Signal,
        };
        let keeps_gone = matches!(command, Command::Delete { .. } | Command::Retire { .. } | Command::Shutdown);
        let is_start = matches!(command, Command::Start { .. });
        let named = |slot: SlotId| {
            let noted = book.slots.get(&slot);
            let known = noted.is_some_and(|noted| keeps_gone || noted.wanted != Wanted::Gone);
            let run = noted.and_then(|noted| noted.run.as_ref());
            Named {
                slot,
                known,
                live: run.is_some_and(|run| run.born.is_some() && run.exit.is_none()),
                refused: book.closing && matches!(verb, Verb::Up { .. }),
                was_up: is_start && noted.is_some_and(|noted| noted.online_since().is_some()),
                was_down: noted.is_none_or(|noted| noted.runs().next().is_none()),
                taken_down: false,
                spawn_failed: false,
                crashed: false,
                stuck: run.is_some_and(|run| run.given_up),
            }
        };
        let slots = book.named(command).into_iter().map(named).collect();
        self.open.push(OpenCall { call, verb, slots });
    }

    /// Something happened to a slot.
    pub fn news(&mut self, slot: SlotId, news: News) {
        for named in self.named(slot) {
            match news {
                News::Crashed(_) => named.crashed = true,
                News::SpawnFailed => named.spawn_failed = true,
                News::TakenDown => named.taken_down = true,
                News::CannotBeKilled => named.stuck = true,
            }
        }
    }

    /// The last run of a slot was let go of: it has no process at this moment.
    pub fn is_down(&mut self, slot: SlotId) {
        for named in self.named(slot) {
            named.was_down = true;
        }
    }

    /// A slot has come up: enough for those who do not want to see it stay up.
    pub fn came_up(&mut self, slot: SlotId) {
        for call in self.open.iter_mut().filter(|call| call.verb == Verb::Up { settle: 0 }) {
            for named in call.slots.iter_mut().filter(|named| named.slot == slot) {
                named.was_up = true;
            }
        }
    }

    /// An exit was reported.
    pub fn exited(&mut self, run: RunId, slot: SlotId, status: ExitStatus) {
        self.exits.push((run, slot, status));
    }

    /// Notes who has been up for long enough by now. `since` is when a slot's present run came up.
    pub fn look(&mut self, now: Time, book: &Book) {
        for call in &mut self.open {
            let Verb::Up { settle } = call.verb else {
                continue;
            };
            for named in &mut call.slots {
                let since = book.slots.get(&named.slot).and_then(SlotBook::online_since);
                named.was_up |= since.is_some_and(|since| since + settle <= now);
            }
        }
    }

    /// Holds an answer against what has happened.
    pub fn replied(&mut self, call: CallId, outcomes: &[SlotOutcome], closing: bool) -> Result<(), Breach> {
        let Some(at) = self.open.iter().position(|open| open.call == call) else {
            return breach(Rule::OneReply, format!("call {call} was answered without waiting"));
        };
        let open = self.open.swap_remove(at);
        self.reloads.extend((open.verb == Verb::Reload).then_some(call));
        if !outcomes.iter().map(|outcome| outcome.slot).eq(open.slots.iter().map(|named| named.slot)) {
            let named: Vec<SlotId> = open.slots.iter().map(|named| named.slot).collect();
            return breach(Rule::ReplyNamesItsSlots, format!("call {call} named {named:?}, answered {outcomes:?}"));
        }
        for (outcome, named) in outcomes.iter().zip(&open.slots) {
            if !self.is_true(open.verb, named, outcome.result, closing) {
                return breach(Rule::ReplyIsTrue, format!("call {call} ({:?}): {outcome:?}, but {named:?}", open.verb));
            }
        }
        Ok(())
    }

    /// Whether an answered call was a reload.
    #[must_use]
    pub fn is_reload(&self, call: CallId) -> bool {
        self.reloads.contains(&call)
    }

    /// No call is left open without a reason. `ticked`: time has been accounted for.
    pub fn in_time(&self, now: Time, book: &Book, ticked: bool) -> Result<(), Breach> {
        for open in &self.open {
            if !open.slots.iter().any(|named| is_pending(now, open.verb, named, book, ticked)) {
                return breach(Rule::ReplyInTime, format!("call {} has nothing left to wait for", open.call));
            }
        }
        Ok(())
    }

    /// The calls that have no answer yet.
    pub fn waiting(&self) -> impl Iterator<Item = CallId> {
        self.open.iter().map(|open| open.call)
    }

    fn named(&mut self, slot: SlotId) -> impl Iterator<Item = &mut Named> {
        self.open.iter_mut().flat_map(|open| open.slots.iter_mut()).filter(move |named| named.slot == slot)
    }

    fn is_true(&self, verb: Verb, named: &Named, result: Result<(), Failure>, closing: bool) -> bool {
        if verb == Verb::Reload {
            return true;
        }
        if !named.known {
            return result == Err(Failure::Unknown);
        }
        let up = matches!(verb, Verb::Up { .. });
        match result {
            Ok(()) => match verb {
                Verb::Up { .. } => named.was_up && !named.refused,
                Verb::Down => named.was_down,
                Verb::Reset => true,
                Verb::Signal => named.live,
                Verb::Reload => true,
            },
            Err(Failure::Unknown) => false,
            Err(Failure::NotRunning) => verb == Verb::Signal && !named.live,
            Err(Failure::Superseded) => up && named.taken_down,
            Err(Failure::SpawnFailed) => up && named.spawn_failed,
            Err(Failure::ExitedEarly(exit)) => {
                up && named.crashed && self.exits.contains(&(exit.run, named.slot, exit.status))
            }
            Err(Failure::CannotBeKilled) => verb != Verb::Reset && verb != Verb::Signal && named.stuck,
            Err(Failure::ShuttingDown) => up && closing,
            Err(Failure::ReloadFailed { .. } | Failure::NotReloaded) => false,
        }
    }
}

/// Whether a call still has to wait for this slot.
fn is_pending(now: Time, verb: Verb, named: &Named, book: &Book, ticked: bool) -> bool {
    let slot = book.slots.get(&named.slot);
    let going = slot.and_then(|slot| slot.run.as_ref()).is_some_and(|run| !run.given_up);
    if verb == Verb::Reload {
        return true;
    }
    if !named.known || !going {
        return false;
    }
    match verb {
        Verb::Up { settle } => {
            let failed = named.refused || named.taken_down || named.spawn_failed || named.crashed || named.stuck;
            // Having been up for long enough is noticed at the tick. What came before a late tick may have undone it.
            let since = slot.and_then(SlotBook::online_since);
            let late = ticked && since.is_some_and(|since| since + settle <= now);
            !failed && !late
        }
        Verb::Down => !named.was_down && !named.stuck,
        Verb::Reset | Verb::Signal => false,
        Verb::Reload => true,
    }
}
