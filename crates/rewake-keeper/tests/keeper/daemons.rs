//! The keeper of a home and the daemons it starts.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use rewake_keeper::{LOG_FILE, LaunchError, SOCKET_FILE, launch};
use rewake_unix::poll::{self, Interest};
use rewake_unix::{fd, pidfd, socket};
use rewake_wire::keeper::{Exit, IpcMode, Order, Plan, Report, Startup, Stdio};

use crate::harness::Test;
use crate::setup::{
    self, FakeDaemon, Home, LONG, Spawned, exe, polite, read_all, read_line, shell, talking, wait_for_end, wait_until,
};

pub(crate) const TESTS: &[Test] = &[
    ("clients_can_connect_at_once_and_the_home_is_private", clients_can_connect_at_once),
    ("a_second_keeper_finds_the_home_owned", a_second_keeper_finds_the_home_owned),
    ("of_many_started_at_once_one_listens", of_many_started_at_once_one_listens),
    ("a_new_daemon_gets_what_the_dead_one_had", a_new_daemon_gets_what_the_dead_one_had),
    ("the_last_orders_of_a_dead_daemon_are_carried_out", the_last_orders_of_a_dead_daemon),
    ("a_daemon_that_closes_its_link_is_replaced", a_daemon_that_closes_its_link),
    ("an_orderly_end_leaves_nothing_and_frees_the_home", an_orderly_end),
    ("a_sigterm_goes_to_the_daemon", a_sigterm_goes_to_the_daemon),
    ("a_daemon_that_keeps_dying_waits_for_a_client", a_daemon_that_keeps_dying),
    ("a_start_that_fails_says_why", a_start_that_fails_says_why),
    ("an_executable_that_is_no_keeper_is_an_error", an_executable_that_is_no_keeper),
];

fn end(home: &Home, daemon: FakeDaemon) {
    daemon.keeping.order(&Order::Shutdown);
    // The keeper closes the link first; the fake daemon ends with its connection to this test.
    wait_until("the link is closed", || matches!(daemon.keeping.link.try_recv(), Ok(None)));
    drop(daemon.connection);
    wait_for_end(&home.keeper);
}

fn kill(pid: u32) {
    let pidfd = pidfd::open(pid).unwrap();
    pidfd::send(pidfd.as_fd(), 9).unwrap();
    wait_for_end(&pidfd);
}

fn clients_can_connect_at_once() {
    let home = Home::new();
    let client = socket::connect(&home.path(SOCKET_FILE)).unwrap();
    let mode = |name| fs::metadata(home.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("."), mode(SOCKET_FILE)), (0o700, 0o600));
    let daemon = home.daemon();
    let (ready, mut fds) = daemon.keeping.next();
    assert!(matches!(ready, Report::Ready { embedded: false, .. }), "{ready:?}");
    // What came beside it is the socket that the client waits at.
    let listener = fds.pop().unwrap();
    let accepted = socket::accept(listener.as_fd()).unwrap();
    fd::write(accepted.as_fd(), b"served\n").unwrap();
    assert_eq!(read_line(&Some(client)), "served");
    assert_eq!(daemon.keeping.report(), Report::HeldAll { next_run: 0 });
    let stat = rewake_unix::proc::stat(home.keeper_pid).unwrap();
    assert_eq!(stat.session, home.keeper_pid);
    assert_ne!(stat.parent, std::process::id(), "it is no child of its starter");
    end(&home, daemon);
}

fn a_second_keeper_finds_the_home_owned() {
    let home = Home::new();
    let daemon = home.first_daemon();
    assert_eq!(launch(&exe(), home.folder.path()).unwrap(), Startup::Owned);
    // The first one is not disturbed.
    daemon.keeping.settle();
    socket::connect(&home.path(SOCKET_FILE)).unwrap();
    end(&home, daemon);
}

fn of_many_started_at_once_one_listens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/home");
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || launch(&exe(), &path).unwrap())
        })
        .collect();
    let startups: Vec<Startup> = starts.into_iter().map(|thread| thread.join().unwrap()).collect();
    let mut keepers: Vec<u32> = Vec::new();
    for startup in startups {
        match startup {
            Startup::Listening { keeper_pid } => keepers.push(keeper_pid),
            Startup::Owned => {}
            Startup::Failed(text) => panic!("{text}"),
        }
    }
    assert_eq!(keepers.len(), 1, "{keepers:?}");
    // Its daemon finds no test to talk to and dies again and again; the keeper is asked to end.
    let keeper = pidfd::open(keepers[0]).unwrap();
    pidfd::send(keeper.as_fd(), 15).unwrap();
    wait_for_end(&keeper);
}

fn held(report: (Report, Vec<OwnedFd>)) -> (u64, String, Option<Exit>, bool, Spawned) {
    let (report, given) = report;
    let Report::Held { run, tag, pid, fds, exit, tree_gone, started_at_ms } = report else { panic!("{report:?}") };
    assert!(started_at_ms > 1_600_000_000_000);
    (run, tag, exit, tree_gone, Spawned::new(pid, &fds, given))
}

fn a_new_daemon_gets_what_the_dead_one_had() {
    let home = Home::new();
    let first = home.first_daemon();
    let echo = Plan { stdin: Stdio::Pipe, stderr: Stdio::Pipe, ipc: Some(IpcMode::Json), ..talking("exec cat") };
    first.keeping.link.spawn(3, "three", &echo).unwrap();
    let three = first.keeping.spawned();
    first.keeping.link.spawn(4, "four", &talking("read line; echo last words; exit 42")).unwrap();
    let four = first.keeping.spawned();
    // Its stdin is the null device, so it ends by itself.
    assert_eq!(first.keeping.report(), Report::Exited { run: 4, exit: Exit::Code(42), tree_gone: true });
    first.keeping.link.spawn(5, "five", &shell("sleep 1000 & exit 0")).unwrap();
    let five = first.keeping.spawned();
    // The report of this end is not read by anybody.
    wait_for_end(&five.pidfd);
    kill(first.pid);
    drop((first, four));

    let second = home.daemon();
    assert!(matches!(second.keeping.report(), Report::Ready { .. }));
    let (run, tag, exit, tree_gone, again) = held(second.keeping.next());
    assert_eq!((run, tag.as_str(), exit, tree_gone, again.pid), (3, "three", None, false, three.pid));
    fd::write(again.stdin.as_ref().unwrap().as_fd(), b"still here\n").unwrap();
    assert_eq!(read_line(&again.stdout), "still here");
    assert!(again.ipc.is_some() && again.stderr.is_some());
    let (run, tag, exit, tree_gone, ended) = held(second.keeping.next());
    assert_eq!((run, tag.as_str(), exit, tree_gone), (4, "four", Some(Exit::Code(42)), true));
    assert_eq!(read_all(&ended.stdout), "last words\n");
    let (run, _, exit, tree_gone, _) = held(second.keeping.next());
    assert_eq!((run, exit, tree_gone), (5, Some(Exit::Code(0)), false));
    assert_eq!(second.keeping.report(), Report::HeldAll { next_run: 6 });

    second.keeping.order(&Order::Release { run: 4 });
    second.keeping.signal(5, 9, true);
    assert_eq!(second.keeping.report(), Report::TreeGone { run: 5 });
    kill(second.pid);
    let third = home.daemon();
    assert!(matches!(third.keeping.report(), Report::Ready { .. }));
    let runs: Vec<u64> = (0..2).map(|_| held(third.keeping.next()).0).collect();
    assert_eq!(runs, [3, 5]);
    assert_eq!(third.keeping.report(), Report::HeldAll { next_run: 6 });
    assert!(setup::is_alive(three.pid));
    end(&home, third);
    assert!(!setup::is_alive(three.pid));
}

fn the_last_orders_of_a_dead_daemon() {
    let home = Home::new();
    let first = home.first_daemon();
    // The keeper is stopped, so that the orders surely are unread when the daemon dies.
    pidfd::send(home.keeper.as_fd(), 19).unwrap();
    first.keeping.link.spawn(8, "late", &shell("exec sleep 1000")).unwrap();
    kill(first.pid);
    pidfd::send(home.keeper.as_fd(), 18).unwrap();
    let second = home.daemon();
    assert!(matches!(second.keeping.report(), Report::Ready { .. }));
    let (run, tag, exit, _, spawned) = held(second.keeping.next());
    assert_eq!((run, tag.as_str(), exit), (8, "late", None));
    assert!(setup::is_alive(spawned.pid));
    end(&home, second);
}

fn a_daemon_that_closes_its_link() {
    let home = Home::new();
    let first = home.first_daemon();
    let FakeDaemon { keeping, pid, connection } = first;
    let pidfd = pidfd::open(pid).unwrap();
    drop(keeping);
    wait_for_end(&pidfd);
    drop(connection);
    end(&home, home.first_daemon());
}

fn an_orderly_end() {
    let home = Home::new();
    let daemon = home.first_daemon();
    let spawned = daemon.keeping.spawn(1, &talking("trap '' TERM INT; echo up; while :; do sleep 0.01; done"));
    assert_eq!(read_line(&spawned.stdout), "up");
    end(&home, daemon);
    assert!(!setup::is_alive(spawned.pid));
    assert!(!home.path(SOCKET_FILE).exists());
    assert_eq!(home.starts(), 1, "a daemon that ended in order is not started again");
    let startup = launch(&exe(), home.folder.path()).unwrap();
    let Startup::Listening { keeper_pid } = startup else { panic!("{startup:?}") };
    let keeper = pidfd::open(keeper_pid).unwrap();
    let daemon = home.daemon();
    daemon.keeping.order(&Order::Shutdown);
    wait_until("the link is closed", || {
        loop {
            match daemon.keeping.link.try_recv() {
                Ok(None) => break true,
                Ok(Some(_)) => {}
                Err(_) => break false,
            }
        }
    });
    drop(daemon.connection);
    wait_for_end(&keeper);
}

fn a_sigterm_goes_to_the_daemon() {
    let home = Home::new();
    let daemon = home.first_daemon();
    let spawned = daemon.keeping.spawn(1, &polite());
    assert_eq!(read_line(&spawned.stdout), "up");
    let pidfd = pidfd::open(daemon.pid).unwrap();
    // The fake daemon knows no better than to die of it; the keeper then ends the runs itself.
    pidfd::send(home.keeper.as_fd(), 15).unwrap();
    wait_for_end(&pidfd);
    wait_for_end(&home.keeper);
    assert_eq!(read_all(&spawned.stdout), "asked\n");
    assert_eq!(home.starts(), 1);
    assert!(!home.path(SOCKET_FILE).exists());
}

fn a_daemon_that_keeps_dying() {
    let began = Instant::now();
    let home = Home::prepared(|path| fs::write(path.join("crash"), "").unwrap());
    wait_until("it was started again five times", || home.starts() == 6);
    assert!(began.elapsed().as_millis() >= 1500, "each time later: {:?}", began.elapsed());
    let log = || fs::read_to_string(home.path(LOG_FILE)).unwrap();
    wait_until("the keeper says that it waits", || log().contains(" s, or when a command needs it"));
    // A client makes it try once more; the daemon dies, and the client is told by the end of its connection.
    let client = socket::connect(&home.path(SOCKET_FILE)).unwrap();
    poll::wait(&[(client.as_fd(), Interest::Read)], Some(LONG)).unwrap();
    assert_eq!(home.starts(), 7);
    // With the cause mended, the next client is served.
    fs::remove_file(home.path("crash")).unwrap();
    let mut clients = Vec::new();
    wait_until("a client makes it start", || {
        // The first may come while the one before is still being turned away, and be turned away with it.
        clients.push(socket::connect(&home.path(SOCKET_FILE)).unwrap());
        home.starts() == 8
    });
    let daemon = home.first_daemon();
    assert_eq!(home.starts(), 8);
    end(&home, daemon);
}

fn a_start_that_fails_says_why() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(SOCKET_FILE), "precious").unwrap();
    let startup = launch(&exe(), folder.path()).unwrap();
    let Startup::Failed(text) = startup else { panic!("{startup:?}") };
    assert!(text.contains("listen on") && text.contains(SOCKET_FILE) && text.contains(": "), "{text}");
    assert_eq!(fs::read_to_string(folder.path().join(SOCKET_FILE)).unwrap(), "precious");

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(launch(&exe(), &file), Err(LaunchError::Home(_))));
}

fn an_executable_that_is_no_keeper() {
    let folder = tempfile::tempdir().unwrap();
    let error = launch(Path::new("/bin/true"), folder.path()).unwrap_err();
    assert!(matches!(error, LaunchError::Silent { .. }), "{error}");
    assert!(error.hint().unwrap().contains(LOG_FILE));
    let error = launch(Path::new("/no/such/program"), folder.path()).unwrap_err();
    assert!(matches!(error, LaunchError::Start { .. }), "{error}");
}
