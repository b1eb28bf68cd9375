//! Runs the user's Node for one line of answer, with a limit on time and size, and leaves no process behind.

use std::io::ErrorKind::{ConnectionReset, Interrupted, TimedOut, WouldBlock};
use std::io::{self, Read};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::Context;
use crate::environment::is_channel_variable;

/// How a run for an answer went.
#[derive(Debug)]
pub(crate) enum Answer {
    Line(Vec<u8>),
    /// It ended, or closed its end, without a line; with its status if it has ended.
    None(Option<ExitStatus>),
    Timeout,
    TooLong,
}

/// Runs `node` with these arguments, which must write their answer as one line to descriptor 0: a socket, so that
/// what the program prints cannot mix with it (it goes to our standard error). Descriptor 0 needs no unsafe code to be set
/// up, and reading from it gives an end of file, as from `/dev/null`.
pub(crate) fn ask(
    node: &Path,
    args: &[&str],
    context: &Context,
    limit: Duration,
    max_bytes: usize,
) -> io::Result<Answer> {
    let deadline = Instant::now() + limit;
    let (mut ours, theirs) = UnixStream::pair()?;
    ours.shutdown(Shutdown::Write)?;
    let env = context.env.iter().filter(|(key, _)| !is_channel_variable(key));
    let mut child = Command::new(node)
        .args(args)
        .current_dir(&context.cwd)
        .env_clear()
        .envs(env)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(io::stderr())
        .stderr(Stdio::inherit())
        .process_group(0)
        .spawn()?;
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    let answer = read_line(&mut ours, deadline, max_bytes);
    let ended = match &answer {
        Ok(Answer::None(_)) => has_ended(pid, deadline.min(Instant::now() + Duration::from_secs(1))),
        Ok(Answer::Line(_) | Answer::Timeout | Answer::TooLong) | Err(_) => false,
    };
    // The child has not been reaped yet, so its number, which is its group's, cannot belong to anybody else. What it
    // started in its group (an `execSync` that hangs) goes with it.
    let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    let status = child.wait()?;
    answer.map(|answer| match answer {
        Answer::None(_) => Answer::None(ended.then_some(status)),
        Answer::Line(_) | Answer::Timeout | Answer::TooLong => answer,
    })
}

fn read_line(from: &mut UnixStream, deadline: Instant, max_bytes: usize) -> io::Result<Answer> {
    let mut line = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Answer::Timeout);
        }
        from.set_read_timeout(Some(left))?;
        let count = match from.read(&mut chunk) {
            Ok(0) => return Ok(Answer::None(None)),
            Ok(count) => count,
            // A read that timed out says one or the other; the deadline is looked at above.
            Err(error) if [WouldBlock, TimedOut, Interrupted].contains(&error.kind()) => continue,
            Err(error) if error.kind() == ConnectionReset => return Ok(Answer::None(None)),
            Err(error) => return Err(error),
        };
        if let Some(end) = chunk[..count].iter().position(|&b| b == b'\n') {
            line.extend_from_slice(&chunk[..end]);
            return Ok(Answer::Line(line));
        }
        line.extend_from_slice(&chunk[..count]);
        if line.len() > max_bytes {
            return Ok(Answer::TooLong);
        }
    }
}

/// Whether a child that closed its end has ended too, or does before the deadline. It is left to be reaped.
fn has_ended(pid: i32, deadline: Instant) -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    loop {
        match waitid(Id::Pid(Pid::from_raw(pid)), flags) {
            Ok(WaitStatus::StillAlive) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
            Ok(status) => return !matches!(status, WaitStatus::StillAlive),
            Err(_) => return false,
        }
    }
}
