//! Real processes: what a spawned program finds, and how a failing step comes back.

use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use rewake_unix::poll::{self, Interest};
use rewake_unix::reap::Ended;
use rewake_unix::spawn::{Command, Progress, SpawnError, Spawned, Step, Streams, progress, spawn};
use rewake_unix::{limits, pidfd, pipe};

const ENOENT: i32 = 2;
const ENOEXEC: i32 = 8;
const EACCES: i32 = 13;
const ENOTDIR: i32 = 20;

/// Far more than any step needs on a busy machine; only a hang reaches it.
const LONG: Duration = Duration::from_secs(60);

struct Done {
    output: String,
    ended: Ended,
}

fn command(program: &str, args: &[&str], env: &[&str], cwd: &str) -> Command {
    let mut argv = vec![program];
    argv.extend_from_slice(args);
    Command::new(program.as_bytes(), &argv, env, cwd.as_bytes()).unwrap()
}

fn shell(script: &str) -> Command {
    command("sh", &["-c", script], &["PATH=/usr/bin:/bin", "A=b c"], "/")
}

fn start(command: &Command, extra: &[BorrowedFd<'_>]) -> (Spawned, OwnedFd) {
    let (read, write) = pipe::new().unwrap();
    let null = pipe::null().unwrap();
    let streams = Streams { stdin: null.as_fd(), stdout: write.as_fd(), stderr: write.as_fd(), extra };
    (spawn(command, streams).unwrap(), read)
}

fn settled(spawned: &Spawned) -> Progress {
    poll::wait(&[(spawned.status.as_fd(), Interest::Read)], Some(LONG)).unwrap();
    progress(spawned.status.as_fd())
}

fn ended(spawned: &Spawned) -> Ended {
    poll::wait(&[(spawned.pidfd.as_fd(), Interest::Read)], Some(LONG)).unwrap();
    pidfd::wait(spawned.pidfd.as_fd(), false).unwrap().expect("the process ends in time")
}

fn run_with(command: &Command, extra: &[BorrowedFd<'_>]) -> Done {
    let (spawned, output) = start(command, extra);
    assert_eq!(settled(&spawned), Progress::Running);
    let mut text = String::new();
    File::from(output).read_to_string(&mut text).unwrap();
    Done { output: text, ended: ended(&spawned) }
}

fn run(command: &Command) -> Done {
    run_with(command, &[])
}

fn failure(command: &Command) -> SpawnError {
    let (spawned, _output) = start(command, &[]);
    let Progress::Failed(error) = settled(&spawned) else { panic!("it ran") };
    assert_eq!(ended(&spawned), Ended::Code(127));
    error
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rewake-spawn-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: &str, mode: u32) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn it_gets_argv_environment_and_folder_as_planned_and_no_more() {
    let done = run(&command("/bin/sh", &["-c", "echo \"$0|$1|$PWD\"; env | sort", "x y", ""], &["A=b c"], "/usr"));
    let mut lines: Vec<_> = done.output.lines().filter(|line| !line.starts_with("_=")).collect();
    assert_eq!(lines.remove(0), "x y||/usr");
    assert_eq!(lines, ["A=b c", "PWD=/usr"]);
    assert_eq!(done.ended, Ended::Code(0));
}

#[test]
fn exit_codes_and_signals_are_told_apart_real_time_ones_too() {
    assert_eq!(run(&shell("exit 42")).ended, Ended::Code(42));
    assert_eq!(run(&shell("kill -9 $$")).ended, Ended::Signal { number: 9, core_dumped: false });
    assert_eq!(run(&shell("kill -40 $$")).ended, Ended::Signal { number: 40, core_dumped: false });
}

#[test]
fn it_leads_its_own_session_and_group_with_nothing_blocked_or_ignored() {
    let done = run(&shell("exec cat /proc/self/stat /proc/self/status"));
    let fields: Vec<&str> = done.output.lines().next().unwrap().split(' ').collect();
    assert_eq!((fields[4], fields[5]), (fields[0], fields[0]), "group and session are the pid");
    // The shell ignores nothing by itself, and this test's own SIGPIPE is ignored by Rust.
    for name in ["SigBlk", "SigIgn"] {
        let line = done.output.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.ends_with("0000000000000000"), "{line}");
    }
}

#[test]
fn only_the_planned_descriptors_are_open() {
    let leak = File::open("/dev/null").unwrap();
    // An inheritable one with a high number, as a careless library would leave it.
    let leaked = rewake_unix::fd::copy_above(leak.as_fd(), 200).unwrap();
    clear_cloexec(&leaked);
    let (ours, theirs) = rewake_unix::fdpass::stream_pair().unwrap();
    let without = run(&shell("exec ls /proc/self/fd"));
    let with = run_with(&shell("exec ls /proc/self/fd"), &[theirs.as_fd(), ours.as_fd(), theirs.as_fd()]);
    // `ls` has the folder itself open under the next number.
    assert_eq!(without.output.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3"]);
    assert_eq!(with.output.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3", "4", "5", "6"]);
}

#[test]
fn more_descriptors_keep_their_order_wherever_they_were() {
    let files: Vec<File> = (0..12).map(|_| File::open("/dev/null").unwrap()).collect();
    let (read, write) = pipe::new().unwrap();
    // Backwards, so that most are where another one has to go; the pipe is in the middle, twice.
    let mut extra: Vec<BorrowedFd<'_>> = files.iter().rev().map(AsFd::as_fd).collect();
    extra.insert(6, write.as_fd());
    extra.push(write.as_fd());
    let lowest = extra.iter().map(AsRawFd::as_raw_fd).min().unwrap();
    assert!(lowest < 3 + 14, "they are in the way of each other: {lowest}");
    run_with(&shell("echo nine >&9; echo sixteen >/proc/self/fd/16; test -c /proc/self/fd/3"), &extra);
    drop(extra);
    drop(write);
    let mut text = String::new();
    File::from(read).read_to_string(&mut text).unwrap();
    assert_eq!(text, "nine\nsixteen\n");
}

#[test]
fn a_process_can_be_told_its_own_pid() {
    let mut command = shell("echo $LISTEN_PID $$ $A");
    command.pid_variable = Some(c"LISTEN_PID=");
    let (spawned, output) = start(&command, &[]);
    let mut text = String::new();
    File::from(output).read_to_string(&mut text).unwrap();
    assert_eq!(text, format!("{0} {0} b c\n", spawned.pid));
    ended(&spawned);
}

fn clear_cloexec(fd: &OwnedFd) {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
}

#[test]
fn the_limit_of_open_descriptors_is_the_planned_one() {
    let mut command = shell("ulimit -n");
    let now = limits::open_files().unwrap();
    command.open_files = Some(limits::OpenFiles { soft: 77, hard: now.hard });
    assert_eq!(run(&command).output.trim(), "77");
}

#[test]
fn a_missing_program_is_told_by_step_and_errno() {
    let missing = SpawnError { step: Step::Exec, errno: ENOENT };
    assert_eq!(failure(&command("/no/such", &[], &[], "/")), missing);
    assert_eq!(failure(&command("no-such", &[], &["PATH=/usr/bin:/bin"], "/")), missing);
    assert_eq!(failure(&command("no-such", &[], &["PATH="], "/")), missing);
}

#[test]
fn what_may_not_be_run_is_remembered_and_the_search_goes_on() {
    let scratch = Scratch::new("search");
    scratch.file("tool", "#!/bin/sh\necho first\n", 0o644);
    let path = format!("PATH={}", scratch.path());
    assert_eq!(failure(&command("tool", &[], &[&path], "/")), SpawnError { step: Step::Exec, errno: EACCES });
    fs::create_dir(scratch.0.join("later")).unwrap();
    scratch.file("later/tool", "#!/bin/sh\necho second\n", 0o755);
    let path = format!("PATH=/no/such:/etc/passwd:{0}:{0}/later", scratch.path());
    assert_eq!(run(&command("tool", &[], &[&path], "/")).output, "second\n");
}

#[test]
fn a_file_that_is_no_program_is_told() {
    let scratch = Scratch::new("noexec");
    let file = scratch.file("data", "\x01\x02 no program", 0o755);
    assert_eq!(failure(&command(&file, &[], &[], "/")), SpawnError { step: Step::Exec, errno: ENOEXEC });
}

#[test]
fn a_missing_folder_is_told() {
    let folder = |path| failure(&command("/bin/true", &[], &[], path));
    assert_eq!(folder("/no/such"), SpawnError { step: Step::Chdir, errno: ENOENT });
    assert_eq!(folder("/etc/passwd"), SpawnError { step: Step::Chdir, errno: ENOTDIR });
}

#[test]
fn another_user_is_become_or_the_refusal_told() {
    let mut command = shell("id -u; id -g; id -G");
    command.uid = Some(12345);
    command.gid = Some(12346);
    if rewake_unix::user::effective() == 0 {
        assert_eq!(run(&command).output, "12345\n12346\n12346\n");
    } else {
        assert_eq!(failure(&command), SpawnError { step: Step::Setgid, errno: 1 });
    }
}

#[test]
fn a_program_with_a_nul_cannot_be_planned() {
    assert!(Command::new(b"a\0b", &["a"], &[], b"/").is_err());
    assert!(Command::new(b"a", &["a"], &["K=\0"], b"/").is_err());
}

#[test]
fn a_group_is_signalled_through_its_leader_also_when_that_was_reaped() {
    if !pidfd::can_signal_groups() {
        return;
    }
    // The leader starts a child in its group, says so, and ends.
    let (spawned, output) = start(&shell("sleep 60 & echo started"), &[]);
    let mut output = File::from(output);
    let mut line = [0; 8];
    output.read_exact(&mut line).unwrap();
    assert_eq!(ended(&spawned), Ended::Code(0));
    pidfd::send_group(spawned.pidfd.as_fd(), 9).unwrap();
    // The sleeper held the pipe's other end.
    assert_eq!(output.read(&mut line).unwrap(), 0);
}
