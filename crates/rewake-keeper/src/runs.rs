//! The runs that a keeper holds: what is known of each, and its descriptors. Never decides what happens to one.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Instant;

use rewake_unix::pidfd;
use rewake_wire::keeper::{Exit, FdKind, Report};

/// By run number.
pub(crate) type Runs = BTreeMap<u64, Run>;

/// One process of an app, from its fork until the daemon releases it.
pub(crate) struct Run {
    pub(crate) tag: String,
    pub(crate) pid: u32,
    pub(crate) started_at_ms: u64,
    /// What the daemon gets, and what is kept for the next one. The pidfd is always the first.
    pub(crate) fds: Vec<(FdKind, Rc<OwnedFd>)>,
    pub(crate) pidfd: Rc<OwnedFd>,
    pub(crate) stage: Stage,
    /// The leader's exit status has been taken, so its pid may be anybody's from now on.
    pub(crate) reaped: bool,
    /// It is no child of this keeper: another one made it.
    pub(crate) foreign: Option<Foreign>,
    /// Descendants that a signal to the tree has found: they belong to it from then on, wherever they go.
    pub(crate) members: Vec<Member>,
    pub(crate) treekill: bool,
    pub(crate) orphan_signal: i32,
    pub(crate) orphan_timeout_ms: u64,
    /// When what is left of it is killed, once it is being ended by the keeper itself.
    pub(crate) kill_at: Option<Instant>,
}

/// How far a run is.
pub(crate) enum Stage {
    /// Forked; whether it becomes the program will be told at `status`.
    Starting {
        status: OwnedFd,
        about: About,
    },
    Running,
    Ended {
        exit: Exit,
        rest: Rest,
    },
}

/// How the end of a run is looked for that the kernel does not tell us as its parent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Foreign {
    /// It has ended, and how is not known yet: when to ask again.
    pub(crate) look_at: Option<Instant>,
    /// When to stop asking.
    pub(crate) give_up_at: Option<Instant>,
}

/// What a failing step will have been about.
pub(crate) struct About {
    pub(crate) program: String,
    pub(crate) cwd: String,
    pub(crate) user: String,
}

/// What is left of an ended run's tree.
pub(crate) enum Rest {
    Gone,
    /// Some members of the group, watched until all of them have ended; then the group is looked at again.
    Watched(Vec<OwnedFd>),
    /// There are members and no descriptor to watch them with: look again at this time.
    LookAgain(Instant),
}

/// A process of a run's tree, not its first.
pub(crate) struct Member {
    pub(crate) pid: u32,
    pub(crate) pidfd: OwnedFd,
}

impl Member {
    pub(crate) fn lives(&self) -> bool {
        !matches!(pidfd::has_ended(self.pidfd.as_fd()), Ok(true))
    }
}

impl Run {
    /// Nothing of it is left to signal or to wait for.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Ended { rest: Rest::Gone, .. })
    }

    /// Its first process has ended.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended { .. })
    }

    pub(crate) fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    pub(crate) fn kinds(&self) -> Vec<FdKind> {
        self.fds.iter().map(|&(kind, _)| kind).collect()
    }

    pub(crate) fn descriptors(&self) -> Vec<Rc<OwnedFd>> {
        self.fds.iter().map(|(_, fd)| Rc::clone(fd)).collect()
    }

    /// What a new daemon is told about it; `None` while it is not settled whether there is a run.
    pub(crate) fn held(&self, run: u64) -> Option<Report> {
        let (exit, tree_gone) = match &self.stage {
            Stage::Starting { .. } => return None,
            Stage::Running => (None, false),
            Stage::Ended { exit, rest } => (Some(*exit), matches!(rest, Rest::Gone)),
        };
        Some(Report::Held {
            run,
            tag: self.tag.clone(),
            pid: self.pid,
            started_at_ms: self.started_at_ms,
            fds: self.kinds(),
            exit,
            tree_gone,
        })
    }
}
