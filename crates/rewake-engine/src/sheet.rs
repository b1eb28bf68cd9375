//! What the engine knows of a slot beside the core: its description, when it was made, why it failed. Decides nothing.

use std::path::PathBuf;

use rewake_core::{NewSlot, Policy, RunId, StopWith};
use rewake_wire::AppSpec;

use crate::plan::is_worker;

/// One slot's sheet.
#[derive(Debug, Clone)]
pub(crate) struct Sheet {
    pub(crate) spec: AppSpec,
    /// The description before the one that a reload is trying out: that of the process that serves on if it fails.
    pub(crate) before_reload: Option<Box<AppSpec>>,
    pub(crate) created_at_ms: u64,
    /// Of what an earlier daemon left, runs below this number were on their way out.
    pub(crate) oldest_run: RunId,
    /// Start of the present or last run.
    pub(crate) started_at_ms: Option<u64>,
    /// Why the last start failed, or why it was given up.
    pub(crate) reason: Option<String>,
    /// Why one of its processes may not listen where it wants to.
    pub(crate) refused: Option<String>,
    /// Where its output goes; `None`: nowhere.
    pub(crate) out_log: Option<PathBuf>,
    pub(crate) error_log: Option<PathBuf>,
    /// Both streams.
    pub(crate) combined_log: Option<PathBuf>,
}

impl Sheet {
    /// The files that its output goes to.
    pub(crate) fn logs(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.out_log, &self.error_log, &self.combined_log].into_iter().flatten()
    }

    /// All that is known of why it does not run as it should.
    pub(crate) fn why(&self) -> Option<String> {
        match (&self.reason, &self.refused) {
            (Some(reason), Some(refused)) => Some(format!("{reason}; {refused}")),
            (reason, refused) => reason.clone().or_else(|| refused.clone()),
        }
    }
}

/// What the core needs of an app.
pub(crate) fn new_slot(spec: &AppSpec) -> NewSlot {
    NewSlot { name: spec.name.clone(), namespace: spec.namespace.clone(), policy: policy(spec) }
}

/// The policy in the core's words.
pub(crate) fn policy(app: &AppSpec) -> Policy {
    let spec = &app.policy;
    let worker = is_worker(&app.launch);
    Policy {
        listens: worker,
        // Old and new can serve side by side only on sockets that are neither's own.
        rolling: worker || !app.launch.sockets.is_empty(),
        accept_unready: spec.accept_unready,
        reload_soak: spec.reload_soak_ms,
        drain_timeout: spec.drain_timeout_ms,
        autorestart: spec.autorestart,
        stop_exit_codes: spec.stop_exit_codes.clone(),
        min_uptime: spec.min_uptime_ms,
        max_restarts: spec.max_restarts,
        restart_delay: spec.restart_delay_ms,
        backoff: spec.exp_backoff_restart_delay_ms,
        wait_ready: spec.wait_ready,
        ready_timeout: spec.listen_timeout_ms,
        kill_timeout: spec.kill_timeout_ms,
        stop_with: match spec.stop_with {
            rewake_wire::StopWith::Signal(signal) => StopWith::Signal(signal),
            rewake_wire::StopWith::Message => StopWith::Message,
        },
        treekill: spec.treekill,
    }
}
