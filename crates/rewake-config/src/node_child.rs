//! Runs the user's Node for one line of answer, with a limit on time and size, and leaves no process behind.

use std::io::ErrorKind::{ConnectionReset, Interrupted, TimedOut, WouldBlock};
use std::io::{self, Read};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rewake_unix::pidfd;
use rewake_unix::poll::{self, Interest};

use crate::Context;
use crate::environment::is_of_descriptors;

const SIGKILL: i32 = 9;

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
    let env = context.env.iter().filter(|(key, _)| !is_of_descriptors(key));
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
    let answer = read_line(&mut ours, deadline, max_bytes);
    let ended = match &answer {
        Ok(Answer::None(_)) => has_ended(child.id(), deadline),
        Ok(Answer::Line(_) | Answer::Timeout | Answer::TooLong) | Err(_) => false,
    };
    // What it started in its group (an `execSync` that hangs) goes with it.
    if pidfd::send_group_of_unreaped_child(child.id(), SIGKILL).is_err() {
        // Else the wait below might never end.
        child.kill()?;
    }
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

/// Whether a child that closed its end has ended too, or does so soon. It is left to be reaped.
fn has_ended(pid: u32, deadline: Instant) -> bool {
    // Between the close of its descriptors and its end a process has nothing left to do; the seconds are for a busy machine.
    let left = deadline.saturating_duration_since(Instant::now()).min(Duration::from_secs(5));
    let ended = pidfd::open(pid).and_then(|pidfd| poll::wait(&[(pidfd.as_fd(), Interest::Read)], Some(left)));
    ended.is_ok_and(|ready| ready == [true])
}
