//! The keeper ends the runs by itself: its host died, or it was told to end. Never leaves before they are gone or proved unkillable.

use std::time::{Duration, Instant};

use rewake_wire::keeper::Notice;

use crate::keeper::Keeper;
use crate::log;
use crate::runs::Run;
use crate::tree::{self, KILL};

/// How long a process may take to go after SIGKILL. Only one that hangs in the kernel takes longer, and nothing helps there.
const AFTER_KILL: Duration = Duration::from_secs(10);

/// In which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Each run gets its orphan signal, then its time, then SIGKILL.
    Politely,
    /// SIGKILL.
    AtOnce,
}

/// All runs are being ended; no order counts any more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    /// When the keeper leaves whatever is left.
    give_up_at: Instant,
}

impl Keeper {
    pub(crate) fn begin_ending(&mut self, how: How) {
        self.close_door();
        let now = Instant::now();
        let group_signals = self.tools.group_signals;
        let mut last = now;
        for run in self.runs.values_mut().filter(|run| !run.is_gone()) {
            match how {
                How::Politely => {
                    signal(run, run.orphan_signal, group_signals);
                    let kill_at = now + Duration::from_millis(run.orphan_timeout_ms);
                    run.kill_at = Some(kill_at);
                    last = last.max(kill_at);
                }
                How::AtOnce => signal(run, KILL, group_signals),
            }
        }
        let give_up_at = last + AFTER_KILL;
        if how == How::Politely {
            let within_ms = u64::try_from((give_up_at - now).as_millis()).unwrap_or(u64::MAX);
            self.service.noticed(Notice::Stopping { within_ms }, now);
        }
        self.ending = Some(Ending { give_up_at });
    }

    /// Kills the runs whose time is over.
    pub(crate) fn kill_overdue(&mut self, now: Instant) {
        let group_signals = self.tools.group_signals;
        for run in self.runs.values_mut() {
            if run.kill_at.is_some_and(|at| at <= now) {
                run.kill_at = None;
                signal(run, KILL, group_signals);
            }
        }
    }

    /// Whether the keeper may end.
    pub(crate) fn has_finished(&self, now: Instant) -> bool {
        let Some(ending) = self.ending else { return false };
        if self.runs.values().all(Run::is_gone) {
            return true;
        }
        if now < ending.give_up_at {
            return false;
        }
        for run in self.runs.values().filter(|run| !run.is_gone()) {
            log::line(format_args!("process {} cannot be killed and is left", run.pid));
        }
        true
    }

    /// When [`Keeper::kill_overdue`] or [`Keeper::has_finished`] has something to do.
    pub(crate) fn ending_deadline(&self) -> Option<Instant> {
        let ending = self.ending?;
        let kill_at = self.runs.values().filter_map(|run| run.kill_at).min();
        Some(kill_at.unwrap_or(ending.give_up_at))
    }
}

fn signal(run: &mut Run, signal: i32, group_signals: bool) {
    if run.treekill {
        tree::signal_tree(run, signal, group_signals);
    } else {
        tree::signal_process(run, signal);
    }
}
