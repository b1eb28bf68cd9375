//! Which processes there are, in a file, for a daemon that finds neither keeper nor record. Written when one comes or goes, and before it
//! is ordered. Never trusted: a pid counts only with its start time, on the same boot of the machine.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rewake_core::{Command, RunId, SlotId};
use rewake_keeper::RUNS_FILES;
use rewake_unix::{pidfd, proc};
use rewake_wire::keeper::FdKind;
use rewake_wire::store::{StoredRun, StoredRuns};
use tokio::sync::oneshot;

use crate::effects::Outgoing;
use crate::engine::{Begin, Engine};
use crate::pending::Then;
use crate::plan::is_worker;
use crate::reports::HeldRun;
use crate::strays;

impl Engine {
    /// Writes down which processes there are, if that has changed. It need not survive the machine, so it does not wait for the disk.
    pub(crate) fn write_runs(&mut self) {
        if !std::mem::take(&mut self.runs_changed) {
            return;
        }
        let Some(file) = self.runs_file() else { return };
        let runs = self.runs.iter().filter(|(_, run)| !run.exited);
        let runs = runs.map(|(id, run)| StoredRun {
            run: id.0,
            slot: run.slot.0,
            pid: run.pid,
            start_ticks: run.start_ticks,
            started_at_ms: run.started_at_ms,
        });
        let stored = StoredRuns { boot: self.boot.clone(), next_run: self.core.next_run(), runs: runs.collect() };
        if let Err(error) = write(&file, &stored) {
            tracing::error!("the list of processes could not be written: {error}");
        }
    }

    /// The same before a process is ordered. All else comes first: whoever is answered may find what was let go of.
    pub(crate) fn write_runs_ahead(&mut self) {
        if self.outgoing.iter().any(|next| matches!(next, Outgoing::Spawn { .. })) {
            self.write_runs();
        }
    }

    /// The end in order leaves no process.
    pub(crate) fn remove_runs(&self) {
        if let Some(file) = self.runs_file() {
            // Not there is as good.
            let _ = std::fs::remove_file(file);
        }
    }

    fn runs_file(&self) -> Option<PathBuf> {
        // The slots of what runs in the foreground are not those of the home's list.
        let [listed, foreground] = RUNS_FILES;
        let file = match self.begin {
            Begin::Listed | Begin::Booted => listed,
            Begin::Empty => foreground,
        };
        self.home.as_deref().map(|home| home.join(file))
    }

    /// Processes of a daemon and a keeper that are both gone. What was being made then is ended.
    pub(crate) fn survivors(&mut self, held: &[HeldRun], in_order: bool) -> Vec<HeldRun> {
        let Some(home) = self.home.clone() else { return Vec::new() };
        let Some(stored) = self.runs_file().and_then(|file| read(&file)) else {
            if !in_order && held.is_empty() && !self.sheets.is_empty() {
                // Whatever runs cannot be named one by one, and must not run twice.
                strays::end(&home, None, &[]);
            }
            return Vec::new();
        };
        self.core.use_runs_from(stored.next_run);
        if stored.boot != self.boot {
            return Vec::new();
        }
        let unknown = |run: &&StoredRun| !held.iter().any(|held| held.run.0 == run.run);
        let (made, unheard): (Vec<_>, Vec<_>) = stored.runs.iter().filter(unknown).partition(|run| run.pid.is_some());
        let survivors: Vec<HeldRun> = made.into_iter().filter_map(survivor).collect();
        let unheard: BTreeSet<String> = unheard.into_iter().map(|run| run.slot.to_string()).collect();
        if !unheard.is_empty() {
            let known = survivors.iter().chain(held).map(|run| run.pid).collect::<Vec<_>>();
            strays::end(&home, Some(&unheard), &known);
        }
        survivors
    }

    /// Says which processes were found without their keeper, and begins what must be done about them.
    pub(crate) fn settle_survivors(&mut self, found: &[(SlotId, RunId)]) {
        let mut workers = Vec::new();
        for (id, run) in found {
            let Some(sheet) = self.sheets.get_mut(id) else { continue };
            if self.core.slot(*id).and_then(rewake_core::Slot::run) != Some(*run) {
                continue;
            }
            if is_worker(&sheet.spec.launch) {
                tracing::warn!(app = %sheet.spec.name, id = id.0, "a worker has lost its primary and is restarted");
                sheet.reason =
                    Some("restarted: supervisor and keeper had died, and a worker cannot go on without".into());
                workers.push(*id);
            } else {
                tracing::warn!(app = %sheet.spec.name, id = id.0, "taken back; its output and its channel are lost");
                sheet.reason = Some(
                    "taken back after supervisor and keeper had died: its output is not recorded and it has no channel until it is restarted"
                        .into(),
                );
            }
        }
        if !workers.is_empty() {
            let (nobody, _) = oneshot::channel();
            let restart = Command::Restart { slots: workers.clone(), settle: 0 };
            self.open(vec![restart], &workers, Then::Answer, nobody);
        }
    }
}

/// The process of this entry, if it is still the one that was meant.
fn survivor(stored: &StoredRun) -> Option<HeldRun> {
    let pid = stored.pid?;
    let same = || proc::stat(pid).is_ok_and(|stat| stat.start_ticks == stored.start_ticks && !stat.is_zombie());
    if !same() {
        return None;
    }
    let process: OwnedFd = pidfd::open(pid).ok()?;
    // Between the look and the descriptor the pid may have passed on.
    same().then(|| HeldRun {
        run: RunId(stored.run),
        tag: stored.slot.to_string(),
        pid,
        started_at_ms: stored.started_at_ms,
        fds: vec![(FdKind::Pid, process)],
        exit: None,
        tree_gone: false,
    })
}

fn write(path: &Path, stored: &StoredRuns) -> std::io::Result<()> {
    let new: PathBuf = path.with_extension("json.new");
    rewake_unix::file::write_private(&new, &serde_json::to_vec(stored)?)?;
    std::fs::rename(new, path)
}

fn read(path: &Path) -> Option<StoredRuns> {
    let bytes = std::fs::read(path).ok()?;
    match serde_json::from_slice(&bytes) {
        Ok(stored) => Some(stored),
        Err(error) => {
            tracing::error!("`{}` is damaged: {error}", path.display());
            None
        }
    }
}
