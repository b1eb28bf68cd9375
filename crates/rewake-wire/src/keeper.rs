//! What daemon and keeper say to each other over a `SOCK_SEQPACKET` pair: one JSON value a packet, descriptors beside it.
//! A packet stays small; a spawn's plan, which may be large, travels as a memfd.

use serde::{Deserialize, Serialize};

use crate::handover::Versions;

/// Version of this protocol.
pub const KEEPER_PROTOCOL: u32 = 2;

/// Largest packet, bytes. Far below the smallest socket buffer that Linux gives (`wmem_default` 212,992).
pub const MAX_PACKET_BYTES: usize = 16 << 10;

/// Largest plan in a memfd, bytes. Above what `execve` takes (its `ARG_MAX` is a quarter of the stack limit, 2 MiB).
pub const MAX_PLAN_BYTES: usize = 8 << 20;

/// Daemon to keeper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Order {
    /// Make a process. Beside it: a memfd with a [`Plan`] as JSON.
    Spawn {
        run: u64,
        /// The daemon's note on this run, given back in `Held`; at most 1 KiB.
        tag: String,
    },
    /// Signal the process, or its whole tree.
    Signal { run: u64, signal: i32, tree: bool },
    /// The daemon has taken the exit and read the descriptors to their end: forget the run.
    Release { run: u64 },
    /// Hold the descriptor beside it, a listening socket, for daemons to come. An older one of this name is let go.
    Keep { name: String },
    /// Let go of what was kept under this name.
    LetGo { name: String },
    /// End. Only sent when no run is left; runs that are left all the same are killed.
    Shutdown,
    /// How the daemon is.
    Notify { notice: Notice },
    /// First packet to a keeper that was started because the one before has died: what that one knew of itself. `Adopt` and `Keep` follow.
    Succeed { next_run: u64, role: Role },
    /// Hold this run, which another keeper has made. Beside it: the descriptors that `fds` names, in order, a pidfd first.
    Adopt(Adopted),
    /// Become the executable at this path, and start its daemon; the answer is `UpdateChecked`.
    Update { path: String, token: u64, versions: Versions },
    /// The daemon serves: it was no mistake to start it.
    Up,
}

/// What a keeper is beside one who holds: whoever takes its place must be that, too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Soft and hard limit of open descriptors that programs are started with.
    pub open_files: (u64, u64),
    pub of: RoleOf,
}

/// Whose keeper it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleOf {
    /// Of a home, in the background; or of a program that embeds it.
    #[default]
    Background,
    /// Of a home, for the service manager that has started it.
    Service(Manager),
    /// Of what runs in the foreground: whoever has started it waits for its end, so nobody can take its place when it dies.
    Foreground,
}

/// A service manager, as it told of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manager {
    /// The address where it hears.
    pub socket: Option<String>,
    /// Within which time it wants to hear of us.
    pub watchdog_us: Option<u64>,
    /// A keeper of this service has died before, and the manager remembers it.
    #[serde(default)]
    pub has_seen_one_die: bool,
}

/// What a daemon tells of itself, for its keeper and for the service manager that started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// What ought to run is being started, which takes at most so long.
    Starting { within_ms: u64 },
    /// All of it runs, or is known to have failed.
    Up,
    /// The loop turns.
    Alive,
    /// Everything is being stopped, which takes at most so long.
    Stopping { within_ms: u64 },
}

/// Keeper to daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Report {
    /// First packet. Beside it: the listening RPC socket, unless embedded.
    Ready {
        protocol: u32,
        keeper_pid: u32,
        embedded: bool,
        /// What it is beside that.
        #[serde(default)]
        role: Role,
        /// How the last updates ended, the newest at the end.
        #[serde(default)]
        updates: Vec<UpdateOutcome>,
    },
    /// A run that an earlier daemon started; descriptors as in `Spawned`. All of them come between `Ready` and `HeldAll`.
    Held {
        run: u64,
        tag: String,
        pid: u32,
        started_at_ms: u64,
        fds: Vec<FdKind>,
        /// Its exit, if it has ended and was not released.
        exit: Option<Exit>,
        tree_gone: bool,
    },
    /// A descriptor that an earlier daemon gave to keep; it is beside it. Between `Ready` and `HeldAll`, too.
    Kept { name: String },
    /// No more `Held`. Every run ever ordered from this keeper has a number below `next_run`.
    HeldAll { next_run: u64 },
    /// The process exists and has become the program. Beside it: the descriptors that `fds` names, in order.
    Spawned { run: u64, pid: u32, fds: Vec<FdKind> },
    /// The process could not be made. Nothing of it is left.
    SpawnFailed { run: u64, error: SpawnError },
    /// The process has ended. `tree_gone`: and nothing of its process group is left.
    Exited { run: u64, exit: Exit, tree_gone: bool },
    /// The last process of an ended run's group is gone.
    TreeGone { run: u64 },
    /// The executable of an `Update` can go on from here, and waits for the daemon to end; or why it is left alone.
    UpdateChecked { refused: Option<String> },
}

/// A run, as one who has it tells a keeper that has not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    pub run: u64,
    pub tag: String,
    pub pid: u32,
    pub started_at_ms: u64,
    pub fds: Vec<FdKind>,
    /// Its exit, if it is known already.
    pub exit: Option<Exit>,
    pub treekill: bool,
    pub orphan_signal: i32,
    pub orphan_timeout_ms: u64,
}

/// How an update ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateOutcome {
    /// Which one, as the client numbered it.
    pub token: u64,
    /// Version of the executable before.
    pub from: String,
    /// Why the former executable runs again.
    pub failed: Option<String>,
}

/// What a descriptor beside a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FdKind {
    /// A pidfd of the process.
    Pid,
    /// Write end of the pipe to its stdin.
    Stdin,
    /// Read end of its stdout.
    Stdout,
    /// Read end of its stderr.
    Stderr,
    /// The file that holds its stdout until it is in the log, open for reading and releasing.
    StdoutSpool,
    /// The file that holds its stderr until it is in the log.
    StderrSpool,
    /// Our end of Node's IPC channel, non-blocking.
    Ipc,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    Code(i32),
    Signal {
        number: i32,
        core_dumped: bool,
    },
    /// The kernel could not tell.
    Unknown,
}

/// Why a process could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpawnError {
    pub step: SpawnStep,
    /// The errno of the step; 0 where there is none.
    pub errno: i32,
    /// What it was about: the program, the folder, the limit.
    pub about: String,
}

/// The step of making a process that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpawnStep {
    /// The plan could not be read or is wrong (a NUL in a string, no program).
    Plan,
    Pipe,
    Socketpair,
    Fork,
    Pidfd,
    Setsid,
    Setgid,
    Setuid,
    Chdir,
    Stdio,
    /// `about` is the program; ENOENT: not found, EACCES: not executable.
    Exec,
}

/// How to make a process: all that the keeper must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// A path, or a name without `/` that is looked up in the `PATH` of `env`.
    pub program: String,
    /// The whole `argv`, with argv[0].
    pub argv: Vec<String>,
    /// `KEY=value`, the whole environment. `NODE_CHANNEL_*`, `NODE_UNIQUE_ID` and the variables of socket activation are ours
    /// alone to add: the keeper drops any here, and adds `NODE_CHANNEL_FD` when `ipc` is asked for and `LISTEN_*` when there are
    /// `sockets`.
    pub env: Vec<String>,
    pub cwd: String,
    pub stdin: Stdio,
    pub stdout: Stdio,
    pub stderr: Stdio,
    /// What the process finds from number 3 on; the channel comes behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sockets: Vec<Passed>,
    /// Where `Stdio::Spool` makes its files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spool_folder: Option<String>,
    pub ipc: Option<IpcMode>,
    /// Makes it a worker of Node's `cluster`: its `NODE_UNIQUE_ID`, above 0 and never given twice. Needs `ipc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_id: Option<u64>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    /// When the keeper loses its daemon for good (an embedded host that died): this signal to the tree, then SIGKILL after the time.
    pub orphan_signal: i32,
    pub orphan_timeout_ms: u64,
    /// Whether stopping reaches the whole process group, also for `tree_gone`.
    pub treekill: bool,
}

/// A kept descriptor that a process is given, by systemd's protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// The name under which it is kept.
    pub kept: String,
    /// Its name in `LISTEN_FDNAMES`: printable ASCII without a colon.
    pub name: String,
}

/// What a standard stream of a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stdio {
    /// `/dev/null`.
    Null,
    /// A pipe; the other end comes with `Spawned`.
    Pipe,
    /// Output only: a pipe, and a file in memory for what was taken out of it and is not in the log yet.
    PipeAndSpool,
    /// Output only: an unnamed file in `spool_folder` that the process adds to. Where there can be none, as `PipeAndSpool`.
    Spool,
}

/// How Node frames messages on its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IpcMode {
    Json,
    Advanced,
}

/// What the keeper writes to its starter, one line of JSON on the ready descriptor, before it goes on alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Startup {
    /// The RPC socket listens.
    Listening { keeper_pid: u32 },
    /// Another keeper owns this home.
    Owned,
    /// It could not start; a sentence.
    Failed(String),
}
