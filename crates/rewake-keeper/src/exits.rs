//! Ends of processes: runs, what is left of their groups, orphans. Never leaves a zombie, but for a leader whose group lives on
//! where only its pid, still taken, makes the group safe to signal.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rewake_unix::reap::{self, Ended};
use rewake_unix::spawn::{Progress, progress};
use rewake_unix::{pidfd, proc};
use rewake_wire::keeper::{Exit, Report};

use crate::keeper::Keeper;
use crate::log;
use crate::runs::{Member, Rest, Run, Stage};
use crate::spawn::failed;
use crate::tree::{self, Survivors};

/// How soon a group is looked at again that could not be watched for want of descriptors.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

impl Keeper {
    /// Takes every exit there is. Called for SIGCHLD, which stands for any number of them.
    pub(crate) fn reap(&mut self) {
        // Looked at first and reaped after, because whether a leader may be reaped depends on its group.
        while !self.holds_zombies() {
            match reap::any(true) {
                Ok(Some((pid, ended))) => self.child_ended(pid, ended),
                Ok(None) => return,
                Err(error) => return log::line(format_args!("cannot wait for processes: {error}")),
            }
        }
        // A held zombie would be found for ever: each child is asked by itself instead.
        let runs: Vec<u64> = self.runs.iter().filter(|(_, run)| !run.has_ended()).map(|(&id, _)| id).collect();
        for id in runs {
            let ended = self.runs.get(&id).and_then(|run| pidfd::wait(run.pidfd(), true).ok().flatten());
            if let Some(ended) = ended {
                self.run_ended(id, exit_of(ended));
            }
        }
        let held: Vec<u32> = self.runs.values().filter(|run| !run.reaped).map(|run| run.pid).collect();
        let children = proc::children(std::process::id()).unwrap_or_default();
        for pid in children.into_iter().filter(|pid| !held.contains(pid)) {
            if self.daemon_pid() == Some(pid) {
                if let Ok(Some(ended)) = reap::one(pid) {
                    self.daemon_ended(Some(ended));
                }
            } else if !self.check_ended(pid) {
                take(pid);
            }
        }
    }

    /// Looks whether a process on its way has become its program, and reports it.
    pub(crate) fn settle(&mut self, id: u64) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        let Stage::Starting { status, about } = &run.stage else { return };
        match progress(status.as_fd()) {
            Progress::Pending => {}
            Progress::Running => {
                run.stage = Stage::Running;
                let report = Report::Spawned { run: id, pid: run.pid, fds: run.kinds() };
                let fds = run.descriptors();
                self.report(&report, fds);
            }
            Progress::Failed(error) => {
                let error = failed(error, about);
                // Its process ends by itself and is reaped like any orphan.
                self.runs.remove(&id);
                self.report(&Report::SpawnFailed { run: id, error }, Vec::new());
            }
        }
    }

    /// Looks at what is left of an ended run's tree; reports its end.
    pub(crate) fn look_at_rest(&mut self, id: u64, now: Instant) {
        let group_signals = self.tools.group_signals;
        let no_orphans = !group_signals && self.has_no_orphans();
        let Some(run) = self.runs.get_mut(&id) else { return };
        let exit = match &mut run.stage {
            Stage::Starting { .. } | Stage::Running | Stage::Ended { rest: Rest::Gone, .. } => return,
            Stage::Ended { rest: Rest::LookAgain(at), .. } if *at > now => return,
            Stage::Ended { exit, rest: Rest::LookAgain(_) } => *exit,
            Stage::Ended { exit, rest: Rest::Watched(members) } => {
                members.retain(|member| !matches!(pidfd::has_ended(member.as_fd()), Ok(true)));
                if !members.is_empty() {
                    return;
                }
                *exit
            }
        };
        let rest = rest_of(run, group_signals, no_orphans, now);
        let gone = matches!(rest, Rest::Gone);
        run.stage = Stage::Ended { exit, rest };
        if gone {
            release_zombie(run);
            self.report(&Report::TreeGone { run: id }, Vec::new());
        }
    }

    fn has_no_orphans(&self) -> bool {
        let Ok(children) = proc::children(std::process::id()) else { return false };
        let leaders: BTreeSet<u32> = self.runs.values().filter(|run| !run.reaped).map(|run| run.pid).collect();
        children.iter().all(|pid| leaders.contains(pid) || self.daemon_pid() == Some(*pid))
    }

    fn holds_zombies(&self) -> bool {
        self.runs.values().any(|run| run.has_ended() && !run.reaped)
    }

    fn child_ended(&mut self, pid: u32, ended: Ended) {
        let found = self.runs.iter().find(|(_, run)| run.pid == pid && !run.reaped).map(|(&id, _)| id);
        if let Some(id) = found {
            self.run_ended(id, exit_of(ended));
        } else if !self.check_ended(pid) {
            take(pid);
            if self.daemon_pid() == Some(pid) {
                self.daemon_ended(Some(ended));
            }
        }
    }

    /// A run's first process has ended and is still a zombie, if it is a child of ours.
    pub(crate) fn run_ended(&mut self, id: u64, exit: Exit) {
        // Its last word may still be unread.
        self.settle(id);
        let group_signals = self.tools.group_signals;
        let no_orphans = !group_signals && self.has_no_orphans();
        let Some(run) = self.runs.get_mut(&id) else {
            // It failed to become the program; `settle` has told. The next look at the children reaps it.
            return;
        };
        // Where the group can be signalled through the pidfd, the number may go.
        if group_signals || !run.treekill {
            release_zombie(run);
        }
        let rest = if run.treekill { rest_of(run, group_signals, no_orphans, Instant::now()) } else { Rest::Gone };
        let tree_gone = matches!(rest, Rest::Gone);
        if tree_gone {
            release_zombie(run);
        }
        run.stage = Stage::Ended { exit, rest };
        self.report(&Report::Exited { run: id, exit, tree_gone }, Vec::new());
    }
}

pub(crate) fn exit_of(ended: Ended) -> Exit {
    match ended {
        Ended::Code(code) => Exit::Code(code),
        Ended::Signal { number, core_dumped } => Exit::Signal { number, core_dumped },
    }
}

/// `no_orphans`: every child of this process is a run's leader or the daemon. The descendants of a leader that has ended become
/// children of this process, or descendants of such, so then there are none: cheaper than to read all of `/proc`.
fn rest_of(run: &mut Run, group_signals: bool, no_orphans: bool, now: Instant) -> Rest {
    // Those of a run that is no child of ours have gone to somebody else.
    let survivors =
        if no_orphans && run.foreign.is_none() { Survivors::None } else { tree::survivors(run, group_signals) };
    match survivors {
        Survivors::Watch(members) => Rest::Watched(members),
        Survivors::Unwatched => Rest::LookAgain(now + LOOK_AGAIN),
        Survivors::None => {
            run.members.retain(Member::lives);
            let members = run.members.iter().map(|member| member.pidfd.try_clone()).collect::<Result<Vec<_>, _>>();
            match members {
                Ok(members) if members.is_empty() => Rest::Gone,
                Ok(members) => Rest::Watched(members),
                Err(_) => Rest::LookAgain(now + LOOK_AGAIN),
            }
        }
    }
}

/// Reaps a leader that has ended, if it is not reaped yet.
pub(crate) fn release_zombie(run: &mut Run) {
    if !run.reaped {
        take(run.pid);
        run.reaped = true;
    }
}

fn take(pid: u32) {
    if let Err(error) = reap::one(pid) {
        log::line(format_args!("cannot reap process {pid}: {error}"));
    }
}
