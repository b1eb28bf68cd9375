//! An executable for `rewake update` whose keeper is good and whose daemon ends at once. Never shipped.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use rewake_keeper::{CAN_GO_ON, CHECK_FLAG, Config, check_handover};

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if args.first().is_some_and(|flag| flag == CHECK_FLAG) {
        let number = args.get(2).and_then(|number| number.to_str()?.parse().ok());
        check_handover(number.expect("a number")).expect("a handover");
        std::io::stdout().write_all(CAN_GO_ON.as_bytes()).expect("somebody listens");
        return ExitCode::SUCCESS;
    }
    match Config::from_args(&args) {
        Some(config) => rewake_keeper::run(config).map_or(ExitCode::FAILURE, ExitCode::from),
        // Asked to be the daemon.
        None => ExitCode::from(3),
    }
}
