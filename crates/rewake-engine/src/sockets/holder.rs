//! Why a socket cannot be opened, in words, and who has its address. A guess for a person to read: nothing is done upon it.

use std::io;
use std::path::Path;

use rewake_unix::errno::{EACCES, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, ENAMETOOLONG, ENOENT, ENOTDIR};
use rewake_unix::listen::{self, Transport};
use rewake_unix::proc;
use rewake_wire::SocketAddress;

use super::{AppKey, Open, key_of};
use crate::engine::Engine;

/// Ports below this one are for root, unless the system says otherwise.
const FIRST_FREE_PORT: u16 = 1024;

impl Engine {
    /// A sentence for the error that came of listening somewhere.
    pub(crate) fn why_refused(&self, app: &AppKey, address: &SocketAddress, error: &io::Error) -> String {
        self.why_not(app, &[], address, error)
    }

    /// A sentence for the error that came of opening a socket; `made` are those that were just opened for the same app.
    pub(super) fn why_not(&self, app: &AppKey, made: &[Open], address: &SocketAddress, error: &io::Error) -> String {
        let what = match error.raw_os_error() {
            Some(EADDRINUSE) => self.holder(app, made, address),
            Some(EADDRNOTAVAIL) => "this machine has no such address".to_owned(),
            Some(EAFNOSUPPORT) => "this machine has no IPv6".to_owned(),
            Some(EACCES) => no_permission(address),
            Some(ENOENT | ENOTDIR) => format!("there is no folder `{}`", folder(address)),
            Some(ENAMETOOLONG) => "the path is too long".to_owned(),
            Some(_) | None => error.to_string(),
        };
        format!("socket `{address}` cannot be opened: {what}")
    }

    fn holder(&self, app: &AppKey, made: &[Open], address: &SocketAddress) -> String {
        if let Some(open) = made.iter().chain(self.sockets.of(app)).find(|open| open.hinders(address)) {
            return format!("its own socket `{}` is in the way", open.key);
        }
        let others = self.sockets.apps.iter().filter(|(other, _)| *other != app);
        if let Some((other, _)) = { others }.find(|(_, sockets)| sockets.iter().any(|open| open.hinders(address))) {
            return format!("it is in use by app {}", shown(other));
        }
        if let Some(other) = self.clusters.app_on(address).filter(|other| *other != app) {
            return format!("it is in use by app {}", shown(other));
        }
        let pids = match address {
            SocketAddress::Tcp { port, .. } => listen::owners_of_port(Transport::Tcp, *port),
            SocketAddress::Udp { port, .. } => listen::owners_of_port(Transport::Udp, *port),
            SocketAddress::Unix { path, .. } => listen::owner_of_path(Path::new(path)).into_iter().collect(),
        };
        if let Some((pid, owner)) = pids.iter().find_map(|pid| Some((pid, self.app_of_process(*pid)?))) {
            return if owner == *app {
                format!("its own process {pid} listens there by itself; stop the app, then start it anew")
            } else {
                format!("it is in use by app {} (process {pid})", shown(&owner))
            };
        }
        match pids.iter().find(|pid| !self.is_us(**pid)) {
            Some(pid) => match proc::name(*pid) {
                Ok(name) => format!("it is in use by process {pid} (`{}`)", name.escape_debug()),
                Err(_) => format!("it is in use by process {pid}"),
            },
            None if !pids.is_empty() => "this supervisor holds it for an app in cluster mode".to_owned(),
            None => match address {
                SocketAddress::Tcp { .. } | SocketAddress::Udp { .. } => "it is in use by another program".to_owned(),
                SocketAddress::Unix { .. } => "somebody else's file is there".to_owned(),
            },
        }
    }

    /// The app that a process belongs to: each run leads a session of its own.
    fn app_of_process(&self, pid: u32) -> Option<AppKey> {
        let session = proc::stat(pid).ok().map(|stat| stat.session);
        let is_of = |run: &&crate::run::Run| run.pid.is_some() && (run.pid == Some(pid) || run.pid == session);
        let slot = self.runs.values().find(is_of)?.slot;
        self.sheets.get(&slot).map(key_of)
    }

    fn is_us(&self, pid: u32) -> bool {
        pid == std::process::id() || pid == self.holding.keeper_pid.get()
    }
}

fn shown((name, namespace): &AppKey) -> String {
    if namespace == "default" { format!("`{name}`") } else { format!("`{name}` of namespace `{namespace}`") }
}

fn no_permission(address: &SocketAddress) -> String {
    match address {
        SocketAddress::Tcp { port, .. } | SocketAddress::Udp { port, .. } if *port < FIRST_FREE_PORT => {
            format!("permission denied (ports below {FIRST_FREE_PORT} are for root)")
        }
        SocketAddress::Tcp { .. } | SocketAddress::Udp { .. } => "permission denied".to_owned(),
        SocketAddress::Unix { .. } => format!("permission denied in the folder `{}`", folder(address)),
    }
}

fn folder(address: &SocketAddress) -> String {
    match address {
        SocketAddress::Unix { path, .. } => {
            Path::new(path).parent().map_or_else(String::new, |folder| folder.display().to_string())
        }
        SocketAddress::Tcp { .. } | SocketAddress::Udp { .. } => String::new(),
    }
}
