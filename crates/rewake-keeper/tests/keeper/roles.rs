//! The other parts that this executable plays, told apart by its arguments and by the name it was started under.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use rewake_keeper::{Config, DAEMON_FLAG, LINK_FD, Link, run};
use rewake_unix::{fd, fdpass, socket};
use rewake_wire::keeper::Stdio;

use crate::setup::{self, Keeping};

/// Name ending under which the keeper behaves as on an old kernel.
pub(crate) const OLD_KERNEL: &str = "old-kernel";
/// `<exe> --host <exe of the keeper>`: a program that embeds a keeper.
pub(crate) const HOST_FLAG: &str = "--host";

pub(crate) fn play() -> Option<ExitCode> {
    let mut args = std::env::args_os();
    let name = args.next()?;
    let args: Vec<OsString> = args.collect();
    if let Some(mut config) = Config::from_args(&args) {
        config.without_group_signals = name.as_bytes().ends_with(OLD_KERNEL.as_bytes());
        return Some(if run(config).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    match args.as_slice() {
        [flag, home] if flag == DAEMON_FLAG => Some(daemon(Path::new(home))),
        [flag, exe] if flag == HOST_FLAG => host(Path::new(exe)),
        _ => None,
    }
}

/// Gives its link to the test and lives as long as the test holds the connection. With a file `crash` in the home it ends at once.
fn daemon(home: &Path) -> ExitCode {
    let mut starts = OpenOptions::new().create(true).append(true).open(home.join("starts")).unwrap();
    starts.write_all(b"x").unwrap();
    if home.join("crash").exists() {
        return ExitCode::FAILURE;
    }
    let link = fd::adopt(LINK_FD).unwrap();
    let mut test = UnixStream::from(socket::connect(&home.join(setup::TEST_SOCKET)).unwrap());
    fdpass::send(test.as_fd(), b"link", &[link.as_fd()]).unwrap();
    drop(link);
    let _ = test.read(&mut [0]);
    ExitCode::SUCCESS
}

/// Starts a polite and a stubborn run, each with a child that left the group, says their pids, and waits to be killed.
fn host(exe: &Path) -> ! {
    let keeping = Keeping::embedded(exe);
    let link: &Link = &keeping.link;
    let away = "setsid sleep 1000 & sleep 1000 &";
    let polite = format!("trap 'echo polite; exit 0' TERM; {away} echo ready; while :; do wait; done");
    let stubborn = format!("trap '' TERM; {away} echo ready; while :; do wait; done");
    let mut pids = vec![keeping.pid];
    for (run, script) in [(1, polite), (2, stubborn)] {
        let mut plan = setup::shell(&script);
        plan.stdout = Stdio::Pipe;
        plan.orphan_timeout_ms = 300;
        link.spawn(run, "", &plan).unwrap();
        let spawned = keeping.spawned();
        assert_eq!(setup::read_line(&spawned.stdout), "ready");
        pids.push(spawned.pid);
        pids.extend(setup::descendants(spawned.pid));
    }
    let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
    std::io::stdout().write_all(format!("{}\n", pids.join(" ")).as_bytes()).unwrap();
    loop {
        std::thread::park();
    }
}
