//! Signals to one process or its whole tree, and who of a tree is left. Never signals a pid that may have been reused:
//! strangers are named by a pidfd that was checked against their start time, a group by its leader's pidfd or unreaped leader.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rewake_unix::{pidfd, proc};

use crate::log;
use crate::runs::{Member, Run, Stage};

/// SIGKILL. What it does not reach now is not reached later either, so the tree is stopped and looked at until nothing new is found.
pub(crate) const KILL: i32 = 9;

/// SIGSTOP.
const STOP: i32 = 19;

/// Looks at a tree at most this often for one SIGKILL. Each look finds only what was forked during the last one, and what was found is stopped.
const LOOKS: u32 = 5;

/// Members of a tree that are remembered per run, each a descriptor. More are signalled all the same, and not waited for.
const MAX_MEMBERS: usize = 256;

/// Members of a group that are watched at a time, each a descriptor.
const MAX_WATCHED: usize = 16;

/// No such process or group.
const ESRCH: i32 = 3;

/// Signals the process alone.
pub(crate) fn signal_process(run: &Run, signal: i32) {
    if !run.has_ended() {
        tell(run, pidfd::send(run.pidfd(), signal));
    }
}

/// Signals the whole tree: first the descendants outside the group, the deepest first, then the group.
/// All that are found are remembered, those in the group too: one that lets the signal pass may still leave the group, and with
/// its parent gone nothing else would tell where it belongs.
pub(crate) fn signal_tree(run: &mut Run, signal: i32, group_signals: bool) {
    if run.is_gone() {
        return;
    }
    run.members.retain(Member::lives);
    // All are found before any is signalled: the children of one that ends are nobody's descendants any more.
    if signal == KILL {
        // Stopped first, so that none is forked behind our back.
        tell(run, signal_group(run, STOP, group_signals));
        signal_members(run, &run.members, STOP);
        for _ in 0..LOOKS {
            let found = new_members(run);
            if found.is_empty() {
                break;
            }
            signal_members(run, &found, STOP);
            run.members.extend(found);
        }
    } else {
        let found = new_members(run);
        run.members.extend(found);
    }
    signal_members(run, &run.members, signal);
    run.members.truncate(MAX_MEMBERS);
    match signal_group(run, signal, group_signals) {
        // Not its own group yet: it has just been forked.
        Err(error) if error.raw_os_error() == Some(ESRCH) => signal_process(run, signal),
        other => tell(run, other),
    }
}

/// They were found parents first. Those in the group get a signal with the group, and are to get it once; for STOP and KILL twice is
/// as good, and surer where one is just leaving the group.
fn signal_members(run: &Run, members: &[Member], signal: i32) {
    for member in members.iter().rev() {
        let with_group = || matches!(proc::stat(member.pid), Ok(stat) if stat.group == run.pid);
        if signal == KILL || signal == STOP || !with_group() {
            tell(run, pidfd::send(member.pidfd.as_fd(), signal));
        }
    }
}

/// Some of those that are left of an ended run's tree.
pub(crate) enum Survivors {
    None,
    Watch(Vec<OwnedFd>),
    /// There are some, and descriptors have run out.
    Unwatched,
}

/// Who of the group lives on after the leader's end. Zombies do not count.
pub(crate) fn survivors(run: &Run, group_signals: bool) -> Survivors {
    if group_signals && matches!(signal_group(run, 0, true), Err(error) if error.raw_os_error() == Some(ESRCH)) {
        return Survivors::None;
    }
    // A member that forks and ends while `/proc` is read may hide its child from one look, not from two.
    for _ in 0..2 {
        let members = match proc::group_members(run.pid) {
            Ok(members) => members,
            Err(error) => {
                log::line(format_args!("cannot read /proc: {error}"));
                return Survivors::None;
            }
        };
        let mut watched = Vec::new();
        for member in members.iter().take(MAX_WATCHED) {
            match open_same(member) {
                Ok(pidfd) => watched.extend(pidfd),
                Err(_) if watched.is_empty() => return Survivors::Unwatched,
                Err(_) => break,
            }
        }
        if !watched.is_empty() {
            return Survivors::Watch(watched);
        }
    }
    Survivors::None
}

fn signal_group(run: &Run, signal: i32, group_signals: bool) -> io::Result<()> {
    if group_signals {
        pidfd::send_group(run.pidfd(), signal)
    } else if run.reaped {
        Err(io::Error::from_raw_os_error(ESRCH))
    } else {
        pidfd::send_group_of_unreaped_child(run.pid, signal)
    }
}

/// Descendants that are not among the members yet, each after its parent.
fn new_members(run: &Run) -> Vec<Member> {
    let mut found: Vec<Member> = Vec::new();
    let mut visit = |root: u32, root_lives: &dyn Fn() -> bool| {
        let descendants = proc::descendants(root).unwrap_or_default();
        // Only if the root still is who it was are these its descendants.
        if !root_lives() {
            return;
        }
        for stat in descendants {
            let known = |member: &Member| member.pid == stat.pid && member.lives();
            if stat.is_zombie() || run.members.iter().chain(&found).any(known) {
                continue;
            }
            match open_same(&stat) {
                Ok(Some(pidfd)) => found.push(Member { pid: stat.pid, pidfd }),
                Ok(None) => {}
                Err(error) => log::line(format_args!("cannot signal process {}: {error}", stat.pid)),
            }
        }
    };
    match run.stage {
        Stage::Starting { .. } | Stage::Running => {
            visit(run.pid, &|| !matches!(pidfd::has_ended(run.pidfd()), Ok(true)));
        }
        Stage::Ended { .. } => {
            for stat in proc::group_members(run.pid).unwrap_or_default() {
                if let Ok(Some(pidfd)) = open_same(&stat) {
                    let member = Member { pid: stat.pid, pidfd };
                    visit(member.pid, &|| member.lives());
                }
            }
        }
    }
    for member in &run.members {
        visit(member.pid, &|| member.lives());
    }
    found
}

/// A pidfd of the process that was seen; `None` when it has ended meanwhile.
fn open_same(seen: &proc::Stat) -> io::Result<Option<OwnedFd>> {
    let pidfd = match pidfd::open(seen.pid) {
        Ok(pidfd) => pidfd,
        Err(error) if error.raw_os_error() == Some(ESRCH) => return Ok(None),
        Err(error) => return Err(error),
    };
    // The pid may have passed to another process before the pidfd was opened; the start time tells.
    let same = matches!(proc::stat(seen.pid), Ok(now) if now.start_ticks == seen.start_ticks && !now.is_zombie());
    Ok(same.then_some(pidfd))
}

fn tell(run: &Run, result: io::Result<()>) {
    match result {
        // It has ended by itself.
        Err(error) if error.raw_os_error() == Some(ESRCH) => {}
        Err(error) => log::line(format_args!("cannot signal the tree of process {}: {error}", run.pid)),
        Ok(()) => {}
    }
}
