//! What a careful reader of the rules notes of one run, and how it is brought to its end. Flags and dates; never looks into the core.

use rewake_core::{ExitStatus, Policy, RunId, StopWith, Time};

use super::book::Expected;
use super::heir_book::Must;
use super::slot_book::Hand;

const SIGINT: i32 = 2;
const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
/// How long SIGKILL may take at least before the core may say that it does not help, ms.
const SIGKILL_PATIENCE: u64 = 10_000;

/// One run as far as it was reported.
#[derive(Debug, Clone)]
pub struct RunBook {
    /// `None` until the core has chosen its number.
    pub id: Option<RunId>,
    pub born: Option<Time>,
    pub online: Option<Time>,
    /// It has yet to be ready, and counts as up from then on.
    pub ready_by: Option<Time>,
    /// What makes it ready before that.
    pub must: Must,
    /// Having lived until then it has done all that could be asked of it.
    pub may_grow: bool,
    /// Not yet born, it is what a reload's old run has left the slot to; whether that had listened.
    pub left_alone: Option<bool>,
    pub listened: bool,
    /// Something asked for its end or its replacement: what follows is not the policy's to say.
    pub ordered: bool,
    pub drain_by: Option<Time>,
    /// The message that asks it to end went out before it was to drain, and may have reached it.
    pub told: bool,
    pub kill_at: Option<Time>,
    pub give_up_at: Option<Time>,
    pub given_up: bool,
    pub exit: Option<(ExitStatus, u64)>,
}

impl RunBook {
    pub(super) fn unnumbered() -> Self {
        Self {
            id: None,
            born: None,
            online: None,
            ready_by: None,
            must: Must::SayReady,
            may_grow: false,
            left_alone: None,
            listened: false,
            ordered: false,
            drain_by: None,
            told: false,
            kill_at: None,
            give_up_at: None,
            given_up: false,
            exit: None,
        }
    }

    /// One that was there before.
    pub(super) fn found(id: RunId, since: Time) -> Self {
        Self { id: Some(id), born: Some(since), online: Some(since), ..Self::unnumbered() }
    }

    /// Its number. One without a number is in no world and no order yet; this is none's.
    pub(super) fn number(&self) -> RunId {
        self.id.unwrap_or(RunId(u64::MAX))
    }

    /// It is on its way out.
    #[must_use]
    pub fn leaves(&self) -> bool {
        self.drain_by.is_some() || self.kill_at.is_some()
    }

    /// When its next stage is due.
    #[must_use]
    pub fn end_due(&self) -> Option<Time> {
        if self.given_up { None } else { self.give_up_at.or(self.kill_at).or(self.drain_by) }
    }

    /// It is to end: politely now, by SIGKILL after `kill_timeout`.
    pub(super) fn ask(&mut self, policy: &Policy, hand: &mut Hand<'_>) {
        let run = self.number();
        self.kill_at = Some(hand.now + policy.kill_timeout);
        self.ready_by = None;
        if self.told {
            return;
        }
        hand.order(match policy.stop_with {
            StopWith::Signal(signal) => Expected::Signal { run, signal, tree: policy.treekill },
            StopWith::Message => Expected::SendShutdown(run),
        });
    }

    /// It is to end, but may serve what it has if it can be told so. A message cannot wait: the channel closes.
    pub(super) fn let_go(&mut self, policy: &Policy, hand: &mut Hand<'_>) {
        if policy.listens {
            self.drain_by = Some(hand.now + policy.drain_timeout);
            if policy.stop_with == StopWith::Message {
                self.told = true;
                hand.order(Expected::SendShutdown(self.number()));
            }
            hand.order(Expected::Drain(self.number()));
        } else {
            self.ask(policy, hand);
        }
    }

    /// It is asked to end unless it was.
    pub(super) fn ask_once(&mut self, policy: &Policy, hand: &mut Hand<'_>) {
        if self.kill_at.is_none() {
            self.ask(policy, hand);
        }
    }

    /// It has served what it had.
    pub(super) fn drained(&mut self, policy: &Policy, hand: &mut Hand<'_>) {
        if self.drain_by.is_some() && self.exit.is_none() {
            self.ask_once(policy, hand);
        }
    }

    /// The message did not reach it.
    pub(super) fn undeliverable(&mut self, policy: &Policy, hand: &mut Hand<'_>) {
        if self.kill_at.is_none() {
            self.told = false;
        } else if self.give_up_at.is_none() && self.exit.is_none() {
            hand.order(Expected::Signal { run: self.number(), signal: SIGINT, tree: policy.treekill });
        }
    }

    /// Its process has ended.
    pub(super) fn ended(&mut self, status: ExitStatus, hand: &mut Hand<'_>) {
        self.exit = Some((status, self.born.map_or(0, |born| hand.now - born)));
        self.ready_by = None;
        hand.order(Expected::Exit(self.number(), status));
    }

    /// What it started has not.
    pub(super) fn clean_up(&mut self, policy: &Policy, hand: &mut Hand<'_>) {
        let signal = if self.give_up_at.is_some() {
            // SIGKILL again, for what the first one missed, with a time of its own.
            self.give_up_at = Some(hand.now + policy.kill_timeout.max(SIGKILL_PATIENCE));
            self.given_up = false;
            SIGKILL
        } else {
            self.kill_at.get_or_insert(hand.now + policy.kill_timeout);
            SIGTERM
        };
        hand.order(Expected::Signal { run: self.number(), signal, tree: true });
    }

    /// One stage further. `true`: nothing more can be done.
    pub(super) fn harder(&mut self, policy: &Policy, hand: &mut Hand<'_>) -> bool {
        if self.kill_at.is_none() {
            self.ask(policy, hand);
        } else if self.give_up_at.is_none() {
            self.give_up_at = Some(hand.now + policy.kill_timeout.max(SIGKILL_PATIENCE));
            // The process itself may be gone: then it is the rest that is to end.
            let tree = policy.treekill || self.exit.is_some();
            hand.order(Expected::Signal { run: self.number(), signal: SIGKILL, tree });
        } else {
            self.given_up = true;
            hand.order(Expected::CannotBeKilled(self.number()));
            return true;
        }
        false
    }
}
