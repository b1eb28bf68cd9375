//! The keeper with real processes. This executable plays every part: keeper, fake daemon, host program, and the tests.

mod daemons;
mod embedded;
mod harness;
mod roles;
mod setup;
mod spawning;
mod trees;

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = roles::play() {
        return code;
    }
    let tests = [spawning::TESTS, trees::TESTS, embedded::TESTS, daemons::TESTS].concat();
    harness::run(&tests)
}
