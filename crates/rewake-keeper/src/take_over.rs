//! The other end of a handover: a new executable in the same process becomes the keeper that the former one was. When it cannot, it
//! becomes the former one again; it never ends, which would orphan every run.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rewake_unix::limits::OpenFiles;
use rewake_unix::lock::Lock;
use rewake_unix::{fd, memfd};
use rewake_wire::handover::{HandedRun, Handover, MAX_HANDOVER_BYTES, from_bytes};
use rewake_wire::keeper::RoleOf;

use crate::daemon::{Args, Daemon, Launcher, own_path};
use crate::error::KeeperError;
use crate::handover::become_executable;
use crate::home::Door;
use crate::keeper::{Keeper, Tools};
use crate::log;
use crate::run::LOWEST_INHERITED;
use crate::runs::{Foreign, Member, Rest, Run, Stage};
use crate::service::Service;
use crate::update::Trial;

/// How long the daemon of a new executable may take until it serves. It takes milliseconds; the bound is for a machine that swaps.
const TRIAL: Duration = Duration::from_secs(30);

/// Goes on as the keeper that another executable was until now. To be called before anything is opened. `daemon`: its program and
/// arguments, where they are not what the former one says.
pub(crate) fn take_over(
    home: PathBuf,
    state: RawFd,
    daemon: Option<Vec<Vec<u8>>>,
    tools: impl FnOnce(bool) -> Result<Tools, KeeperError>,
) -> Result<Keeper, KeeperError> {
    let state = fd::take_over(state).map_err(KeeperError::setup("handover"))?;
    let bytes = memfd::read_all(state.as_fd(), MAX_HANDOVER_BYTES).map_err(KeeperError::setup("handover"))?;
    drop(state);
    let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    let handover = from_bytes(&bytes).map_err(invalid).map_err(KeeperError::setup("handover"))?;
    let left = Left::take(&handover)?;
    match Set::up(&home, &handover, &left, daemon, tools) {
        Ok(set) => Ok(keeper_of(home, handover, left, set)),
        Err(error) => Err(left.go_back(&home, handover, error)),
    }
}

/// What can fail.
struct Set {
    tools: Tools,
    daemon: Daemon,
    service: Service,
}

impl Set {
    fn up(
        home: &Path,
        handover: &Handover,
        left: &Left,
        daemon: Option<Vec<Vec<u8>>>,
        tools: impl FnOnce(bool) -> Result<Tools, KeeperError>,
    ) -> Result<Self, KeeperError> {
        fd::close_inherited(LOWEST_INHERITED, &left.fds()).map_err(KeeperError::setup("close_range"))?;
        let service = match &handover.role.of {
            RoleOf::Service(manager) => Some(Service::of(manager.clone())),
            RoleOf::Background | RoleOf::Foreground => None,
        };
        // This executable, with what the former one had to say.
        let program = own_path().map_err(KeeperError::setup("own path"))?;
        let handed = handover.daemon.clone().map(|behind| std::iter::once(program).chain(behind).collect());
        let args = Args { given: daemon.or(handed), boot: service.as_ref().map(Service::sign_every) };
        let daemon = Daemon::new(Launcher::new(home, args).map_err(KeeperError::setup("own path"))?);
        let mut tools = tools(handover.role.of == RoleOf::Foreground)?;
        let (soft, hard) = handover.role.open_files;
        tools.open_files = OpenFiles { soft, hard };
        Ok(Self { tools, daemon, service: service.unwrap_or_default() })
    }
}

fn keeper_of(home: PathBuf, handover: Handover, left: Left, set: Set) -> Keeper {
    let Left { lock, listener, former, runs, kept } = left;
    let Set { tools, daemon, service } = set;
    let door = Door { home, lock: Lock::inherited(lock), listener: listener.into() };
    let mut keeper = if handover.role.of == RoleOf::Foreground {
        Keeper::in_foreground(tools, Some(door), daemon)
    } else {
        Keeper::of_home(tools, door, daemon, service)
    };
    keeper.next_run = handover.next_run;
    keeper.runs = runs.into_iter().collect();
    keeper.kept = kept.into_iter().collect();
    keeper.updates = handover.updates;
    keeper.trial = former.map(|former| Trial { former, until: Instant::now() + TRIAL });
    // What ended meanwhile has sent its signal to the former self.
    keeper.reap();
    keeper
}

/// The descriptors of a handover, with what they are.
struct Left {
    lock: OwnedFd,
    listener: OwnedFd,
    former: Option<OwnedFd>,
    runs: Vec<(u64, Run)>,
    kept: Vec<(String, Rc<OwnedFd>)>,
}

impl Left {
    fn take(handover: &Handover) -> Result<Self, KeeperError> {
        let take = |number: RawFd| fd::take_over(number).map_err(KeeperError::setup("descriptors handed over"));
        let mut left = Self {
            lock: take(handover.lock)?,
            listener: take(handover.listener)?,
            former: handover.former.map(take).transpose()?,
            runs: Vec::new(),
            kept: Vec::new(),
        };
        for run in &handover.runs {
            left.runs.push((run.run, taken_run(run, &take)?));
        }
        for (name, number) in &handover.kept {
            left.kept.push((name.clone(), Rc::new(take(*number)?)));
        }
        Ok(left)
    }

    fn fds(&self) -> Vec<BorrowedFd<'_>> {
        let own = [self.lock.as_fd(), self.listener.as_fd()].into_iter().chain(self.former.iter().map(AsFd::as_fd));
        let runs = self.runs.iter().flat_map(|(_, run)| run.all_fds());
        own.chain(runs).chain(self.kept.iter().map(|(_, fd)| fd.as_fd())).collect()
    }

    /// Becomes the former executable again. Returns only when that fails, too.
    fn go_back(self, home: &Path, mut handover: Handover, error: KeeperError) -> KeeperError {
        let Some(former) = &self.former else { return error };
        let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
        let failed = format!("the new executable failed to {error}{cause}");
        log::line(format_args!("{failed}; going back to the former executable"));
        if let Some(update) = handover.updates.last_mut() {
            update.failed = Some(failed);
        }
        handover.former = None;
        let refused = become_executable(former.as_fd(), home, &handover, &self.fds());
        log::line(format_args!("the former executable cannot be run: {refused}"));
        error
    }
}

fn taken_run(run: &HandedRun, take: &impl Fn(RawFd) -> Result<OwnedFd, KeeperError>) -> Result<Run, KeeperError> {
    let mut fds = Vec::new();
    for (kind, number) in &run.fds {
        fds.push((*kind, Rc::new(take(*number)?)));
    }
    let missing = || KeeperError::setup("descriptors handed over")(io::ErrorKind::InvalidData.into());
    let pidfd = Rc::clone(fds.first().map(|(_, fd)| fd).ok_or_else(missing)?);
    let mut members = Vec::new();
    for (pid, number) in &run.members {
        members.push(Member { pid: *pid, pidfd: take(*number)? });
    }
    let stage = match run.exit {
        None => Stage::Running,
        Some(exit) if run.tree_gone => Stage::Ended { exit, rest: Rest::Gone },
        Some(exit) => Stage::Ended { exit, rest: Rest::LookAgain(Instant::now()) },
    };
    Ok(Run {
        tag: run.tag.clone(),
        pid: run.pid,
        started_at_ms: run.started_at_ms,
        fds,
        pidfd,
        stage,
        reaped: run.reaped,
        foreign: run.foreign.then(Foreign::default),
        members,
        treekill: run.treekill,
        orphan_signal: run.orphan_signal,
        orphan_timeout_ms: run.orphan_timeout_ms,
        kill_at: None,
    })
}
