//! A home folder of one test: its daemon, its scripts, its end. Leaves no process behind, also when the test fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than any command takes on a busy machine; a hang ends the test with a message.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// How often a condition that the test waits for is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// A Node script that runs until it is stopped and says so.
pub(crate) const SLEEPER: &str = "console.log('up'); setInterval(() => {}, 1000);";

/// One test's home and folder.
#[derive(Debug)]
pub(crate) struct Home {
    folder: tempfile::TempDir,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The command succeeded; otherwise the test fails with what it said.
    #[track_caller]
    pub(crate) fn good(self) -> Self {
        assert_eq!(self.code, 0, "it failed: {self:?}");
        self
    }

    /// The command failed as PM2's do, with 1.
    #[track_caller]
    pub(crate) fn bad(self) -> Self {
        assert_eq!(self.code, 1, "it did not fail with 1: {self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder can be made") }
    }

    /// The working folder of the commands.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder().join("home")
    }

    /// Writes a file in the working folder; gives its path as text.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder().join(name);
        fs::write(&path, text).expect("a file can be written");
        path.display().to_string()
    }

    /// The command, not yet started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rewake"));
        command.args(args).current_dir(self.folder()).env("REWAKE_HOME", self.path());
        for variable in ["PM2_SILENT", "NO_COLOR", "COLUMNS", "PM2_HOME", "pm_id"] {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end. The words are separated by spaces.
    #[track_caller]
    pub(crate) fn run(&self, line: &str) -> Said {
        self.run_words(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[track_caller]
    pub(crate) fn run_words(&self, words: &[&str]) -> Said {
        said(self.command(words), words)
    }

    /// The list as `jlist` tells it.
    #[track_caller]
    pub(crate) fn jlist(&self) -> Vec<Value> {
        self.run("jlist").good().json().as_array().expect("jlist is an array").clone()
    }

    /// The only process of this name.
    #[track_caller]
    pub(crate) fn process(&self, name: &str) -> Value {
        let mut named: Vec<Value> = self.jlist().into_iter().filter(|entry| entry["name"] == name).collect();
        assert_eq!(named.len(), 1, "not one process is called {name}: {named:?}");
        named.remove(0)
    }

    #[track_caller]
    pub(crate) fn status(&self, name: &str) -> String {
        self.process(name)["pm2_env"]["status"].as_str().expect("a status is text").to_owned()
    }

    #[track_caller]
    pub(crate) fn pid(&self, name: &str) -> u64 {
        self.process(name)["pid"].as_u64().expect("a pid is a number")
    }

    /// Waits until the app has written this to its output.
    #[track_caller]
    pub(crate) fn wait_for_output(&self, name: &str, text: &str) {
        let log = self.path().join("logs").join(format!("{name}-out.log"));
        wait(&format!("{name} has written {text:?}"), || fs::read_to_string(&log).unwrap_or_default().contains(text));
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Not started when there is none, so this costs little. The bound is in `said`.
        if self.path().join("rpc.sock").exists() {
            let killed = said(self.command(&["kill"]), &["kill"]);
            if killed.code != 0 && !std::thread::panicking() {
                panic!("the daemon could not be ended: {killed:?}");
            }
        }
    }
}

/// Waits for a condition.
#[track_caller]
pub(crate) fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + BOUND;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {BOUND:?}: {what}");
        std::thread::sleep(LOOK);
    }
}

/// Whether a process of this id is there (and is no zombie).
pub(crate) fn is_alive(pid: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

#[track_caller]
fn said(mut command: Command, words: &[&str]) -> Said {
    let child = command.spawn().expect("the executable can be run");
    finish(child, words)
}

/// Waits for the end of a started command.
#[track_caller]
pub(crate) fn finish(mut child: Child, words: &[&str]) -> Said {
    fn reader(stream: Option<impl std::io::Read + Send + 'static>) -> std::thread::JoinHandle<String> {
        let mut stream = stream.expect("the stream is a pipe");
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).expect("a pipe can be read");
            String::from_utf8_lossy(&bytes).into_owned()
        })
    }
    let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let deadline = Instant::now() + BOUND;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break status;
        }
        if Instant::now() >= deadline {
            child.kill().expect("a child can be killed");
            child.wait().expect("a child can be waited for");
            panic!("`rewake {}` did not end within {BOUND:?}", words.join(" "));
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let join = |thread: std::thread::JoinHandle<String>| thread.join().expect("the reader does not panic");
    Said { code: status.code().unwrap_or(-1), out: join(out), err: join(err) }
}
