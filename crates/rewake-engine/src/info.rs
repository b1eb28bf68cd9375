//! One slot as clients see it. Looks at a process only when asked to.

use rewake_core::{Phase, RunId, Slot, SlotId, StopStage, Wanted};
use rewake_wire::{SlotInfo, Status};

use crate::engine::Engine;
use crate::sample;
use crate::words;
use crate::words::user_name;

impl Engine {
    /// What there is to say of a slot; with `usage`, also what its process uses right now.
    pub(crate) fn info(&mut self, id: SlotId, usage: bool) -> Option<SlotInfo> {
        let slot = self.core.slot(id)?;
        let sheet = self.sheets.get(&id)?;
        let run = slot.run().filter(|run| self.runs.contains_key(run));
        let state = run.and_then(|run| self.runs.get_mut(&run)).filter(|state| !state.exited);
        let pid = state.as_ref().and_then(|state| state.pid);
        let used = state
            .filter(|_| usage)
            .and_then(|state| sample::look(state.pid?, state.started_at_ms, &mut state.last_look));
        let spec = sheet.spec.clone_without_env();
        let sockets = self.shown_sockets(sheet);
        let text = |path: &std::path::PathBuf| path.display().to_string();
        Some(SlotInfo {
            id: id.0,
            name: slot.name.clone(),
            namespace: slot.namespace.clone(),
            instance: slot.instance,
            status: status(slot),
            pid,
            run: run.map(|run| run.0),
            restarts: slot.restarts,
            unstable_restarts: slot.streak.unstable,
            created_at_ms: sheet.created_at_ms,
            started_at_ms: sheet.started_at_ms,
            last_exit: slot.last_exit.map(|exit| words::exit_info(exit, &self.clock)),
            reason: sheet.why(),
            memory_bytes: used.map(|used| used.memory_bytes),
            cpu_percent: used.map(|used| used.cpu_percent),
            out_log: sheet.out_log.as_ref().map(text),
            error_log: sheet.error_log.as_ref().map(text),
            sockets,
            user: sheet.spec.launch.uid.map_or_else(|| self.user.clone(), user_name),
            cluster: None,
            spec,
        })
    }

    /// As [`Self::info`], with what takes longer to find out.
    pub(crate) fn info_in_detail(&mut self, id: SlotId) -> Option<SlotInfo> {
        let info = self.info(id, true)?;
        let cluster = info.run.zip(info.pid).and_then(|(run, pid)| self.cluster_info(id, RunId(run), pid));
        Some(SlotInfo { cluster, ..info })
    }
}

/// PM2's word for what is wanted and what is.
pub(crate) fn status(slot: &Slot) -> Status {
    match &slot.phase {
        Phase::Stopped => Status::Stopped,
        Phase::Errored => Status::Errored,
        Phase::Spawning { .. } if slot.wanted != Wanted::Up => Status::Stopping,
        Phase::Spawning { .. } | Phase::Launching { .. } => Status::Launching,
        Phase::Online { .. } => Status::Online,
        Phase::Stopping(stopping) => match stopping.stage {
            StopStage::Draining { .. } | StopStage::Asked { .. } | StopStage::Killed { .. } => Status::Stopping,
            StopStage::Stuck => Status::Errored,
        },
        Phase::WaitingRestart { .. } => Status::WaitingRestart,
    }
}
