//! PM2's `-m` form: one block of lines for each slot.

use std::fmt::Write as _;

use rewake_wire::{ExecMode, SlotInfo};

use super::{format, list, safe};

/// The blocks, each with an empty line after it.
pub(super) fn render(slots: &[SlotInfo], now_ms: u64) -> String {
    let mut text = String::new();
    for slot in slots {
        let mode = match slot.spec.launch.exec_mode {
            ExecMode::Fork => "fork",
            ExecMode::Cluster => "cluster",
        };
        let rows = [
            ("namespace", safe(&slot.namespace).into_owned()),
            ("version", slot.spec.version.clone().unwrap_or_else(|| "N/A".into())),
            ("pid", slot.pid.unwrap_or(0).to_string()),
            ("pm2 id", slot.id.to_string()),
            ("status", slot.status.as_str().to_owned()),
            ("mode", mode.to_owned()),
            ("restarted", slot.restarts.to_string()),
            ("uptime", list::uptime(slot, now_ms)),
            ("memory usage", format::bytes(slot.memory_bytes.unwrap_or(0))),
            ("error log", slot.error_log.clone().unwrap_or_else(|| "N/A".into())),
            ("watching", "no".to_owned()),
        ];
        // Writing to a String cannot fail.
        writeln!(text, "+--- {}", safe(&slot.name)).ok();
        for (key, value) in rows {
            writeln!(text, "{key} : {value}").ok();
        }
        text.push('\n');
    }
    text
}
