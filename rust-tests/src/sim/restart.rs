//! PM2's restart policy once more, written naively from its description, to predict what the core must do.
//! Never calls the core's own policy.

use rewake_core::{ExitStatus, Policy};

/// What is remembered of a slot's recent ends.
#[derive(Debug, Clone, Copy, Default)]
pub struct History {
    short_runs_in_a_row: u32,
    last_backoff: u128,
}

/// What must follow an end that nobody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Stopped,
    Errored,
    Again(u64),
}

impl History {
    /// A process ended by itself, so many ms after its start.
    pub fn after_crash(&mut self, policy: &Policy, status: ExitStatus, lived: u64) -> Next {
        let code = match status {
            ExitStatus::Code(code) => Some(code),
            ExitStatus::Signal(_) | ExitStatus::Unknown => None,
        };
        if !policy.autorestart || code.is_some_and(|code| policy.stop_exit_codes.contains(&code)) {
            return Next::Stopped;
        }
        self.again(policy, lived)
    }

    /// A process could not be made. One that never lived is a short run; the second try waits half a second.
    pub fn after_failed_spawn(&mut self, policy: &Policy, may_pass: bool) -> Next {
        if !policy.autorestart || !may_pass {
            return Next::Errored;
        }
        match self.again(policy, 0) {
            Next::Again(delay) => Next::Again(delay.max(500)),
            other @ (Next::Stopped | Next::Errored) => other,
        }
    }

    fn again(&mut self, policy: &Policy, lived: u64) -> Next {
        if lived >= 30_000 {
            self.last_backoff = 0;
        }
        if lived >= policy.min_uptime {
            self.short_runs_in_a_row = 0;
        } else {
            self.short_runs_in_a_row += 1;
            if policy.max_restarts.is_some_and(|most| self.short_runs_in_a_row >= most) {
                return Next::Errored;
            }
        }
        if policy.backoff == 0 {
            return Next::Again(policy.restart_delay);
        }
        let first = u128::from(policy.backoff);
        self.last_backoff =
            if self.last_backoff == 0 { first } else { (self.last_backoff * 3 / 2).min(first.max(15_000)) };
        Next::Again(u64::try_from(self.last_backoff).unwrap_or(u64::MAX))
    }
}
