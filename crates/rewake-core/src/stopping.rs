//! How a run is brought to its end: drained, asked, killed. The same for a slot's own run and for the one beside it.

use crate::policy::StopWith;
use crate::transitions::{SIGINT, SIGKILL, SIGTERM, Step};
use crate::{Effect, Exit, ExitStatus, Policy, RunId, StopStage, Stopping, Time};

/// How long SIGKILL may take before a process is reported as one that cannot be killed, ms, unless its `kill_timeout`
/// is longer (PM2 waits another `kill_timeout`). The kernel takes seconds to free the memory of a large process, and so may a machine that
/// swaps, or whose host has no time for it, to tell of an end. The keeper waits as long when it ends them by itself.
const SIGKILL_PATIENCE: u64 = 10_000;

impl Stopping {
    /// When the next stage is due.
    pub(crate) fn due(&self) -> Option<Time> {
        match self.stage {
            StopStage::Draining { until: at, .. }
            | StopStage::Asked { kill_at: at }
            | StopStage::Killed { give_up_at: at } => Some(at),
            StopStage::Stuck => None,
        }
    }

    /// Its exit, now.
    pub(crate) fn exit(&self, status: ExitStatus, now: Time) -> Exit {
        Exit { run: self.run, status, at: now, lived: now - self.since }
    }
}

impl Step<'_> {
    /// Asks a run to end; SIGKILL follows after `kill_timeout`.
    pub(crate) fn ask(&mut self, policy: &Policy, run: RunId, since: Time) -> Stopping {
        self.effects.push(match policy.stop_with {
            StopWith::Signal(signal) => Effect::Signal { run, signal, tree: policy.treekill },
            StopWith::Message => Effect::SendShutdown { run },
        });
        Stopping { run, since, stage: self.asked(policy), exit: None, crashed: false }
    }

    /// Lets a run serve what it has before it is asked to end, if it can be told so. The message goes first: its channel is closed when it
    /// has served everything, and who asks for a message may have connections that only the app itself can end.
    pub(crate) fn drain(&mut self, policy: &Policy, run: RunId, since: Time) -> Stopping {
        if !policy.listens {
            return self.ask(policy, run, since);
        }
        let told = policy.stop_with == StopWith::Message;
        if told {
            self.effects.push(Effect::SendShutdown { run });
        }
        self.effects.push(Effect::Drain { run });
        let stage = StopStage::Draining { until: self.now + policy.drain_timeout, told };
        Stopping { run, since, stage, exit: None, crashed: false }
    }

    /// What is draining is to end now.
    pub(crate) fn hurry(&mut self, policy: &Policy, stopping: &mut Stopping) {
        match stopping.stage {
            StopStage::Draining { told: true, .. } => stopping.stage = self.asked(policy),
            StopStage::Draining { told: false, .. } => *stopping = self.ask(policy, stopping.run, stopping.since),
            StopStage::Asked { .. } | StopStage::Killed { .. } | StopStage::Stuck => {}
        }
    }

    /// The next stage, because its time has come. `true`: there is none after it.
    pub(crate) fn harder(&mut self, policy: &Policy, stopping: &mut Stopping) -> bool {
        match stopping.stage {
            StopStage::Draining { .. } => self.hurry(policy, stopping),
            StopStage::Asked { .. } => {
                stopping.stage = self.killed(policy);
                // With the process gone, what is left of its tree is all that a signal could reach.
                let tree = policy.treekill || stopping.exit.is_some();
                self.effects.push(Effect::Signal { run: stopping.run, signal: SIGKILL, tree });
            }
            StopStage::Killed { .. } | StopStage::Stuck => {
                stopping.stage = StopStage::Stuck;
                return true;
            }
        }
        false
    }

    /// The process has ended but what it started has not.
    pub(crate) fn press_the_tree(&mut self, policy: &Policy, stopping: &mut Stopping) {
        let signal = match stopping.stage {
            StopStage::Draining { .. } => {
                stopping.stage = self.asked(policy);
                SIGTERM
            }
            // SIGTERM, since background jobs of a shell ignore SIGINT and nobody is left who could pass a request on.
            StopStage::Asked { .. } => SIGTERM,
            StopStage::Killed { .. } | StopStage::Stuck => {
                // What the first SIGKILL missed (a fork in between) gets its own, with a time of its own: a process that was stuck and
                // has ended after all must not leave its slot to a straggler for ever.
                stopping.stage = self.killed(policy);
                SIGKILL
            }
        };
        self.effects.push(Effect::Signal { run: stopping.run, signal, tree: true });
    }

    /// A run has ended unasked, and what it started has not.
    pub(crate) fn left_behind(&mut self, policy: &Policy, exit: Exit, since: Time) -> Stopping {
        let stage = self.asked(policy);
        let mut stopping = Stopping { run: exit.run, since, stage, exit: Some(exit), crashed: true };
        self.press_the_tree(policy, &mut stopping);
        stopping
    }

    /// It cannot be told, so it is signalled; its time goes on from when it should have been told. Not before it has served what it has.
    pub(crate) fn signal_instead(&mut self, policy: &Policy, stopping: &mut Stopping) {
        match &mut stopping.stage {
            StopStage::Draining { told, .. } => *told = false,
            StopStage::Asked { .. } if stopping.exit.is_none() => {
                self.effects.push(Effect::Signal { run: stopping.run, signal: SIGINT, tree: policy.treekill });
            }
            StopStage::Asked { .. } | StopStage::Killed { .. } | StopStage::Stuck => {}
        }
    }

    /// It serves nothing any more: it need not be waited for.
    pub(crate) fn drained(&mut self, policy: &Policy, stopping: &mut Stopping) {
        if stopping.exit.is_none() {
            self.hurry(policy, stopping);
        }
    }

    fn asked(&self, policy: &Policy) -> StopStage {
        StopStage::Asked { kill_at: self.now + policy.kill_timeout }
    }

    /// The stage that a SIGKILL sent now begins.
    fn killed(&self, policy: &Policy) -> StopStage {
        StopStage::Killed { give_up_at: self.now + policy.kill_timeout.max(SIGKILL_PATIENCE) }
    }
}
