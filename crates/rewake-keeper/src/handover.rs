//! From one executable to another in the same process: what the keeper knows goes into a memfd, its descriptors stay open under their
//! numbers. Never leaves one open that is not named there.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

use rewake_unix::{fd, memfd, this};
use rewake_wire::handover::{HandedRun, Handover, MAX_HANDOVER_BYTES, Versions, from_bytes};
use rewake_wire::keeper::UpdateOutcome;

use crate::config::{HANDOVER_FLAG, STATE_FD_FLAG};
use crate::home::Home;
use crate::keeper::Keeper;
use crate::runs::{Rest, Run, Stage};

/// Whether this executable could go on from the handover in this descriptor.
///
/// # Errors
/// A sentence that says why it could not.
pub fn check(state: RawFd) -> Result<(), String> {
    let bytes = fd::adopt(state).and_then(|state| memfd::read_all(state.as_fd(), MAX_HANDOVER_BYTES));
    from_bytes(&bytes.map_err(|error| format!("there is no handover: {error}"))?).map(drop)
}

impl Run {
    pub(crate) fn all_fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
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
            updates: self.updates_with(update),
            former: former.map(|fd| fd.as_raw_fd()),
        })
    }

    /// Becomes the executable in this descriptor. Returns only when that fails; then everything is as before.
    pub(crate) fn become_executable(&self, exe: BorrowedFd<'_>, handover: &Handover) -> io::Error {
        let Some(Home { door: Some(door), .. }) = &self.home else { return io::ErrorKind::Unsupported.into() };
        become_executable(exe, &door.home, handover, &self.inherited())
    }

    fn inherited(&self) -> Vec<BorrowedFd<'_>> {
        let doors = self.home.iter().filter_map(|home| home.door.as_ref());
        let home = doors.flat_map(|door| [door.lock.as_fd(), door.listener.as_fd()]);
        let runs = self.runs.values().flat_map(Run::all_fds);
        let former = self.update.iter().map(|update| update.former.as_fd());
        let kept = self.kept.values().map(|fd| fd.as_fd());
        home.chain(runs).chain(kept).chain(former).collect()
    }
}

/// Becomes the executable, with these descriptors. Returns only when that fails; then everything is as before.
pub(crate) fn become_executable(
    exe: BorrowedFd<'_>,
    home: &Path,
    handover: &Handover,
    fds: &[BorrowedFd<'_>],
) -> io::Error {
    let state = match serde_json::to_vec(handover).map_err(io::Error::from).and_then(|bytes| to_memfd(&bytes)) {
        Ok(state) => state,
        Err(error) => return error,
    };
    let set = |inherited| fds.iter().chain([&state.as_fd()]).try_for_each(|fd| fd::set_inherited(fd, inherited));
    let failed = match set(true) {
        Ok(()) => {
            let (program, number) = (path_of(exe), state.as_raw_fd().to_string());
            let args: [&OsStr; 5] =
                ["rewake".as_ref(), HANDOVER_FLAG.as_ref(), home.as_os_str(), STATE_FD_FLAG.as_ref(), number.as_ref()];
            this::become_program(Path::new(&program), &args)
        }
        Err(error) => error,
    };
    // Fails for none that is open.
    let _ = set(false);
    failed
}

pub(crate) fn to_memfd(bytes: &[u8]) -> io::Result<OwnedFd> {
    memfd::from_bytes("rewake-handover", bytes)
}

/// A descriptor as a path, for this process and those that it forks.
pub(crate) fn path_of(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}
