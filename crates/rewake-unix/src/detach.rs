//! Starting a process that shall outlive its starter, from any program, threads or not. Never waits for it.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use nix::libc;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::SigSet;

use crate::{fd, pipe};

/// Starts a program in a session of its own with stdin `/dev/null`, no signal blocked or ignored, and this process's environment.
/// `inherit` puts descriptors at numbers there, 1 and 2 among them; those not named are whatever this process has
/// inheritable. It remains a child of this process: the pid, which the caller reaps.
///
/// # Errors
/// Those of `execve` (`NotFound`, `PermissionDenied`, …), `EMFILE`, `EAGAIN`; `InvalidInput` for a NUL in an argument.
pub fn start(program: &Path, args: &[&OsStr], inherit: &[(BorrowedFd<'_>, RawFd)]) -> io::Result<u32> {
    let program_c = CString::new(program.as_os_str().as_bytes())?;
    let mut argv = vec![program_c.clone()];
    for arg in args {
        argv.push(CString::new(arg.as_bytes())?);
    }
    let env: Vec<CString> = std::env::vars_os()
        .filter_map(|(key, value)| {
            let mut entry = key.into_vec();
            entry.push(b'=');
            entry.extend_from_slice(value.as_bytes());
            CString::new(entry).ok()
        })
        .collect();

    let null = pipe::null()?;
    let mut actions = PosixSpawnFileActions::init()?;
    let mut sources = vec![(fd::copy_above(null.as_fd(), 10)?, 0)];
    for &(source, number) in inherit {
        // Above every wanted number, so that placing one never overwrites a source that is still needed.
        let above = inherit.iter().map(|&(_, number)| number + 1).max().unwrap_or(0).max(10);
        sources.push((fd::copy_above(source, above)?, number));
    }
    for (source, number) in &sources {
        actions.add_dup2(source.as_raw_fd(), *number)?;
    }
    let mut attributes = PosixSpawnAttr::init()?;
    let own_session = PosixSpawnFlags::from_bits_retain(libc::c_int::from(libc::POSIX_SPAWN_SETSID));
    attributes
        .set_flags(own_session | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF)?;
    attributes.set_sigmask(&SigSet::empty())?;
    attributes.set_sigdefault(&SigSet::all())?;
    let pid = posix_spawn(program, &actions, &attributes, &argv, &env)?;
    Ok(pid.as_raw().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gets_its_own_session_and_the_descriptors_at_their_numbers() {
        let (read, write) = pipe::new().unwrap();
        let script = "printf '%s' \"$(readlink /proc/$$/fd/0) $(cut -d' ' -f6 /proc/$$/stat)=$$\" >&3";
        let args = [OsStr::new("-c"), OsStr::new(script)];
        let pid = start(Path::new("/bin/sh"), &args, &[(write.as_fd(), 3)]).unwrap();
        drop(write);
        let mut text = String::new();
        io::Read::read_to_string(&mut std::fs::File::from(read), &mut text).unwrap();
        assert_eq!(text, format!("/dev/null {pid}={pid}"));
        let pidfd = crate::pidfd::open(pid).unwrap();
        let end = [(pidfd.as_fd(), crate::poll::Interest::Read)];
        crate::poll::wait(&end, Some(std::time::Duration::from_secs(60))).unwrap();
        assert_eq!(crate::pidfd::wait(pidfd.as_fd(), false).unwrap(), Some(crate::reap::Ended::Code(0)));
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let error = start(Path::new("/no/such/program"), &[], &[]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
