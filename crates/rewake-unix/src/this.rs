//! What a process sets about itself. Never about another.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::libc;
use nix::sys::prctl;

use crate::proc;

/// Orphans below this process become its children instead of init's, so that it can reap them.
///
/// # Errors
/// Only on kernels before 3.4.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(prctl::set_child_subreaper(true)?)
}

/// The name that `ps` and `top` show; cut at 15 bytes by the kernel.
pub fn set_name(name: &str) {
    if let Ok(name) = CString::new(name) {
        // Fails for no string; a name is a nicety.
        let _ = prctl::set_name(&name);
    }
}

/// Lets this thread run somewhat before others, where that is allowed; a nicety.
pub fn higher_priority() {
    // SAFETY: takes integers; 0 is the calling thread.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, -5);
    }
}

/// Lets everything else run before this thread: processor and disk.
pub fn lowest_priority() {
    const IDLE_CLASS: libc::c_long = 3 << 13;
    const WHO_PROCESS: libc::c_long = 1;
    // SAFETY: both calls take integers; 0 is the calling thread. What they refuse is only a nicety.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 19);
        libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, IDLE_CLASS);
    }
}

/// A session and process group of its own, unless it leads them already.
///
/// # Errors
/// `EPERM` when it leads a group of another session.
pub fn own_session() -> io::Result<()> {
    let me = nix::unistd::getpid();
    if nix::unistd::getsid(None)? != me {
        nix::unistd::setsid()?;
    }
    Ok(())
}

/// Goes on in a child while the process that was started ends with 0, so that whoever started it has no child left.
///
/// # Errors
/// `EAGAIN`, `ENOMEM`; and `Unsupported` when the process has more than one thread, which would be lost.
pub fn go_on_in_child() -> io::Result<()> {
    if proc::stat(std::process::id())?.threads != 1 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // SAFETY: with a single thread nothing can be left locked or half done in the child.
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Child => Ok(()),
        // SAFETY: ends the process at once; skipping exit handlers and buffers is wanted, they are the child's now.
        nix::unistd::ForkResult::Parent { .. } => unsafe { libc::_exit(0) },
    }
}

/// Descriptors 0, 1 and 2 become these (`stdin`, and one for both outputs).
///
/// # Errors
/// Only when the kernel refuses `dup2`.
pub fn redirect_stdio(input: impl std::os::fd::AsFd, outputs: impl std::os::fd::AsFd) -> io::Result<()> {
    nix::unistd::dup2_stdin(input)?;
    nix::unistd::dup2_stdout(&outputs)?;
    nix::unistd::dup2_stderr(&outputs)?;
    Ok(())
}

/// Becomes another program: same process, same children, and every descriptor that is not close-on-exec. Returns only on failure.
/// Its environment is this program's. Only for a program with one thread.
pub fn become_program(program: &Path, args: &[&OsStr]) -> io::Error {
    let c = |text: &OsStr| CString::new(text.as_bytes());
    let env = std::env::vars_os().map(|(key, value)| CString::new([key.as_bytes(), b"=", value.as_bytes()].concat()));
    let strings = || -> Result<_, std::ffi::NulError> {
        Ok((
            c(program.as_os_str())?,
            args.iter().copied().map(c).collect::<Result<Vec<_>, _>>()?,
            env.collect::<Result<Vec<_>, _>>()?,
        ))
    };
    match strings() {
        Ok((program, args, env)) => match nix::unistd::execve(&program, &args, &env) {
            Err(errno) => errno.into(),
        },
        Err(error) => error.into(),
    }
}
