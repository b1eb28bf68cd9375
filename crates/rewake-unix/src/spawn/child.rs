//! The child's side between fork and exec. Every call here is async-signal-safe; nothing allocates, panics or returns.

use std::cell::Cell;
use std::ffi::{CStr, c_int};
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

use nix::libc::{self, c_char};

use super::{Command, Step, Streams};
use crate::fd;
use crate::spawn::command::pointers;

/// Linux has 64 signals on every machine that we build for (x86-64, arm64).
const SIGNALS: c_int = 64;

/// Room for any pid and the NUL behind it.
const PID_BYTES: usize = 11;

/// Everything the child needs, as plain numbers and pointers into the parent's memory, of which the child has a copy.
pub(super) struct Plan<'a> {
    candidates: Vec<*const c_char>,
    argv: Vec<*const c_char>,
    env: Vec<*const c_char>,
    /// The variable that tells the process its own pid, which only the child knows: it writes it here. Part of `env`.
    pid_entry: Vec<Cell<u8>>,
    cwd: *const c_char,
    uid: Option<u32>,
    gid: Option<u32>,
    open_files: Option<libc::rlimit>,
    /// For 0, 1, 2 and so on. The child moves them out of each other's way, in place.
    streams: Vec<Cell<RawFd>>,
    report: RawFd,
    /// Highest number that may be open, for kernels without `close_range`.
    highest: RawFd,
    _alive: PhantomData<&'a Command>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(command: &'a Command, streams: Streams<'a>, report: BorrowedFd<'a>) -> Self {
        let pid_entry = command.pid_variable.map(pid_entry).unwrap_or_default();
        let standard = [streams.stdin, streams.stdout, streams.stderr];
        let numbers = standard.iter().chain(streams.extra).map(|fd| Cell::new(fd.as_raw_fd()));
        Self {
            candidates: pointers(&command.candidates),
            argv: pointers(&command.argv),
            env: with_pid_entry(pointers(&command.env), &pid_entry),
            pid_entry,
            cwd: command.cwd.as_ptr(),
            uid: command.uid,
            gid: command.gid,
            open_files: command.open_files.map(|limit| libc::rlimit { rlim_cur: limit.soft, rlim_max: limit.hard }),
            streams: numbers.collect(),
            report: report.as_raw_fd(),
            highest: if has_close_range() { -1 } else { highest_open() },
            _alive: PhantomData,
        }
    }

    /// First number that the program must not find open.
    fn first_closed(&self) -> RawFd {
        self.streams.len() as RawFd
    }
}

/// `NAME=` with room for the pid.
fn pid_entry(name: &CStr) -> Vec<Cell<u8>> {
    name.to_bytes().iter().copied().chain([0; PID_BYTES]).map(Cell::new).collect()
}

/// The environment's pointers, with one more before the null if there is such an entry. Valid as long as the entry is.
fn with_pid_entry(mut env: Vec<*const c_char>, entry: &[Cell<u8>]) -> Vec<*const c_char> {
    if !entry.is_empty() {
        env.insert(env.len() - 1, entry.as_ptr().cast());
    }
    env
}

/// Becomes the program, or reports the failing step and ends with 127.
///
/// # Safety
/// Only in the child right after a fork, with a plan that was made by the parent for it.
pub(super) unsafe fn run(plan: &Plan<'_>) -> ! {
    let mut report = plan.report;
    // SAFETY: passed on from the caller; all calls below take integers, or pointers that `plan` keeps alive.
    let step = unsafe { set_up(plan, &mut report) };
    let errno = errno();
    let mut message = [0u8; 8];
    message[0] = step as u8;
    message[4..].copy_from_slice(&errno.to_ne_bytes());
    // SAFETY: writes 8 bytes of a local array; `_exit` ends the process without running anything of the parent's.
    unsafe {
        libc::write(report, message.as_ptr().cast(), message.len());
        libc::_exit(127)
    }
}

/// All steps in order; returns only the one that failed, with `errno` telling why.
unsafe fn set_up(plan: &Plan<'_>, report: &mut RawFd) -> Step {
    // SAFETY: see the contract of `run`: integers, local data and pointers kept alive by `plan`.
    unsafe {
        if libc::setsid() == -1 {
            return Step::Setsid;
        }
        default_signals();
        write_pid(&plan.pid_entry, libc::getpid().unsigned_abs());
        if place_streams(plan, report).is_none() {
            return Step::Stdio;
        }
        if let Some(limit) = &plan.open_files {
            // Cannot fail for what this process once had; and if it did, the program would merely have more.
            libc::setrlimit(libc::RLIMIT_NOFILE, limit);
        }
        if let Some(step) = become_user(plan) {
            return step;
        }
        if libc::chdir(plan.cwd) == -1 {
            return Step::Chdir;
        }
        exec(plan)
    }
}

/// Handlers are the parent's code, and what the parent ignores (SIGPIPE) the program must not.
/// By the raw call: the C library hides the two signals that it uses itself, and an ignored one would be inherited.
unsafe fn default_signals() {
    // A kernel `sigaction` of zeroes is SIG_DFL without flags, whatever the order of its fields; it has at most 32 bytes.
    let default = [0u64; 4];
    let no_old = ptr::null_mut::<u64>();
    // SAFETY: the kernel reads the action and writes nothing; the mask is local and complete.
    unsafe {
        for signal in 1..=SIGNALS {
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), no_old, SIGNALS as usize / 8);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
    }
}

/// Writes the digits into the room at the entry's end, if there is an entry.
fn write_pid(entry: &[Cell<u8>], pid: u32) {
    let digits = pid.checked_ilog10().unwrap_or(0) + 1;
    let room = entry.iter().rev().take(PID_BYTES).rev();
    for (byte, place) in room.zip((0..digits).rev()) {
        byte.set(b'0' + (pid / 10u32.pow(place) % 10) as u8);
    }
}

/// Puts the streams at 0, 1, 2 and so on, and marks all above to be closed by exec.
unsafe fn place_streams(plan: &Plan<'_>, report: &mut RawFd) -> Option<()> {
    let first_closed = plan.first_closed();
    // First out of the way: a source may have the number where another has to go.
    // SAFETY: fcntl, dup2 and close_range take integers.
    unsafe {
        *report = lift(*report, first_closed)?;
        for source in &plan.streams {
            source.set(lift(source.get(), first_closed)?);
        }
        for (number, source) in (0..).zip(&plan.streams) {
            if libc::dup2(source.get(), number) == -1 {
                return None;
            }
        }
        if plan.highest < 0 {
            libc::syscall(libc::SYS_close_range, first_closed, c_int::MAX, libc::CLOSE_RANGE_CLOEXEC);
        } else {
            for number in first_closed..=plan.highest {
                libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC);
            }
        }
    }
    Some(())
}

unsafe fn lift(source: RawFd, lowest: RawFd) -> Option<RawFd> {
    if source >= lowest {
        return Some(source);
    }
    // SAFETY: fcntl takes integers.
    let lifted = unsafe { libc::fcntl(source, libc::F_DUPFD_CLOEXEC, lowest) };
    (lifted != -1).then_some(lifted)
}

/// By raw system calls: the C library's own try to bring the parent's threads along.
unsafe fn become_user(plan: &Plan<'_>) -> Option<Step> {
    if plan.uid.is_none() && plan.gid.is_none() {
        return None;
    }
    // SAFETY: an empty list of groups, and integers.
    unsafe {
        // Without privilege there is nothing to drop; then setgid and setuid tell whether the rest may be done.
        if libc::syscall(libc::SYS_setgroups, 0usize, ptr::null::<libc::gid_t>()) == -1 && errno() != libc::EPERM {
            return Some(Step::Setgid);
        }
        if let Some(gid) = plan.gid
            && libc::syscall(libc::SYS_setgid, gid) == -1
        {
            return Some(Step::Setgid);
        }
        if let Some(uid) = plan.uid
            && libc::syscall(libc::SYS_setuid, uid) == -1
        {
            return Some(Step::Setuid);
        }
    }
    None
}

/// Tries each candidate as `execvpe` does: what is not there is passed over, what may not be run is remembered.
unsafe fn exec(plan: &Plan<'_>) -> Step {
    let mut failure = libc::ENOENT;
    for &candidate in &plan.candidates {
        if candidate.is_null() {
            break;
        }
        // SAFETY: NUL-terminated strings and null-terminated arrays of such, kept alive by `plan`.
        unsafe { libc::execve(candidate, plan.argv.as_ptr(), plan.env.as_ptr()) };
        match errno() {
            libc::ENOENT | libc::ENOTDIR | libc::ESTALE | libc::ENODEV | libc::ETIMEDOUT => {}
            libc::EACCES => failure = libc::EACCES,
            other => {
                failure = other;
                break;
            }
        }
    }
    // SAFETY: errno's place is always there; `run` reads it from there.
    unsafe { *libc::__errno_location() = failure };
    Step::Exec
}

fn errno() -> i32 {
    // SAFETY: errno's place is always there.
    unsafe { *libc::__errno_location() }
}

/// The step that a child's message means.
pub(super) fn step_of(byte: u8) -> Step {
    let steps = [
        Step::Pipe,
        Step::Fork,
        Step::Pidfd,
        Step::Setsid,
        Step::Stdio,
        Step::Setgid,
        Step::Setuid,
        Step::Chdir,
        Step::Exec,
    ];
    steps.into_iter().find(|&step| step as u8 == byte).unwrap_or(Step::Exec)
}

fn has_close_range() -> bool {
    use std::sync::OnceLock;
    static PROBED: OnceLock<bool> = OnceLock::new();
    // An empty range far above every open number: only says whether the kernel knows the call and the flag (5.11).
    // SAFETY: takes integers and closes nothing.
    *PROBED.get_or_init(|| unsafe {
        libc::syscall(libc::SYS_close_range, c_int::MAX, c_int::MAX, libc::CLOSE_RANGE_CLOEXEC) == 0
    })
}

fn highest_open() -> RawFd {
    fd::open_numbers().ok().and_then(|numbers| numbers.into_iter().max()).unwrap_or(1024)
}
