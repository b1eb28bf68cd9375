//! The socket of the service manager that started this process (`sd_notify`). Datagrams, as many as there is to say; never waits.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, sendto, socket};

use crate::sys::retry;

/// The variable that names the socket.
pub const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";

/// A service manager that listens.
#[derive(Debug)]
pub struct Notify {
    socket: OwnedFd,
    manager: UnixAddr,
}

impl Notify {
    /// Speaks to the socket of this address: a path, or an abstract name behind an `@`.
    ///
    /// # Errors
    /// `InvalidInput` for any other address; too many open descriptors.
    pub fn to(address: &OsStr) -> io::Result<Self> {
        let manager = match address.as_bytes() {
            [b'@', name @ ..] => UnixAddr::new_abstract(name)?,
            [b'/', ..] => UnixAddr::new(address)?,
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        Ok(Self { socket: socket(AddressFamily::Unix, SockType::Datagram, flags, None)?, manager })
    }

    /// Says it: `KEY=value`, one a line.
    ///
    /// # Errors
    /// `WouldBlock` when the manager does not keep up; when nobody is there.
    pub fn say(&self, text: &str) -> io::Result<()> {
        let flags = MsgFlags::MSG_NOSIGNAL;
        retry(|| Ok(sendto(self.socket.as_raw_fd(), text.as_bytes(), &self.manager, flags)?)).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    use super::*;
    use crate::testing::Scratch;

    fn heard(manager: &UnixDatagram) -> String {
        let mut buffer = [0; 100];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_path_and_an_abstract_name_are_spoken_to() {
        let scratch = Scratch::new();
        let path = scratch.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        Notify::to(path.as_os_str()).unwrap().say("READY=1").unwrap();
        assert_eq!(heard(&manager), "READY=1");

        let name = format!("rewake-test-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Notify::to(OsStr::new(&format!("@{name}"))).unwrap().say("STOPPING=1").unwrap();
        assert_eq!(heard(&manager), "STOPPING=1");
    }

    #[test]
    fn what_is_no_address_or_has_no_listener_is_an_error() {
        for address in ["", "relative", "vsock:2:1234"] {
            assert!(Notify::to(OsStr::new(address)).is_err(), "{address}");
        }
        assert!(Notify::to(OsStr::new("/no/such/socket")).unwrap().say("READY=1").is_err());
    }
}
