//! `logs [target]`: last lines, or those since a time, then what comes.

use clap::Args;

/// What to show, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct Logs {
    /// Id, name, namespace, `all` or `/regex/`
    #[arg(value_name = "TARGET")]
    pub(crate) target: Option<String>,
    /// Lines from the end of each file [default: 15; with --since: all]
    #[arg(long, value_name = "N")]
    pub(crate) lines: Option<usize>,
    /// Only lines since this time: `10m`, `2h`, `1d`, `2026-11-21 13:45:00`, RFC 3339
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// Only lines up to this time; does not follow
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) until: Option<String>,
    /// Only lines of this level and graver ones: trace, debug, info, warn, error, fatal
    #[arg(long, value_name = "LEVEL", allow_hyphen_values = true)]
    pub(crate) level: Option<String>,
    /// Only lines in which this regular expression matches
    #[arg(long, value_name = "REGEX", allow_hyphen_values = true)]
    pub(crate) grep: Option<String>,
    /// Only its output
    #[arg(long = "out", conflicts_with = "only_err")]
    pub(crate) only_out: bool,
    /// Only its errors
    #[arg(long = "err")]
    pub(crate) only_err: bool,
    /// Lines as they are, without label
    #[arg(long)]
    pub(crate) raw: bool,
    /// Lines as `app=… id=… type=… message=…`
    #[arg(long)]
    pub(crate) format: bool,
    /// Only what there is, do not follow
    #[arg(long)]
    pub(crate) nostream: bool,
    /// Time before each followed line [default format: YYYY-MM-DDTHH:mm:ss]
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, default_missing_value = "YYYY-MM-DDTHH:mm:ss")]
    pub(crate) timestamp: Option<String>,
    /// Mark this text
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) highlight: Option<String>,
}

/// What `logs --help` says beside the options.
pub(crate) const NOTES: &str = "\
Lines of several apps are shown in the order of the times that they tell: those of --time, --log-date-format and
--log-type json, or of the app's own logger (a time at the head of the line, or `time`, `timestamp`, `ts` of a JSON line).
A line without a time goes with the one before it. Logs whose lines tell none come first, one after the other, the one
that was written last at the end. What is followed is shown as it arrives.

--since also reads files that were put aside, compressed or not. In a file in order it finds its place at once; where
lines tell no time it says so, and shows the last ones.

--level takes `level` and `severity` of JSON lines (names, pino's numbers) and markers such as [error], WARN,
level=info, TypeError:. What names none counts as info, on stderr as error; an indented line goes with the one before it.

A line is judged by its first MiB. --json gives a longer one in several objects.";
