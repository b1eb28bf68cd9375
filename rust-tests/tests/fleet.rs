//! Two hundred real processes: started, crashed at random, restarted, stopped. Nothing may be left of them, not a descriptor.

use std::collections::BTreeSet;

use rust_tests::home::{Home, PATIENCE, Process, children, descriptors, until, wait_for};
use rust_tests::sim::rng::Rng;

const APPS: usize = 200;
const CRASHES: usize = 400;

fn ecosystem(home: &Home) -> String {
    let app = |n: usize| {
        format!(
            r#"{{"name":"s{n}","script":"/bin/sleep","args":"86400","interpreter":"none","max_restarts":1000000,"min_uptime":100}}"#
        )
    };
    let apps: Vec<String> = (0..APPS).map(app).collect();
    home.write("fleet.json", &format!(r#"{{"apps":[{}]}}"#, apps.join(","))).display().to_string()
}

/// Those of the list that are alive.
fn processes(home: &Home) -> BTreeSet<Process> {
    let pid = |slot: &serde_json::Value| u32::try_from(slot["pid"].as_u64()?).ok().filter(|pid| *pid > 0);
    home.jlist().iter().filter_map(|slot| Process::of(pid(slot)?)).collect()
}

#[test]
fn two_hundred_apps_that_crash_at_random_leave_no_zombie_no_orphan_and_no_descriptor() {
    let home = Home::new();
    let file = ecosystem(&home);
    home.rewake(["start", &file]).ok();
    home.rewake(["delete", "all"]).ok();
    let (daemon, keeper) = (home.daemon().unwrap(), home.keeper().unwrap());
    // A client's connection may be closed a moment after its command has ended: this is the most that may stay open.
    let before = (descriptors(daemon), descriptors(keeper));

    home.rewake(["start", &file]).ok();
    let mut ever = processes(&home);
    assert_eq!(ever.len(), APPS);
    let mut rng = Rng::new(7);
    // Each process crashes once, though it may be there for a while after that.
    let mut crashed = BTreeSet::new();
    until("so many have crashed", || {
        let mut live: Vec<Process> = processes(&home).difference(&crashed).copied().collect();
        ever.extend(&live);
        for _ in 0..20.min(live.len()).min(CRASHES - crashed.len()) {
            let process = live.swap_remove(usize::try_from(rng.below(live.len() as u64)).unwrap());
            let signal = ["-KILL", "-TERM", "-SEGV", "-ABRT"][usize::try_from(rng.below(4)).unwrap()];
            let pid = process.pid.to_string();
            assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
            crashed.insert(process);
        }
        crashed.len() == CRASHES
    });
    until("all apps run again", || {
        let live = processes(&home);
        ever.extend(&live);
        live.len() == APPS && live.is_disjoint(&crashed)
    });
    let restarts: u64 = home.jlist().iter().filter_map(|slot| slot["pm2_env"]["restart_time"].as_u64()).sum();
    assert_eq!(restarts, CRASHES as u64);

    home.rewake(["stop", "all"]).ok();
    let left: Vec<&Process> = ever.iter().filter(|process| process.is_alive()).collect();
    assert!(left.is_empty(), "alive after stop: {left:?}");
    until("the keeper has no child but the daemon", || children(keeper).iter().all(|(pid, _)| *pid == daemon));
    home.rewake(["delete", "all"]).ok();
    let mut now = before;
    let back = wait_for(PATIENCE, || {
        now = (descriptors(daemon), descriptors(keeper));
        now.0 <= before.0 && now.1 <= before.1
    });
    assert!(back, "descriptors of daemon and keeper: {before:?} before, {now:?} after");
    assert_eq!(home.daemon(), Some(daemon), "the daemon is the same");
}
