//! From one executable to another in the same process: what the keeper knows goes into a memfd, its descriptors stay open under their
//! numbers. Never leaves one open that is not named there.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rewake_unix::limits::OpenFiles;
use rewake_unix::lock::Lock;
use rewake_unix::{fd, memfd, this};
use rewake_wire::handover::{HandedRun, Handover, MAX_HANDOVER_BYTES, Versions, from_bytes};
use rewake_wire::keeper::{RoleOf, UpdateOutcome};

use crate::config::{HANDOVER_FLAG, STATE_FD_FLAG};
use crate::daemon::{Args, Daemon, Launcher, own_path};
use crate::error::KeeperError;
use crate::home::{Door, Home};
use crate::keeper::{Keeper, Tools};
use crate::run::LOWEST_INHERITED;
use crate::runs::{Foreign, Member, Rest, Run, Stage};
use crate::service::Service;
use crate::update::Trial;

/// How long the daemon of a new executable may take until it serves. It takes milliseconds; the bound is for a machine that swaps.
const TRIAL: Duration = Duration::from_secs(30);

/// Whether this executable could go on from the handover in this descriptor.
///
/// # Errors
/// A sentence that says why it could not.
pub fn check(state: RawFd) -> Result<(), String> {
    let bytes = fd::adopt(state).and_then(|state| memfd::read_all(state.as_fd(), MAX_HANDOVER_BYTES));
    from_bytes(&bytes.map_err(|error| format!("there is no handover: {error}"))?).map(drop)
}

/// Goes on as the keeper that another executable was until now. To be called before anything is opened.
pub(crate) fn take_over(
    home: PathBuf,
    state: RawFd,
    tools: impl FnOnce(bool) -> Result<Tools, KeeperError>,
) -> Result<Keeper, KeeperError> {
    let state = fd::take_over(state).map_err(KeeperError::setup("handover"))?;
    let bytes = memfd::read_all(state.as_fd(), MAX_HANDOVER_BYTES).map_err(KeeperError::setup("handover"))?;
    drop(state);
    let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    let handover = from_bytes(&bytes).map_err(invalid).map_err(KeeperError::setup("handover"))?;
    keeper_of(home, handover, tools)
}

fn keeper_of(
    home: PathBuf,
    handover: Handover,
    tools: impl FnOnce(bool) -> Result<Tools, KeeperError>,
) -> Result<Keeper, KeeperError> {
    let Handover { versions: _, lock, listener, role, daemon, next_run, runs, kept, update, former } = handover;
    let take = |number| fd::take_over(number).map_err(KeeperError::setup("descriptors handed over"));
    let (lock, listener) = (take(lock)?, take(listener)?);
    let former = former.map(take).transpose()?;
    let mut held: Vec<(u64, Run)> = Vec::new();
    for run in runs {
        held.push((run.run, taken_run(run, &take)?));
    }
    let mut sockets = Vec::new();
    for (name, number) in kept {
        sockets.push((name, Rc::new(take(number)?)));
    }
    {
        let runs = held.iter().flat_map(|(_, run)| run.all_fds());
        let all = [lock.as_fd(), listener.as_fd()].into_iter().chain(former.iter().map(AsFd::as_fd)).chain(runs);
        let all: Vec<BorrowedFd<'_>> = all.chain(sockets.iter().map(|(_, socket)| socket.as_fd())).collect();
        fd::close_inherited(LOWEST_INHERITED, &all).map_err(KeeperError::setup("close_range"))?;
    }
    let service = match &role.of {
        RoleOf::Service(manager) => Some(Service::of(manager.clone())),
        RoleOf::Background | RoleOf::Foreground => None,
    };
    let args = args_of(daemon, service.as_ref()).map_err(KeeperError::setup("own path"))?;
    let daemon = Daemon::new(Launcher::new(&home, args).map_err(KeeperError::setup("own path"))?);
    let foreground = role.of == RoleOf::Foreground;
    let mut tools = tools(foreground)?;
    tools.open_files = OpenFiles { soft: role.open_files.0, hard: role.open_files.1 };
    let door = Door { home, lock: Lock::inherited(lock), listener: listener.into() };
    let mut keeper = if foreground {
        Keeper::in_foreground(tools, Some(door), daemon)
    } else {
        Keeper::of_home(tools, door, daemon, service.unwrap_or_default())
    };
    keeper.next_run = next_run;
    keeper.runs = held.into_iter().collect();
    keeper.kept = sockets.into_iter().collect();
    keeper.updated = Some(update);
    keeper.trial = former.map(|former| Trial { former, until: Instant::now() + TRIAL });
    // What ended meanwhile has sent its signal to the former self.
    keeper.reap();
    Ok(keeper)
}

/// What the daemon is started with: this executable, with what the former one had to say.
fn args_of(behind_program: Option<Vec<Vec<u8>>>, service: Option<&Service>) -> io::Result<Args> {
    let program = own_path()?;
    let given = behind_program.map(|behind| std::iter::once(program).chain(behind).collect());
    Ok(Args { given, boot: service.map(Service::sign_every) })
}

fn taken_run(run: HandedRun, take: &impl Fn(RawFd) -> Result<OwnedFd, KeeperError>) -> Result<Run, KeeperError> {
    let mut fds = Vec::new();
    for (kind, number) in run.fds {
        fds.push((kind, Rc::new(take(number)?)));
    }
    let missing = || KeeperError::setup("descriptors handed over")(io::ErrorKind::InvalidData.into());
    let pidfd = Rc::clone(fds.first().map(|(_, fd)| fd).ok_or_else(missing)?);
    let mut members = Vec::new();
    for (pid, number) in run.members {
        members.push(Member { pid, pidfd: take(number)? });
    }
    let stage = match run.exit {
        None => Stage::Running,
        Some(exit) if run.tree_gone => Stage::Ended { exit, rest: Rest::Gone },
        Some(exit) => Stage::Ended { exit, rest: Rest::LookAgain(Instant::now()) },
    };
    Ok(Run {
        tag: run.tag,
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

impl Run {
    fn all_fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.fds.iter().map(|(_, fd)| fd.as_fd()).chain(self.members.iter().map(|member| member.pidfd.as_fd()))
    }

    fn handed(&self, run: u64) -> HandedRun {
        let (exit, tree_gone) = match &self.stage {
            Stage::Starting { .. } | Stage::Running => (None, false),
            Stage::Ended { exit, rest } => (Some(*exit), matches!(rest, Rest::Gone)),
        };
        HandedRun {
            run,
            tag: self.tag.clone(),
            pid: self.pid,
            started_at_ms: self.started_at_ms,
            fds: self.fds.iter().map(|(kind, fd)| (*kind, fd.as_raw_fd())).collect(),
            exit,
            tree_gone,
            reaped: self.reaped,
            foreign: self.foreign.is_some(),
            members: self.members.iter().map(|member| (member.pid, member.pidfd.as_raw_fd())).collect(),
            treekill: self.treekill,
            orphan_signal: self.orphan_signal,
            orphan_timeout_ms: self.orphan_timeout_ms,
        }
    }
}

impl Keeper {
    /// Everything, for the executable that is to take over; `None` for an embedded keeper, which ends with its program, and for one
    /// without a home, whom nobody can reach.
    pub(crate) fn handover(
        &self,
        versions: Versions,
        update: UpdateOutcome,
        former: Option<BorrowedFd<'_>>,
    ) -> Option<Handover> {
        let Home { door: Some(door), daemon, .. } = self.home.as_ref()? else { return None };
        let given = daemon.launcher.args.given.as_ref();
        Some(Handover {
            versions,
            lock: door.lock.as_fd().as_raw_fd(),
            listener: door.listener.as_raw_fd(),
            role: self.role(),
            daemon: given.map(|argv| argv.iter().skip(1).cloned().collect()),
            next_run: self.next_run,
            runs: self.runs.iter().map(|(&id, run)| run.handed(id)).collect(),
            kept: self.kept.iter().map(|(name, fd)| (name.clone(), fd.as_raw_fd())).collect(),
            update,
            former: former.map(|fd| fd.as_raw_fd()),
        })
    }

    /// Becomes the executable in this descriptor. Returns only when that fails; then everything is as before.
    pub(crate) fn become_executable(&self, exe: BorrowedFd<'_>, handover: &Handover) -> io::Error {
        let Some(Home { door: Some(door), .. }) = &self.home else { return io::ErrorKind::Unsupported.into() };
        let state = match serde_json::to_vec(handover).map_err(io::Error::from).and_then(|bytes| to_memfd(&bytes)) {
            Ok(state) => state,
            Err(error) => return error,
        };
        let numbers = self.inherited(&state);
        let set = |inherited| numbers.iter().try_for_each(|&fd| fd::set_inherited(fd, inherited));
        let failed = match set(true) {
            Ok(()) => {
                let (program, number) = (path_of(exe), state.as_raw_fd().to_string());
                let args: [&OsStr; 5] = [
                    "rewake".as_ref(),
                    HANDOVER_FLAG.as_ref(),
                    door.home.as_os_str(),
                    STATE_FD_FLAG.as_ref(),
                    number.as_ref(),
                ];
                this::become_program(Path::new(&program), &args)
            }
            Err(error) => error,
        };
        let _ = set(false);
        failed
    }

    fn inherited<'a>(&'a self, state: &'a OwnedFd) -> Vec<BorrowedFd<'a>> {
        let doors = self.home.iter().filter_map(|home| home.door.as_ref());
        let home = doors.flat_map(|door| [door.lock.as_fd(), door.listener.as_fd()]);
        let runs = self.runs.values().flat_map(Run::all_fds);
        let former = self.update.iter().map(|update| update.former.as_fd());
        let kept = self.kept.values().map(|fd| fd.as_fd());
        home.chain(runs).chain(kept).chain(former).chain([state.as_fd()]).collect()
    }
}

pub(crate) fn to_memfd(bytes: &[u8]) -> io::Result<OwnedFd> {
    memfd::from_bytes("rewake-handover", bytes)
}

/// A descriptor as a path, for this process and those that it forks.
pub(crate) fn path_of(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}
