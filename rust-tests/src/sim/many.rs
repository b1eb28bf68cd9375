//! Many lives, one after the other, and what to print of the one that failed. Stops at the first failure.

use std::fmt;
use std::ops::Range;

use super::life::{Report, live};
use super::rule::Breach;
use super::subject::Subject;
use super::trace::Trace;

/// How many lines before the breach are shown.
const TAIL: usize = 40;

/// Lives without a breach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    pub lives: u64,
    pub steps: u64,
}

/// A life that broke a rule.
#[derive(Debug)]
pub struct Failure {
    pub seed: u64,
    pub breach: Breach,
    /// The last lines of its trace.
    pub tail: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.tail {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "seed {} breaks {}", self.seed, self.breach)?;
        write!(f, "replay: cargo run --release -p rust-tests --bin sim -- --seed {} --trace", self.seed)
    }
}

/// Lives all these seeds, each with a new subject.
///
/// # Errors
/// The first life that breaks a rule, lived once more with its trace.
pub fn live_all<S: Subject>(seeds: Range<u64>, subject: impl Fn() -> S) -> Result<Summary, Box<Failure>> {
    let mut summary = Summary::default();
    for seed in seeds {
        let report = live(seed, &mut subject(), Trace::Off);
        if report.breach.is_some() {
            return Err(Box::new(tell(seed, live(seed, &mut subject(), Trace::Lines(Vec::new())))));
        }
        summary.lives += 1;
        summary.steps += u64::from(report.steps);
    }
    Ok(summary)
}

fn tell(seed: u64, report: Report) -> Failure {
    let lines = report.trace.lines();
    let tail = lines[lines.len().saturating_sub(TAIL)..].to_vec();
    let breach = report.breach.unwrap_or_else(|| Breach {
        rule: super::rule::Rule::State,
        detail: "a seed that failed once did not fail again: the simulation is not deterministic".into(),
    });
    Failure { seed, breach, tail }
}
