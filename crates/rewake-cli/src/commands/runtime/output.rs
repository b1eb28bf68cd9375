//! What apps write and what becomes of them, as bytes for stdout and stderr. Never writes itself.

use std::collections::VecDeque;

use rewake_logs::Origin;
use rewake_wire::{Event, ExitInfo, LogLines, ProcessEvent, ProcessEventKind, Stream};

use crate::args::runtime::Runtime;
use crate::ui::Ui;
use crate::ui::log_line::{self, LineForm, Shape};

/// Columns that all labels are padded to at most.
const WIDEST_LABEL: usize = 24;

/// Bytes for one of the two streams.
pub(super) type Chunk = (Stream, Vec<u8>);

/// How output is shown.
pub(super) struct Output {
    form: LineForm,
    /// Whether it is told what becomes of the apps.
    tells: bool,
}

impl Output {
    pub(super) fn new(ui: &Ui, args: &Runtime) -> Self {
        let shape = match (ui.json, args.format, args.formatted) {
            (true, _, _) => Shape::Json,
            (false, true, _) => Shape::KeyValue,
            (false, false, true) => Shape::Labelled,
            (false, false, false) => Shape::Raw,
        };
        let form = LineForm { shape, styles: ui.out, label_width: 0, timestamp: None, highlight: None };
        Self { form, tells: !ui.json && !ui.is_silent() }
    }

    /// Appends what these events are shown as.
    pub(super) fn render(&mut self, events: &[Event], to: &mut VecDeque<Chunk>) {
        for event in events {
            match event {
                Event::Log(lines) => self.lines(lines, to),
                Event::Process(event) => self.happening(event, to),
                Event::Missed { count } => {
                    let text =
                        format!("rewake: whoever reads this is too slow: {count} pieces of output were left out\n");
                    put(to, Stream::Err, text.as_bytes());
                }
                Event::Message(_) => {}
            }
        }
    }

    fn lines(&mut self, lines: &LogLines, to: &mut VecDeque<Chunk>) {
        let label = format!("{}|{}", lines.id, lines.name);
        self.form.label_width = self.form.label_width.max(log_line::label_width(&label)).min(WIDEST_LABEL);
        let origin = Origin { id: lines.id, name: lines.name.clone(), label, stream: lines.stream, json: false };
        let ms = i64::try_from(lines.at_ms).unwrap_or(i64::MAX);
        let at = jiff::Timestamp::from_millisecond(ms).unwrap_or_default().to_zoned(jiff::tz::TimeZone::system());
        // Only bare lines are told apart by where they go; all others say it themselves, as PM2's do.
        let stream = if self.form.shape == Shape::Raw { lines.stream } else { Stream::Out };
        let mut text = Vec::new();
        for line in &lines.lines {
            self.form.write_line(&mut text, &origin, line.as_bytes(), Some(&at));
        }
        put(to, stream, &text);
    }

    fn happening(&self, event: &ProcessEvent, to: &mut VecDeque<Chunk>) {
        let Some(what) = words(event).filter(|_| self.tells) else { return };
        let text = format!("rewake: {} (id {}) {what}\n", event.name, event.id);
        put(to, Stream::Err, text.as_bytes());
    }
}

fn words(event: &ProcessEvent) -> Option<String> {
    Some(match event.event {
        ProcessEventKind::Online => format!("is online, process {}", event.pid.unwrap_or(0)),
        ProcessEventKind::Exit => event.exit.as_ref().map_or_else(|| "has ended".to_owned(), ended),
        ProcessEventKind::RestartOverlimit => "is given up: it has ended too often".to_owned(),
        ProcessEventKind::SpawnFailed => "could not be started".to_owned(),
        ProcessEventKind::ReadyTimeout => "was not ready in time".to_owned(),
        ProcessEventKind::CannotBeKilled => "does not end, not even by SIGKILL".to_owned(),
        ProcessEventKind::ReloadFailed => "was not reloaded; the present process goes on".to_owned(),
        ProcessEventKind::Start
        | ProcessEventKind::Stop
        | ProcessEventKind::Restart
        | ProcessEventKind::Delete
        | ProcessEventKind::Reload => return None,
    })
}

fn ended(exit: &ExitInfo) -> String {
    match (exit.code, &exit.signal) {
        (Some(code), _) => format!("exited with code {code} after {} ms", exit.lived_ms),
        (None, Some(signal)) => format!("was ended by {signal} after {} ms", exit.lived_ms),
        (None, None) => format!("has ended after {} ms", exit.lived_ms),
    }
}

/// Joins what goes to the same stream.
fn put(to: &mut VecDeque<Chunk>, stream: Stream, bytes: &[u8]) {
    match to.back_mut() {
        Some((last, chunk)) if *last == stream => chunk.extend_from_slice(bytes),
        Some(_) | None => to.push_back((stream, bytes.to_vec())),
    }
}
