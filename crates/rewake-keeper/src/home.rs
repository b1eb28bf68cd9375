//! What only a keeper with a daemon has: the daemon, and the door through which clients come. Never speaks to a client.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use rewake_unix::lock::Lock;
use rewake_unix::reap::Ended;
use rewake_unix::socket;

use crate::config::{PID_FILE, RUNS_FILES, SOCKET_FILE};
use crate::daemon::{Daemon, DaemonState};
use crate::keeper::Keeper;
use crate::log;
use crate::runs::Run;
use crate::tree::KILL;

/// Where clients come.
pub(crate) struct Door {
    pub(crate) home: PathBuf,
    /// Makes this keeper the only one; given up with everything else, after its socket is gone.
    pub(crate) lock: Lock,
    pub(crate) listener: Rc<OwnedFd>,
}

/// What only a keeper with a daemon has.
pub(crate) struct Home {
    pub(crate) door: Option<Door>,
    pub(crate) daemon: Daemon,
    /// It ends when the daemon is lost for good, and with the daemon's exit code.
    pub(crate) foreground: bool,
    /// How the daemon ended that ordered the end.
    pub(crate) daemon_end: Option<Ended>,
    /// Somebody asked the keeper to end, and the daemon was told.
    pub(crate) told_to_end: bool,
    /// When a daemon that is to end, or has begun to, is taken for one that never will.
    pub(crate) give_up_daemon_at: Option<Instant>,
}

impl Door {
    /// Its path.
    fn socket(&self) -> PathBuf {
        self.home.join(SOCKET_FILE)
    }
}

impl Home {
    pub(crate) fn new(door: Option<Door>, daemon: Daemon, foreground: bool) -> Self {
        Self { door, daemon, foreground, daemon_end: None, told_to_end: false, give_up_daemon_at: None }
    }

    /// The daemon hangs and something is to end: it is killed, and the runs are ended without it.
    pub(crate) fn give_up_daemon(&mut self) {
        log::line(format_args!(
            "the daemon does not come to an end; it is killed, and the apps are stopped without it"
        ));
        self.told_to_end = true;
        self.give_up_daemon_at = None;
        self.daemon.signal(KILL);
    }

    /// Closes the connections that nobody will serve, so that their clients are told at once.
    /// The next client that comes starts the daemon.
    pub(crate) fn turn_away_if_down(&self) {
        if matches!(self.daemon.state, DaemonState::Rests(_)) {
            let Some(door) = &self.door else { return };
            while socket::accept(door.listener.as_fd()).is_ok() {}
        }
    }
}

impl Keeper {
    /// No new client comes any more: it finds no socket, and a new keeper must wait for this one's lock.
    pub(crate) fn close_door(&self) {
        let Some(Home { door: Some(door), .. }) = &self.home else { return };
        let socket = door.socket();
        match fs::remove_file(&socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                log::line(format_args!("cannot remove {}: {error}", socket.display()));
            }
            _ => {}
        }
    }

    /// A daemon that was killed could not do so itself.
    pub(crate) fn remove_files(&self) {
        if let Some(Home { door: Some(door), foreground, .. }) = &self.home {
            // Gone already is as it should be.
            let _ = fs::remove_file(door.home.join(PID_FILE));
            let runs = &RUNS_FILES[usize::from(*foreground)];
            if self.runs.values().all(Run::is_gone) {
                let _ = fs::remove_file(door.home.join(runs));
            }
        }
    }
}
