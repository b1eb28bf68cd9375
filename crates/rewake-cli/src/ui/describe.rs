//! PM2's `describe` rows, with how the last run ended and why it is not running.

use rewake_wire::{ClusterBalance, ClusterInfo, ExecMode, ExitInfo, ListenInfo, SlotInfo};

use super::table::{self, Cell, Column};
use super::{Colour, Styles, format, list, safe};

/// A headline and a table for one slot.
pub(super) fn render(slot: &SlotInfo, width: usize, styles: Styles, now_ms: u64) -> String {
    let headline = format!(" Describing process with id {} - name {}", slot.id, safe(&slot.name));
    let (keys, values) = rows(slot, now_ms).into_iter().map(|(key, value)| (Cell::plain(key), value)).unzip();
    let columns = [
        Column { title: "", cells: keys, shrinks_to: None },
        Column { title: "", cells: values, shrinks_to: Some(20) },
    ];
    // A path that is cut cannot be copied: past the terminal's width it wraps instead, as PM2's does.
    let width = width.max(table::natural_width(&columns));
    format!("{}\n{}", styles.paint(Colour::Bold, &headline), table::render(&columns, width, styles, true))
}

fn rows(slot: &SlotInfo, now_ms: u64) -> Vec<(&'static str, Cell<'_>)> {
    let launch = &slot.spec.launch;
    let mode = match launch.exec_mode {
        ExecMode::Fork => "fork_mode",
        ExecMode::Cluster => "cluster_mode",
    };
    let joined = |words: &[String]| if words.is_empty() { "N/A".to_owned() } else { words.join(" ") };
    let path = |path: Option<&str>| Cell::plain(path.map_or_else(|| "N/A".to_owned(), |path| safe(path).into_owned()));
    let mut rows = vec![
        ("status", Cell::coloured(slot.status.as_str(), list::status_colour(slot.status))),
        ("name", Cell::plain(safe(&slot.name))),
        ("namespace", Cell::plain(safe(&slot.namespace))),
        ("version", path(slot.spec.version.as_deref())),
        ("restarts", Cell::plain(slot.restarts.to_string())),
        ("uptime", Cell::plain(list::uptime(slot, now_ms))),
        ("pid", Cell::plain(slot.pid.unwrap_or(0).to_string())),
    ];
    if let Some(exit) = &slot.last_exit {
        rows.push(("last exit", Cell::plain(exit_text(exit))));
    }
    if !slot.sockets.is_empty() {
        let shown = slot.sockets.iter().map(|socket| format!("{} ({})", socket.address, socket.name));
        rows.push(("sockets", Cell::plain(safe(&shown.collect::<Vec<_>>().join(", ")).into_owned())));
    }
    if let Some(reason) = &slot.reason {
        rows.push(("reason", Cell::coloured(safe(reason), Colour::Red)));
    }
    rows.extend([
        ("script path", path(Some(&launch.script))),
        ("script args", Cell::plain(safe(&joined(&launch.args)).into_owned())),
        ("error log path", path(slot.error_log.as_deref())),
        ("out log path", path(slot.out_log.as_deref())),
        ("interpreter", path(Some(launch.interpreter.as_deref().unwrap_or("none")))),
        ("interpreter args", Cell::plain(safe(&joined(&launch.interpreter_args)).into_owned())),
        ("script id", Cell::plain(slot.id.to_string())),
        ("exec cwd", path(Some(&launch.cwd))),
        ("exec mode", Cell::plain(mode)),
    ]);
    if let Some(cluster) = &slot.cluster {
        rows.extend(cluster_rows(cluster));
    }
    rows.extend([
        ("watch & reload", Cell::plain("✘")),
        ("unstable restarts", Cell::plain(slot.unstable_restarts.to_string())),
        ("created at", Cell::plain(format::instant(slot.created_at_ms))),
    ]);
    rows
}

/// Where it listens and how connections come there, and those that it has.
fn cluster_rows(cluster: &ClusterInfo) -> Vec<(&'static str, Cell<'_>)> {
    let balance = |listen: &ListenInfo| match listen.balance {
        ClusterBalance::Kernel => "kernel",
        ClusterBalance::ClientIp => "client-ip",
        ClusterBalance::RoundRobin => "round-robin",
        ClusterBalance::Shared => "shared",
    };
    let listens = cluster.listens.iter();
    let mut rows: Vec<(&'static str, Cell<'_>)> = listens
        .map(|listen| ("listens on", Cell::plain(format!("{} ({})", safe(&listen.address), balance(listen)))))
        .collect();
    if let Some(open) = cluster.open_connections {
        rows.push(("open connections", Cell::plain(open.to_string())));
    }
    if cluster.given_connections > 0 {
        rows.push(("given connections", Cell::plain(cluster.given_connections.to_string())));
    }
    rows
}

/// `code 1 after 3s, at …`; `SIGKILL after …`.
pub(super) fn exit_text(exit: &ExitInfo) -> String {
    let how = match (&exit.signal, exit.code) {
        (Some(signal), _) => signal.clone(),
        (None, Some(code)) => format!("code {code}"),
        (None, None) => "unknown".into(),
    };
    let lived = if exit.lived_ms < 1000 { format!("{}ms", exit.lived_ms) } else { format::uptime(exit.lived_ms) };
    format!("{how} after {lived}, at {}", format::instant(exit.at_ms))
}
