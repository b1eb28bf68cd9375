//! Cuts a command line into verb, its arguments, and the script's. Must know which options take a value, so that
//! `rewake -n list start app.js` does not list; asks the definitions themselves, only when an option comes first.

use clap::CommandFactory as _;

use super::{Fit, logs};

/// The parts of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split<'a> {
    pub(super) verb: Option<&'a str>,
    pub(super) rest: Vec<&'a str>,
    pub(super) script_args: Option<&'a [String]>,
}

/// Splits what follows the program's name.
pub(super) fn split(argv: &[String]) -> Split<'_> {
    let end = argv.iter().position(|arg| arg == "--");
    let (line, script_args) = match end {
        Some(end) => (&argv[..end], Some(&argv[end + 1..])),
        None => (argv, None),
    };
    let verb = match line.first() {
        Some(first) if first.starts_with('-') => find_verb(line),
        Some(_) => Some(0),
        None => None,
    };
    let rest = line.iter().enumerate().filter(|(at, _)| Some(*at) != verb).map(|(_, arg)| arg.as_str());
    Split { verb: verb.map(|at| line[at].as_str()), rest: rest.collect(), script_args }
}

/// Where the first word is that is neither an option nor an option's value.
fn find_verb(line: &[String]) -> Option<usize> {
    // `logs` has all options with values that are not global.
    let known = Fit::<logs::Logs>::command();
    let mut at = 0;
    while at < line.len() {
        let arg = line[at].as_str();
        if !arg.starts_with('-') {
            return Some(at);
        }
        at += if takes_next(&known, arg) { 2 } else { 1 };
    }
    None
}

/// Whether the value of this option is the next word. An optional value is not taken from there: the word after it is
/// far more often the verb.
fn takes_next(known: &clap::Command, arg: &str) -> bool {
    if let Some(long) = arg.strip_prefix("--") {
        return known.get_arguments().any(|option| {
            let aliases = option.get_all_aliases().unwrap_or_default();
            (option.get_long() == Some(long) || aliases.contains(&long)) && needs_value(option)
        });
    }
    // A bundle of short ones: the first that takes a value takes the rest of the word, or the next one.
    let mut shorts = arg[1..].chars();
    while let Some(short) = shorts.next() {
        let is = |option: &clap::Arg| {
            option.get_short() == Some(short)
                || option.get_all_short_aliases().is_some_and(|aliases| aliases.contains(&short))
        };
        if known.get_arguments().any(|option| is(option) && needs_value(option)) {
            return shorts.as_str().is_empty();
        }
    }
    false
}

fn needs_value(option: &clap::Arg) -> bool {
    option.get_action().takes_values() && option.get_num_args().is_none_or(|range| range.min_values() > 0)
}
