//! Out of descriptors, and a full disk: one clear error each, and on it goes when there is room again.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rust_tests::home::{Home, descriptors, executable, is_alive, until};

/// Runs a command under a limit of open descriptors (soft and hard), which the keeper and the daemon it starts inherit.
fn limited(home: &Home, descriptors: u32, args: &[&str]) -> std::process::Output {
    let mut command = Command::new("/bin/sh");
    command.arg0("sh").args(["-c", &format!("ulimit -n {descriptors}; exec \"$@\""), "sh"]).arg(executable());
    let base = home.command(args);
    command.args(args).envs(base.get_envs().filter_map(|(key, value)| Some((key, value?))));
    command.current_dir(home.folder()).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn without_descriptors_a_start_fails_clearly_and_what_runs_goes_on() {
    let home = Home::new();
    let sleeper = |name: &str| {
        let args =
            ["start", "/bin/sleep", "--interpreter", "none", "--name", name, "--max-restarts", "3", "--", "86400"];
        home.rewake(args)
    };
    assert!(limited(&home, 96, &["ping"]).status.success());
    let (daemon, keeper) = (home.daemon().unwrap(), home.keeper().unwrap());
    let mut started = 0;
    let refused = loop {
        let output = sleeper(&format!("s{started}"));
        if output.code != 0 {
            break output;
        }
        started += 1;
        assert!(started < 96, "the limit was never met: {} descriptors", descriptors(keeper));
    };
    assert!(started > 2, "{started}");
    assert!(refused.stderr.contains("open files"), "{}", refused.stderr);
    assert_eq!(home.daemon(), Some(daemon));
    for n in 0..started {
        let slot = &home.slots(&format!("s{n}"))[0];
        assert!(is_alive(slot.0) && slot.1 == "online", "{n}: {slot:?}");
    }
    home.rewake(["delete", "s0"]).ok();
    home.rewake(["delete", "s1"]).ok();
    // It is listed as errored, or was refused before it was listed, by what ran out first.
    let _ = home.rewake(["delete", &format!("s{started}")]);
    sleeper("again").ok();
    until("it runs", || home.slots("again")[0].1 == "online");
}
