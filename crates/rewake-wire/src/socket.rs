//! A listening socket that is made for an app and handed to its processes: what is asked for, and what there is. Never opens one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One socket that an app asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketSpec {
    /// What its processes find it under in `LISTEN_FDNAMES`: printable ASCII without a colon, 1 to 255 bytes.
    pub name: String,
    pub address: SocketAddress,
}

/// Where it listens. A host is an IP literal; without one it is every address of the machine, of IPv6 and IPv4.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SocketAddress {
    /// systemd's `ListenStream`. Port 0 lets the kernel choose.
    Tcp { host: Option<String>, port: u16 },
    /// systemd's `ListenDatagram`.
    Udp { host: Option<String>, port: u16 },
    /// `ListenStream` with an absolute path, and the mode that the file gets.
    Unix { path: String, mode: u32 },
}

/// One socket that there is, for `list` and `describe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketInfo {
    pub name: String,
    /// As in a configuration, with the port that it has.
    pub address: String,
}

/// As in a configuration: `3000`, `127.0.0.1:3000`, `[::1]:3000`, `udp:53`, `unix:/run/app.sock`.
impl fmt::Display for SocketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => ip(f, host.as_deref(), *port),
            Self::Udp { host, port } => {
                f.write_str("udp:")?;
                ip(f, host.as_deref(), *port)
            }
            Self::Unix { path, .. } => write!(f, "unix:{path}"),
        }
    }
}

fn ip(f: &mut fmt::Formatter<'_>, host: Option<&str>, port: u16) -> fmt::Result {
    match host {
        None => write!(f, "{port}"),
        Some(host) if host.contains(':') => write!(f, "[{host}]:{port}"),
        Some(host) => write!(f, "{host}:{port}"),
    }
}
