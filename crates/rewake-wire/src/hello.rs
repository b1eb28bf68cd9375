//! The handshake: the first frame of each side. Never more than what both need to decide whether to go on, and never changed: with
//! another version of the protocol one can still be updated.

use serde::{Deserialize, Serialize};

/// Version of the RPC protocol. Raised when an older side could misunderstand a frame.
pub const PROTOCOL: u32 = 1;

/// First frame of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Always `"rewake"`: tells a stray program apart.
    pub hello: String,
    pub protocol: u32,
    /// Version of the client's package.
    pub version: String,
}

/// First frame of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    pub protocol: u32,
    pub version: String,
    /// Process id of the daemon.
    pub pid: u32,
    /// Process id of the keeper.
    pub keeper_pid: u32,
    pub home: String,
}

impl Hello {
    /// This build's greeting.
    #[must_use]
    pub fn ours() -> Self {
        Self { hello: "rewake".into(), protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").into() }
    }
}
