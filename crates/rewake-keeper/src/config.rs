//! How the executable is told to be a keeper or a daemon: arguments and agreed numbers. Never reads the environment.

use std::ffi::{OsStr, OsString};
use std::os::fd::RawFd;
use std::path::PathBuf;

/// `rewake --keeper <home> [--ready-fd <n>]`: the keeper of a home.
pub const KEEPER_FLAG: &str = "--keeper";
/// `rewake --keeper <home> --boot`: the keeper of a home, started by a service manager, in the foreground.
/// `rewake --daemon <home> --boot <ms>`: the daemon of such a keeper, which starts what ought to run, and gives a sign of life this
/// often; 0: never.
pub const BOOT_FLAG: &str = "--boot";
/// `rewake --keeper-embedded --link-fd <n>`: the keeper of a program that holds the other end of the link.
pub const EMBEDDED_FLAG: &str = "--keeper-embedded";
/// `rewake --keeper-successor <home> --link-fd <n> --listener-fd <n>`: the keeper of a home whose keeper has died, started by the daemon.
pub const SUCCESSOR_FLAG: &str = "--keeper-successor";
/// `rewake --keeper-handover <home> --state-fd <n>`: what a keeper becomes in an update.
pub const HANDOVER_FLAG: &str = "--keeper-handover";
/// `rewake --check-handover --state-fd <n>`: whether this executable could.
pub const CHECK_FLAG: &str = "--check-handover";
/// What it says then, with exit code 0: a program that knows nothing of all this says something else.
pub const CAN_GO_ON: &str = "can go on from here\n";
/// `rewake --daemon <home>`: the daemon, started by the keeper with the link at [`LINK_FD`].
pub const DAEMON_FLAG: &str = "--daemon";
/// Where the keeper says how its start went. With it the keeper goes on in the background; without, it stays in the foreground.
pub const READY_FD_FLAG: &str = "--ready-fd";
/// Where an embedded keeper finds its link.
pub const LINK_FD_FLAG: &str = "--link-fd";

/// Where a successor finds the listening RPC socket.
pub(crate) const LISTENER_FD_FLAG: &str = "--listener-fd";
/// Where the handover is.
pub(crate) const STATE_FD_FLAG: &str = "--state-fd";

/// Exit code of a keeper that a service manager is not to start again.
pub const NOT_AGAIN: u8 = 3;

/// The number under which a daemon finds its link to the keeper.
pub const LINK_FD: RawFd = 3;

/// Name of the RPC socket in the home.
pub const SOCKET_FILE: &str = "rpc.sock";
/// Name of the file in the home that keeper and daemon write what they have to say to.
pub const LOG_FILE: &str = "rewake.log";
/// Name of the daemon's file in the home that says its process id; the keeper removes it for a daemon that was killed.
pub const PID_FILE: &str = "rewake.pid";
/// Names of the daemon's files in the home that say which processes there are: of its list, and of what runs in the foreground.
pub const RUNS_FILES: [&str; 2] = ["runs.json", "runtime-runs.json"];
/// Name of the file in the home whose lock makes a keeper the only one.
pub(crate) const LOCK_FILE: &str = "keeper.lock";

/// What kind of keeper to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Of a home: owns its lock and its RPC socket, starts the daemon and starts it again.
    Daemon { home: PathBuf, ready_fd: Option<RawFd> },
    /// As `Daemon`, for a service manager: stays in the foreground, tells it how things are, and has what ought to run started.
    Boot { home: PathBuf },
    /// Of this process's own apps, in its place, with its output: a container's first process. It ends with its daemon.
    /// Without a home it cannot be reached, and has no file.
    Foreground { home: Option<PathBuf> },
    /// Of a home whose keeper has died; the daemon at the other end of the link tells what there is.
    Successor { home: PathBuf, link_fd: RawFd, listener_fd: RawFd },
    /// Of a home, going on in the same process from what another executable has left.
    HandedOver { home: PathBuf, state_fd: RawFd },
    /// Of the program at the other end of the link: ends with it.
    Embedded { link_fd: RawFd },
}

/// Everything a keeper is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub mode: Mode,
    /// Program and arguments of the daemon; `None`: this executable with [`DAEMON_FLAG`] and the home.
    pub daemon: Option<Vec<OsString>>,
    /// Behave as on a kernel without `PIDFD_SIGNAL_PROCESS_GROUP` (before Linux 6.9). For tests of that way.
    pub without_group_signals: bool,
}

impl Config {
    /// The configuration in these arguments (without the program's name), or `None` when they do not ask for a keeper.
    #[must_use]
    pub fn from_args(args: &[OsString]) -> Option<Self> {
        let number = |flag: &OsStr, wanted: &str, value: &OsStr| -> Option<RawFd> {
            let number = value.to_str()?.parse().ok()?;
            (flag == wanted && number > 2).then_some(number)
        };
        let mode = match args {
            [flag, home] if flag == KEEPER_FLAG => Mode::Daemon { home: home.into(), ready_fd: None },
            [flag, home, boot] if flag == KEEPER_FLAG && boot == BOOT_FLAG => Mode::Boot { home: home.into() },
            [flag, home, ready, value] if flag == KEEPER_FLAG => {
                Mode::Daemon { home: home.into(), ready_fd: Some(number(ready, READY_FD_FLAG, value)?) }
            }
            [flag, link, value] if flag == EMBEDDED_FLAG => {
                Mode::Embedded { link_fd: number(link, LINK_FD_FLAG, value)? }
            }
            [flag, home, link, link_fd, listener, listener_fd] if flag == SUCCESSOR_FLAG => Mode::Successor {
                home: home.into(),
                link_fd: number(link, LINK_FD_FLAG, link_fd)?,
                listener_fd: number(listener, LISTENER_FD_FLAG, listener_fd)?,
            },
            [flag, home, state, value] if flag == HANDOVER_FLAG => {
                Mode::HandedOver { home: home.into(), state_fd: number(state, STATE_FD_FLAG, value)? }
            }
            _ => return None,
        };
        Some(Self { mode, daemon: None, without_group_signals: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(args: &[&str]) -> Option<Mode> {
        let args: Vec<OsString> = args.iter().map(Into::into).collect();
        Config::from_args(&args).map(|config| config.mode)
    }

    #[test]
    fn only_the_exact_arguments_make_a_keeper() {
        let home = || "/h".into();
        assert_eq!(mode(&["--keeper", "/h"]), Some(Mode::Daemon { home: home(), ready_fd: None }));
        let ready = Mode::Daemon { home: home(), ready_fd: Some(3) };
        assert_eq!(mode(&["--keeper", "/h", "--ready-fd", "3"]), Some(ready));
        assert_eq!(mode(&["--keeper", "/h", "--boot"]), Some(Mode::Boot { home: home() }));
        assert_eq!(mode(&["--keeper-embedded", "--link-fd", "3"]), Some(Mode::Embedded { link_fd: 3 }));
        for other in [
            &[][..],
            &["list"],
            &["--keeper"],
            &["--keeper", "/h", "--ready-fd"],
            &["--keeper", "/h", "--ready-fd", "x"],
            &["--keeper", "/h", "--link-fd", "3"],
            &["--keeper-embedded", "--link-fd", "1"],
            &["start", "--keeper", "/h"],
        ] {
            assert_eq!(mode(other), None, "{other:?}");
        }
    }
}
