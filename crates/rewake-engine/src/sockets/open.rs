//! One socket that is open: how it is made, found again after a daemon's death, and closed. Never decides when.

use std::fmt::Write as _;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rewake_unix::errno::{EACCES, EADDRINUSE};
use rewake_unix::fd;
use rewake_unix::listen::{self, FileId};
use rewake_wire::SocketAddress;
use rewake_wire::keeper::Passed;

use super::AppKey;

/// systemd's own, and the kernel's default limit: what may wait to be accepted while a process is started again.
const BACKLOG: u32 = 4096;

/// The keeper's names of our sockets begin so. Those of the cluster begin with a namespace, which is never empty.
const PREFIX: &str = "\0sockets\0";

/// An open socket.
#[derive(Debug)]
pub(super) struct Open {
    /// Which of the app's sockets it is, whatever the release.
    pub(super) key: String,
    /// The keeper's name for it.
    pub(super) kept: String,
    socket: Rc<OwnedFd>,
    /// The file to remove with it.
    file: Option<(PathBuf, FileId)>,
}

impl Open {
    /// Makes a socket and listens.
    pub(super) fn make(app: &AppKey, key: String, address: &SocketAddress) -> io::Result<Self> {
        let (socket, file) = match address {
            SocketAddress::Tcp { host, port } => (listen::tcp(host.as_deref(), *port, false, BACKLOG)?, None),
            SocketAddress::Udp { host, port } => (udp(host.as_deref(), *port)?, None),
            SocketAddress::Unix { path, mode } => {
                let path = PathBuf::from(path);
                let made = listen::unix_with_mode(&path, *mode, BACKLOG)?;
                (made.socket, Some((path, made.file)))
            }
        };
        let kept = name(app, &key, file.as_ref().map(|(_, file)| *file));
        Ok(Self { key, kept, socket: Rc::new(socket), file })
    }

    /// A socket that an earlier daemon made.
    pub(super) fn inherited(key: String, kept: String, socket: OwnedFd, file: Option<FileId>) -> Self {
        let file = file.and_then(|file| Some((PathBuf::from(path_of(&key)?), file)));
        Self { key, kept, socket: Rc::new(socket), file }
    }

    /// Whether clients find it: an app may have shut it down or removed its file, for all copies.
    pub(super) fn serves(&self) -> bool {
        match &self.file {
            Some((path, ours)) => self.listens() && listen::file_id(path).is_ok_and(|found| found == *ours),
            None => self.is_udp() || self.listens(),
        }
    }

    fn listens(&self) -> bool {
        listen::is_listening(&*self.socket).unwrap_or(false)
    }

    fn is_udp(&self) -> bool {
        self.key.starts_with("udp:")
    }

    /// Whether a process that accepts or reads waits until there is something, or is told that there is nothing. The flag is one
    /// for all copies, so it is set while no process has one.
    ///
    /// Node wants it never to wait: it sets that itself, but must not be surprised by a sibling. Every other program gets what systemd
    /// gives it; those that want it otherwise (Go, asyncio, gunicorn) set it themselves.
    pub(super) fn wait_or_not(&self, node: bool) {
        let done = if node { fd::set_nonblocking(&*self.socket) } else { fd::set_blocking(&*self.socket) };
        if let Err(error) = done {
            tracing::warn!(socket = self.key, "its flags cannot be set: {error}");
        }
    }

    /// Gives its file the mode that is asked for now.
    pub(super) fn give_mode(&self, address: &SocketAddress) {
        let (SocketAddress::Unix { mode, .. }, Some((path, file))) = (address, &self.file) else { return };
        if let Err(error) = listen::set_mode(path, *file, *mode) {
            tracing::warn!(path = %path.display(), "the mode of a socket file cannot be set: {error}");
        }
    }

    pub(super) fn shared(&self) -> Rc<OwnedFd> {
        Rc::clone(&self.socket)
    }

    pub(super) fn passed(&self, name: &str) -> Passed {
        Passed { kept: self.kept.clone(), name: name.to_owned() }
    }

    /// The address, with the port that it has.
    pub(super) fn address(&self, asked: &SocketAddress) -> String {
        let port = |port: u16| listen::local_port(&*self.socket).unwrap_or(port);
        match asked.clone() {
            SocketAddress::Tcp { host, port: 0 } => SocketAddress::Tcp { host, port: port(0) },
            SocketAddress::Udp { host, port: 0 } => SocketAddress::Udp { host, port: port(0) },
            other @ (SocketAddress::Tcp { .. } | SocketAddress::Udp { .. } | SocketAddress::Unix { .. }) => other,
        }
        .to_string()
    }

    /// The IP address that it has, if it has one.
    pub(super) fn ip(&self) -> Option<std::net::SocketAddr> {
        listen::local_address(&*self.socket).ok()
    }

    /// Whether it is a socket of this kind at this address: TCP and UDP do not hinder each other.
    pub(super) fn hinders(&self, address: &SocketAddress) -> bool {
        match address {
            SocketAddress::Tcp { host, port } => !self.is_udp() && self.holds(host.as_deref(), *port),
            SocketAddress::Udp { host, port } => self.is_udp() && self.holds(host.as_deref(), *port),
            SocketAddress::Unix { path, .. } => self.file.as_ref().is_some_and(|(held, _)| held == Path::new(path)),
        }
    }

    fn holds(&self, host: Option<&str>, port: u16) -> bool {
        let wanted: Option<std::net::IpAddr> = host.and_then(|host| host.split('%').next()?.parse().ok());
        self.ip().is_some_and(|held| {
            let every = held.ip().is_unspecified() || wanted.is_none_or(|ip| ip.is_unspecified());
            held.port() == port && (every || wanted == Some(held.ip()))
        })
    }

    /// Refuses clients from now on, and removes its file; the keeper is told by the caller.
    pub(super) fn close(&self) {
        if let Some((path, ours)) = &self.file
            && let Err(error) = listen::remove(path, *ours)
        {
            tracing::warn!(path = %path.display(), "socket file cannot be removed: {error}");
        }
        // The keeper's copy is closed a moment later. Until then a client must not be let in to wait for nobody. One that does not
        // listen cannot be stopped from it, which is as good.
        let _ = listen::stop_listening(&*self.socket);
    }
}

/// Without a host: of both stacks, or of IPv4 alone where there is no IPv6.
fn udp(host: Option<&str>, port: u16) -> io::Result<OwnedFd> {
    let Some(host) = host else {
        return listen::udp(None, port, true, false, false).or_else(|error| match error.raw_os_error() {
            // These say something of the port, not of IPv6.
            Some(EADDRINUSE | EACCES) => Err(error),
            Some(_) | None => listen::udp(None, port, false, false, false),
        });
    };
    listen::udp(Some(host), port, host.contains(':'), false, false)
}

/// The keeper's name: app, key, and which file is ours.
fn name((name, namespace): &AppKey, key: &str, file: Option<FileId>) -> String {
    let mut text = format!("{PREFIX}{namespace}\0{name}\0{key}\0");
    if let Some(FileId { device, inode }) = file {
        // Writing to a string cannot fail.
        let _ = write!(text, "{device}:{inode}");
    }
    text
}

/// What such a name says. `None`: it is none of ours.
pub(super) fn read_name(text: &str) -> Option<(AppKey, String, Option<FileId>)> {
    let parts: Vec<&str> = text.strip_prefix(PREFIX)?.split('\0').collect();
    let [namespace, name, key, file] = parts[..] else { return None };
    let file = file
        .split_once(':')
        .and_then(|(device, inode)| Some(FileId { device: device.parse().ok()?, inode: inode.parse().ok()? }));
    Some(((name.to_owned(), namespace.to_owned()), key.to_owned(), file))
}

fn path_of(key: &str) -> Option<&str> {
    key.strip_prefix("unix:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whose_socket_it_is_and_which_file() {
        let app = ("web:1".to_owned(), "default".to_owned());
        for (key, file) in [("127.0.0.1:0#2", None), ("unix:/x", Some(FileId { device: 3, inode: 1 << 40 }))] {
            let name = name(&app, key, file);
            assert_eq!(read_name(&name), Some((app.clone(), key.to_owned(), file)));
        }
        // As the cluster names its own.
        assert_eq!(read_name("sockets\0web\0key"), None);
        assert_eq!(read_name("\0sockets\0a\0b"), None);
    }

    #[test]
    fn one_that_an_app_has_shut_down_no_longer_serves_and_can_be_made_anew() {
        let app = ("web".to_owned(), "default".to_owned());
        let make = |port| {
            let address = SocketAddress::Tcp { host: Some("127.77.1.1".into()), port };
            Open::make(&app, address.to_string(), &address).unwrap()
        };
        let open = make(0);
        assert!(open.serves());
        listen::stop_listening(&*open.socket).unwrap();
        assert!(!open.serves());
        // While copies of it live on, as in the app's processes.
        assert!(make(open.ip().unwrap().port()).serves());
    }

    #[test]
    fn what_is_in_the_way_of_what() {
        let app = ("web".to_owned(), "default".to_owned());
        let make = |address: &SocketAddress| Open::make(&app, address.to_string(), address).unwrap();
        let tcp = |host: Option<&str>, port| SocketAddress::Tcp { host: host.map(str::to_owned), port };
        let udp = |host: Option<&str>, port| SocketAddress::Udp { host: host.map(str::to_owned), port };
        let one = make(&tcp(Some("127.77.1.2"), 0));
        let port = one.ip().unwrap().port();
        for host in [None, Some("0.0.0.0"), Some("::"), Some("127.77.1.2")] {
            assert!(one.hinders(&tcp(host, port)) && !one.hinders(&udp(host, port)), "{host:?}");
        }
        assert!(!one.hinders(&tcp(Some("127.77.1.3"), port)) && !one.hinders(&tcp(None, port ^ 1)));
        let datagrams = make(&udp(None, 0));
        let port = datagrams.ip().unwrap().port();
        assert!(datagrams.hinders(&udp(Some("127.77.1.3"), port)) && !datagrams.hinders(&tcp(None, port)));
        let folder = tempfile::tempdir().unwrap();
        let path =
            |name: &str| SocketAddress::Unix { path: folder.path().join(name).display().to_string(), mode: 0o600 };
        let file = make(&path("a"));
        assert!(file.hinders(&path("a")) && !file.hinders(&path("b")) && !file.hinders(&tcp(None, port)));
        file.close();
        assert!(!folder.path().join("a").exists());
    }
}
