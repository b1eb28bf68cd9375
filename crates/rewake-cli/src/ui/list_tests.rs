//! The table at the widths people have.

use rewake_wire::{AppSpec, ClusterBalance, LaunchSpec, LogCapture, LogSpec, LogTarget, PolicySpec};
use unicode_width::UnicodeWidthStr;

use super::*;

const PLAIN: Styles = Styles { colours: false };
const NOW: u64 = 1_000_000;

pub(in crate::ui) fn slot(id: u32, name: &str) -> SlotInfo {
    let launch = LaunchSpec {
        script: "/srv/app.js".into(),
        interpreter: Some("node".into()),
        interpreter_args: Vec::new(),
        args: Vec::new(),
        cwd: "/srv".into(),
        env: std::collections::BTreeMap::default(),
        exec_mode: ExecMode::Fork,
        ipc: true,
        ipc_advanced: false,
        drain: true,
        cluster_balance: ClusterBalance::default(),
        sockets: Vec::new(),
        instance_var: "NODE_APP_INSTANCE".into(),
        increment_var: None,
        uid: None,
        gid: None,
    };
    SlotInfo {
        id,
        name: name.into(),
        namespace: "default".into(),
        instance: 0,
        status: Status::Online,
        pid: Some(1000 + id),
        run: Some(7),
        restarts: 0,
        unstable_restarts: 0,
        created_at_ms: NOW - 90_000,
        started_at_ms: Some(NOW - 75_000),
        last_exit: None,
        reason: None,
        memory_bytes: Some(53_896_806),
        cpu_percent: Some(0.5),
        out_log: Some("/h/logs/app-out.log".into()),
        error_log: Some("/h/logs/app-error.log".into()),
        sockets: Vec::new(),
        user: "root".into(),
        cluster: None,
        spec: AppSpec {
            name: name.into(),
            namespace: "default".into(),
            instances: 1,
            launch,
            policy: PolicySpec::default(),
            logs: LogSpec {
                out: LogTarget::Default,
                error: LogTarget::Default,
                combined: LogTarget::Null,
                merge: true,
                date_format: None,
                json: false,
                capture: LogCapture::Auto,
                rotate: None,
                system: None,
            },
            version: None,
        },
    }
}

fn slots() -> Vec<SlotInfo> {
    let mut slots = vec![
        slot(0, "api"),
        slot(1, "a-service-with-a-name-that-goes-on-for-ever-and-ever-and-says-nothing"),
        slot(2, "日本語のアプリケーションの名前"),
        slot(113, "worker"),
    ];
    (slots[3].status, slots[3].pid, slots[3].memory_bytes, slots[3].cpu_percent) =
        (Status::WaitingRestart, None, None, None);
    slots
}

fn header(text: &str) -> Vec<&str> {
    let line = text.lines().nth(1).unwrap_or_default();
    line.trim_matches('│').split('│').map(str::trim).collect()
}

#[test]
fn no_line_is_wider_than_the_terminal_and_all_are_equally_wide() {
    for width in [24, 30, 40, 60, 80, 120, 160, 300] {
        let text = render(&slots(), width, PLAIN, NOW);
        let widths: Vec<usize> = text.lines().map(UnicodeWidthStr::width).collect();
        assert!(widths.iter().all(|it| *it == widths[0]), "{width}: {widths:?}\n{text}");
        assert!(widths[0] <= width, "{width}: {}\n{text}", widths[0]);
        assert_eq!(widths.len(), 4 + slots().len());
    }
}

#[test]
fn columns_go_as_pm2s_do() {
    let all = "id name namespace version mode pid uptime ↺ status cpu mem user watching";
    for (width, expected) in [
        (300, all),
        (160, all),
        (100, "id name mode ↺ status cpu memory"),
        (80, "id name mode ↺ status cpu memory"),
        (60, "id name status cpu mem"),
        (40, "id name status cpu"),
    ] {
        let text = render(&slots(), width, PLAIN, NOW);
        assert_eq!(header(&text).join(" "), expected, "at {width}\n{text}");
    }
}

#[test]
fn what_is_cut_ends_in_an_ellipsis_and_wide_characters_are_not_halved() {
    let text = render(&slots(), 60, PLAIN, NOW);
    assert!(text.contains("a-servi") && text.contains('…'), "{text}");
    assert!(text.contains("日本"), "{text}");
    let whole = render(&slots(), 300, PLAIN, NOW);
    assert!(whole.contains("says-nothing") && !whole.contains('…'), "{whole}");
}

#[test]
fn an_empty_list_is_its_header() {
    let text = render(&[], 300, PLAIN, NOW);
    assert_eq!(text.lines().count(), 4);
    assert!(text.contains("│ id │ name │"), "{text}");
}

#[test]
fn cells_read_as_pm2s() {
    let text = render(&slots()[..1], 300, PLAIN, NOW);
    let row: Vec<&str> = text.lines().nth(3).unwrap().trim_matches('│').split('│').map(str::trim).collect();
    let expected =
        ["0", "api", "default", "N/A", "fork", "1000", "1m", "0", "online", "0.5%", "51.4mb", "root", "disabled"];
    assert_eq!(row, expected);
}

#[test]
fn colours_change_no_width() {
    let plain = render(&slots(), 120, PLAIN, NOW);
    let coloured = render(&slots(), 120, Styles { colours: true }, NOW);
    assert!(coloured.contains("\x1b[32monline\x1b[0m"));
    let mut stripped = String::new();
    let mut parts = coloured.split("\x1b[");
    stripped.push_str(parts.next().unwrap());
    for part in parts {
        stripped.push_str(part.split_once('m').unwrap().1);
    }
    assert_eq!(stripped, plain);
}
