//! The two streams. A closed pipe ends the program quietly, as `rewake list | head -1` expects.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

use rewake_wire::{ErrorReply, ExitRecord, SlotInfo};
use serde_json::{Value, json};

use super::{Styles, block, describe, errors, help, history, list, sort};
use crate::args::{Options, Verb};

/// Columns when stdout is no terminal: PM2's number, room for everything.
const PIPE_COLUMNS: usize = 300;

/// How this call talks.
#[derive(Debug)]
pub(crate) struct Ui {
    pub(crate) out: Styles,
    pub(crate) err: Styles,
    pub(crate) json: bool,
    silent: bool,
    mini: bool,
    sort: Option<sort::Sort>,
}

impl Ui {
    /// How to talk when the options could not be understood.
    pub(crate) fn plain(json: bool) -> Self {
        Self::new(&Options { json, ..Options::default() }, None)
    }

    /// How the options say to talk.
    ///
    /// # Errors
    /// A `--sort` that names no column.
    pub(crate) fn of(options: &Options) -> Result<Self, ErrorReply> {
        let sort = options.sort.as_deref().map(sort::Sort::parse).transpose()?;
        Ok(Self::new(options, sort))
    }

    fn new(options: &Options, sort: Option<sort::Sort>) -> Self {
        let wanted = !options.no_color
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let silent =
            options.silent || std::env::var_os("PM2_SILENT").is_some_and(|value| value == "true" || value == "1");
        Self {
            out: Styles { colours: wanted && io::stdout().is_terminal() },
            err: Styles { colours: wanted && io::stderr().is_terminal() },
            json: options.json,
            silent,
            mini: options.mini_list,
            sort,
        }
    }

    /// Writes data as it is, also when silent: what the user asked to see.
    pub(crate) fn data(&self, text: impl AsRef<[u8]>) {
        let mut stdout = io::stdout().lock();
        quiet(stdout.write_all(text.as_ref()).and_then(|()| stdout.flush()));
    }

    /// Writes a JSON value and a newline.
    pub(crate) fn json_data(&self, value: &Value) {
        self.data(format!("{value}\n"));
    }

    /// Says something to the user, unless silent.
    pub(crate) fn say(&self, text: &str) {
        if !self.silent && !self.json {
            errline(text);
        }
    }

    /// Warns; never as a failure.
    pub(crate) fn warn(&self, text: &str) {
        if !self.silent {
            errline(&errors::warning(self.err, text));
        }
    }

    /// Tells an error, also when silent: only then is the exit code not a riddle.
    pub(crate) fn error(&self, error: &ErrorReply) {
        if self.json {
            errline(&json!({ "error": error }).to_string());
        } else {
            errline(&errors::text(self.err, error));
        }
    }

    /// Shows the list as the options say.
    pub(crate) fn list(&self, mut slots: Vec<SlotInfo>) {
        if self.silent && !self.json {
            return;
        }
        sort::sort(&mut slots, self.sort);
        if self.json {
            self.json_data(&Value::Array(slots.iter().map(|slot| super::entry(slot, None)).collect()));
        } else if self.mini {
            self.data(block::render(&slots, now_ms()));
        } else {
            self.data(list::render(&slots, columns(), self.out, now_ms()));
        }
    }

    /// Shows one slot whole.
    pub(crate) fn describe(&self, slot: &SlotInfo) {
        self.data(describe::render(slot, columns(), self.out, now_ms()));
    }

    /// Shows how runs have ended.
    pub(crate) fn history(&self, records: &[ExitRecord]) {
        self.data(history::render(records, self.out));
    }

    /// Shows how the last runs of one slot have ended.
    pub(crate) fn last_exits(&self, records: &[ExitRecord]) {
        self.data(history::of_slot(records, self.out));
    }

    /// Shows the help of a verb, or of the program.
    pub(crate) fn help(&self, verb: Option<Verb>) {
        self.data(verb.map_or_else(help::usage, help::verb));
    }

    /// Whether only errors are to be seen.
    pub(crate) fn is_silent(&self) -> bool {
        self.silent
    }
}

/// Width of what stdout goes to.
fn columns() -> usize {
    if !io::stdout().is_terminal() {
        return PIPE_COLUMNS;
    }
    let told = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    // A terminal that does not know its width (a serial line) is taken for the classic 80.
    rewake_unix::terminal::columns().map(usize::from).or(told).unwrap_or(80)
}

/// Now, ms since the epoch; 0 for a clock before it.
pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Ends the program with success when the reader has gone, as if it had read to the end. Other errors have nobody to be
/// told to: a full disk behind `>` is one that `$?` should tell.
fn quiet(result: io::Result<()>) {
    match result {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            errline(&format!("error: failed to write to stdout: {error}"));
            std::process::exit(1);
        }
    }
}

fn errline(text: &str) {
    // Nobody is left to be told when stderr is closed.
    io::stderr().lock().write_all(format!("{text}\n").as_bytes()).ok();
}
