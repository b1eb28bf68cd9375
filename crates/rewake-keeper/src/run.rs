//! Becoming a keeper: everything between the first instruction and the main loop. Never starts a second keeper for a home.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rewake_unix::poll::Signals;
use rewake_unix::{fd, file, home, limits, lock, pidfd, pipe, signal, socket, this};
use rewake_wire::keeper::Startup;

use crate::config::{Config, LOCK_FILE, LOG_FILE, Mode, SOCKET_FILE};
use crate::daemon::{Args, Daemon, Launcher};
use crate::error::KeeperError;
use crate::home::Door;
use crate::keeper::{Keeper, Tools};
use crate::service::Service;
use crate::take_over;

/// Clients that wait while the daemon starts, or starts again. Above what one machine's scripts do at once; the kernel's own
/// limit is `net.core.somaxconn`, 4096.
const BACKLOG: i32 = 1024;

/// Is the keeper until its end: of the daemon's `Shutdown` order, or of the program that embeds it and of all runs.
/// Meant to be the first thing that a program does: it takes over descriptors by number and may go on in a child.
/// Gives the exit code for this process: the daemon's in the foreground, else 0.
///
/// # Errors
/// When it cannot start. The starter that waits at the ready descriptor has been told then.
pub fn run(config: Config) -> Result<u8, KeeperError> {
    let Config { mode, daemon, without_group_signals } = config;
    match mode {
        Mode::Daemon { home, ready_fd } => {
            let mut ready = Ready::take(ready_fd)?;
            let result = run_home(&home, daemon, without_group_signals, &mut ready, None);
            if let Err(error) = &result {
                ready.say(&Startup::Failed(sentence(error)));
            }
            result.map(|()| 0)
        }
        Mode::Boot { home } => {
            fd::close_inherited(LOWEST_INHERITED, &[]).map_err(KeeperError::setup("close_range"))?;
            run_boot(&home, daemon, without_group_signals).map(|()| 0)
        }
        Mode::Foreground { home } => run_foreground(home.as_deref(), daemon, without_group_signals),
        Mode::Successor { home, link_fd, listener_fd } => succeed(home, link_fd, listener_fd, without_group_signals),
        Mode::HandedOver { home, state_fd } => {
            let tools = |foreground| tools(without_group_signals, foreground);
            Ok(take_over::take_over(home, state_fd, daemon.map(bytes), tools)?.run())
        }
        Mode::Embedded { link_fd } => {
            let link = fd::adopt(link_fd).map_err(KeeperError::setup("link"))?;
            fd::close_inherited(LOWEST_INHERITED, &[link.as_fd()]).map_err(KeeperError::setup("close_range"))?;
            fd::set_nonblocking(&link).map_err(KeeperError::setup("link"))?;
            this::own_session().map_err(KeeperError::setup("setsid"))?;
            let tools = tools(without_group_signals, false)?;
            Keeper::embedded(tools, link).run();
            Ok(0)
        }
    }
}

/// In the foreground these mean something to the daemon, and are passed on.
const PASSED_ON: [&str; 3] = ["HUP", "USR1", "USR2"];

fn run_foreground(
    home: Option<&Path>,
    daemon: Option<Vec<OsString>>,
    without_group_signals: bool,
) -> Result<u8, KeeperError> {
    fd::close_inherited(LOWEST_INHERITED, &[]).map_err(KeeperError::setup("close_range"))?;
    let door = match home {
        None => None,
        Some(home) => {
            home::ensure(home).map_err(KeeperError::Home)?;
            let home = std::path::absolute(home).map_err(KeeperError::setup("path"))?;
            let path = home.join(LOCK_FILE);
            let lock = lock::try_exclusive(&path).map_err(|source| KeeperError::Lock { path, source })?;
            let lock = lock.ok_or_else(|| KeeperError::Owned { home: home.clone() })?;
            let path = home.join(SOCKET_FILE);
            let listener =
                socket::listen(&path, BACKLOG).map_err(|source| KeeperError::Socket { path: path.clone(), source })?;
            Some(Door { home, lock, listener: listener.into() })
        }
    };
    let launcher = Launcher::new(home.unwrap_or(Path::new("")), Args { given: daemon.map(bytes), boot: None });
    let launcher = launcher.map_err(KeeperError::setup("own path"))?;
    std::env::set_current_dir("/").map_err(KeeperError::setup("chdir"))?;
    let tools = tools(without_group_signals, true)?;
    Ok(Keeper::in_foreground(tools, door, Daemon::new(launcher)).run())
}

/// How long the lock of a keeper that has just died may still be held: the kernel gives up its files one after the other.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(2);

/// Takes the place of a keeper that has died; the daemon has kept what it held.
fn succeed(home: PathBuf, link: RawFd, listener: RawFd, without_group_signals: bool) -> Result<u8, KeeperError> {
    let link = fd::adopt(link).map_err(KeeperError::setup("link"))?;
    let listener = fd::adopt(listener).map_err(KeeperError::setup("listener"))?;
    fd::close_inherited(LOWEST_INHERITED, &[link.as_fd(), listener.as_fd()])
        .map_err(KeeperError::setup("close_range"))?;
    fd::set_nonblocking(&link).map_err(KeeperError::setup("link"))?;
    this::own_session().map_err(KeeperError::setup("setsid"))?;
    std::env::set_current_dir("/").map_err(KeeperError::setup("chdir"))?;
    let path = home.join(LOCK_FILE);
    let deadline = Instant::now() + LOCK_PATIENCE;
    let lock = loop {
        match lock::try_exclusive(&path) {
            Ok(Some(lock)) => break lock,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(LOCK_PAUSE),
            Ok(None) => return Err(KeeperError::Lock { path, source: std::io::ErrorKind::WouldBlock.into() }),
            Err(source) => return Err(KeeperError::Lock { path, source }),
        }
    };
    let daemon = socket::peer(link.as_fd()).map_err(KeeperError::setup("the daemon's pid"))?.pid;
    let pidfd = pidfd::open(daemon).map_err(KeeperError::setup("the daemon's pid"))?;
    let launcher = Launcher::new(&home, Args::default()).map_err(KeeperError::setup("own path"))?;
    let daemon = Daemon::of_another(launcher, daemon, pidfd);
    let tools = tools(without_group_signals, false)?;
    let door = Door { home, lock, listener: listener.into() };
    Ok(Keeper::of_home(tools, door, daemon, Service::default()).with_daemon(link).run())
}

/// Above the standard streams.
pub(crate) const LOWEST_INHERITED: RawFd = 3;

fn run_boot(home: &Path, daemon: Option<Vec<OsString>>, without_group_signals: bool) -> Result<(), KeeperError> {
    // Nobody waits for a word but the service manager.
    let mut ready = Ready(None);
    run_home(home, daemon, without_group_signals, &mut ready, Some(Service::of_process()))
}

/// `service`: a service manager started this keeper.
fn run_home(
    home: &Path,
    daemon: Option<Vec<OsString>>,
    without_group_signals: bool,
    ready: &mut Ready,
    service: Option<Service>,
) -> Result<(), KeeperError> {
    home::ensure(home).map_err(KeeperError::Home)?;
    let home = std::path::absolute(home).map_err(KeeperError::setup("path"))?;
    let args = Args { given: daemon.map(bytes), boot: service.as_ref().map(Service::sign_every) };
    let launcher = Launcher::new(&home, args).map_err(KeeperError::setup("own path"))?;

    let path = home.join(LOCK_FILE);
    let lock = match lock::try_exclusive(&path) {
        Ok(Some(lock)) => lock,
        // A service manager must not take this for a success.
        Ok(None) if service.is_some() => return Err(KeeperError::Owned { home }),
        Ok(None) => {
            ready.say(&Startup::Owned);
            return Ok(());
        }
        Err(source) => return Err(KeeperError::Lock { path, source }),
    };

    let log_path = home.join(LOG_FILE);
    let log = |source| KeeperError::Log { path: log_path.clone(), source };
    let output = file::open_append(&log_path).map_err(log)?;
    let input = pipe::null().map_err(KeeperError::setup("/dev/null"))?;
    this::redirect_stdio(&input, &output).map_err(log)?;
    drop(output);
    // A folder that is not to be kept busy (a disk to unmount) must not be this one's.
    std::env::set_current_dir("/").map_err(KeeperError::setup("chdir"))?;

    let tools = tools(without_group_signals, false)?;
    let path = home.join(SOCKET_FILE);
    let listener =
        socket::listen(&path, BACKLOG).map_err(|source| KeeperError::Socket { path: path.clone(), source })?;
    ready.say(&Startup::Listening { keeper_pid: std::process::id() });
    let door = Door { home, lock, listener: listener.into() };
    Keeper::of_home(tools, door, Daemon::new(launcher), service.unwrap_or_default()).run();
    Ok(())
}

fn tools(without_group_signals: bool, foreground: bool) -> Result<Tools, KeeperError> {
    let more_signals: &[&str] = if foreground { &["QUIT", "USR1", "USR2"] } else { &[] };
    let passed_on = PASSED_ON.iter().filter(|_| foreground).filter_map(|name| signal::number(name)).collect();
    this::set_name("rewake-keeper");
    this::adopt_orphans().map_err(KeeperError::setup("subreaper"))?;
    let collected = ["CHLD", "TERM", "INT", "HUP"].iter().chain(more_signals).filter_map(|name| signal::number(name));
    let collected: Vec<i32> = collected.collect();
    Ok(Tools {
        signals: Signals::collect(&collected).map_err(KeeperError::setup("signals"))?,
        null: pipe::null().map_err(KeeperError::setup("/dev/null"))?,
        // For the programs that are started: what this process had, before it asks for more itself.
        open_files: limits::raise_open_files().map_err(KeeperError::setup("descriptor limit"))?,
        group_signals: !without_group_signals && pidfd::can_signal_groups(),
        passed_on,
    })
}

fn bytes(argv: Vec<OsString>) -> Vec<Vec<u8>> {
    argv.into_iter().map(OsStringExt::into_vec).collect()
}

/// Where the starter waits for the outcome, if it does.
struct Ready(Option<OwnedFd>);

impl Ready {
    /// Takes the descriptor over, closes all others that were inherited, and goes on in the background if somebody waits.
    fn take(number: Option<RawFd>) -> Result<Self, KeeperError> {
        let Some(number) = number else {
            fd::close_inherited(LOWEST_INHERITED, &[]).map_err(KeeperError::setup("close_range"))?;
            return Ok(Self(None));
        };
        let ready = fd::adopt(number).map_err(KeeperError::setup("ready descriptor"))?;
        fd::close_inherited(LOWEST_INHERITED, &[ready.as_fd()]).map_err(KeeperError::setup("close_range"))?;
        this::go_on_in_child().map_err(KeeperError::setup("fork"))?;
        this::own_session().map_err(KeeperError::setup("setsid"))?;
        Ok(Self(Some(ready)))
    }

    /// Says it, once; closing tells the starter that nothing more comes.
    fn say(&mut self, startup: &Startup) {
        let Some(ready) = self.0.take() else { return };
        let Ok(mut line) = serde_json::to_vec(startup) else { return };
        line.push(b'\n');
        // A pipe takes this in one piece. If the starter is gone, there is nobody to tell.
        let _ = fd::write(ready.as_fd(), &line);
    }
}

/// The error with its causes, as one sentence for the starter's user.
fn sentence(error: &KeeperError) -> String {
    let mut text = format!("failed to {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
