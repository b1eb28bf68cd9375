//! PM2's list table: all columns where there is room, fewer where there is not. Never wider than the terminal.

use std::borrow::Cow;

use rewake_wire::{ExecMode, SlotInfo, Status};

use super::table::{self, Cell, Column};
use super::{Colour, Styles, format, safe};

/// What a column shows.
#[derive(Debug, Clone, Copy)]
enum Field {
    Id,
    Name,
    Namespace,
    Version,
    Mode,
    Pid,
    Uptime,
    Restarts,
    Status,
    Cpu,
    Mem,
    Memory,
    User,
    Watching,
}

/// PM2's three layouts, widest first.
const LAYOUTS: [&[Field]; 3] = [
    &[
        Field::Id,
        Field::Name,
        Field::Namespace,
        Field::Version,
        Field::Mode,
        Field::Pid,
        Field::Uptime,
        Field::Restarts,
        Field::Status,
        Field::Cpu,
        Field::Mem,
        Field::User,
        Field::Watching,
    ],
    &[Field::Id, Field::Name, Field::Mode, Field::Restarts, Field::Status, Field::Cpu, Field::Memory],
    &[Field::Id, Field::Name, Field::Status, Field::Cpu, Field::Mem],
];

/// The table of these slots for a terminal of `width` columns.
pub(super) fn render(slots: &[SlotInfo], width: usize, styles: Styles, now_ms: u64) -> String {
    let [wide, medium, narrow] = LAYOUTS;
    for layout in [wide, medium] {
        let columns = columns(slots, layout, now_ms);
        if table::least_width(&columns) <= width {
            return table::render(&columns, width, styles, false);
        }
    }
    // The narrowest gives up columns from the right rather than to wrap.
    let mut columns = columns(slots, narrow, now_ms);
    while columns.len() > 2 && table::least_width(&columns) > width {
        columns.pop();
    }
    table::render(&columns, width, styles, false)
}

fn columns<'a>(slots: &'a [SlotInfo], layout: &[Field], now_ms: u64) -> Vec<Column<'a>> {
    let column = |field: &Field| Column {
        title: title(*field),
        cells: slots.iter().map(|slot| cell(*field, slot, now_ms)).collect(),
        shrinks_to: shrinks_to(*field, layout.len()),
    };
    layout.iter().map(column).collect()
}

fn title(field: Field) -> &'static str {
    match field {
        Field::Id => "id",
        Field::Name => "name",
        Field::Namespace => "namespace",
        Field::Version => "version",
        Field::Mode => "mode",
        Field::Pid => "pid",
        Field::Uptime => "uptime",
        Field::Restarts => "↺",
        Field::Status => "status",
        Field::Cpu => "cpu",
        Field::Mem => "mem",
        Field::Memory => "memory",
        Field::User => "user",
        Field::Watching => "watching",
    }
}

/// Names may lose their end, but not so much in a wide table that a narrower one with whole names would tell more.
fn shrinks_to(field: Field, columns: usize) -> Option<usize> {
    match field {
        Field::Name if columns > 5 => Some(16),
        Field::Name => Some(8),
        Field::Namespace | Field::Version | Field::User => Some(8),
        Field::Status if columns <= 5 => Some(7),
        Field::Id
        | Field::Mode
        | Field::Pid
        | Field::Uptime
        | Field::Restarts
        | Field::Status
        | Field::Cpu
        | Field::Mem
        | Field::Memory
        | Field::Watching => None,
    }
}

fn cell<'a>(field: Field, slot: &'a SlotInfo, now_ms: u64) -> Cell<'a> {
    match field {
        Field::Id => Cell::coloured(slot.id.to_string(), Colour::Cyan),
        Field::Name => Cell::plain(safe(&slot.name)),
        Field::Namespace => Cell::plain(safe(&slot.namespace)),
        Field::Version => Cell::plain(slot.spec.version.as_deref().map_or(Cow::Borrowed("N/A"), safe)),
        Field::Mode => match slot.spec.launch.exec_mode {
            ExecMode::Fork => Cell::plain("fork"),
            ExecMode::Cluster => Cell::coloured("cluster", Colour::Blue),
        },
        Field::Pid => Cell::plain(slot.pid.unwrap_or(0).to_string()),
        Field::Uptime => Cell::plain(uptime(slot, now_ms)),
        Field::Restarts => Cell::plain(slot.restarts.to_string()),
        Field::Status => Cell::coloured(slot.status.as_str(), status_colour(slot.status)),
        Field::Cpu => Cell::plain(format::percent(slot.cpu_percent.unwrap_or(0.0))),
        Field::Mem | Field::Memory => Cell::plain(format::bytes(slot.memory_bytes.unwrap_or(0))),
        Field::User => Cell::plain(safe(&slot.user)),
        Field::Watching => Cell::coloured("disabled", Colour::Dim),
    }
}

/// Time since the present run began, `0` where nothing runs.
pub(super) fn uptime(slot: &SlotInfo, now_ms: u64) -> String {
    match (slot.pid, slot.started_at_ms) {
        (Some(_), Some(started)) => format::uptime(now_ms.saturating_sub(started)),
        (Some(_) | None, Some(_) | None) => "0".into(),
    }
}

/// Green runs, red does not, yellow is on its way.
pub(super) fn status_colour(status: Status) -> Colour {
    match status {
        Status::Online => Colour::Green,
        Status::Launching | Status::Stopping | Status::WaitingRestart => Colour::Yellow,
        Status::Stopped | Status::Errored => Colour::Red,
    }
}

#[cfg(test)]
#[path = "list_tests.rs"]
pub(in crate::ui) mod tests;
