//! The restart policy: PM2's rules (min_uptime, max_restarts, restart_delay, exponential back-off, stop_exit_codes)
//! as one pure function of an exit. Never looks at a slot.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ExitStatus;

/// First factor and ceiling of the back-off are PM2's: each delay is 1.5 times the last, at most 15 s.
const BACKOFF_CEILING: u64 = 15_000;
/// A run that lived this long was healthy: the back-off begins anew (PM2's `EXP_BACKOFF_RESET_TIMER`).
const HEALTHY: u64 = 30_000;
/// How long a draining run has by default, ms: what PM2's graceful reload waited for the end of the channel.
const DRAIN_TIMEOUT: u64 = 8000;
/// Delay before a spawn that failed for want of something (descriptors, memory) is tried again, ms; long enough not to spin.
const SPAWN_RETRY: u64 = 500;

/// How one slot wants to be kept. Times in ms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub autorestart: bool,
    pub stop_exit_codes: Vec<i32>,
    pub min_uptime: u64,
    /// Unstable exits in a row that make it errored; `None`: no limit.
    pub max_restarts: Option<u32>,
    pub restart_delay: u64,
    /// First delay of the exponential back-off; 0: off.
    pub backoff: u64,
    pub wait_ready: bool,
    /// How long to wait for `'ready'`, or for what its predecessor listened on.
    pub ready_timeout: u64,
    /// Its runs listen through us and can be told to stop accepting: Node's cluster mode.
    pub listens: bool,
    /// `reload` starts the new run beside the old one. Else it is a restart.
    pub rolling: bool,
    /// A new run that is not ready in time replaces the old one all the same: PM2's lenient rule.
    pub accept_unready: bool,
    /// How long the first new run of a reload must live after it was ready before its old one is touched. Those after it need not: one
    /// has proven the release.
    pub reload_soak: u64,
    /// How long a run that was told to stop accepting may take to serve what it has.
    pub drain_timeout: u64,
    pub kill_timeout: u64,
    pub stop_with: StopWith,
    /// Stopping reaches the whole process tree.
    pub treekill: bool,
}

/// What asks a process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopWith {
    Signal(i32),
    Message,
}

/// What a slot's recent exits add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streak {
    /// Exits in a row before `min_uptime`; PM2's `unstable_restarts`.
    pub unstable: u32,
    /// Last delay of the back-off.
    pub previous_delay: u64,
}

/// What to do after an exit that nobody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may not be restarted; it is stopped.
    Rest,
    /// It failed too often.
    GiveUp,
    /// Start it again after so many ms.
    Again { delay: u64 },
}

impl Policy {
    /// Judges an exit nobody asked for, `lived` ms after its start, and counts it.
    pub fn after_exit(&self, status: ExitStatus, lived: u64, streak: &mut Streak) -> Verdict {
        if !self.autorestart || self.is_final(status) {
            return Verdict::Rest;
        }
        self.count(lived, streak)
    }

    /// Judges a process that could not be made, when it is the policy that wanted it.
    pub fn after_failed_spawn(&self, retry: bool, streak: &mut Streak) -> Verdict {
        if !retry || !self.autorestart {
            return Verdict::GiveUp;
        }
        match self.count(0, streak) {
            Verdict::Again { delay } => Verdict::Again { delay: delay.max(SPAWN_RETRY) },
            Verdict::Rest => Verdict::Rest,
            Verdict::GiveUp => Verdict::GiveUp,
        }
    }

    /// Whether a run that ended like this was a task that is done, and not a service that failed.
    #[must_use]
    pub fn is_done(&self, status: ExitStatus) -> bool {
        self.is_final(status) || (!self.autorestart && status == ExitStatus::Code(0))
    }

    fn is_final(&self, status: ExitStatus) -> bool {
        match status {
            ExitStatus::Code(code) => self.stop_exit_codes.contains(&code),
            // PM2 counts a death by signal as code 0 and so lets `stop_exit_codes: [0]` swallow crashes.
            ExitStatus::Signal(_) | ExitStatus::Unknown => false,
        }
    }

    fn count(&self, lived: u64, streak: &mut Streak) -> Verdict {
        if lived < self.min_uptime {
            streak.unstable = streak.unstable.saturating_add(1);
        } else {
            streak.unstable = 0;
        }
        if lived >= HEALTHY {
            streak.previous_delay = 0;
        }
        // Exits in a row, not exits within a window from the start: a long `restart_delay` cannot outrun the limit.
        if self.max_restarts.is_some_and(|limit| streak.unstable > 0 && streak.unstable >= limit) {
            return Verdict::GiveUp;
        }
        Verdict::Again { delay: self.next_delay(streak) }
    }

    fn next_delay(&self, streak: &mut Streak) -> u64 {
        if self.backoff == 0 {
            return self.restart_delay;
        }
        let delay = match streak.previous_delay {
            0 => self.backoff,
            previous => previous.saturating_add(previous / 2).min(BACKOFF_CEILING.max(self.backoff)),
        };
        streak.previous_delay = delay;
        delay
    }
}

impl Default for Policy {
    /// PM2's defaults.
    fn default() -> Self {
        Self {
            autorestart: true,
            stop_exit_codes: Vec::new(),
            min_uptime: 1000,
            max_restarts: Some(16),
            restart_delay: 0,
            backoff: 0,
            wait_ready: false,
            ready_timeout: 3000,
            listens: false,
            rolling: false,
            accept_unready: false,
            reload_soak: 0,
            drain_timeout: DRAIN_TIMEOUT,
            kill_timeout: 1600,
            stop_with: StopWith::Signal(2),
            treekill: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn delays(policy: &Policy, lived: u64, n: usize) -> Vec<Verdict> {
        let mut streak = Streak::default();
        (0..n).map(|_| policy.after_exit(ExitStatus::Code(1), lived, &mut streak)).collect()
    }

    #[test]
    fn a_fast_crasher_is_given_up_at_its_sixteenth_exit() {
        let verdicts = delays(&Policy::default(), 5, 16);
        assert!(verdicts[..15].iter().all(|v| *v == Verdict::Again { delay: 0 }));
        assert_eq!(verdicts[15], Verdict::GiveUp);
    }

    #[test]
    fn a_long_restart_delay_does_not_outrun_the_limit() {
        let policy = Policy { restart_delay: 60_000, max_restarts: Some(3), ..Policy::default() };
        assert_eq!(delays(&policy, 5, 3)[2], Verdict::GiveUp);
    }

    #[test]
    fn a_stable_run_ends_the_streak() {
        let policy = Policy { max_restarts: Some(2), ..Policy::default() };
        let mut streak = Streak::default();
        for lived in [5, 1000, 5, 1000, 5] {
            assert_eq!(policy.after_exit(ExitStatus::Code(1), lived, &mut streak), Verdict::Again { delay: 0 });
        }
        assert_eq!(policy.after_exit(ExitStatus::Code(1), 5, &mut streak), Verdict::GiveUp);
    }

    #[test]
    fn the_back_off_grows_to_its_ceiling_and_begins_anew_after_a_healthy_run() {
        let policy = Policy { backoff: 100, max_restarts: None, ..Policy::default() };
        let mut streak = Streak::default();
        let mut delay = |lived| match policy.after_exit(ExitStatus::Code(1), lived, &mut streak) {
            Verdict::Again { delay } => delay,
            other @ (Verdict::Rest | Verdict::GiveUp) => panic!("{other:?}"),
        };
        assert_eq!([delay(5), delay(5), delay(5)], [100, 150, 225]);
        for _ in 0..20 {
            delay(5);
        }
        assert_eq!(delay(5), 15_000);
        assert_eq!(delay(30_000), 100);
    }

    #[test]
    fn a_death_by_signal_is_not_exit_code_zero() {
        let policy = Policy { stop_exit_codes: vec![0], ..Policy::default() };
        let mut streak = Streak::default();
        assert_eq!(policy.after_exit(ExitStatus::Code(0), 5, &mut streak), Verdict::Rest);
        assert_eq!(policy.after_exit(ExitStatus::Signal(11), 5, &mut streak), Verdict::Again { delay: 0 });
    }

    #[test]
    fn a_spawn_that_failed_for_want_of_descriptors_is_tried_again_but_not_at_once() {
        let mut streak = Streak::default();
        let policy = Policy::default();
        assert_eq!(policy.after_failed_spawn(true, &mut streak), Verdict::Again { delay: SPAWN_RETRY });
        assert_eq!(policy.after_failed_spawn(false, &mut streak), Verdict::GiveUp);
    }
}
