//! Starting a keeper from another program, threads or not. Never leaves a half-started one behind unnoticed.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rewake_unix::poll::{self, Interest};
use rewake_unix::{detach, fd, fdpass, file, home, pidfd, pipe, reap};
use rewake_wire::keeper::Startup;

use crate::config::{
    EMBEDDED_FLAG, KEEPER_FLAG, LINK_FD, LINK_FD_FLAG, LISTENER_FD_FLAG, LOG_FILE, READY_FD_FLAG, SUCCESSOR_FLAG,
};
use crate::error::LaunchError;
use crate::link::Link;

/// A keeper answers in milliseconds; one that needs longer than this hangs on its disk.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Longest answer that is read, bytes. It is one sentence.
const MAX_ANSWER_BYTES: usize = 8 << 10;

/// Starts the keeper of a home in the background and waits until its socket listens (or another keeper is found to own it).
/// The home is made if absent. The keeper is no child of this process afterwards.
///
/// # Errors
/// When the home cannot be used or the executable not be started, and when the keeper ends or hangs without an answer.
/// An answer of [`Startup::Failed`] is not an error of this function.
pub fn launch(exe: &Path, home: &Path) -> Result<Startup, LaunchError> {
    home::ensure(home).map_err(LaunchError::Home)?;
    let log = home.join(LOG_FILE);
    let output = file::open_append(&log).map_err(|source| LaunchError::Log { path: log.clone(), source })?;
    let failed = |source| LaunchError::Start { exe: exe.to_path_buf(), source };
    let (read, write) = pipe::new().map_err(failed)?;
    fd::set_nonblocking(&read).map_err(failed)?;
    let number = LINK_FD.to_string();
    let args = [OsStr::new(KEEPER_FLAG), home.as_os_str(), OsStr::new(READY_FD_FLAG), OsStr::new(&number)];
    let inherit = [(output.as_fd(), 1), (output.as_fd(), 2), (write.as_fd(), LINK_FD)];
    let pid = detach::start(exe, &args, &inherit).map_err(failed)?;
    drop(write);
    let answer = read_answer(read.as_fd());
    reap_soon(pid);
    match answer {
        Ok(line) => serde_json::from_slice(&line).map_err(|_| LaunchError::Silent { log }),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            Err(LaunchError::Slow { log, seconds: ANSWER_WITHIN.as_secs() })
        }
        Err(error) => Err(failed(error)),
    }
}

/// A keeper that is a child of this program and ends with it.
#[derive(Debug)]
pub struct Embedded {
    pub link: Link,
    pub pid: u32,
    /// Readable once the keeper has ended.
    pub pidfd: OwnedFd,
}

impl Embedded {
    /// Whether the keeper has ended; reaps it then.
    ///
    /// # Errors
    /// Only when the kernel refuses the call.
    pub fn has_ended(&self) -> io::Result<bool> {
        Ok(match pidfd::wait(self.pidfd.as_fd(), false) {
            Ok(ended) => ended.is_some(),
            // Reaped already, by us or by a program that reaps whatever it finds.
            Err(_) => pidfd::has_ended(self.pidfd.as_fd())?,
        })
    }
}

/// Starts a keeper for this program alone. When the program ends in whatever way, the keeper stops every run, then itself.
/// Its stderr is this program's.
///
/// # Errors
/// When the executable cannot be started, or too many descriptors are open.
pub fn launch_embedded(exe: &Path) -> Result<Embedded, LaunchError> {
    let failed = |source| LaunchError::Start { exe: exe.to_path_buf(), source };
    let (ours, theirs) = fdpass::packet_pair().map_err(failed)?;
    let number = LINK_FD.to_string();
    let args = [OsStr::new(EMBEDDED_FLAG), OsStr::new(LINK_FD_FLAG), OsStr::new(&number)];
    let link = Link::new(ours).map_err(failed)?;
    // It has nothing to print; holding this program's stdout open would keep whoever reads it waiting.
    let null = pipe::null().map_err(failed)?;
    let inherit = [(null.as_fd(), 1), (theirs.as_fd(), LINK_FD)];
    let pid = detach::start(exe, &args, &inherit).map_err(failed)?;
    let pidfd = pidfd::open(pid).map_err(failed)?;
    Ok(Embedded { link, pid, pidfd })
}

/// Starts a keeper in the place of one that has died, as a child of this program, the daemon. It is told over the link what it is to hold.
///
/// # Errors
/// When the executable cannot be started, or too many descriptors are open.
pub fn launch_successor(exe: &Path, home: &Path, listener: BorrowedFd<'_>) -> io::Result<(Link, u32)> {
    let (ours, theirs) = fdpass::packet_pair()?;
    let (number, listener_number) = (LINK_FD.to_string(), (LINK_FD + 1).to_string());
    let args = [SUCCESSOR_FLAG.as_ref(), home.as_os_str(), LINK_FD_FLAG.as_ref(), number.as_ref()];
    let args: Vec<&OsStr> = args.into_iter().chain([LISTENER_FD_FLAG.as_ref(), listener_number.as_ref()]).collect();
    let pid = detach::start(exe, &args, &[(theirs.as_fd(), LINK_FD), (listener, LINK_FD + 1)])?;
    Ok((Link::new(ours)?, pid))
}

/// Everything up to the end of the line or of the pipe.
fn read_answer(pipe: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + ANSWER_WITHIN;
    let mut answer = Vec::new();
    while answer.len() < MAX_ANSWER_BYTES && answer.last() != Some(&b'\n') {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if poll::wait(&[(pipe, Interest::Read)], Some(left))?.first() != Some(&true) {
            continue;
        }
        let mut buffer = [0; 1024];
        match fd::read(pipe, &mut buffer) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(answer)
}

/// Takes the exit of the process that handed over to the background, so that it is no zombie of ours.
fn reap_soon(pid: u32) {
    if let Ok(pidfd) = pidfd::open(pid) {
        // It goes on in a child and ends at once; the bound is for one that hangs before that, which is left alone.
        let _ = poll::wait(&[(pidfd.as_fd(), Interest::Read)], Some(Duration::from_secs(1)));
    }
    // Fails when the program reaps all its children itself, which is as good.
    let _ = reap::one(pid);
}
