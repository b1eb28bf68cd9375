//! All at once: a cluster, an app with a socket of ours, and programs that write and end, while keepers die and executables take over.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use rust_tests::home::{Home, executable, is_alive, kill, until};
use rust_tests::load::Load;
use rust_tests::ports::free_port;

use crate::http::{get, load};
use crate::supervisor::setup::{keepers, new_keeper, of_home, processes_of_apps};

/// Answers with its pid, and writes a numbered line every few milliseconds and for each request.
const WEB: &str = "
const where = process.env.PORT ? { port: +process.env.PORT } : { fd: 3 };
let n = 0;
const line = () => console.log(`${process.pid} ${n++}`);
require('http').createServer((q, r) => { line(); r.end(String(process.pid)); }).listen(where);
setInterval(line, 3);
";
/// Writes to a pipe, which we empty.
const SHELL: &str = "n=0; while :; do echo \"$$ $n\"; n=$((n+1)); sleep 0.003; done";

struct Busy {
    home: Home,
    web: u16,
    socket: u16,
}

impl Busy {
    fn start() -> Self {
        let (home, web, socket) = (Home::new(), free_port(), free_port());
        home.write("web.js", WEB);
        home.write("lines.sh", SHELL);
        home.write("ends.js", "setTimeout(() => process.exit(42), 20 + 60 * Math.random())");
        let cluster = ["start", "web.js", "-i", "3", "--listen-timeout", "60000", "--kill-timeout", "60000"];
        let cluster = home.command(cluster).env("PORT", web.to_string()).output().unwrap();
        assert!(cluster.status.success(), "{cluster:?}");
        let address = format!("127.0.0.1:{socket}");
        home.rewake(["start", "web.js", "--name", "socket", "--socket", &address]).ok();
        home.rewake(["start", "lines.sh", "--interpreter", "/bin/sh", "--name", "lines"]).ok();
        until("both answer", || get(web).is_ok() && get(socket).is_ok());
        Self { home, web, socket }
    }

    /// Pids of those that are to live through it all.
    fn pids(&self) -> BTreeMap<u64, u64> {
        let stays = |slot: &&serde_json::Value| !slot["name"].as_str().unwrap().starts_with("ends");
        let slots = self.home.jlist();
        slots
            .iter()
            .filter(stays)
            .map(|slot| (slot["pm_id"].as_u64().unwrap(), slot["pid"].as_u64().unwrap()))
            .collect()
    }

    /// Starts a program that ends by itself, about now.
    fn start_short(&self, round: usize) {
        self.home.rewake(["start", "ends.js", "--name", &format!("ends-{round}"), "--no-autorestart"]).ok();
    }

    fn check_exits(&self, rounds: usize) {
        for round in 0..rounds {
            let name = format!("ends-{round}");
            until("its end is known", || self.home.slots(&name)[0].1 == "stopped");
            let told = self.home.rewake(["describe", &name]).ok().stdout;
            let unknown = !the_kernel_tells() && told.contains("unknown");
            assert!(told.contains("code 42") || unknown, "{told}");
        }
    }

    /// Each line of each process is in the logs once, in its order.
    fn check_lines(&self) {
        let wrote = |next: &BTreeMap<String, u64>| next.len() == 5 && next.values().all(|lines| *lines > 20);
        until("each process has written", || wrote(&self.lines()));
        self.home.rewake(["stop", "all"]).ok();
        let next = self.lines();
        assert!(wrote(&next), "{next:?}");
    }

    /// How many lines of each process are in the logs; each is there once, in its order.
    fn lines(&self) -> BTreeMap<String, u64> {
        let mut next: BTreeMap<String, u64> = BTreeMap::new();
        for entry in fs::read_dir(self.home.path().join("logs")).unwrap() {
            let path = entry.unwrap().path();
            if !path.file_name().unwrap().to_str().unwrap().contains("-out") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            // The last line may be under way.
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            for line in whole.lines() {
                let (pid, n) = line.split_once(' ').unwrap_or_else(|| panic!("{line:?}"));
                let next = next.entry(pid.to_owned()).or_default();
                assert_eq!(n, next.to_string(), "of {pid} in {}", path.display());
                *next += 1;
            }
        }
        next
    }
}

/// Whether the kernel tells any holder of a pidfd how the process ended (Linux 6.15).
fn the_kernel_tells() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(15))
}

fn loads(busy: &Busy) -> [Load; 2] {
    [load(busy.web, 2), load(busy.socket, 1)]
}

fn nothing_failed(loads: [Load; 2]) {
    for load in loads {
        let counted = load.end_after(50);
        assert_eq!(counted.failed, Vec::<String>::new(), "{} answered", counted.answered);
    }
}

#[test]
fn twenty_keepers_die_and_no_request_line_exit_or_process_is_lost() {
    let busy = Busy::start();
    let home = &busy.home;
    let (daemon, pids, loads) = (home.daemon(), busy.pids(), loads(&busy));
    let mut keeper = keepers(home)[0];
    for round in 0..20 {
        busy.start_short(round);
        kill(keeper);
        keeper = new_keeper(home, keeper);
        assert_eq!(busy.pids(), pids, "round {round}");
    }
    nothing_failed(loads);
    assert_eq!(home.daemon(), daemon);
    busy.check_exits(20);
    // What the keeper is given is what it needs for new processes, too.
    home.rewake(["reload", "web"]).ok();
    home.rewake(["restart", "socket"]).ok();
    assert!(get(busy.web).is_ok() && get(busy.socket).is_ok());
    home.rewake(["kill"]).ok();
    until("nothing is left", || processes_of_apps(home).is_empty() && of_home(home, "--").is_empty());
}

#[test]
fn after_twenty_keepers_each_line_is_in_the_logs_once() {
    let busy = Busy::start();
    let mut keeper = keepers(&busy.home)[0];
    for _ in 0..20 {
        kill(keeper);
        keeper = new_keeper(&busy.home, keeper);
    }
    // A daemon that dies leaves to the next what the last of these keepers has been given.
    let daemon = busy.home.daemon().unwrap();
    kill(daemon);
    until("another daemon serves", || busy.home.daemon() != Some(daemon) && busy.home.rewake(["ping"]).code == 0);
    busy.check_lines();
}

#[test]
fn ten_updates_and_keepers_in_turn_lose_no_request_line_exit_or_process() {
    let busy = Busy::start();
    let home = &busy.home;
    let copies: [PathBuf; 2] = ["one", "two"].map(|name| {
        let path = home.folder().join(name);
        fs::copy(executable(), &path).unwrap();
        path
    });
    let (pids, loads) = (busy.pids(), loads(&busy));
    let mut keeper = keepers(home)[0];
    for round in 0..10 {
        let (new, daemon) = (&copies[round % 2], home.daemon().unwrap());
        busy.start_short(round);
        let told = home.rewake(["update".as_ref(), new.as_os_str()]).ok().stderr;
        assert!(told.contains("no process was touched"), "{told}");
        assert_eq!(fs::read_link(format!("/proc/{keeper}/exe")).unwrap(), *new, "the same keeper goes on");
        assert!(!is_alive(daemon));
        assert_eq!(busy.pids(), pids, "round {round}");
        if round % 3 == 2 {
            kill(keeper);
            keeper = new_keeper(home, keeper);
        }
    }
    nothing_failed(loads);
    busy.check_exits(10);
    busy.check_lines();
}
