//! The daemon against a keeper that is a test: one that says nonsense, one that is slow.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};

use rewake_keeper::{LOG_FILE, SOCKET_FILE};
use rewake_unix::{detach, fdpass, pidfd, reap, socket};
use rust_tests::home::{Home, executable, is_alive, kill, until};
use serde_json::{Value, json};

/// A test in a keeper's place: it has started the daemon, and says what a keeper says.
struct Keeper {
    link: OwnedFd,
    daemon: u32,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        kill(self.daemon);
        // It is this process's child.
        let _ = reap::one(self.daemon);
    }
}

impl Keeper {
    fn of(home: &Home) -> Self {
        let path = home.path();
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        let listener = socket::listen(&path.join(SOCKET_FILE), 16).unwrap();
        let (link, theirs) = fdpass::packet_pair().unwrap();
        let log = fs::File::create(path.join(LOG_FILE)).unwrap();
        let inherit = [(log.as_fd(), 1), (log.as_fd(), 2), (theirs.as_fd(), 3)];
        let args = [OsStr::new("--daemon"), path.as_os_str()];
        let daemon = detach::start(&executable(), &args, &inherit).unwrap();
        let keeper = Self { link, daemon };
        let ready = json!({"fact": "ready", "protocol": 2, "keeper_pid": std::process::id(), "embedded": false});
        keeper.say(&ready, &[listener.as_fd()]);
        keeper.say(&json!({"fact": "held_all", "next_run": 0}), &[]);
        keeper
    }

    fn say(&self, report: &Value, fds: &[BorrowedFd<'_>]) {
        fdpass::send(self.link.as_fd(), report.to_string().as_bytes(), fds).unwrap();
    }

    /// Waits for an order of this name.
    fn ordered(&self, name: &str) -> Value {
        let mut found = Value::Null;
        until(name, || {
            let mut buffer = [0; 16 << 10];
            while let Ok(received) = fdpass::recv(self.link.as_fd(), &mut buffer) {
                let order: Value = serde_json::from_slice(&buffer[..received.bytes]).unwrap();
                if order["do"] == name {
                    found = order;
                    return true;
                }
            }
            false
        });
        found
    }
}

/// A program that the daemon has started, as far as it knows.
fn supervised(home: &Home, keeper: &Keeper) -> Child {
    let start = ["start", "/bin/sleep", "--interpreter", "none", "--silent", "--", "86400"];
    let mut start = home.command(start).spawn().unwrap();
    let run = keeper.ordered("spawn")["run"].clone();
    let app = Command::new("/bin/sleep").arg("86400").spawn().unwrap();
    let process = pidfd::open(app.id()).unwrap();
    keeper.say(&json!({"fact": "spawned", "run": run, "pid": app.id(), "fds": ["pid"]}), &[process.as_fd()]);
    assert!(start.wait().unwrap().success());
    assert_eq!(home.slots("sleep")[0].0, app.id());
    app
}

#[test]
fn a_daemon_that_does_not_understand_its_keeper_ends_and_stops_nothing() {
    let home = Home::new();
    let keeper = Keeper::of(&home);
    let mut app = supervised(&home, &keeper);
    keeper.say(&json!("what no keeper says"), &[]);
    until("the daemon has ended", || !is_alive(keeper.daemon));
    assert!(app.try_wait().unwrap().is_none(), "the app goes on");
    let log = fs::read_to_string(home.path().join(LOG_FILE)).unwrap();
    assert!(log.contains("error: "), "{log}");
    app.kill().unwrap();
    app.wait().unwrap();
}

#[test]
fn a_signal_has_been_sent_when_the_command_returns_however_slow_the_keeper_is() {
    let home = Home::new();
    let keeper = Keeper::of(&home);
    let mut app = supervised(&home, &keeper);
    // The keeper reads nothing here.
    home.rewake(["send-signal", "SIGTERM", "sleep"]).ok();
    assert_eq!(app.wait().unwrap().signal(), Some(15));
}
