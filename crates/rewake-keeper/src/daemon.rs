//! The daemon as the keeper's child: started, started again when it dies, with a limit. Never ends it but for a lost link.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rewake_unix::spawn::{Command, Progress, Spawned, Streams, progress, spawn};
use rewake_unix::{fdpass, pidfd};

use crate::config::{BOOT_FLAG, DAEMON_FLAG};
use crate::log;
use crate::spawn::is_of_descriptors;

/// The daemon is started again this often within [`WINDOW`] without a rest, unless a client asks for it.
const RESTARTS: usize = 5;
const WINDOW: Duration = Duration::from_secs(60);

/// The second restart in the window waits this long, each further one twice as long as the one before.
const FIRST_DELAY: Duration = Duration::from_millis(100);

/// Variables that are about the process that has them, beside `NODE_CHANNEL_*`.
const FOREIGN: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// The daemon and what is known of it.
pub(crate) struct Daemon {
    pub(crate) launcher: Launcher,
    restarts: Restarts,
    pub(crate) state: DaemonState,
}

/// What the daemon is doing.
pub(crate) enum DaemonState {
    Up(Up),
    /// It died, and is started again at this time.
    StartAt(Instant),
    /// It died too often: started again at this time, or when a client connects.
    Rests(Instant),
    /// It has ended, and so does the keeper.
    Down,
}

/// A daemon that has been started.
pub(crate) struct Up {
    pub(crate) pid: u32,
    pub(crate) pidfd: OwnedFd,
    /// How its start went; a daemon that is no child of this keeper had started before.
    status: Option<OwnedFd>,
    /// It is no child of this keeper: its end is seen at its pidfd.
    pub(crate) foreign: bool,
}

impl Daemon {
    /// A daemon that runs already.
    pub(crate) fn of_another(launcher: Launcher, pid: u32, pidfd: OwnedFd) -> Self {
        let up = Up { pid, pidfd, status: None, foreign: true };
        Self { launcher, restarts: Restarts::default(), state: DaemonState::Up(up) }
    }

    /// A daemon that is to be started now.
    pub(crate) fn new(launcher: Launcher) -> Self {
        Self { launcher, restarts: Restarts::default(), state: DaemonState::StartAt(Instant::now()) }
    }

    /// Starts it; returns the keeper's end of its link.
    pub(crate) fn start(&mut self, null: &OwnedFd) -> Option<OwnedFd> {
        match self.launcher.start(null) {
            Ok((spawned, link)) => {
                self.state = DaemonState::Up(Up {
                    pid: spawned.pid,
                    pidfd: spawned.pidfd,
                    status: Some(spawned.status),
                    foreign: false,
                });
                Some(link)
            }
            Err(error) => {
                log::line(format_args!("cannot start the daemon: {error}"));
                self.schedule(Instant::now());
                None
            }
        }
    }

    /// It has died: says so, and decides when it is started again.
    pub(crate) fn died(&mut self, now: Instant) {
        if let DaemonState::Up(up) = &self.state {
            match up.status.as_ref().map_or(Progress::Running, |status| progress(status.as_fd())) {
                Progress::Failed(error) => log::line(format_args!("cannot start the daemon: {error}")),
                Progress::Pending | Progress::Running => {
                    log::line(format_args!("the daemon (process {}) died", up.pid));
                }
            }
        }
        self.schedule(now);
    }

    /// When it is started, if nobody asks for it before.
    pub(crate) fn starts_at(&self) -> Option<Instant> {
        match self.state {
            DaemonState::StartAt(at) | DaemonState::Rests(at) => Some(at),
            DaemonState::Up(_) | DaemonState::Down => None,
        }
    }

    /// Whether one that was started has died, lately.
    pub(crate) fn has_died(&self) -> bool {
        !self.restarts.recent.is_empty()
    }

    fn schedule(&mut self, now: Instant) {
        self.state = match self.restarts.next(now) {
            Next::In(delay) => DaemonState::StartAt(now + delay),
            Next::Rest(rest) => {
                log::line(format_args!(
                    "the daemon died {RESTARTS} times within {} s; it is started again in {} s, or when a command needs it",
                    WINDOW.as_secs(),
                    rest.as_secs()
                ));
                DaemonState::Rests(now + rest)
            }
        };
    }

    /// Tells a running daemon something.
    pub(crate) fn signal(&self, signal: i32) {
        if let DaemonState::Up(up) = &self.state {
            // Fails only when it has ended, which is told by itself.
            let _ = pidfd::send(up.pidfd.as_fd(), signal);
        }
    }
}

/// Which restarts there were lately.
#[derive(Debug, Default)]
struct Restarts {
    recent: VecDeque<Instant>,
}

/// When the next one is.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    In(Duration),
    /// There have been too many. Never for good: what killed them all, a machine without memory, say, may be over by then.
    Rest(Duration),
}

impl Restarts {
    fn next(&mut self, now: Instant) -> Next {
        let age = |at: &Instant| now.saturating_duration_since(*at);
        while self.recent.front().is_some_and(|at| age(at) >= WINDOW) {
            self.recent.pop_front();
        }
        let before = self.recent.len();
        if let Some(first) = self.recent.front().filter(|_| before >= RESTARTS) {
            return Next::Rest(WINDOW.saturating_sub(age(first)));
        }
        self.recent.push_back(now);
        Next::In(match before.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => FIRST_DELAY * (1 << doublings),
        })
    }
}

/// What a daemon is started with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Args {
    /// Program and arguments, where they are not this executable and the home.
    pub(crate) given: Option<Vec<Vec<u8>>>,
    /// It is to start what ought to run, and how often it is to give a sign of life.
    pub(crate) boot: Option<Option<Duration>>,
}

/// How a daemon is started, prepared once.
pub(crate) struct Launcher {
    command: Command,
    pub(crate) args: Args,
}

impl Launcher {
    /// From this executable and the home, or what is given.
    pub(crate) fn new(home: &Path, args: Args) -> io::Result<Self> {
        let own = own_path()?;
        let mut argv: Vec<Vec<u8>> = match &args.given {
            Some(argv) => argv.clone(),
            None => vec![own.clone(), DAEMON_FLAG.as_bytes().to_vec(), home.as_os_str().as_bytes().to_vec()],
        };
        if let Some(sign_every) = args.boot {
            let ms = sign_every.map_or(0, |time| time.as_millis().max(1));
            argv.extend([BOOT_FLAG.as_bytes().to_vec(), ms.to_string().into_bytes()]);
        }
        // The first command may have come from a program that Node forked, that systemd activated, or from a service; what it was given
        // is not the daemon's.
        let foreign = |key: &OsStr| is_of_descriptors(key.as_bytes()) || FOREIGN.iter().any(|name| key == *name);
        let env: Vec<Vec<u8>> = std::env::vars_os()
            .filter(|(key, _)| !foreign(key))
            .map(|(key, value)| [key.as_bytes(), b"=", value.as_bytes()].concat())
            .collect();
        let program = argv.first().ok_or(io::ErrorKind::InvalidInput)?;
        // The file that this process runs, whatever has its path by now: another one may speak otherwise, and takes over by `update`.
        let this_file: &[u8] = b"/proc/self/exe";
        let (first, second) = if *program == own { (this_file, &own[..]) } else { (&program[..], this_file) };
        let command = Command::new(first, &argv, &env, b"/")?.or_program(second)?;
        Ok(Self { command, args })
    }

    fn start(&self, null: &OwnedFd) -> io::Result<(Spawned, OwnedFd)> {
        let (ours, theirs) = fdpass::packet_pair()?;
        let (output, errors) = (io::stdout(), io::stderr());
        let streams =
            Streams { stdin: null.as_fd(), stdout: output.as_fd(), stderr: errors.as_fd(), extra: &[theirs.as_fd()] };
        let spawned = spawn(&self.command, streams).map_err(|error| io::Error::from_raw_os_error(error.errno))?;
        Ok((spawned, ours))
    }
}

/// The path of the running executable. The kernel marks one that was replaced meanwhile; the mark is not part of the path.
pub(crate) fn own_path() -> io::Result<Vec<u8>> {
    let path = std::env::current_exe()?.into_os_string().into_vec();
    Ok(path.strip_suffix(b" (deleted)").map(<[u8]>::to_vec).unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_restarts_come_ever_later_then_there_is_a_rest_until_the_window_has_passed() {
        let mut restarts = Restarts::default();
        let start = Instant::now();
        let delays: Vec<_> = (0..5).map(|_| restarts.next(start)).collect();
        assert_eq!(delays, [0, 100, 200, 400, 800].map(|ms| Next::In(Duration::from_millis(ms))));
        let second = Duration::from_secs(1);
        assert_eq!(restarts.next(start + second), Next::Rest(WINDOW - second));
        assert_eq!(restarts.next(start + 2 * second), Next::Rest(WINDOW - 2 * second));
        assert_eq!(restarts.next(start + WINDOW), Next::In(Duration::ZERO));
    }
}
