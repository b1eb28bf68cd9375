//! Runs the simulation over many seeds, or replays one. Exits 1 when a rule is broken.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::process::ExitCode;
use std::time::Instant;

use rewake_core::Core;
use rust_tests::sim::life::live;
use rust_tests::sim::many::live_all;
use rust_tests::sim::trace::Trace;

const USAGE: &str = "usage: sim [--seeds N] [--from N] | sim --seed N [--trace]";

/// What was asked for.
struct Wanted {
    from: u64,
    seeds: u64,
    one: Option<u64>,
    trace: bool,
}

fn main() -> ExitCode {
    match wanted(std::env::args().skip(1)) {
        None => {
            println!("{USAGE}");
            ExitCode::from(2)
        }
        Some(Wanted { one: Some(seed), trace, .. }) => replay(seed, trace),
        Some(Wanted { from, seeds, .. }) => many(from, seeds),
    }
}

fn wanted(mut args: impl Iterator<Item = String>) -> Option<Wanted> {
    let mut wanted = Wanted { from: 0, seeds: 10_000, one: None, trace: false };
    while let Some(arg) = args.next() {
        let mut number = || args.next()?.parse().ok();
        match arg.as_str() {
            "--seeds" => wanted.seeds = number()?,
            "--from" => wanted.from = number()?,
            "--seed" => wanted.one = Some(number()?),
            "--trace" => wanted.trace = true,
            _ => return None,
        }
    }
    Some(wanted)
}

fn many(from: u64, seeds: u64) -> ExitCode {
    let start = Instant::now();
    match live_all(from..from.saturating_add(seeds), Core::default) {
        Ok(summary) => {
            let seconds = start.elapsed().as_secs_f64();
            let (lives, steps) = (summary.lives as f64 / seconds, summary.steps as f64 / seconds);
            println!(
                "{} lives, {} steps in {seconds:.2} s: {lives:.0} lives/s, {steps:.0} steps/s",
                summary.lives, summary.steps
            );
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn replay(seed: u64, trace: bool) -> ExitCode {
    let trace = if trace { Trace::Lines(Vec::new()) } else { Trace::Off };
    let report = live(seed, &mut Core::default(), trace);
    for line in report.trace.lines() {
        println!("{line}");
    }
    match report.breach {
        None => {
            println!("seed {seed}: {} steps, no rule broken", report.steps);
            ExitCode::SUCCESS
        }
        Some(breach) => {
            println!("seed {seed} breaks {breach}");
            ExitCode::FAILURE
        }
    }
}
