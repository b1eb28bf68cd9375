//! As much of Rust's test runner as `cargo test` and `cargo nextest` ask of a test executable: list, filter, run, report.

use std::panic::catch_unwind;
use std::process::ExitCode;

/// A name that is a sentence, and the test.
pub(crate) type Test = (&'static str, fn());

pub(crate) fn run(tests: &[Test]) -> ExitCode {
    // The one option with a value that the runners pass.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "terse").collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    // Nothing here is ignored, so a run of the ignored ones is empty.
    let tests: &[Test] = if has("--ignored") { &[] } else { tests };
    let filters: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |name: &str| {
        filters.is_empty()
            || filters.iter().any(|filter| if has("--exact") { name == *filter } else { name.contains(*filter) })
    };
    let mut failed = Vec::new();
    for (name, test) in tests.iter().filter(|(name, _)| wanted(name)) {
        if has("--list") {
            say(&format!("{name}: test"));
        } else if catch_unwind(test).is_ok() {
            say(&format!("test {name} ... ok"));
        } else {
            say(&format!("test {name} ... FAILED"));
            failed.push(name);
        }
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}
