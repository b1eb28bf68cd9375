//! From a plan to a process with its pipes and channel. Never leaves a part of one behind when a step fails.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use rewake_unix::limits::OpenFiles;
use rewake_unix::spawn::{Command, Step, Streams};
use rewake_unix::{fd, fdpass, memfd, pipe, signal, spawn, spool};
use rewake_wire::keeper::{FdKind, IpcMode, MAX_PLAN_BYTES, Passed, Plan, SpawnError, SpawnStep, Stdio};

use crate::log;
use crate::runs::{About, Run, Stage};

/// Longest note on a run, as agreed.
const MAX_TAG_BYTES: usize = 1 << 10;

/// Longest text about an error; with JSON's escapes still well within a packet.
const MAX_ABOUT_BYTES: usize = 1 << 10;

/// Size of an output pipe: what an app may write while the daemon starts again.
const PIPE_BYTES: i32 = 1 << 20;

/// What a process finds behind its standard streams begins here: sockets first, as systemd's protocol has it, then the channel.
const FIRST_PASSED: usize = 3;

/// Variables that describe the descriptors of one process, beside `NODE_CHANNEL_*`.
const OF_DESCRIPTORS: [&str; 5] = ["NODE_UNIQUE_ID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDNAMES"];

/// What every process is made with.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(crate) null: &'a OwnedFd,
    /// The limit that the keeper was started with.
    pub(crate) open_files: OpenFiles,
    /// Whether output pipes may be enlarged: each counts against the user's share of pipe memory, beyond which new
    /// pipes would shrink to a page or two.
    pub(crate) large_pipes: bool,
    pub(crate) kept: &'a BTreeMap<String, Rc<OwnedFd>>,
}

/// Makes the process that the plan in this memfd describes. It is not known yet whether it becomes the program.
pub(crate) fn make(given: Given<'_>, tag: String, plan: Option<&OwnedFd>) -> Result<Run, SpawnError> {
    let plan = read_plan(&tag, plan)?;
    let command = command(&plan, given.open_files)?;
    let sockets = sockets(&plan.sockets, given.kept)?;
    let mut ends = Ends { fds: Vec::new(), given, plan: &plan };
    let stdin = ends.input()?;
    let stdout = ends.output(plan.stdout, FdKind::Stdout, FdKind::StdoutSpool)?;
    let stderr = ends.output(plan.stderr, FdKind::Stderr, FdKind::StderrSpool)?;
    let channel = plan.ipc.is_some().then(|| ends.channel()).transpose()?;
    let mut fds = ends.fds;
    let null = given.null;
    let extra: Vec<BorrowedFd<'_>> = sockets.into_iter().chain(channel.as_ref().map(AsFd::as_fd)).collect();
    let streams = Streams {
        stdin: stdin.as_ref().unwrap_or(null).as_fd(),
        stdout: stdout.as_ref().unwrap_or(null).as_fd(),
        stderr: stderr.as_ref().unwrap_or(null).as_fd(),
        extra: &extra,
    };
    let about = About {
        user: format!("user {} group {}", number_or_same(plan.uid), number_or_same(plan.gid)),
        program: plan.program,
        cwd: plan.cwd,
    };
    let started_at_ms = now_ms();
    let spawned = spawn::spawn(&command, streams).map_err(|error| failed(error, &about))?;
    let pidfd = Rc::new(spawned.pidfd);
    fds.insert(0, (FdKind::Pid, Rc::clone(&pidfd)));
    Ok(Run {
        tag,
        pid: spawned.pid,
        started_at_ms,
        fds,
        pidfd,
        stage: Stage::Starting { status: spawned.status, about },
        reaped: false,
        foreign: None,
        members: Vec::new(),
        treekill: plan.treekill,
        orphan_signal: plan.orphan_signal,
        orphan_timeout_ms: plan.orphan_timeout_ms,
        kill_at: None,
    })
}

/// The failing step of a process as the daemon is told.
pub(crate) fn failed(error: spawn::SpawnError, about: &About) -> SpawnError {
    let (step, about) = match error.step {
        Step::Pipe => (SpawnStep::Pipe, "a pipe for the result"),
        Step::Fork => (SpawnStep::Fork, "a new process"),
        Step::Pidfd => (SpawnStep::Pidfd, "a descriptor of the process"),
        Step::Setsid => (SpawnStep::Setsid, "a new session"),
        Step::Stdio => (SpawnStep::Stdio, "the standard streams"),
        Step::Setgid => (SpawnStep::Setgid, about.user.as_str()),
        Step::Setuid => (SpawnStep::Setuid, about.user.as_str()),
        Step::Chdir => (SpawnStep::Chdir, about.cwd.as_str()),
        Step::Exec => (SpawnStep::Exec, about.program.as_str()),
    };
    SpawnError { step, errno: error.errno, about: cut(about) }
}

/// Whether a variable tells of descriptors: one that was inherited is about those of another process.
pub(crate) fn is_of_descriptors(variable: &[u8]) -> bool {
    variable.starts_with(b"NODE_CHANNEL_") || OF_DESCRIPTORS.iter().any(|name| name.as_bytes() == variable)
}

/// A refusal of the plan itself.
pub(crate) fn bad_plan(about: &str) -> SpawnError {
    SpawnError { step: SpawnStep::Plan, errno: 0, about: cut(about) }
}

fn read_plan(tag: &str, plan: Option<&OwnedFd>) -> Result<Plan, SpawnError> {
    if tag.len() > MAX_TAG_BYTES {
        return Err(bad_plan("the tag is too long"));
    }
    let plan = plan.ok_or_else(|| bad_plan("no plan came with the order"))?;
    let bytes = memfd::read_all(plan.as_fd(), MAX_PLAN_BYTES).map_err(|error| SpawnError {
        step: SpawnStep::Plan,
        errno: error.raw_os_error().unwrap_or(0),
        about: cut(&error.to_string()),
    })?;
    serde_json::from_slice(&bytes).map_err(|error| bad_plan(&error.to_string()))
}

fn command(plan: &Plan, open_files: OpenFiles) -> Result<Command, SpawnError> {
    if plan.program.is_empty() {
        return Err(bad_plan("no program"));
    }
    if plan.argv.is_empty() {
        return Err(bad_plan("no argv"));
    }
    if !signal::is_signal(plan.orphan_signal) {
        return Err(bad_plan("orphan_signal is no signal"));
    }
    let own = |entry: &&String| !entry.split_once('=').is_some_and(|(name, _)| is_of_descriptors(name.as_bytes()));
    // Ours last, so that nothing before them can be meant.
    let ours = [channel_variables(plan), socket_variables(plan)].concat();
    let env: Vec<&str> = plan.env.iter().filter(own).chain(&ours).map(String::as_str).collect();
    let argv: Vec<&str> = plan.argv.iter().map(String::as_str).collect();
    let mut command = Command::new(plan.program.as_bytes(), &argv, &env, plan.cwd.as_bytes())
        .map_err(|_| bad_plan("a string holds a NUL byte"))?;
    command.uid = plan.uid;
    command.gid = plan.gid;
    command.open_files = Some(open_files);
    // The only one of them that nobody knows before the fork.
    command.pid_variable = (!plan.sockets.is_empty()).then_some(c"LISTEN_PID=");
    Ok(command)
}

fn channel_variables(plan: &Plan) -> Vec<String> {
    let Some(mode) = plan.ipc else { return Vec::new() };
    let mode = match mode {
        IpcMode::Json => "json",
        IpcMode::Advanced => "advanced",
    };
    let mut variables = vec![
        format!("NODE_CHANNEL_FD={}", FIRST_PASSED + plan.sockets.len()),
        format!("NODE_CHANNEL_SERIALIZATION_MODE={mode}"),
    ];
    variables.extend(plan.unique_id.map(|id| format!("NODE_UNIQUE_ID={id}")));
    variables
}

fn socket_variables(plan: &Plan) -> Vec<String> {
    if plan.sockets.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = plan.sockets.iter().map(|socket| socket.name.as_str()).collect();
    vec![format!("LISTEN_FDS={}", names.len()), format!("LISTEN_FDNAMES={}", names.join(":"))]
}

/// The kept descriptors that the plan names, in its order.
fn sockets<'a>(passed: &[Passed], kept: &'a BTreeMap<String, Rc<OwnedFd>>) -> Result<Vec<BorrowedFd<'a>>, SpawnError> {
    let find = |socket: &Passed| {
        let found = kept.get(&socket.kept).map(|fd| fd.as_fd());
        found.ok_or_else(|| bad_plan("a socket of it is not among those that are kept"))
    };
    passed.iter().map(find).collect()
}

/// Our ends of what the process gets.
struct Ends<'a> {
    fds: Vec<(FdKind, Rc<OwnedFd>)>,
    given: Given<'a>,
    plan: &'a Plan,
}

impl Ends<'_> {
    /// The process's end of its stdin; `None` for the null device.
    fn input(&mut self) -> Result<Option<OwnedFd>, SpawnError> {
        match self.plan.stdin {
            Stdio::Null => Ok(None),
            Stdio::Pipe => {
                let (read, write) = pipe::new().map_err(|error| self.out_of(SpawnStep::Pipe, &error))?;
                self.keep(FdKind::Stdin, write, SpawnStep::Pipe)?;
                Ok(Some(read))
            }
            Stdio::PipeAndSpool | Stdio::Spool => Err(bad_plan("stdin cannot be a spool")),
        }
    }

    /// The process's end of an output; `None` for the null device.
    fn output(&mut self, stdio: Stdio, kind: FdKind, spool_kind: FdKind) -> Result<Option<OwnedFd>, SpawnError> {
        match stdio {
            Stdio::Null => Ok(None),
            Stdio::Pipe => self.pipe(kind).map(Some),
            Stdio::PipeAndSpool => self.pipe_and_spool(kind, spool_kind).map(Some),
            Stdio::Spool => match self.spool(spool_kind) {
                Some(theirs) => Ok(Some(theirs)),
                None => self.pipe_and_spool(kind, spool_kind).map(Some),
            },
        }
    }

    fn pipe(&mut self, kind: FdKind) -> Result<OwnedFd, SpawnError> {
        let (read, write) = pipe::new().map_err(|error| self.out_of(SpawnStep::Pipe, &error))?;
        if self.given.large_pipes {
            // Refused above the user's limits: then it is an ordinary pipe.
            let _ = pipe::set_size(read.as_fd(), PIPE_BYTES);
        }
        self.keep(kind, read, SpawnStep::Pipe)?;
        Ok(write)
    }

    fn pipe_and_spool(&mut self, kind: FdKind, spool_kind: FdKind) -> Result<OwnedFd, SpawnError> {
        let spool = spool::in_memory().map_err(|error| self.out_of(SpawnStep::Pipe, &error))?;
        self.fds.push((spool_kind, Rc::new(spool)));
        self.pipe(kind)
    }

    /// The end of a spool that the process adds to; `None` where none can be made, for whatever reason: a pipe does, too.
    fn spool(&mut self, kind: FdKind) -> Option<OwnedFd> {
        let folder = self.plan.spool_folder.as_deref()?;
        match spool::create(Path::new(folder)) {
            Ok((ours, theirs)) => {
                if self.plan.uid.is_some() || self.plan.gid.is_some() {
                    // Without privilege the process cannot become that user either, which is told by itself.
                    let _ = spool::give_to(ours.as_fd(), self.plan.uid, self.plan.gid);
                }
                self.fds.push((kind, Rc::new(ours)));
                Some(theirs)
            }
            Err(error) => {
                log::line(format_args!("output goes through a pipe: no spool in {folder}: {error}"));
                None
            }
        }
    }

    fn channel(&mut self) -> Result<OwnedFd, SpawnError> {
        let (ours, theirs) = fdpass::stream_pair().map_err(|error| self.out_of(SpawnStep::Socketpair, &error))?;
        self.keep(FdKind::Ipc, ours, SpawnStep::Socketpair)?;
        Ok(theirs)
    }

    fn keep(&mut self, kind: FdKind, end: OwnedFd, step: SpawnStep) -> Result<(), SpawnError> {
        fd::set_nonblocking(&end).map_err(|error| self.out_of(step, &error))?;
        self.fds.push((kind, Rc::new(end)));
        Ok(())
    }

    fn out_of(&self, step: SpawnStep, error: &std::io::Error) -> SpawnError {
        let about = format!("the keeper may have {} open files", self.given.open_files.hard);
        SpawnError { step, errno: error.raw_os_error().unwrap_or(0), about }
    }
}

fn number_or_same(id: Option<u32>) -> String {
    id.map_or_else(|| "as the keeper's".to_owned(), |id| id.to_string())
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(MAX_ABOUT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
