//! What the tests share: keepers with their other end, plans, and waiting for conditions with a bound.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rewake_keeper::{Link, launch, launch_embedded};
use rewake_unix::poll::{self, Interest};
use rewake_unix::{fd, fdpass, home, pidfd, proc, socket};
use rewake_wire::keeper::{FdKind, KEEPER_PROTOCOL, Order, Plan, Report, Startup, Stdio};

use crate::roles::OLD_KERNEL;

/// Far more than anything here needs on a busy machine; only a hang reaches it.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Where a fake daemon finds its test, in the home.
pub(crate) const TEST_SOCKET: &str = "test.sock";

pub(crate) fn exe() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// A keeper and this process's end of its link.
pub(crate) struct Keeping {
    pub(crate) link: Link,
    pub(crate) pid: u32,
    pub(crate) pidfd: OwnedFd,
}

/// A run as reported, with the descriptors by their kinds.
pub(crate) struct Spawned {
    pub(crate) pid: u32,
    pub(crate) pidfd: OwnedFd,
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: Option<OwnedFd>,
    pub(crate) ipc: Option<OwnedFd>,
}

impl Keeping {
    /// An embedded keeper, its greeting read.
    pub(crate) fn embedded(exe: &Path) -> Self {
        let embedded = launch_embedded(exe).unwrap();
        let keeping = Self { link: embedded.link, pid: embedded.pid, pidfd: embedded.pidfd };
        let (ready, fds) = keeping.next();
        assert!(matches!(ready, Report::Ready { embedded: true, .. }), "{ready:?}");
        assert!(fds.is_empty());
        assert_eq!(keeping.next().0, Report::HeldAll { next_run: 0 });
        keeping
    }

    /// The next report; there has to be one in time.
    pub(crate) fn next(&self) -> (Report, Vec<OwnedFd>) {
        let deadline = Instant::now() + LONG;
        loop {
            match self.link.try_recv() {
                Ok(Some(received)) => return received,
                Ok(None) => panic!("the keeper is gone"),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no report in time");
            poll::wait(&[(self.link.as_fd(), Interest::Read)], Some(left)).unwrap();
        }
    }

    pub(crate) fn report(&self) -> Report {
        self.next().0
    }

    pub(crate) fn order(&self, order: &Order) {
        self.link.order(order).unwrap();
    }

    /// Orders a run and takes its `Spawned`.
    pub(crate) fn spawn(&self, run: u64, plan: &Plan) -> Spawned {
        self.link.spawn(run, "", plan).unwrap();
        self.spawned()
    }

    pub(crate) fn spawned(&self) -> Spawned {
        let (report, given) = self.next();
        let Report::Spawned { pid, fds, .. } = report else { panic!("{report:?}") };
        Spawned::new(pid, &fds, given)
    }

    /// Orders an end and takes nothing: for runs that are expected to end.
    pub(crate) fn signal(&self, run: u64, signal: i32, tree: bool) {
        self.order(&Order::Signal { run, signal, tree });
    }

    /// Once this returns, the keeper has carried out every order so far.
    pub(crate) fn settle(&self) {
        // A refusal is the only answer that changes nothing.
        self.link.spawn(u64::MAX, "", &Plan { argv: Vec::new(), ..shell("") }).unwrap();
        let report = self.report();
        assert!(matches!(report, Report::SpawnFailed { run: u64::MAX, .. }), "{report:?}");
    }

    pub(crate) fn open_fds(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid)).unwrap().count()
    }

    /// Lets the keeper end, with whatever it still has, and waits for it.
    pub(crate) fn end(self) {
        let Self { link, pidfd, .. } = self;
        drop(link);
        wait_for_end(&pidfd);
        let _ = pidfd::wait(pidfd.as_fd(), false);
    }
}

impl Spawned {
    pub(crate) fn new(pid: u32, kinds: &[FdKind], given: Vec<OwnedFd>) -> Self {
        assert_eq!(kinds.len(), given.len());
        let mut by_kind: Vec<_> = kinds.iter().copied().zip(given).collect();
        let mut take = |kind| {
            let at = by_kind.iter().position(|(found, _)| *found == kind)?;
            Some(by_kind.swap_remove(at).1)
        };
        Self {
            pid,
            pidfd: take(FdKind::Pid).unwrap(),
            stdin: take(FdKind::Stdin),
            stdout: take(FdKind::Stdout),
            stderr: take(FdKind::Stderr),
            ipc: take(FdKind::Ipc),
        }
    }
}

/// A keeper of a home, the test being its daemon.
pub(crate) struct Home {
    pub(crate) folder: tempfile::TempDir,
    tests: OwnedFd,
    pub(crate) keeper: OwnedFd,
    pub(crate) keeper_pid: u32,
}

/// A fake daemon's link, and the connection that keeps it alive.
pub(crate) struct FakeDaemon {
    pub(crate) keeping: Keeping,
    pub(crate) pid: u32,
    pub(crate) connection: OwnedFd,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self::prepared(|_| {})
    }

    /// A home in which something is done before the keeper starts.
    pub(crate) fn prepared(prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        home::ensure(folder.path()).unwrap();
        let tests = socket::listen(&folder.path().join(TEST_SOCKET), 8).unwrap();
        prepare(folder.path());
        let startup = launch(&exe(), folder.path()).unwrap();
        let Startup::Listening { keeper_pid } = startup else { panic!("{startup:?}") };
        let keeper = pidfd::open(keeper_pid).unwrap();
        Self { folder, tests, keeper, keeper_pid }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The next daemon that the keeper starts; its `Ready` is still to be read.
    pub(crate) fn daemon(&self) -> FakeDaemon {
        poll::wait(&[(self.tests.as_fd(), Interest::Read)], Some(LONG)).unwrap();
        let connection = socket::accept(self.tests.as_fd()).expect("a daemon is started in time");
        poll::wait(&[(connection.as_fd(), Interest::Read)], Some(LONG)).unwrap();
        let mut given = fdpass::recv(connection.as_fd(), &mut [0; 16]).unwrap().fds;
        let link = Link::new(given.pop().unwrap()).unwrap();
        let pid = socket::peer(connection.as_fd()).unwrap().pid;
        let pidfd = self.keeper.try_clone().unwrap();
        FakeDaemon { keeping: Keeping { link, pid: self.keeper_pid, pidfd }, pid, connection }
    }

    /// A daemon that has been told that there is nothing.
    pub(crate) fn first_daemon(&self) -> FakeDaemon {
        let daemon = self.daemon();
        let (ready, fds) = daemon.keeping.next();
        let expected = |keeper_pid| keeper_pid == self.keeper_pid;
        assert!(
            matches!(ready, Report::Ready { protocol: KEEPER_PROTOCOL, keeper_pid, embedded: false, .. } if expected(keeper_pid)),
            "{ready:?}"
        );
        assert_eq!(fds.len(), 1);
        assert_eq!(daemon.keeping.report(), Report::HeldAll { next_run: 0 });
        daemon
    }

    pub(crate) fn starts(&self) -> usize {
        fs::read(self.path("starts")).map_or(0, |marks| marks.len())
    }
}

impl Drop for Home {
    /// Nothing of a failed test stays behind.
    fn drop(&mut self) {
        if !pidfd::has_ended(self.keeper.as_fd()).unwrap() {
            for child in descendants(self.keeper_pid) {
                if let Ok(child) = pidfd::open(child) {
                    let _ = pidfd::send(child.as_fd(), 9);
                }
            }
            let _ = pidfd::send(self.keeper.as_fd(), 9);
        }
    }
}

/// A plan with nothing special: null streams, no channel, the tree is one.
pub(crate) fn plan(argv: &[&str]) -> Plan {
    Plan {
        program: argv[0].to_owned(),
        argv: argv.iter().map(ToString::to_string).collect(),
        env: vec!["PATH=/usr/bin:/bin".to_owned()],
        cwd: "/".to_owned(),
        stdin: Stdio::Null,
        stdout: Stdio::Null,
        stderr: Stdio::Null,
        sockets: Vec::new(),
        spool_folder: None,
        ipc: None,
        unique_id: None,
        uid: None,
        gid: None,
        orphan_signal: 15,
        orphan_timeout_ms: 1000,
        treekill: true,
    }
}

pub(crate) fn shell(script: &str) -> Plan {
    plan(&["sh", "-c", script])
}

/// A shell script whose output is read.
pub(crate) fn talking(script: &str) -> Plan {
    Plan { stdout: Stdio::Pipe, ..shell(script) }
}

/// A shell that says `up`, then `asked` when it is asked to end. It may take its time to do so.
pub(crate) fn polite() -> Plan {
    let plan = talking("trap 'echo asked; exit 0' TERM; echo up; while :; do sleep 0.01; done");
    Plan { orphan_timeout_ms: 60_000, ..plan }
}

/// Bytes of a pipe up to a newline, without it; or to its end.
pub(crate) fn read_line(pipe: &Option<OwnedFd>) -> String {
    let mut line = Vec::new();
    while let Some(byte) = read_byte(pipe.as_ref().unwrap()) {
        if byte == b'\n' {
            break;
        }
        line.push(byte);
    }
    String::from_utf8(line).unwrap()
}

pub(crate) fn read_all(pipe: &Option<OwnedFd>) -> String {
    let pipe = pipe.as_ref().unwrap();
    let mut bytes = Vec::new();
    while let Some(byte) = read_byte(pipe) {
        bytes.push(byte);
    }
    String::from_utf8(bytes).unwrap()
}

fn read_byte(pipe: &OwnedFd) -> Option<u8> {
    let mut byte = [0];
    loop {
        match fd::read(pipe.as_fd(), &mut byte) {
            Ok(0) => return None,
            Ok(_) => return Some(byte[0]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
        let ready = poll::wait(&[(pipe.as_fd(), Interest::Read)], Some(LONG)).unwrap();
        assert!(ready[0], "nothing to read in time");
    }
}

pub(crate) fn wait_for_end(pidfd: &OwnedFd) {
    poll::wait(&[(pidfd.as_fd(), Interest::Read)], Some(LONG)).unwrap();
    assert!(pidfd::has_ended(pidfd.as_fd()).unwrap(), "the process has not ended in time");
}

/// Tries until it holds. What is waited for has no descriptor to wait on.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// It is there and no zombie.
pub(crate) fn is_alive(pid: u32) -> bool {
    proc::stat(pid).is_ok_and(|stat| !stat.is_zombie())
}

/// Name of the program that it has become; empty once it has ended.
pub(crate) fn name(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
}

pub(crate) fn descendants(pid: u32) -> Vec<u32> {
    proc::descendants(pid).unwrap().iter().map(|stat| stat.pid).collect()
}

/// Runs the test with a keeper as this kernel has it, and with one as on a kernel that cannot signal groups by pidfd.
pub(crate) fn on_both_kernels(test: impl Fn(&Keeping)) {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join(OLD_KERNEL);
    std::os::unix::fs::symlink(exe(), &old).unwrap();
    for exe in [exe(), old] {
        let keeping = Keeping::embedded(&exe);
        test(&keeping);
        keeping.end();
    }
}
