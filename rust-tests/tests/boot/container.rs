//! `rewake runtime` as process 1 of a namespace, and with nothing that can be written to: as in a container.
//! Where this machine does not let a test make namespaces, each test says so and ends.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use rust_tests::home::{Home, children, executable, until};

use super::folk::{LONG, signal};

/// A user without an entry in the user database.
const NOBODY_KNOWN: &str = "12345";

fn may_unshare(flags: &[&str]) -> bool {
    let tried = Command::new("unshare").args(flags).arg("true").stderr(Stdio::null()).status();
    let may = tried.is_ok_and(|status| status.success());
    if !may {
        // The test's own output: it says that nothing was tested.
        let _ = writeln!(std::io::stderr(), "SKIPPED: `unshare {}` is not permitted here", flags.join(" "));
    }
    may
}

/// The namespace's first process is the keeper.
struct Container {
    unshare: Child,
    out: PathBuf,
}

impl Container {
    fn start(home: &Home, script: &str, options: &[&str]) -> Self {
        let script = home.write("app.sh", script);
        let out = home.folder().join("stdout");
        let base = home.command([""; 0]);
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]).arg(executable());
        command.args(["runtime", script.to_str().unwrap(), "--interpreter", "/bin/sh"]).args(options);
        command.envs(base.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command.current_dir(home.folder()).stdin(Stdio::null()).stdout(fs::File::create(&out).unwrap());
        Self { unshare: command.spawn().unwrap(), out }
    }

    fn out(&self) -> String {
        fs::read_to_string(&self.out).unwrap()
    }

    /// The first process as seen from here.
    fn first(&self) -> u32 {
        let mut found = None;
        until("the first process is there", || {
            found = children(self.unshare.id()).first().map(|(pid, _)| *pid);
            found.is_some()
        });
        found.unwrap()
    }

    fn code(&mut self) -> Option<i32> {
        until("it ends", || self.unshare.try_wait().unwrap().is_some());
        self.unshare.wait().unwrap().code()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // With `--kill-child` the namespace ends with it.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}

const PID_NAMESPACE: &[&str] = &["--pid", "--fork", "--mount-proc", "--kill-child"];

#[test]
fn as_process_one_it_reaps_what_others_leave_and_passes_code_and_signals() {
    if !may_unshare(PID_NAMESPACE) {
        return;
    }
    let home = Home::new();
    // Each of the fifty loses its parent before it ends, and so becomes a child of process 1.
    let text = "for i in $(seq 50); do (sh -c 'sleep 0.2; echo orphan' &); done\n\
        trap 'echo asked; exit 0' INT\necho ready\nwhile true; do sleep 0.05; done";
    let mut it = Container::start(&home, text, &["--silent", "--kill-timeout", LONG]);
    until("all orphans have ended", || it.out().matches("orphan").count() == 50);
    until("the app has set its trap", || it.out().contains("ready"));
    let first = it.first();
    let zombies = || children(first).into_iter().filter(|(_, state)| state == "Z").count();
    until("no zombie is left", || zombies() == 0);
    until("only the daemon and the app are left", || children(first).len() == 2);
    signal(first, "TERM");
    assert_eq!(it.code(), Some(0));
    assert!(it.out().ends_with("asked\n"), "{}", it.out());

    let mut it = Container::start(&home, "exit 6", &["--silent", "--no-autorestart"]);
    assert_eq!(it.code(), Some(6));
}

#[test]
fn process_one_becomes_another_executable_and_stays_process_one() {
    if !may_unshare(PID_NAMESPACE) {
        return;
    }
    let home = Home::new();
    let text = "trap 'echo asked; exit 0' INT\necho ready\nwhile true; do sleep 0.05; done";
    let mut it = Container::start(&home, text, &["--silent", "--kill-timeout", LONG]);
    until("the app is up", || it.out().contains("ready"));
    let first = it.first();
    let apps = || children(first).into_iter().map(|(pid, _)| pid).collect::<Vec<_>>();
    let before = apps();
    let copy = home.folder().join("rewake-new");
    fs::copy(executable(), &copy).unwrap();
    home.rewake(["update".as_ref(), copy.as_os_str()]).ok();
    assert_eq!(fs::read_link(format!("/proc/{first}/exe")).unwrap(), copy);
    let after = apps();
    assert_eq!(after.iter().filter(|pid| before.contains(pid)).count(), 1, "the app, and another daemon");
    signal(first, "TERM");
    assert_eq!(it.code(), Some(0));
    assert!(it.out().ends_with("asked\n"), "{}", it.out());
}

/// Runs a shell command where the root cannot be written to, as a user whom nobody knows.
fn on_read_only_root(home: &Home, more: &str, line: &str) -> Output {
    // The executable where that user can find it.
    let folder = home.folder();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    let copy = folder.join("rewake");
    fs::copy(executable(), &copy).unwrap();
    fs::write(
        folder.join("app.sh"),
        "trap 'exit 4' TERM INT\necho it runs as $(id -u), process $$\nuntil false; do sleep 0.05; done",
    )
    .unwrap();
    let text = format!(
        "set -e; mount -o remount,bind,ro /; {more} cd {}; \
         exec setpriv --reuid {NOBODY_KNOWN} --regid {NOBODY_KNOWN} --clear-groups \
         env -i PATH=\"$PATH\" HOME=/ RW={} sh -c '{line}'",
        folder.display(),
        copy.display(),
    );
    Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", &text])
        .output()
        .unwrap()
}

/// Waits for the app, asks for the list, stops the foreground, and tells its exit code.
const TALK: &str = "$RW runtime app.sh --interpreter /bin/sh --name app > $OUT 2>&1 & p=$!; \
    until grep -q \"it runs\" $OUT; do sleep 0.05; done; $RW list || echo no list; kill -TERM $p; \
    code=0; wait $p || code=$?; cat $OUT; echo code $code";

#[test]
fn with_a_read_only_root_and_an_unknown_user_it_runs_and_is_reached() {
    if !may_unshare(&["--mount"]) {
        return;
    }
    let home = Home::new();
    let line = TALK.replace("$OUT", "/dev/shm/out");
    // A fresh /dev/shm: nothing of this test is seen outside, and nothing of outside in it.
    let output = on_read_only_root(&home, "mount -t tmpfs -o mode=1777 none /dev/shm;", &line);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(&format!("it runs as {NOBODY_KNOWN}")), "{output:?}");
    assert!(text.contains("online") && text.contains("code 0"), "{output:?}");
}

#[test]
fn with_nothing_that_can_be_written_it_runs_all_the_same() {
    if !may_unshare(&["--mount"]) {
        return;
    }
    let home = Home::new();
    // The output goes to a pipe, as there is no place for a file. Its reader ends the app as soon as that has set its trap.
    let line = "{ code=0; $RW runtime app.sh --interpreter /bin/sh --name app --no-autorestart || code=$?; echo code $code; } | \
        while read -r said; do echo \"$said\"; case \"$said\" in *process*) kill -TERM ${said##* };; esac; done";
    let output = on_read_only_root(&home, "mount -t tmpfs -o ro none /dev/shm;", line);
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(text.contains(&format!("it runs as {NOBODY_KNOWN}")), "{output:?}");
    assert!(text.contains("code 4"), "{output:?}");
    assert!(errors.contains("no folder can be written to"), "{output:?}");
}
