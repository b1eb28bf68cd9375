//! Processes of this home that nobody has heard of: made by a keeper that died before it could tell. They are ended, so that none runs
//! beside the one that takes its place. Never touches a process that does not carry this home's name and its slot's number.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rewake_core::{RunId, SlotId};
use rewake_unix::poll::{self, Interest};
use rewake_unix::{pidfd, proc};
use rewake_wire::keeper::Plan;

const SIGKILL: i32 = 9;

/// A process is gone in milliseconds after SIGKILL, unless it hangs in the kernel.
const GONE_WITHIN: Duration = Duration::from_secs(1);

/// Ends the processes of orders that were sent and not answered.
pub(crate) fn end_unheard(home: &Path, ordered: &BTreeMap<RunId, (SlotId, Box<Plan>)>, known: &[u32]) {
    let slots: BTreeSet<String> = ordered.values().map(|(slot, _)| slot.to_string()).collect();
    if !slots.is_empty() {
        end(home, Some(&slots), known);
    }
}

/// Ends what runs for these slots (all, when `None`) and is not known.
pub(crate) fn end(home: &Path, slots: Option<&BTreeSet<String>>, known: &[u32]) {
    // Twice: a process between fork and exec carries no name yet and is found by its keeper's; it may pass on meanwhile.
    for _ in 0..2 {
        let strays = find(home, slots, known);
        for (pid, process) in &strays {
            tracing::warn!(pid, "ending a process that was started and not reported");
            if pidfd::send_group(process.as_fd(), SIGKILL).is_err() {
                // It has ended by itself, then.
                let _ = pidfd::send(process.as_fd(), SIGKILL);
            }
        }
        for (_, process) in &strays {
            let _ = poll::wait(&[(process.as_fd(), Interest::Read)], Some(GONE_WITHIN));
        }
        if strays.is_empty() {
            return;
        }
    }
}

fn find(home: &Path, slots: Option<&BTreeSet<String>>, known: &[u32]) -> Vec<(u32, OwnedFd)> {
    let processes = proc::all().unwrap_or_default();
    // Each of ours leads a session of its own; its children do not.
    let leads = |stat: &proc::Stat| stat.session == stat.pid && !stat.is_zombie() && !known.contains(&stat.pid);
    let ours = |stat: &proc::Stat| leads(stat) && (is_for(stat.pid, home, slots) || is_unborn(stat, home));
    let opened = processes.into_iter().filter(ours).filter_map(|stat| {
        let process = pidfd::open(stat.pid).ok()?;
        let same = proc::stat(stat.pid).is_ok_and(|now| now.start_ticks == stat.start_ticks);
        same.then_some((stat.pid, process))
    });
    opened.collect()
}

fn is_for(pid: u32, home: &Path, slots: Option<&BTreeSet<String>>) -> bool {
    let Ok(environment) = proc::environment(pid) else { return false };
    let value = |key: &[u8]| environment.iter().find_map(|entry| entry.strip_prefix(key));
    let slot = value(b"pm_id=").and_then(|slot| str::from_utf8(slot).ok());
    value(b"REWAKE_HOME=") == Some(home.as_os_str().as_bytes())
        && slot.is_some_and(|slot| slots.is_none_or(|slots| slots.contains(slot)))
        // The daemon's own environment has no such number, whoever started it.
        && value(b"pm_exec_path=").is_some()
        && pid != std::process::id()
        && !is_rewake(pid, home)
}

/// A child of a dead keeper that has not become its program: it still has the keeper's arguments.
fn is_unborn(stat: &proc::Stat, home: &Path) -> bool {
    is_rewake(stat.pid, home)
        && stat.pid != std::process::id()
        && arguments(stat.pid).is_some_and(|args| {
            let keeper = args.get(1).is_some_and(|flag| flag.starts_with(b"--keeper"));
            // A keeper that lives is this process's parent or child.
            keeper
                && proc::stat(std::process::id()).is_ok_and(|me| me.parent != stat.pid)
                && stat.parent != std::process::id()
        })
}

fn is_rewake(pid: u32, home: &Path) -> bool {
    let args = arguments(pid).unwrap_or_default();
    let flag = args.get(1).is_some_and(|flag| flag.starts_with(b"--keeper") || flag == b"--daemon");
    flag && args.get(2).is_some_and(|of| of == home.as_os_str().as_bytes())
}

fn arguments(pid: u32) -> Option<Vec<Vec<u8>>> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(bytes.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect())
}
