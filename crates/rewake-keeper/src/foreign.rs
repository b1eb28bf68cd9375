//! Runs that another keeper has made: this one is not their parent, follows them by their pidfd, and asks the kernel how they ended.
//! Never takes one for ended that lives.

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rewake_unix::pidfd;
use rewake_wire::keeper::{Adopted, Exit, FdKind};

use crate::exits::exit_of;
use crate::keeper::Keeper;
use crate::log;
use crate::runs::{Foreign, Rest, Run, Stage};

/// How soon the kernel is asked again how a process ended: it tells once the process that inherited it has reaped it.
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// How long it is asked. An init that reaps at all does so at once.
const ASK_FOR: Duration = Duration::from_secs(1);

impl Keeper {
    /// Takes over a run that the daemon has had from another keeper.
    pub(crate) fn adopt(&mut self, adopted: Adopted, fds: Vec<OwnedFd>) {
        let Adopted { run, tag, pid, started_at_ms, fds: kinds, exit, treekill, orphan_signal, orphan_timeout_ms } =
            adopted;
        self.next_run = self.next_run.max(run.saturating_add(1));
        let fds: Vec<(FdKind, Rc<OwnedFd>)> = kinds.into_iter().zip(fds.into_iter().map(Rc::new)).collect();
        let Some((FdKind::Pid, pidfd)) = fds.first().map(|(kind, fd)| (*kind, Rc::clone(fd))) else {
            return log::line(format_args!("run {run} came without its process"));
        };
        if self.runs.contains_key(&run) {
            return log::line(format_args!("run {run} is here already"));
        }
        let stage = match exit {
            None => Stage::Running,
            Some(exit) if treekill => Stage::Ended { exit, rest: Rest::LookAgain(Instant::now()) },
            Some(exit) => Stage::Ended { exit, rest: Rest::Gone },
        };
        let run_state = Run {
            tag,
            pid,
            started_at_ms,
            fds,
            pidfd,
            stage,
            reaped: true,
            foreign: Some(Foreign::default()),
            members: Vec::new(),
            treekill,
            orphan_signal,
            orphan_timeout_ms,
            kill_at: None,
        };
        self.runs.insert(run, run_state);
    }

    /// Looks whether such a run has ended, and how.
    pub(crate) fn look_at_foreign(&mut self, id: u64, now: Instant) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        let (Some(foreign), Stage::Running) = (&mut run.foreign, &run.stage) else { return };
        if !matches!(pidfd::has_ended(run.pidfd.as_fd()), Ok(true)) {
            return;
        }
        if let Some(ended) = pidfd::ended(run.pidfd.as_fd(), run.pid) {
            return self.run_ended(id, exit_of(ended));
        }
        if *foreign.give_up_at.get_or_insert(now + ASK_FOR) <= now {
            return self.run_ended(id, Exit::Unknown);
        }
        foreign.look_at = Some(now + ASK_AGAIN);
    }

    /// The kernel did not say yet how these ended.
    pub(crate) fn look_at_due_foreign(&mut self, now: Instant) {
        let due = |run: &Run| run.asks_again_at().is_some_and(|at| at <= now);
        let due: Vec<u64> = self.runs.iter().filter(|(_, run)| due(run)).map(|(&id, _)| id).collect();
        for id in due {
            self.look_at_foreign(id, now);
        }
    }
}

impl Run {
    /// When to ask again how it ended.
    pub(crate) fn asks_again_at(&self) -> Option<Instant> {
        match self.stage {
            Stage::Running => self.foreign?.look_at,
            Stage::Starting { .. } | Stage::Ended { .. } => None,
        }
    }

    /// Whether its end is to be watched for by its pidfd.
    pub(crate) fn is_watched(&self) -> bool {
        matches!(self.stage, Stage::Running) && self.foreign.is_some_and(|foreign| foreign.look_at.is_none())
    }
}
