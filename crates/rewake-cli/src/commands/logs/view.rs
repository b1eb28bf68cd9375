//! What `logs` shows, and how: the logs that it knows, and the lines of them as they are written. Never talks with the daemon.

use std::path::PathBuf;

use rewake_logs::{Follower, History, Judge, Query, Shelf, Shown, Start};
use rewake_wire::{Event, ProcessEventKind, SlotInfo, Stream};

use super::{Failure, broken};
use crate::args::logs::Logs;
use crate::ui::log_line::{self, LineForm, Shape};
use crate::ui::{Colour, Ui};

/// Columns that all labels are padded to at most: one long name must not push every line to the right.
const WIDEST_LABEL: usize = 24;

/// Bytes that are gathered before they are written, and read before others get their turn.
const CHUNK: usize = 64 << 10;

/// The logs and the way that they are shown.
#[derive(Debug)]
pub(super) struct View<'a> {
    ui: &'a Ui,
    form: LineForm,
    headings: bool,
    query: Query,
    shelf: Shelf,
    /// For what is followed; in the order of the shelf.
    judges: Vec<Judge>,
}

impl<'a> View<'a> {
    /// `logs`: the folder of log files, if what comes later is shown too.
    pub(super) fn new(ui: &'a Ui, args: &Logs, query: Query, logs: Option<PathBuf>) -> Self {
        let shape = match (ui.json, args.format, args.raw) {
            (true, _, _) => Shape::Json,
            (false, true, _) => Shape::KeyValue,
            (false, false, true) => Shape::Raw,
            (false, false, false) => Shape::Labelled,
        };
        let stream = match (args.only_out, args.only_err) {
            (true, _) => Some(Stream::Out),
            (false, true) => Some(Stream::Err),
            (false, false) => None,
        };
        let form = LineForm {
            shape,
            styles: ui.out,
            label_width: 0,
            timestamp: args.timestamp.clone(),
            highlight: args.highlight.clone(),
        };
        let shelf = Shelf::new(stream, logs.as_deref());
        let query = Query { times: matches!(shape, Shape::Json | Shape::KeyValue), ..query };
        Self { ui, form, headings: shape == Shape::Labelled, query, shelf, judges: Vec::new() }
    }

    pub(super) fn announce(&self, target: Option<&str>) {
        let what = target.unwrap_or("all");
        self.heading(&format!("tailing the last lines of {what} (more with --lines or --since)"));
    }

    fn heading(&self, text: &str) {
        if self.headings {
            self.ui.say(&self.ui.err.paint(Colour::Dim, text));
        }
    }

    /// Shows what is wanted of what the files hold; gives the places up to which they were shown.
    pub(super) fn show_history(&mut self, slots: &[SlotInfo]) -> Result<Vec<Start>, Failure> {
        self.take(slots);
        let mut history = History::open(self.shelf.logs(), &self.query);
        self.tell_trouble(&history)?;
        let mut text = Vec::new();
        loop {
            match history.step() {
                Ok(Some(Shown::Group(group))) => {
                    self.flush(&mut text);
                    self.heading(&self.describe(group));
                }
                Ok(Some(Shown::Piece(at, piece, stamp))) => {
                    self.form.write_old(&mut text, &self.shelf.logs()[at].origin, piece, stamp);
                    if text.len() >= CHUNK {
                        self.flush(&mut text);
                    }
                }
                Ok(None) => break,
                Err((at, error)) => {
                    self.flush(&mut text);
                    return Err(broken(&format!("read `{}`", self.shelf.logs()[at].path.display()), &error));
                }
            }
        }
        self.flush(&mut text);
        Ok(history.starts())
    }

    fn tell_trouble(&self, history: &History) -> Result<(), Failure> {
        let path = |at: usize| self.shelf.logs()[at].path.display();
        for at in history.lacking_times() {
            self.ui.warn(&format!("the lines of `{}` tell no time: its last lines are shown", path(*at)));
        }
        match history.failed() {
            [(at, error), ..] if history.failed().len() == self.shelf.logs().len() => {
                Err(broken(&format!("read `{}`", path(*at)), error))
            }
            failed => {
                failed.iter().for_each(|(at, error)| self.ui.warn(&format!("failed to read `{}`: {error}", path(*at))));
                Ok(())
            }
        }
    }

    fn describe(&self, group: &[usize]) -> String {
        let lines = match self.query.lines {
            Some(lines) => format!("last {lines} lines"),
            None => "lines since then".to_owned(),
        };
        match group {
            [at] => format!("{} {lines}:", self.shelf.logs()[*at].path.display()),
            several => format!("{lines} of each of {} logs, by their times:", several.len()),
        }
    }

    /// Takes in the logs of these slots; gives the indexes of the new ones.
    fn take(&mut self, slots: &[SlotInfo]) -> std::ops::Range<usize> {
        let new = self.shelf.update(slots);
        let logs = self.shelf.logs();
        self.judges.extend(logs[new.clone()].iter().map(|log| Judge::new(&self.query.filter, log).without_times()));
        let widths = logs.iter().map(|log| log_line::label_width(&log.origin.label));
        self.form.label_width = widths.max().unwrap_or(0).min(WIDEST_LABEL);
        new
    }

    pub(super) fn follow(&self, follower: &mut Follower, at: usize, start: Start) -> Result<(), Failure> {
        let path = &self.shelf.logs()[at].path;
        match follower.add(path, start) {
            Ok(index) => debug_assert_eq!(index, at, "the follower counts as the view does"),
            Err(error) => return Err(broken(&format!("follow `{}`", path.display()), &error)),
        }
        Ok(())
    }

    /// Follows the logs of these slots too; those that were known may bear another label now.
    pub(super) fn add_new(&mut self, slots: &[SlotInfo], follower: &mut Follower) -> Result<(), Failure> {
        for at in self.take(slots) {
            self.follow(follower, at, Start::At(self.shelf.new_from(at)))?;
        }
        Ok(())
    }

    /// Whether a slot was started that is not followed yet, or one has gone that shared a file.
    pub(super) fn may_mean_new_files(&self, event: &Event) -> bool {
        match event {
            Event::Process(event) => self.shelf.is_new(event.id) || event.event == ProcessEventKind::Delete,
            Event::Missed { .. } => true,
            Event::Message(_) | Event::Log(_) => false,
        }
    }

    /// Shows what was appended.
    pub(super) fn show_new(&mut self, follower: &mut Follower) -> Result<(), Failure> {
        let mut text = Vec::new();
        let mut more = true;
        while more {
            let now = jiff::Zoned::now();
            let (form, shelf, judges) = (&self.form, &self.shelf, &mut self.judges);
            let read = follower.read(CHUNK, |at, piece| {
                if judges[at].shows(&piece) {
                    form.write(&mut text, &shelf.logs()[at].origin, piece, Some(&now));
                }
            });
            self.flush(&mut text);
            more = read.map_err(|error| broken("read log files", &error))?;
        }
        Ok(())
    }

    fn flush(&self, text: &mut Vec<u8>) {
        if !text.is_empty() {
            self.ui.data(&*text);
            text.clear();
        }
    }
}
