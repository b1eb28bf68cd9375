//! How runs have ended, as text: one headline each, and the last lines below it.

use rewake_wire::ExitRecord;

use super::{Colour, Styles, describe, safe};

/// What `describe` shows of each stream.
const FEW_LINES: usize = 8;

/// The records in the order in which they are given, with all lines that they hold.
pub(super) fn render(records: &[ExitRecord], styles: Styles) -> String {
    records.iter().map(|record| one(record, usize::MAX, styles)).collect()
}

/// The records of one slot, with a few lines each.
pub(super) fn of_slot(records: &[ExitRecord], styles: Styles) -> String {
    let headline = styles.paint(Colour::Bold, " Last exits");
    let all: String = records.iter().map(|record| one(record, FEW_LINES, styles)).collect();
    format!("{headline}\n{all}")
}

fn one(record: &ExitRecord, lines: usize, styles: Styles) -> String {
    let asked = if record.asked { ", as asked" } else { "" };
    let pid = record.pid.map_or_else(String::new, |pid| format!(", pid {pid}"));
    let headline =
        format!(" {} (id {}): {}{asked}{pid}", safe(&record.name), record.id, describe::exit_text(&record.exit));
    let mut text = format!("{}\n", styles.paint(Colour::Bold, &headline));
    for (word, stream) in [("out", &record.out), ("err", &record.error)] {
        for line in stream.iter().skip(stream.len().saturating_sub(lines)) {
            text.push_str(&format!("   {word} | {}\n", safe(line)));
        }
    }
    text
}
