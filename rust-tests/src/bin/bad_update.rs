//! An executable for `rewake update` that is bad in the way of its name: one that `hangs` or `crashes` when it is asked, one whose
//! `bad_keeper` cannot set itself up; under any other name its keeper is good and its daemon ends at once. Never shipped.

use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, ExitCode};

use rewake_keeper::{CAN_GO_ON, CHECK_FLAG, Config, check_handover};

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let is = |name: &str| std::env::current_exe().is_ok_and(|path| path.ends_with(name));
    if args.first().is_some_and(|flag| flag == CHECK_FLAG) {
        if is("hangs") {
            // What it has started must not stay, either.
            let _ = Command::new("/bin/sleep").arg("86399").status();
        }
        if is("crashes") {
            std::process::abort();
        }
        let number = args.get(2).and_then(|number| number.to_str()?.parse().ok());
        check_handover(number.expect("a number")).expect("a handover");
        std::io::stdout().write_all(CAN_GO_ON.as_bytes()).expect("somebody listens");
        return ExitCode::SUCCESS;
    }
    // No program at all, for a daemon that cannot be.
    let daemon = is("bad_keeper").then(Vec::new);
    match Config::from_args(&args).map(|config| Config { daemon, ..config }) {
        Some(config) => rewake_keeper::run(config).map_or(ExitCode::FAILURE, ExitCode::from),
        // Asked to be the daemon.
        None => ExitCode::from(3),
    }
}
