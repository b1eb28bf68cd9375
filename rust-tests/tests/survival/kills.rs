//! Kills at random moments, also in the middle of commands and crashes. Afterwards everything is as if nobody had been killed: pids,
//! counters, exit codes, and what was asked for is done or was never taken up.

use std::fs;
use std::process::Child;
use std::time::Duration;

use rust_tests::client::Client;
use rust_tests::home::{Home, is_alive, kill, until};
use rust_tests::ports::free_port;
use rust_tests::sim::rng::Rng;
use serde_json::{Value, json};

use super::load::{SERVER, end_after, get, load};
use super::messages::{Messages, TALKER};

/// Ends with the code that it is told.
const MORTAL: &str = "process.on('message', (m) => process.exit(m.code));";

/// What is going on when the daemon is killed.
#[derive(Debug, Clone, Copy)]
enum Scene {
    Quiet,
    Crash(i64),
    Killed,
    Restart,
    Reload,
    StopAndStart,
    StartAndDelete,
}

/// What is known of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    pid: u32,
    status: String,
    restarts: u64,
}

struct Stage {
    home: Home,
    rng: Rng,
}

#[test]
fn a_daemon_that_is_killed_again_and_again_loses_nothing() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let kills = number("REWAKE_SURVIVAL_KILLS").unwrap_or(20);
    let seed = number("REWAKE_SURVIVAL_SEED").unwrap_or(1);
    let mut stage = Stage { home: Home::new(), rng: Rng::new(seed) };
    let (web, single) = (free_port(), free_port());
    stage.start("web", SERVER, web, &["-i", "2", "--reload-soak", "0"]);
    stage.start("single", SERVER, single, &[]);
    stage.start("talker", TALKER, 0, &[]);
    stage.start("mortal", MORTAL, 0, &["--max-restarts", "100000"]);
    stage.start("side", "setInterval(() => {}, 1000)", 0, &[]);
    until("both serve", || get(web).is_ok() && get(single).is_ok());
    let loads = [load(web), load(web), load(single)];
    let messages = Messages::begin(stage.home.path(), stage.home.folder());
    messages.wait_for(10);
    let untouched = [stage.seen("single"), stage.seen("talker")];
    for nth in 0..kills {
        let scene = stage.scene();
        stage.play(scene);
        assert_eq!([stage.seen("single"), stage.seen("talker")], untouched, "kill {nth}, seed {seed}, {scene:?}");
    }
    messages.end();
    for load in loads {
        end_after(load, 4 * kills);
    }
    stage.check_log();
}

impl Stage {
    fn start(&self, name: &str, script: &str, port: u16, more: &[&str]) {
        let file = format!("{name}.js");
        self.home.write(&file, script);
        // What a slow machine makes fail is another story.
        let patience = ["--listen-timeout", "60000", "--kill-timeout", "60000"];
        let args = [&["start", &file, "--name", name], &patience[..], more].concat();
        let output = self.home.command(args).env("PORT", port.to_string()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn scene(&mut self) -> Scene {
        match self.rng.below(7) {
            0 => Scene::Quiet,
            1 => Scene::Crash(i64::try_from(2 + self.rng.below(100)).unwrap()),
            2 => Scene::Killed,
            3 => Scene::Restart,
            4 => Scene::Reload,
            5 => Scene::StopAndStart,
            _ => Scene::StartAndDelete,
        }
    }

    /// Plays it, and kills the daemon in the middle.
    fn play(&mut self, scene: Scene) {
        match scene {
            Scene::Quiet => self.kill_daemon(),
            Scene::Crash(code) => {
                let before = self.seen("mortal");
                let asked = self.tell_mortal(code);
                self.kill_daemon();
                self.check_mortal(&before, asked, |exit| exit["code"] == code);
            }
            Scene::Killed => {
                let before = self.seen("mortal");
                kill(before[0].pid);
                self.kill_daemon();
                self.check_mortal(&before, true, |exit| exit["signal"] == "SIGKILL");
            }
            Scene::Restart => {
                let before = self.seen("mortal");
                let command = self.begin(&["restart", "mortal"]);
                self.kill_daemon();
                let done = self.ended(command);
                self.check_mortal(&before, done, |exit| exit["signal"] == "SIGINT");
            }
            Scene::Reload => self.reload(),
            Scene::StopAndStart => {
                for (verb, status) in [("stop", "stopped"), ("start", "online")] {
                    let command = self.begin(&[verb, "side"]);
                    self.kill_daemon();
                    let done = self.ended(command);
                    self.settled("side", |now| now[0].status == status || (!done && now[0].status != "stopping"));
                    self.home.rewake([verb, "side"]);
                    self.settled("side", |now| now[0].status == status);
                }
            }
            Scene::StartAndDelete => self.start_and_delete(),
        }
    }

    fn reload(&mut self) {
        let before = self.seen("web");
        let command = self.begin(&["reload", "web"]);
        self.kill_daemon();
        let done = self.ended(command);
        if !done {
            // Refused for as long as the one is going on that nobody waits for any more.
            until("another reload succeeds", || self.home.rewake(["reload", "web"]).code == 0);
        }
        let after = self.settled("web", |now| now.iter().all(|slot| slot.status == "online"));
        let times: Vec<u64> = after.iter().zip(&before).map(|(now, then)| now.restarts - then.restarts).collect();
        // The one in whose middle the daemon died was finished for both, or never taken up.
        assert!(times == [1, 1] || (!done && times == [2, 2]), "{times:?}");
        until("the old ones are gone", || before.iter().all(|slot| !is_alive(slot.pid)));
    }

    fn start_and_delete(&mut self) {
        self.home.write("late.js", "setInterval(() => {}, 1000)");
        let command = self.begin(&["start", "late.js", "--name", "late"]);
        self.kill_daemon();
        let done = self.ended(command);
        self.settled("late", |now| if now.is_empty() { !done } else { now[0].status == "online" });
        if self.seen("late").is_empty() {
            return;
        }
        let pid = self.seen("late")[0].pid;
        let command = self.begin(&["delete", "late"]);
        self.kill_daemon();
        let done = self.ended(command);
        self.settled("late", |now| now.is_empty() || (!done && now[0].status == "online"));
        self.home.rewake(["delete", "late"]);
        until("it is gone", || self.seen("late").is_empty() && !is_alive(pid));
    }

    /// It ended once, if at all, and it is known how. `must`: it did.
    fn check_mortal(&self, before: &[Seen], must: bool, is_right: impl Fn(&Value) -> bool) {
        let after = self.settled("mortal", |now| {
            let changed = now[0].pid != before[0].pid;
            now[0].status == "online" && changed == (now[0].restarts == before[0].restarts + 1) && (changed || !must)
        });
        if after[0].pid != before[0].pid {
            let exit = self.slot("mortal")["rewake"]["last_exit"].clone();
            assert!(is_right(&exit), "{exit}");
        }
    }

    /// Whether it was acknowledged.
    fn tell_mortal(&self, code: i64) -> bool {
        let message = json!({ "send": { "target": "mortal", "message": { "code": code } } });
        Client::connect(&self.home.path()).and_then(|mut client| client.request(&message)).is_ok()
    }

    /// A command that may lose its daemon.
    fn begin(&self, args: &[&str]) -> Child {
        let mut command = self.home.command(args);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap()
    }

    /// Whether it succeeded.
    fn ended(&self, mut command: Child) -> bool {
        command.wait().unwrap().success()
    }

    fn kill_daemon(&mut self) {
        let daemon = self.home.daemon().unwrap();
        // Any moment will do: what is going on takes some tens of milliseconds.
        std::thread::sleep(Duration::from_micros(self.rng.below(60_000)));
        kill(daemon);
        until("another daemon answers", || {
            self.home.daemon().is_some_and(|now| now != daemon) && Client::connect(&self.home.path()).is_ok()
        });
    }

    /// Waits until the slots of an app are as they ought to be.
    fn settled(&self, name: &str, right: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
        let mut now = Vec::new();
        let settled = rust_tests::home::wait_for(rust_tests::home::PATIENCE, || {
            now = self.seen(name);
            right(&now)
        });
        let log = fs::read_to_string(self.home.path().join("rewake.log")).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(40).collect();
        assert!(settled, "{name} rests as {now:?}; the newest of the log first: {tail:#?}");
        now
    }

    fn seen(&self, name: &str) -> Vec<Seen> {
        let seen = |(pid, status, restarts)| Seen { pid, status, restarts };
        self.home.slots(name).into_iter().map(seen).collect()
    }

    fn slot(&self, name: &str) -> Value {
        self.home.jlist().into_iter().find(|slot| slot["name"] == name).unwrap()
    }

    /// What should never be there.
    fn check_log(&self) {
        let log = fs::read_to_string(self.home.path().join("rewake.log")).unwrap();
        for bad in ["bug", "panicked", "damaged", "cannot be used", "not a message", "belongs to no app", "ERROR"] {
            let found: Vec<&str> = log.lines().filter(|line| line.contains(bad)).collect();
            assert_eq!(found, Vec::<&str>::new());
        }
    }
}
