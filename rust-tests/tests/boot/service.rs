//! The keeper as a service: the test plays the service manager's part, with a datagram socket and the variables that it gives.

use std::fs::{self, File};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rust_tests::home::{Home, PATIENCE, children, executable, is_alive, until};

use super::folk::{all_gone, pid, signal, start_polite};

/// Within this time the service manager wants to hear of its services. A daemon that gives no sign for three quarters of it is replaced, and the
/// tests must not see that of one that only gets no processor for a while.
const PERIOD: Duration = Duration::from_secs(12);

/// A keeper as systemd starts it, and what it says.
struct Service {
    child: Child,
    socket: UnixDatagram,
    heard: Vec<String>,
    /// When each was said: not before the one time, not after the other.
    said: Vec<(Instant, Instant)>,
    /// Nothing was unheard then.
    quiet_at: Instant,
}

impl Service {
    fn start(home: &Home, watchdog: Option<Duration>) -> Self {
        let path = home.folder().join("notify");
        // Nobody is there from an earlier start: the same name may be used again.
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let home_path = home.path();
        let mut command = home.command(["--keeper", home_path.to_str().unwrap(), "--boot"]);
        command.env("NOTIFY_SOCKET", &path).env("LISTEN_FDS", "1");
        if let Some(time) = watchdog {
            command.env("WATCHDOG_USEC", time.as_micros().to_string());
        }
        let errors = File::create(home.folder().join("service.err")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).spawn().unwrap();
        Self { child, socket, heard: Vec::new(), said: Vec::new(), quiet_at: Instant::now() }
    }

    /// Takes in what has been said; waits a moment for it.
    fn listen(&mut self) {
        let mut buffer = [0; 512];
        loop {
            let asked_at = Instant::now();
            let Ok(length) = self.socket.recv(&mut buffer) else {
                self.quiet_at = asked_at;
                return;
            };
            let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
            self.heard.extend(text.lines().map(str::to_owned));
            self.said.resize(self.heard.len(), (self.quiet_at, Instant::now()));
        }
    }

    /// The longest time that may have passed without a sign of life, since the first of them.
    fn longest_silence(&self) -> Duration {
        let signs = self.heard.iter().zip(&self.said).filter(|(line, _)| *line == "WATCHDOG=1");
        let said: Vec<&(Instant, Instant)> = signs.map(|(_, said)| said).collect();
        said.windows(2).map(|pair| pair[1].1 - pair[0].0).max().unwrap_or_default()
    }

    fn count(&self, text: &str) -> usize {
        self.heard.iter().filter(|line| *line == text).count()
    }

    fn until_heard(&mut self, text: &str, times: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.count(text) < times {
            assert!(Instant::now() < deadline, "waited in vain for {text}; heard {:?}", self.heard);
            self.listen();
        }
    }

    /// Each of two comes before the service manager would lose its patience.
    fn signs_come_in_time(&mut self) {
        for _ in 0..2 {
            let (before, since) = (self.count("WATCHDOG=1"), Instant::now());
            self.until_heard("WATCHDOG=1", before + 1);
            assert!(since.elapsed() < PERIOD, "{:?}", since.elapsed());
        }
    }

    fn code(&mut self) -> Option<i32> {
        until("the keeper ends", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap().code()
    }

    /// As a power failure: nobody has a word to say.
    fn power_off(mut self, home: &Home) {
        let (keeper, daemon) = (self.child.id(), home.daemon().unwrap());
        // Stopped first, so that nobody acts on the death of another.
        signal(keeper, "STOP");
        signal(daemon, "STOP");
        let apps: Vec<u32> = children(keeper).into_iter().map(|(pid, _)| pid).filter(|pid| *pid != daemon).collect();
        for pid in apps.iter().chain(&[daemon, keeper]) {
            signal(*pid, "KILL");
        }
        self.child.wait().unwrap();
        all_gone(&apps);
        until("the daemon is gone", || !is_alive(daemon));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            signal(self.child.id(), "TERM");
            let _ = self.child.wait();
        }
    }
}

fn status(home: &Home, name: &str) -> String {
    home.slots(name)[0].1.clone()
}

#[test]
fn after_a_power_failure_what_was_wanted_comes_back_and_what_was_stopped_does_not() {
    let home = Home::new();
    let mut service = Service::start(&home, None);
    service.until_heard("READY=1", 1);
    assert!(home.slots("up").is_empty());
    start_polite(&home, "up");
    start_polite(&home, "down");
    home.rewake(["stop", "down"]).ok();
    assert_eq!(home.keeper(), Some(service.child.id()), "commands use the service's keeper");
    service.power_off(&home);

    let mut service = Service::start(&home, None);
    service.until_heard("READY=1", 1);
    // At this moment, without another wait.
    assert_eq!((status(&home, "up").as_str(), status(&home, "down").as_str()), ("online", "stopped"));
    assert!(service.heard[0].starts_with("EXTEND_TIMEOUT_USEC="), "{:?}", service.heard);
    assert_eq!(service.count("WATCHDOG=1"), 0, "nobody asked for it");
}

#[test]
fn an_orderly_shutdown_is_told_and_forgets_nothing() {
    let home = Home::new();
    let mut service = Service::start(&home, None);
    service.until_heard("READY=1", 1);
    let app = start_polite(&home, "up");
    start_polite(&home, "down");
    home.rewake(["stop", "down"]).ok();
    let daemon = home.daemon().unwrap();
    signal(service.child.id(), "TERM");
    service.until_heard("STOPPING=1", 1);
    assert_eq!(service.code(), Some(0));
    all_gone(&[app, daemon]);
    let mut service = Service::start(&home, None);
    service.until_heard("READY=1", 1);
    assert_eq!((status(&home, "up").as_str(), status(&home, "down").as_str()), ("online", "stopped"));
}

#[test]
fn ready_is_said_when_the_slowest_app_is() {
    let home = Home::new();
    let text = "setTimeout(() => { require('fs').writeFileSync('is-ready', ''); process.send('ready') }, 700); setInterval(() => {}, 1e6)";
    let script = home.write("slow.js", text);
    home.rewake(["start", script.to_str().unwrap(), "--wait-ready", "--listen-timeout", "20000"]).ok();
    let keeper = home.keeper().unwrap();
    signal(keeper, "TERM");
    all_gone(&[keeper]);
    let mark = home.folder().join("is-ready");
    fs::remove_file(&mark).unwrap();
    let mut service = Service::start(&home, None);
    service.until_heard("READY=1", 1);
    assert!(mark.exists(), "ready before the app was");
    assert_eq!(status(&home, "slow"), "online");
}

#[test]
fn where_the_list_is_empty_what_was_saved_is_started() {
    let home = Home::new();
    start_polite(&home, "up");
    start_polite(&home, "down");
    home.rewake(["stop", "down"]).ok();
    home.rewake(["save"]).ok();
    // Forgets all, as in PM2; the dump stays.
    home.rewake(["kill"]).ok();
    let mut service = Service::start(&home, None);
    service.until_heard("READY=1", 1);
    assert_eq!((status(&home, "up").as_str(), status(&home, "down").as_str()), ("online", "stopped"));
    // The list counts where there is one, however old the dump.
    home.rewake(["delete", "up"]).ok();
    service.power_off(&home);
    let mut service = Service::start(&home, None);
    service.until_heard("READY=1", 1);
    assert!(home.slots("up").is_empty());
}

#[test]
fn signs_of_life_come_in_time_and_a_hung_daemon_is_replaced_without_the_apps() {
    let home = Home::new();
    let mut service = Service::start(&home, Some(PERIOD));
    service.until_heard("READY=1", 1);
    let app = start_polite(&home, "up");
    let daemon = home.daemon().unwrap();
    service.signs_come_in_time();
    signal(daemon, "STOP");
    until("another daemon serves", || {
        service.listen();
        home.daemon() != Some(daemon) && home.daemon().is_some_and(is_alive)
    });
    let before = service.count("WATCHDOG=1");
    service.until_heard("WATCHDOG=1", before + 1);
    // Signs in the name of one that stands still would have gone on.
    assert!(service.longest_silence() >= PERIOD * 3 / 4, "{:?}", service.longest_silence());
    assert_eq!(pid(&home, "up"), app, "its process is the same");
}

#[test]
fn a_keeper_that_dies_is_replaced_and_the_service_manager_hears_of_the_other() {
    let home = Home::new();
    let mut service = Service::start(&home, Some(PERIOD));
    service.until_heard("READY=1", 1);
    let (app, daemon) = (start_polite(&home, "up"), home.daemon().unwrap());
    signal(service.child.id(), "KILL");
    service.child.wait().unwrap();
    until("another keeper is there", || home.keeper().is_some_and(is_alive));
    let keeper = home.keeper().unwrap();
    service.until_heard(&format!("MAINPID={keeper}"), 1);
    assert_eq!((home.daemon(), pid(&home, "up")), (Some(daemon), app));
    service.signs_come_in_time();
    // It watches the daemon as the first one did, and its next one is asked for signs of life.
    signal(daemon, "STOP");
    until("another daemon serves", || home.daemon() != Some(daemon) && home.daemon().is_some_and(is_alive));
    service.listen();
    let before = service.count("WATCHDOG=1");
    service.until_heard("WATCHDOG=1", before + 2);
    // It stays the service's in an update.
    let copy = home.folder().join("rewake-new");
    fs::copy(executable(), &copy).unwrap();
    home.rewake(["update".as_ref(), copy.as_os_str()]).ok();
    service.listen();
    let before = service.count("WATCHDOG=1");
    service.until_heard("WATCHDOG=1", before + 1);
    assert_eq!((home.keeper(), pid(&home, "up")), (Some(keeper), app));
    signal(keeper, "TERM");
    service.until_heard("STOPPING=1", 1);
    all_gone(&[keeper, app]);
}

#[test]
fn without_a_service_manager_that_hears_the_apps_end_with_the_keeper_that_it_started() {
    let home = Home::new();
    let path = home.path();
    let mut keeper = home.command(["--keeper", path.to_str().unwrap(), "--boot"]).spawn().unwrap();
    until("it serves", || home.daemon().is_some());
    let (app, daemon) = (start_polite(&home, "up"), home.daemon().unwrap());
    keeper.kill().unwrap();
    keeper.wait().unwrap();
    all_gone(&[app, daemon]);
}

#[test]
fn a_home_that_is_taken_is_told_and_not_waited_for() {
    let home = Home::new();
    let app = start_polite(&home, "up");
    let mut service = Service::start(&home, None);
    assert_eq!(service.code(), Some(3));
    let said = fs::read_to_string(home.folder().join("service.err")).unwrap();
    assert!(said.contains("runs there already") && said.contains("rewake kill"), "{said}");
    assert!(is_alive(app));
}

#[test]
fn apps_do_not_speak_to_the_service_manager() {
    let home = Home::new();
    let mut service = Service::start(&home, None);
    service.until_heard("READY=1", 1);
    let script = home.write("seen.sh", "env > seen.new && mv seen.new seen\nexec sleep 86400");
    let args = ["start", script.to_str().unwrap(), "--interpreter", "/bin/sh", "--name", "seen"];
    let mut command = home.command(args);
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] {
        command.env(name, "1");
    }
    assert!(command.output().unwrap().status.success());
    let seen = home.folder().join("seen");
    until("the app has written", || seen.exists());
    let environment = fs::read_to_string(seen).unwrap();
    let theirs = |line: &&str| ["NOTIFY_", "WATCHDOG_", "LISTEN_"].iter().any(|name| line.starts_with(name));
    assert_eq!(environment.lines().filter(theirs).collect::<Vec<_>>(), Vec::<&str>::new());
    let daemon = fs::read(format!("/proc/{}/environ", home.daemon().unwrap())).unwrap();
    let daemon = String::from_utf8_lossy(&daemon).into_owned();
    assert_eq!(daemon.split('\0').filter(theirs).collect::<Vec<_>>(), Vec::<&str>::new());
}
