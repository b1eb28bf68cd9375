//! A keeper inside another program's life.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::time::Duration;

use rewake_unix::{detach, pidfd, pipe, proc, reap};
use rewake_wire::keeper::{Exit, Order, Report};

use crate::harness::Test;
use crate::roles::HOST_FLAG;
use crate::setup::{self, Keeping, exe, polite, read_all, read_line, shell, talking, wait_for_end, wait_until};

pub(crate) const TESTS: &[Test] = &[
    ("a_killed_host_leaves_nothing", a_killed_host_leaves_nothing),
    ("runs_of_a_lost_host_are_asked_first", runs_of_a_lost_host_are_asked_first),
    ("a_shutdown_kills_what_is_left", a_shutdown_kills_what_is_left),
    ("a_terminals_signals_do_not_end_it", a_terminals_signals_do_not_end_it),
    ("an_idle_keeper_sleeps", an_idle_keeper_sleeps),
    ("a_keeper_that_cannot_be_started_is_an_error", a_keeper_that_cannot_be_started),
];

fn a_killed_host_leaves_nothing() {
    let (read, write) = pipe::new().unwrap();
    let exe = exe();
    let args = [OsStr::new(HOST_FLAG), exe.as_os_str()];
    let host = detach::start(&exe, &args, &[(write.as_fd(), 1)]).unwrap();
    drop(write);
    let mut line = String::new();
    BufReader::new(File::from(read)).read_line(&mut line).unwrap();
    let pids: Vec<u32> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
    // The keeper, and two runs with two children each.
    assert_eq!(pids.len(), 7, "{line}");
    assert!(pids.iter().all(|&pid| setup::is_alive(pid)));
    let pidfd = pidfd::open(host).unwrap();
    pidfd::send(pidfd.as_fd(), 9).unwrap();
    wait_for_end(&pidfd);
    reap::one(host).unwrap();
    wait_until("keeper, runs and all their children are gone", || !pids.iter().any(|&pid| setup::is_alive(pid)));
}

fn runs_of_a_lost_host_are_asked_first() {
    let keeping = Keeping::embedded(&exe());
    let polite = keeping.spawn(1, &polite());
    let stubborn = keeping.spawn(2, &talking("trap '' TERM; echo up; while :; do sleep 0.01; done"));
    assert_eq!((read_line(&polite.stdout), read_line(&stubborn.stdout)), ("up".into(), "up".into()));
    keeping.end();
    assert_eq!(read_all(&polite.stdout), "asked\n");
    assert_eq!(read_all(&stubborn.stdout), "");
    assert!(pidfd::has_ended(stubborn.pidfd.as_fd()).unwrap());
}

fn a_shutdown_kills_what_is_left() {
    let keeping = Keeping::embedded(&exe());
    let spawned = keeping.spawn(1, &talking("trap '' TERM; setsid sleep 1000 & echo up; wait"));
    assert_eq!(read_line(&spawned.stdout), "up");
    let all = setup::descendants(spawned.pid);
    keeping.order(&Order::Shutdown);
    wait_for_end(&keeping.pidfd);
    assert!(!setup::is_alive(spawned.pid) && !all.iter().any(|&pid| setup::is_alive(pid)));
    keeping.end();
}

fn a_terminals_signals_do_not_end_it() {
    let keeping = Keeping::embedded(&exe());
    let stat = proc::stat(keeping.pid).unwrap();
    assert_eq!((stat.session, stat.group), (keeping.pid, keeping.pid), "a terminal's group is not its");
    for signal in [1, 2, 15] {
        pidfd::send(keeping.pidfd.as_fd(), signal).unwrap();
    }
    keeping.spawn(1, &shell("exit 0"));
    assert_eq!(keeping.report(), Report::Exited { run: 1, exit: Exit::Code(0), tree_gone: true });
    keeping.end();
}

/// Watches for as long as any timer of the keeper's would take, were one armed.
fn an_idle_keeper_sleeps() {
    let keeping = Keeping::embedded(&exe());
    let spawned = keeping.spawn(1, &talking("echo up; exec sleep 1000"));
    assert_eq!(read_line(&spawned.stdout), "up");
    keeping.settle();
    let switches = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", keeping.pid)).unwrap();
        status.lines().filter(|line| line.contains("ctxt_switches")).map(str::to_owned).collect::<Vec<_>>()
    };
    wait_until("it sleeps", || proc::stat(keeping.pid).unwrap().state == b'S');
    let before = switches();
    std::thread::sleep(Duration::from_millis(1200));
    assert_eq!(switches(), before);
    keeping.end();
}

fn a_keeper_that_cannot_be_started() {
    let error = rewake_keeper::launch_embedded("/no/such/program".as_ref()).unwrap_err();
    assert_eq!(error.to_string(), "start `/no/such/program`");
}
