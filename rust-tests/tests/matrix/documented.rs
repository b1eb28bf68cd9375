//! Programs in the form that Node's documentation of `cluster` gives them, primary and workers in one file: under us the part of the
//! workers runs, and nothing has to be changed.

use std::io::Read;
use std::time::Duration;

use rust_tests::ports::free_port;

use super::support::MODES;
use super::support::client::{connect, get, read_all};
use super::support::fleet::{App, Fleet, each_node};
use super::support::wire::{Caller, Hearer};

const SCRIPTS: &[(&str, &str)] = &[
    ("http.js", include_str!("scripts/documented/http.js")),
    ("module.mjs", include_str!("scripts/documented/module.mjs")),
    ("counter.js", include_str!("scripts/documented/counter.js")),
    ("endless.js", include_str!("scripts/documented/endless.js")),
    ("dead.js", include_str!("scripts/documented/dead.js")),
    ("echo.js", include_str!("scripts/documented/echo.js")),
    ("numbered.js", include_str!("scripts/documented/numbered.js")),
];

/// A fleet on which each of the programs serves, in this mode, each on its port.
struct Programs {
    fleet: Fleet,
    hearer: Hearer,
    ports: [u16; SCRIPTS.len()],
    what: String,
}

impl Programs {
    fn start(fleet: Fleet, mode: &str) -> Self {
        fleet.run(&["ping"]).ok();
        let hearer = Hearer::connect(&fleet);
        let ports = std::array::from_fn(|_| free_port());
        let app = |((script, _), port): (&(&str, &str), &u16)| {
            let name = script.split('.').next().unwrap();
            // Many of its workers end at once.
            App::new(name, script).mode(mode).env("PORT", port).set("max_restarts", 1000)
        };
        fleet.start(&SCRIPTS.iter().zip(&ports).map(app).collect::<Vec<_>>());
        let what = format!("Node {} {mode}", fleet.node.major);
        Self { fleet, hearer, ports, what }
    }

    fn port(&self, script: &str) -> u16 {
        let at = SCRIPTS.iter().position(|(name, _)| *name == script).unwrap();
        self.fleet.until(&format!("{script} listens"), || connect(("127.0.0.1", self.ports[at])).is_ok());
        self.ports[at]
    }

    fn serve(&mut self) {
        for script in ["http.js", "module.mjs"] {
            assert_eq!(get(self.port(script)).as_deref(), Ok("hello\n"), "{} {script}", self.what);
        }
    }

    /// Each request is heard of, once.
    fn count(&mut self) {
        let port = self.port("counter.js");
        for _ in 0..5 {
            assert_eq!(get(port).as_deref(), Ok("hello\n"), "{}", self.what);
        }
        assert_eq!(self.hearer.messages(5), [r#"{"cmd":"notifyRequest"}"#; 5], "{}", self.what);
    }

    fn echo(&mut self) {
        Caller::connect(&self.fleet).send("echo", "\"hi there\"");
        assert_eq!(self.hearer.messages(2), ["\"hi there\""; 2], "{}: both instances", self.what);
    }

    fn tell_their_numbers(&mut self) {
        let answer = get(self.port("numbered.js")).unwrap();
        assert_eq!(self.hearer.message().data, answer, "{}", self.what);
        let logs: Vec<String> = (0..2)
            .map(|instance| {
                let slots = self.fleet.jlist();
                let mut own = slots.iter().filter(|slot| slot["name"] == "numbered");
                let id = own.nth(instance).unwrap()["pm_id"].as_u64().unwrap();
                let log = self.fleet.path().join(format!("logs/numbered-out-{id}.log"));
                self.fleet.until("it has spoken", || {
                    std::fs::read_to_string(&log).is_ok_and(|text| text.contains("listens"))
                });
                std::fs::read_to_string(log).unwrap()
            })
            .collect();
        let number = |log: &String| log.split_once("I am worker #").unwrap().1.lines().next().unwrap().parse().unwrap();
        let numbers: Vec<u64> = logs.iter().map(number).collect();
        assert!(numbers[0] > 0 && numbers[1] > 0 && numbers[0] != numbers[1], "{}: {numbers:?}", self.what);
    }

    /// Each request is answered by another process; others are there in the meantime.
    fn die(&mut self) {
        let port = self.port("dead.js");
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..4 {
            // A worker on its way out may have taken the connection: then it is closed.
            let mut answer = None;
            self.fleet.until("a worker answers", || {
                answer = get(port).ok();
                answer.is_some()
            });
            let answer = answer.unwrap();
            assert!(answer.starts_with("process ") && answer.ends_with(", false"), "{}: {answer}", self.what);
            assert!(seen.insert(answer), "{}: a dead process has answered", self.what);
        }
    }

    /// A connection that never ends by itself does when the app is told; what holds on is ended after its time.
    fn shut_down(&mut self) {
        let port = self.port("endless.js");
        let mut stream = connect(("127.0.0.1", port)).unwrap();
        let mut start = [0; 4];
        stream.read_exact(&mut start).unwrap();
        assert_eq!(&start, b"open", "{}", self.what);
        Caller::connect(&self.fleet).send("endless", "\"shutdown\"");
        assert_eq!(read_all(stream).as_deref(), Ok("closed"), "{}", self.what);
        let mut held = connect(("127.0.0.1", port)).unwrap();
        held.read_exact(&mut start).unwrap();
        self.fleet.rewake(["stop", "endless"]).ok();
        held.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert!(!matches!(held.read(&mut start), Ok(1..)), "{}: it is over", self.what);
    }
}

#[test]
fn programs_in_the_form_of_nodes_documentation_run_as_they_are() {
    for node in each_node() {
        for mode in MODES {
            let mut programs = Programs::start(Fleet::new(&node, SCRIPTS), mode);
            programs.serve();
            programs.count();
            programs.echo();
            programs.tell_their_numbers();
            programs.die();
            programs.shut_down();
        }
    }
}
