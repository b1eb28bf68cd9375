//! What a worker wants to listen on, and the key that means the same address to all workers. Never looks a name up.

use super::message::Query;

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// TCP. Without a host: `::` for both families, `0.0.0.0` where there is no IPv6.
    Tcp { host: Option<String>, port: u16, ipv6_only: bool },
    /// A Unix socket; the modes say who may connect beside the owner.
    Unix { path: String, readable_all: bool, writable_all: bool },
    /// UDP.
    Udp { host: Option<String>, port: u16, ipv6: bool, ipv6_only: bool, reuse_address: bool },
}

/// `UV_TCP_IPV6ONLY` and `UV_UDP_IPV6ONLY`.
const IPV6_ONLY: i64 = 1;
/// `UV_UDP_REUSEADDR`.
const REUSE_ADDRESS: i64 = 4;

impl Listen {
    /// The address of a query; `None` for what cannot be served: a descriptor by number, or no address at all.
    pub(super) fn of(query: &Query) -> Option<Self> {
        let flags = query.flags.unwrap_or(0);
        let port = || u16::try_from(query.port?).ok();
        match query.address_type.as_deref() {
            Some("4" | "6") => {
                Some(Self::Tcp { host: query.address.clone(), port: port()?, ipv6_only: flags & IPV6_ONLY != 0 })
            }
            Some("-1") => Some(Self::Unix {
                path: query.address.clone()?,
                readable_all: query.readable_all,
                writable_all: query.writable_all,
            }),
            Some(kind @ ("udp4" | "udp6")) => Some(Self::Udp {
                host: query.address.clone(),
                port: port()?,
                ipv6: kind == "udp6",
                ipv6_only: flags & IPV6_ONLY != 0,
                reuse_address: flags & REUSE_ADDRESS != 0,
            }),
            Some(_) | None => None,
        }
    }

    /// The same address with port 0, and the port; `None` where there is no port.
    pub(super) fn with_port_zero(&self) -> Option<(Self, u16)> {
        let mut zero = self.clone();
        match &mut zero {
            Self::Tcp { port, .. } | Self::Udp { port, .. } => {
                let asked = std::mem::take(port);
                Some((zero, asked))
            }
            Self::Unix { .. } => None,
        }
    }

    /// Node's name for the kind of its descriptor.
    pub(super) fn handle_type(&self) -> &'static str {
        match self {
            Self::Tcp { .. } | Self::Unix { .. } => "net.Native",
            Self::Udp { .. } => "dgram.Native",
        }
    }

    /// Whether its connections can be given out one by one.
    pub(super) fn has_connections(&self) -> bool {
        match self {
            Self::Tcp { .. } | Self::Unix { .. } => true,
            Self::Udp { .. } => false,
        }
    }
}

/// The key of an address, the same for every worker and, on a fixed port, for every order in which servers are made.
/// As Node 22 and later make it, for workers of every version: `index` counts only where the port is 0.
pub(super) fn key(query: &Query) -> String {
    let show = |number: Option<i64>| number.map_or_else(|| "null".to_owned(), |number| number.to_string());
    let mut key = format!(
        "{}:{}:{}:{}",
        query.address.as_deref().unwrap_or("null"),
        show(query.port),
        query.address_type.as_deref().unwrap_or("null"),
        query.fd.map_or_else(|| "undefined".to_owned(), |fd| fd.to_string()),
    );
    if query.port == Some(0) {
        key.push(':');
        key.push_str(&show(query.index));
    }
    key
}
