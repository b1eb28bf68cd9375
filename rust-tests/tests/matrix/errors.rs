//! Addresses that cannot be had: a worker is told what Node's own primary would tell it, and goes on.

use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use serde_json::Value;

use super::support::fleet::{App, Fleet, each_node};
use super::support::{MODES, alike};

const SCRIPT: (&str, &str) = ("errors.js", include_str!("scripts/errors.js"));

/// What is in everybody's way.
struct Strangers {
    tcp: TcpListener,
    udp: UdpSocket,
    folder: tempfile::TempDir,
    _live: UnixListener,
}

impl Strangers {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../js-tests/drain/fixtures");
        for (from, to) in [("test-cert.pem", "cert.pem"), ("test-key.pem", "key.pem")] {
            std::fs::copy(fixtures.join(from), folder.path().join(to)).unwrap();
        }
        std::fs::create_dir(folder.path().join("own")).unwrap();
        let live = UnixListener::bind(folder.path().join("live.sock")).unwrap();
        // Others than root may look at all of it.
        for (path, mode) in [("", 0o755), ("cert.pem", 0o644), ("key.pem", 0o644), ("live.sock", 0o777), ("own", 0o777)]
        {
            std::fs::set_permissions(folder.path().join(path), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { tcp, udp: UdpSocket::bind("127.0.0.1:0").unwrap(), folder, _live: live }
    }

    fn app(&self, name: &str, privileged: &str) -> App {
        let app = App::new(name, "errors.js").instances(1).env("FOLDER", self.folder.path().display());
        let app = app.env("BUSY", self.tcp.local_addr().unwrap().port()).env("PRIVILEGED", privileged);
        app.env("BUSY_UDP", self.udp.local_addr().unwrap().port())
            .env("SOCKETS", self.folder.path().join("own").display())
    }
}

/// A port that needs a privilege; nothing where no port does.
fn privileged() -> String {
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    let first: u16 = first.trim().parse().unwrap();
    first.checked_sub(1).filter(|port| *port > 0).map_or_else(String::new, |port| port.to_string())
}

/// Everything that is tried fails in the same words; what each says is returned.
fn fails_as_under_node(fleet: &Fleet, privileged: &str) -> Value {
    let strangers = Strangers::new();
    let own = strangers.app("own", privileged);
    let expected = {
        let _primary = fleet.under_nodes_primary(&own, "rr");
        fleet.told("own", 1).remove(0).seen
    };
    fleet.start(&MODES.map(|mode| strangers.app(mode, privileged).mode(mode)));
    for mode in MODES {
        let seen = fleet.told(mode, 1).remove(0).seen;
        alike(&seen, &expected, &format!("Node {} {mode}", fleet.node.major));
    }
    expected
}

#[test]
fn an_address_that_cannot_be_had_is_told_in_nodes_own_words() {
    for node in each_node() {
        let seen = fails_as_under_node(&Fleet::new(&node, &[SCRIPT]), "");
        let code = |name: &str| seen[name]["code"].as_str().unwrap_or_default().to_owned();
        for name in ["busy", "busyAnywhere", "busyTls", "busyHttps", "busyHttp2", "busyUdp", "live", "regularFile"] {
            assert_eq!(code(name), "EADDRINUSE", "{name}: {seen}");
        }
        assert_eq!((code("elsewhere"), code("noFolder")), ("EADDRNOTAVAIL".into(), "EACCES".into()));
        assert_eq!((code("badFd"), code("noSocket")), ("EINVAL".into(), "EINVAL".into()));
    }
}

#[test]
fn a_port_that_needs_a_privilege_is_eacces_for_a_daemon_that_has_none() {
    let port = privileged();
    let mut tried = 0;
    for node in each_node() {
        // A Node in a folder that is closed to others can be run by nobody else.
        let Some(fleet) = Fleet::unprivileged(&node, &[SCRIPT]) else { continue };
        let seen = fails_as_under_node(&fleet, &port);
        tried += 1;
        for name in ["privileged", "privilegedTls", "privilegedUdp"] {
            assert!(port.is_empty() || seen[name]["code"] == "EACCES", "Node {}: {}", node.major, seen[name]);
        }
        assert_eq!(seen["closedFolder"]["code"], "EACCES", "{}", seen["closedFolder"]);
    }
    assert!(tried > 0, "no Node of {} can be run by another user", each_node().len());
}
