//! Making processes and taking their ends.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;

use rewake_unix::{fd, fdpass, pidfd, proc};
use rewake_wire::keeper::{Exit, FdKind, IpcMode, Order, Passed, Plan, Report, SpawnStep, Stdio};

use crate::harness::Test;
use crate::setup::{
    Keeping, exe, on_both_kernels, plan, read_all, read_line, shell, talking, wait_for_end, wait_until,
};

pub(crate) const TESTS: &[Test] = &[
    ("a_run_gets_its_streams_and_its_exit_is_told", a_run_gets_its_streams),
    ("the_channel_is_at_3_and_only_our_channel_variables_are_there", the_channel_is_at_3),
    ("kept_sockets_come_first_and_are_announced_as_systemd_does", kept_sockets_come_first),
    ("a_failing_step_is_told_and_nothing_is_left", a_failing_step_is_told),
    ("a_wrong_plan_is_refused", a_wrong_plan_is_refused),
    ("exit_codes_and_signals_are_told", exit_codes_and_signals_are_told),
    ("200_processes_leave_no_zombie_and_no_descriptor", two_hundred_processes),
    ("a_release_closes_the_descriptors_and_needs_an_end", a_release_closes_the_descriptors),
    ("without_descriptors_a_spawn_fails_and_the_keeper_lives", without_descriptors),
    ("garbage_is_ignored", garbage_is_ignored),
    ("a_flood_of_orders_is_answered_in_full", a_flood_of_orders),
];

fn a_run_gets_its_streams() {
    let keeping = Keeping::embedded(&exe());
    let mut plan = shell("read line; echo \"out $line\"; echo err >&2; exit 3");
    (plan.stdin, plan.stdout, plan.stderr) = (Stdio::Pipe, Stdio::Pipe, Stdio::Pipe);
    keeping.link.spawn(7, "tag", &plan).unwrap();
    let (report, fds) = keeping.next();
    let Report::Spawned { run: 7, pid, fds: kinds } = report else { panic!("{report:?}") };
    assert_eq!(kinds, [FdKind::Pid, FdKind::Stdin, FdKind::Stdout, FdKind::Stderr]);
    let spawned = crate::setup::Spawned::new(pid, &kinds, fds);
    assert_eq!(proc::stat(pid).unwrap().session, pid);
    fd::write(spawned.stdin.as_ref().unwrap().as_fd(), b"hello\n").unwrap();
    assert_eq!(keeping.report(), Report::Exited { run: 7, exit: Exit::Code(3), tree_gone: true });
    assert_eq!(read_line(&spawned.stdout), "out hello");
    assert_eq!(read_line(&spawned.stderr), "err");
    assert!(pidfd::has_ended(spawned.pidfd.as_fd()).unwrap());
    keeping.end();
}

fn the_channel_is_at_3() {
    let keeping = Keeping::embedded(&exe());
    for (run, ipc, expected) in [
        (1, None, "0 1 2 3 |A=b"),
        (2, Some(IpcMode::Json), "0 1 2 3 4 |A=b NODE_CHANNEL_FD=3 NODE_CHANNEL_SERIALIZATION_MODE=json"),
        (3, Some(IpcMode::Advanced), "0 1 2 3 4 |A=b NODE_CHANNEL_FD=3 NODE_CHANNEL_SERIALIZATION_MODE=advanced"),
    ] {
        // `ls` itself has one descriptor open: the folder.
        let script =
            "ls /proc/self/fd | tr '\\n' ' '; echo \"|$(env | grep -E '^(A|NODE_.*)=' | sort | tr '\\n' ' ')\"";
        let mut plan = talking(script);
        plan.env.extend(
            ["A=b", "NODE_CHANNEL_FD=9", "NODE_CHANNEL_SERIALIZATION_MODE=x", "NODE_CHANNEL_X=y", "NODE_UNIQUE_ID=4"]
                .map(str::to_owned),
        );
        plan.ipc = ipc;
        let spawned = keeping.spawn(run, &plan);
        assert_eq!(read_line(&spawned.stdout).trim_end(), expected);
        assert_eq!(spawned.ipc.is_some(), ipc.is_some());
        assert!(matches!(keeping.report(), Report::Exited { .. }));
    }
    let mut plan = shell("read line <&3; echo \"$line back\" >&3");
    plan.ipc = Some(IpcMode::Json);
    let spawned = keeping.spawn(4, &plan);
    fd::write(spawned.ipc.as_ref().unwrap().as_fd(), b"there and\n").unwrap();
    assert_eq!(read_line(&spawned.ipc), "there and back");
    keeping.end();
}

fn kept_sockets_come_first() {
    let keeping = Keeping::embedded(&exe());
    let pairs = [("\0one", fdpass::stream_pair().unwrap()), ("two", fdpass::stream_pair().unwrap())];
    for (name, (_, theirs)) in &pairs {
        keeping.link.keep(name, theirs.as_fd()).unwrap();
    }
    let passed = |kept: &str, name: &str| Passed { kept: kept.to_owned(), name: name.to_owned() };
    let script = "echo $$ $LISTEN_PID $LISTEN_FDS $LISTEN_FDNAMES $LISTEN_PIDFDID $LISTEN_ADDR $NODE_CHANNEL_FD;
        echo first >&3; echo second >&4; echo first again >&5; test -e /proc/$$/fd/6 && echo channel >&6";
    let mut plan = talking(script);
    let foreign = ["LISTEN_PID=1", "LISTEN_FDS=9", "LISTEN_FDNAMES=x", "LISTEN_PIDFDID=7", "LISTEN_ADDR=own"];
    plan.env.extend(foreign.map(str::to_owned));
    plan.sockets = vec![passed("two", "http"), passed("\0one", "b"), passed("two", "http")];
    for (run, ipc, number) in [(1, None, ""), (2, Some(IpcMode::Json), " 6")] {
        plan.ipc = ipc;
        let spawned = keeping.spawn(run, &plan);
        assert_eq!(read_line(&spawned.stdout), format!("{0} {0} 3 http:b:http own{number}", spawned.pid));
        if ipc.is_some() {
            assert_eq!(read_line(&spawned.ipc), "channel");
        }
        assert!(matches!(keeping.report(), Report::Exited { .. }));
    }
    let [(_, (one, _)), (_, (two, _))] = pairs;
    let (one, two) = (Some(one), Some(two));
    assert_eq!(read_line(&one), "second");
    assert_eq!([read_line(&two), read_line(&two)], ["first", "first again"]);
    // What is not kept is refused.
    plan.sockets.push(passed("three", "x"));
    keeping.link.spawn(3, "", &plan).unwrap();
    let report = keeping.report();
    let Report::SpawnFailed { run: 3, error } = &report else { panic!("{report:?}") };
    assert_eq!(error.step, SpawnStep::Plan);
    // Without sockets there are no such variables, whoever else had some.
    plan.sockets.clear();
    plan.ipc = None;
    plan.argv = vec!["env".into()];
    plan.program = "env".into();
    let spawned = keeping.spawn(4, &plan);
    assert_eq!(read_all(&spawned.stdout), "PATH=/usr/bin:/bin\nLISTEN_ADDR=own\n");
    keeping.end();
}

fn a_failing_step_is_told() {
    let keeping = Keeping::embedded(&exe());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, mode| {
        let path = folder.path().join(name);
        fs::write(&path, [1, 2, 3]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (locked, garbage) = (file("locked", 0o644), file("garbage", 0o755));
    let elsewhere = Plan { cwd: "/no/such/folder".into(), ..shell("true") };
    let before = keeping.open_fds();
    for (plan, step, errno, about) in [
        (plan(&["/no/such/program"]), SpawnStep::Exec, 2, "/no/such/program"),
        (plan(&["no-such-program"]), SpawnStep::Exec, 2, "no-such-program"),
        (plan(&[&locked]), SpawnStep::Exec, 13, locked.as_str()),
        (plan(&[&garbage]), SpawnStep::Exec, 8, garbage.as_str()),
        (elsewhere, SpawnStep::Chdir, 2, "/no/such/folder"),
    ] {
        let plan = Plan { stdout: Stdio::Pipe, ipc: Some(IpcMode::Json), ..plan };
        keeping.link.spawn(1, "", &plan).unwrap();
        let report = keeping.report();
        let Report::SpawnFailed { run: 1, error } = &report else { panic!("{report:?}") };
        assert_eq!((error.step, error.errno, error.about.as_str()), (step, errno, about));
    }
    wait_until("the failed processes are reaped", || proc::children(keeping.pid).unwrap().is_empty());
    assert_eq!(keeping.open_fds(), before);
    keeping.end();
}

fn a_wrong_plan_is_refused() {
    let keeping = Keeping::embedded(&exe());
    let good = shell("exec sleep 1000");
    for (what, tag, plan) in [
        ("no program", "", Plan { program: String::new(), ..good.clone() }),
        ("no argv", "", Plan { argv: Vec::new(), ..good.clone() }),
        ("NUL", "", Plan { env: vec!["A=\0".into()], ..good.clone() }),
        ("orphan_signal", "", Plan { orphan_signal: 99, ..good.clone() }),
        ("tag", "x".repeat(1025).as_str(), good.clone()),
    ] {
        keeping.link.spawn(1, tag, &plan).unwrap();
        let report = keeping.report();
        let Report::SpawnFailed { run: 1, error } = &report else { panic!("{report:?}") };
        assert_eq!(error.step, SpawnStep::Plan);
        assert!(error.about.contains(what), "{error:?}");
    }
    // A spawn without a plan beside it.
    keeping.order(&Order::Spawn { run: 1, tag: String::new() });
    assert!(matches!(keeping.report(), Report::SpawnFailed { run: 1, .. }));
    // A number that is taken: the run that has it is not touched.
    let spawned = keeping.spawn(1, &good);
    keeping.link.spawn(1, "", &good).unwrap();
    let report = keeping.report();
    assert!(matches!(&report, Report::SpawnFailed { run: 1, error } if error.step == SpawnStep::Plan), "{report:?}");
    keeping.signal(1, 9, true);
    let killed = Exit::Signal { number: 9, core_dumped: false };
    assert_eq!(keeping.report(), Report::Exited { run: 1, exit: killed, tree_gone: true });
    wait_for_end(&spawned.pidfd);
    keeping.end();
}

fn exit_codes_and_signals_are_told() {
    on_both_kernels(|keeping| {
        let signal = |number| Exit::Signal { number, core_dumped: false };
        for (run, (script, exit)) in (1..).zip([
            ("exit 0", Exit::Code(0)),
            ("exit 255", Exit::Code(255)),
            ("kill -15 $$", signal(15)),
            ("kill -40 $$", signal(40)),
        ]) {
            keeping.spawn(run, &shell(script));
            assert_eq!(keeping.report(), Report::Exited { run, exit, tree_gone: true });
        }
        // To the process alone, by order; and orders about what is gone or never was are ignored.
        keeping.spawn(9, &shell("exec sleep 1000"));
        keeping.signal(9, 10, false);
        assert_eq!(keeping.report(), Report::Exited { run: 9, exit: signal(10), tree_gone: true });
        keeping.signal(9, 9, true);
        keeping.signal(9, 9, false);
        keeping.signal(12345, 9, true);
        keeping.signal(9, 0, true);
        keeping.settle();
    });
}

fn two_hundred_processes() {
    on_both_kernels(|keeping| {
        let before = keeping.open_fds();
        let plan = Plan { ipc: Some(IpcMode::Json), ..talking("echo here; exec sleep 1000") };
        let mut runs = BTreeMap::new();
        for run in 0..200 {
            runs.insert(run, keeping.spawn(run, &plan));
        }
        for spawned in runs.values() {
            assert_eq!(read_line(&spawned.stdout), "here");
        }
        for run in runs.keys() {
            keeping.signal(*run, 15, true);
        }
        for _ in 0..200 {
            let report = keeping.report();
            let Report::Exited { run, exit, tree_gone: true } = report else { panic!("{report:?}") };
            assert_eq!(exit, Exit::Signal { number: 15, core_dumped: false });
            let spawned = runs.remove(&run).expect("each ends once");
            assert!(pidfd::has_ended(spawned.pidfd.as_fd()).unwrap());
            keeping.order(&Order::Release { run });
        }
        keeping.settle();
        assert_eq!(proc::children(keeping.pid).unwrap(), Vec::<u32>::new());
        assert_eq!(keeping.open_fds(), before);
    });
}

fn a_release_closes_the_descriptors() {
    let keeping = Keeping::embedded(&exe());
    let before = keeping.open_fds();
    let plan = Plan { stdin: Stdio::Pipe, stderr: Stdio::Pipe, ipc: Some(IpcMode::Json), ..talking("exec cat") };
    let spawned = keeping.spawn(1, &plan);
    // Pid, stdin, stdout, stderr, channel.
    assert_eq!(keeping.open_fds(), before + 5);
    keeping.order(&Order::Release { run: 1 });
    keeping.settle();
    assert_eq!(keeping.open_fds(), before + 5, "a run that has not ended is not forgotten");
    keeping.signal(1, 9, true);
    assert!(matches!(keeping.report(), Report::Exited { run: 1, .. }));
    assert_eq!(keeping.open_fds(), before + 5, "its last output may still be unread");
    keeping.order(&Order::Release { run: 1 });
    keeping.settle();
    assert_eq!(keeping.open_fds(), before);
    // The number is free again.
    drop(spawned);
    keeping.spawn(1, &shell("exit 0"));
    keeping.end();
}

fn without_descriptors() {
    let folder = tempfile::tempdir().unwrap();
    let limited = folder.path().join("limited");
    fs::write(&limited, format!("#!/bin/sh\nulimit -n 24\nexec '{}' \"$@\"\n", exe().display())).unwrap();
    fs::set_permissions(&limited, fs::Permissions::from_mode(0o755)).unwrap();
    let keeping = Keeping::embedded(&limited);
    let before = keeping.open_fds();
    let plan = Plan { ipc: Some(IpcMode::Json), ..talking("exec sleep 1000") };
    let mut made = 0;
    let error = loop {
        keeping.link.spawn(made, "", &plan).unwrap();
        let report = keeping.report();
        if let Report::SpawnFailed { error, .. } = report {
            break error;
        }
        assert!(matches!(report, Report::Spawned { .. }), "{report:?}");
        made += 1;
        assert!(made < 24, "the limit is reached");
    };
    assert!(made >= 2, "{made}");
    assert_eq!(error.errno, 24, "{error:?}");
    // Pid, stdout, channel.
    assert_eq!(keeping.open_fds(), before + 3 * usize::try_from(made).unwrap(), "the failed one left nothing");
    for run in 0..made {
        keeping.signal(run, 9, true);
        assert!(matches!(keeping.report(), Report::Exited { tree_gone: true, .. }));
        keeping.order(&Order::Release { run });
    }
    let spawned = keeping.spawn(99, &talking("ulimit -n"));
    assert_eq!(read_line(&spawned.stdout), "24");
    keeping.end();
}

fn garbage_is_ignored() {
    let keeping = Keeping::embedded(&exe());
    for packet in [&b"not json"[..], b"{\"do\":\"dance\"}", b"\xff\xfe", &[b' '; 20_000]] {
        fdpass::send(keeping.link.as_fd(), packet, &[]).unwrap();
    }
    let spawned = keeping.spawn(1, &talking("echo fine"));
    assert_eq!(read_all(&spawned.stdout), "fine\n");
    keeping.end();
}

/// Nobody reads the reports until all orders are sent, so that both directions fill up.
fn a_flood_of_orders() {
    let keeping = Keeping::embedded(&exe());
    let plan = plan(&["/no/such/program"]);
    let (mut sent, mut answered) = (0, 0);
    let mut was_full = false;
    while sent < 3000 {
        match keeping.link.spawn(sent, "", &plan) {
            Ok(()) => sent += 1,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                was_full = true;
                assert!(matches!(keeping.report(), Report::SpawnFailed { .. }));
                answered += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    for _ in answered..sent {
        assert!(matches!(keeping.report(), Report::SpawnFailed { .. }));
    }
    assert!(was_full, "the link was never full: send more");
    keeping.end();
}
