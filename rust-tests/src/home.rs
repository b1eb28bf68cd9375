//! A home of its own for one test: runs the real executable against it, and leaves no process behind. Never touches another home.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Long enough for a loaded machine, short enough to be noticed. A wait that needs it has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A private folder with a home in it.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
}

/// What a command gave.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// The same output, for a command that must have succeeded.
    #[expect(clippy::must_use_candidate, reason = "the check itself is what most callers want")]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// The same output, for a command that must have failed with exit code 1.
    #[expect(clippy::must_use_candidate, reason = "the check itself is what most callers want")]
    pub fn fails(self) -> Self {
        assert_eq!(self.code, 1, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// The output as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

impl Home {
    /// A home that nothing has used.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        Self { folder: TempDir::with_prefix("rewake-test-").expect("a temporary folder") }
    }

    /// The folder for the test's own files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The home itself.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Writes a file into the test's folder; its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("a file");
        path
    }

    /// The command, ready to be changed and run.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(executable());
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("REWAKE_HOME", self.path()).env("HOME", self.folder.path());
        for name in ["PM2_SILENT", "NO_COLOR", "COLUMNS", "NODE_CHANNEL_FD", "NODE_UNIQUE_ID", "pm_id"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs `rewake` with these arguments, to its end.
    pub fn rewake<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Output {
        let output = self.command(args).output().expect("rewake runs");
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The entries of `jlist`.
    #[must_use]
    pub fn jlist(&self) -> Vec<serde_json::Value> {
        self.rewake(["jlist"]).ok().json().as_array().expect("a list").clone()
    }

    /// `(pid, status, restarts)` of each slot of an app.
    #[must_use]
    pub fn slots(&self, name: &str) -> Vec<(u32, String, u64)> {
        let of = |slot: &serde_json::Value| {
            let env = &slot["pm2_env"];
            let pid = u32::try_from(slot["pid"].as_u64().unwrap_or(0)).unwrap_or(0);
            (pid, env["status"].as_str().unwrap_or("").to_owned(), env["restart_time"].as_u64().unwrap_or(0))
        };
        self.jlist().iter().filter(|slot| slot["name"] == name).map(of).collect()
    }

    /// The daemon's pid, from its pid file.
    #[must_use]
    pub fn daemon(&self) -> Option<u32> {
        fs::read_to_string(self.path().join("rewake.pid")).ok()?.trim().parse().ok()
    }

    /// The keeper's pid: the daemon's parent, or its child where it has taken the place of one that died.
    #[must_use]
    pub fn keeper(&self) -> Option<u32> {
        let daemon = self.daemon()?;
        let is_keeper = |pid: &u32| {
            let arguments = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            arguments.split('\0').nth(1).is_some_and(|flag| flag.starts_with("--keeper"))
        };
        parent(daemon).filter(is_keeper).or_else(|| children(daemon).into_iter().map(|(pid, _)| pid).find(is_keeper))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let processes: Vec<u32> = [self.daemon(), self.keeper()].into_iter().flatten().collect();
        // Nothing to kill is no failure.
        let _ = self.command(["kill", "--silent"]).output();
        let gone = || processes.iter().all(|pid| !is_alive(*pid));
        let ended = wait_for(PATIENCE, gone);
        if !ended && !std::thread::panicking() {
            panic!("`rewake kill` left {processes:?}");
        }
    }
}

/// Whether the process is there and no zombie.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|fields| !matches!(fields.first().map(String::as_str), Some("Z" | "X")))
}

/// A process, told apart from a later one that was given the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    pub pid: u32,
    /// Clock ticks since boot, as in proc(5).
    began: u64,
}

impl Process {
    /// The process that has this pid now; `None` when there is none, or a zombie.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let began = stat(pid)?.get(19)?.parse().ok()?;
        is_alive(pid).then_some(Self { pid, began })
    }

    /// Whether it is there and no zombie.
    #[must_use]
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }
}

/// Kills a process that a test has started.
///
/// # Panics
/// When `kill` cannot be run.
pub fn kill(pid: u32) {
    Command::new("kill").args(["-KILL", &pid.to_string()]).status().expect("kill runs");
}

/// The parent of a process.
#[must_use]
pub fn parent(pid: u32) -> Option<u32> {
    stat(pid)?.get(1)?.parse().ok()
}

/// The fields of `/proc/<pid>/stat` behind the name: state, parent, group, session, …
fn stat(pid: u32) -> Option<Vec<String>> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = line.rsplit_once(") ")?;
    Some(rest.split(' ').map(str::to_owned).collect())
}

/// Open descriptors of a process.
#[must_use]
pub fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// All processes whose parent this is, zombies included, as `(pid, state)`.
#[must_use]
pub fn children(of: u32) -> Vec<(u32, String)> {
    let pids = fs::read_dir("/proc").expect("/proc").filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let child = |pid: u32| {
        let fields = stat(pid)?;
        (fields.get(1)?.parse() == Ok(of)).then(|| (pid, fields[0].clone()))
    };
    pids.filter_map(child).collect()
}

/// Waits until the condition holds.
///
/// # Panics
/// When it does not within [`PATIENCE`]; `what` says what was waited for.
pub fn until(what: &str, condition: impl FnMut() -> bool) {
    assert!(wait_for(PATIENCE, condition), "waited in vain for: {what}");
}

/// Waits at most so long; whether the condition held.
pub fn wait_for(bound: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + bound;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        // The pace of looking, not a guess of when: the condition decides.
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The executable: named by `REWAKE_TEST_EXE`, or built beside the test itself.
#[must_use]
pub fn executable() -> PathBuf {
    if let Some(path) = std::env::var_os("REWAKE_TEST_EXE") {
        return path.into();
    }
    let test = std::env::current_exe().expect("the test's own path");
    let beside = test.ancestors().nth(2).expect("target/<profile>").join("rewake");
    if !beside.exists() {
        let built = Command::new(env!("CARGO")).args(["build", "-q", "-p", "rewake-cli"]).status().expect("cargo runs");
        assert!(built.success(), "rewake-cli does not build");
    }
    beside
}

/// The Nodes to test with: that of the PATH, and those of `REWAKE_TEST_NODES` (colon separated).
#[must_use]
pub fn nodes() -> Vec<String> {
    let more = std::env::var("REWAKE_TEST_NODES").unwrap_or_default();
    std::iter::once("node".to_owned())
        .chain(more.split(':').filter(|node| !node.is_empty()).map(str::to_owned))
        .collect()
}
