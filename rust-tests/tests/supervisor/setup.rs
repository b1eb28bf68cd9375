//! A cluster app and a fork app that serve, and a look at the processes behind them. Never decides what is right.

use std::fs;

use rust_tests::home::{Home, is_alive, parent, until};
use rust_tests::ports::free_port;

use crate::http::{SERVER, get};

/// A home with two apps under load: `web` (cluster, two workers) and `one` (fork), which logs nothing of itself.
pub(crate) struct Served {
    pub(crate) home: Home,
    pub(crate) web: u16,
    pub(crate) one: u16,
}

impl Served {
    pub(crate) fn new() -> Self {
        let (home, web, one) = (Home::new(), free_port(), free_port());
        home.write("server.js", SERVER);
        let start = |args: &[&str], port: u16| {
            // A slow machine is no reason for a reload to fail, or for a stop.
            let args = [&["start", "server.js", "--listen-timeout", "60000", "--kill-timeout", "60000"], args].concat();
            let output = home.command(args).env("PORT", port.to_string()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        start(&["--name", "web", "-i", "2"], web);
        start(&["--name", "one"], one);
        let served = Self { home, web, one };
        served.until_it_serves();
        served
    }

    /// Waits until everything answers. Of the workers one may be late: a request tells only of the other.
    pub(crate) fn until_it_serves(&self) {
        let listens = |slot: &serde_json::Value| {
            slot["rewake"]["cluster"]["listens"].as_array().is_some_and(|listens| !listens.is_empty())
        };
        until("both workers listen, and both apps answer", || {
            let described = self.home.rewake(["describe", "web", "--json"]).ok().json();
            described.as_array().unwrap().iter().all(listens) && get(self.web).is_ok() && get(self.one).is_ok()
        });
    }

    /// Pids of all that runs.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.home.jlist().iter().filter_map(|slot| u32::try_from(slot["pid"].as_u64()?).ok()).collect()
    }
}

/// The keepers of a home that live, by their arguments. A process that a keeper has forked has the same ones until it is its program.
pub(crate) fn keepers(home: &Home) -> Vec<u32> {
    let found = of_home(home, "--keeper");
    found.iter().copied().filter(|&pid| !parent(pid).is_some_and(|parent| found.contains(&parent))).collect()
}

/// All processes of the executable for a home.
pub(crate) fn of_home(home: &Home, flag: &str) -> Vec<u32> {
    let path = home.path().display().to_string();
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let is_one = |pid: &u32| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut args = line.split('\0').skip(1);
        args.next().is_some_and(|arg| arg.starts_with(flag)) && args.next() == Some(&path) && is_alive(*pid)
    };
    pids.filter(is_one).collect()
}

/// Processes that the home's apps are, found by their environment: whoever started them.
pub(crate) fn processes_of_apps(home: &Home) -> Vec<u32> {
    let name = format!("REWAKE_HOME={}", home.path().display());
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let is_one = |pid: &u32| {
        let environment = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap_or_default();
        let has = |wanted: &str| environment.split('\0').any(|entry| entry.starts_with(wanted));
        has(&name) && has("pm_exec_path=") && is_alive(*pid)
    };
    pids.filter(is_one).collect()
}

/// The one keeper of a home, other than these.
pub(crate) fn new_keeper(home: &Home, than: u32) -> u32 {
    let mut found = 0;
    until("there is one keeper, another one", || {
        let keepers = keepers(home);
        found = keepers.first().copied().unwrap_or(0);
        keepers.len() == 1 && found != than
    });
    found
}
