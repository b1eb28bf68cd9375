//! The daemon's (or embedding program's) end of the link to its keeper. Never waits, and never keeps a queue.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rewake_unix::{fd, fdpass, memfd};
use rewake_wire::keeper::{Adopted, MAX_PACKET_BYTES, MAX_PLAN_BYTES, Order, Plan, Report};

use crate::config::LINK_FD;

/// Orders go in, reports with descriptors come out.
#[derive(Debug)]
pub struct Link {
    socket: OwnedFd,
}

impl Link {
    /// A link over this end of a packet socket pair.
    ///
    /// # Errors
    /// When it is no open socket.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        fd::set_nonblocking(&socket)?;
        fd::set_cloexec(&socket)?;
        Ok(Self { socket })
    }

    /// The link that the keeper gave to the daemon it started. Call it once, before anything else is opened.
    ///
    /// # Errors
    /// When this program was not started by a keeper.
    pub fn inherited() -> io::Result<Self> {
        Self::new(fd::adopt(LINK_FD)?)
    }

    /// Sends an order, other than `Spawn` (which needs [`Link::spawn`]).
    ///
    /// # Errors
    /// `WouldBlock` when the keeper does not keep up: wait until writable and try again. `BrokenPipe` when it is gone.
    pub fn order(&self, order: &Order) -> io::Result<()> {
        self.send(order, &[])
    }

    /// Gives the keeper a descriptor to hold for daemons to come.
    ///
    /// # Errors
    /// As [`Link::order`].
    pub fn keep(&self, name: &str, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.send(&Order::Keep { name: name.to_owned() }, &[fd])
    }

    /// Gives a keeper a run of one before it.
    ///
    /// # Errors
    /// As [`Link::order`].
    pub fn adopt(&self, adopted: &Adopted, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.send(&Order::Adopt(adopted.clone()), fds)
    }

    /// Orders a process. The outcome is a report, `Spawned` or `SpawnFailed`.
    ///
    /// # Errors
    /// As [`Link::order`]; `FileTooLarge` for a plan that is larger than any program could be given; `EMFILE`.
    pub fn spawn(&self, run: u64, tag: &str, plan: &Plan) -> io::Result<()> {
        let plan = serde_json::to_vec(plan)?;
        if plan.len() > MAX_PLAN_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let plan = memfd::from_bytes("rewake-plan", &plan)?;
        self.send(&Order::Spawn { run, tag: tag.to_owned() }, &[plan.as_fd()])
    }

    /// The next report with its descriptors; `None` once the keeper is gone. There are fewer descriptors than the report
    /// names when this process has too many open.
    ///
    /// # Errors
    /// `WouldBlock` when there is none yet. `InvalidData` for one that cannot be understood; the next call goes on behind it.
    pub fn try_recv(&self) -> io::Result<Option<(Report, Vec<OwnedFd>)>> {
        let mut buffer = [0; MAX_PACKET_BYTES];
        let received = match fdpass::recv(self.socket.as_fd(), &mut buffer) {
            // The keeper died with orders of ours unread. What it has sent before comes after this error.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                fdpass::recv(self.socket.as_fd(), &mut buffer)?
            }
            other => other?,
        };
        if received.bytes == 0 {
            return Ok(None);
        }
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        if received.cut {
            return Err(invalid("report longer than agreed"));
        }
        let packet = buffer.get(..received.bytes).unwrap_or_default();
        let report = serde_json::from_slice(packet).map_err(|error| invalid(&error.to_string()))?;
        Ok(Some((report, received.fds)))
    }

    fn send(&self, order: &Order, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let packet = serde_json::to_vec(order)?;
        if packet.len() > MAX_PACKET_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        fdpass::send(self.socket.as_fd(), &packet, fds).map(drop)
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Link {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}
