//! Tells that a connection has arrived at one of many listening sockets: once each time it was asked to. Never accepts, and costs nothing
//! for each further connection.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// Told by one [`Arrivals::take`] at most.
const AT_ONCE: usize = 256;

/// The sockets that are watched. Is itself a descriptor that is readable when there is something to [`take`](Self::take).
#[derive(Debug)]
pub struct Arrivals(Epoll);

impl Arrivals {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// `EMFILE`, or out of memory.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?))
    }

    /// Tells `token` once, as soon as a connection waits at this socket; at once if one does already. Asked again before it was told,
    /// it is told once.
    ///
    /// # Errors
    /// `ENOSPC` and `ENOMEM` when the kernel watches too many already.
    pub fn ask(&self, socket: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let mut once = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLONESHOT, token);
        match self.0.modify(socket, &mut once) {
            Err(Errno::ENOENT) => Ok(self.0.add(socket, once)?),
            other => Ok(other?),
        }
    }

    /// Watches a socket no more. To be called before it is closed: as long as another process has a copy, the kernel would go on.
    pub fn forget(&self, socket: BorrowedFd<'_>) {
        // It was never watched: nothing to do.
        let _ = self.0.delete(socket);
    }

    /// Tokens of the sockets at which connections have arrived, some at a time; empty when there are no more.
    ///
    /// # Errors
    /// None that a caller could do something about.
    pub fn take(&self) -> io::Result<Vec<u64>> {
        let mut events = [EpollEvent::empty(); AT_ONCE];
        let count = match self.0.wait(&mut events, EpollTimeout::ZERO) {
            Err(Errno::EINTR) => 0,
            other => other?,
        };
        Ok(events.iter().take(count).map(EpollEvent::data).collect())
    }
}

impl AsFd for Arrivals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}

impl AsRawFd for Arrivals {
    fn as_raw_fd(&self) -> RawFd {
        self.0.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::time::Duration;

    use super::*;
    use crate::listen::{accept_nonblocking, local_port, tcp};
    use crate::poll::{Interest, wait};

    fn told(arrivals: &Arrivals) -> Vec<u64> {
        wait(&[(arrivals.as_fd(), Interest::Read)], Some(Duration::from_secs(60))).unwrap();
        arrivals.take().unwrap()
    }

    #[test]
    fn an_arrival_is_told_once_for_each_time_it_was_asked_for() {
        let arrivals = Arrivals::new().unwrap();
        let socket = tcp(Some("127.0.0.1"), 0, false, 8).unwrap();
        let port = local_port(&socket).unwrap();
        arrivals.ask(socket.as_fd(), 7).unwrap();
        assert_eq!(arrivals.take().unwrap(), []);
        let _first = TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert_eq!(told(&arrivals), [7]);
        let _second = TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert_eq!(arrivals.take().unwrap(), []);
        // Both still wait, so that is told at once.
        arrivals.ask(socket.as_fd(), 8).unwrap();
        assert_eq!(told(&arrivals), [8]);
        for _ in 0..2 {
            // The client is connected one packet before the listener has it.
            wait(&[(socket.as_fd(), Interest::Read)], Some(Duration::from_secs(60))).unwrap();
            accept_nonblocking(socket.as_fd()).unwrap();
        }
        arrivals.ask(socket.as_fd(), 9).unwrap();
        assert_eq!(arrivals.take().unwrap(), []);
        arrivals.forget(socket.as_fd());
        let _third = TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert_eq!(arrivals.take().unwrap(), []);
        arrivals.forget(socket.as_fd());
    }
}
