//! SO_REUSEPORT groups: several listening sockets on one address, and a program in the kernel that chooses among them. Never shares
//! the address with a stranger that was there first, and never asks for rights.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::sockopt::{Ipv6V6Only, ReusePort};
use nix::sys::socket::{Shutdown, SockType, SockaddrStorage, connect, getsockopt, setsockopt, shutdown};

use super::address::{bind_to, first_of, is_listening, local_address, open, open_tcp, start};
pub use super::steer::Choice;
use super::steer::{Instruction, MOST_INSTRUCTIONS, program};
use crate::poll;
use crate::sys::check;

/// All sockets that listen on one address, in the kernel's order. The kernel numbers them by when they joined; when one leaves, the
/// last takes its number. Copies of a socket are the same member.
///
/// Another process of the same user may join while the group lives, if it asks for SO_REUSEPORT; the kernel has no way to keep it
/// out, and the numbers of those that join after it are then off by one.
#[derive(Debug)]
pub struct Group {
    members: Vec<OwnedFd>,
    address: SocketAddr,
    ipv6_only: bool,
    backlog: u32,
    /// What the kernel was given last, as far as this process knows.
    attached: Option<Vec<Instruction>>,
}

impl Group {
    /// A group with one member. Arguments as for [`tcp`](super::tcp).
    ///
    /// # Errors
    /// As for [`tcp`](super::tcp): an address that somebody else uses is `EADDRINUSE`, even if they would share it. `ENOPROTOOPT`
    /// where the kernel knows no SO_REUSEPORT.
    pub fn first(host: Option<&str>, port: u16, ipv6_only: bool, backlog: u32) -> io::Result<Self> {
        let socket = first_of(host, port, |address| first_member(address, ipv6_only, backlog))?;
        Self::of(vec![socket], backlog)
    }

    /// The group of sockets that were made by an earlier process, in the kernel's order.
    ///
    /// # Errors
    /// `EINVAL` when there is none, or one does not listen, or not on the address of the others. Which members do listen is told by
    /// [`is_listening`]: one that left meanwhile is to be taken out as [`Group::leave`] would have.
    pub fn restore(members: Vec<OwnedFd>, backlog: u32) -> io::Result<Self> {
        let group = Self::of(members, backlog)?;
        for member in &group.members {
            let shared = getsockopt(member, ReusePort)?;
            if !shared || !is_listening(member)? || local_address(member)? != group.address {
                return Err(invalid());
            }
        }
        Ok(group)
    }

    fn of(members: Vec<OwnedFd>, backlog: u32) -> io::Result<Self> {
        let first = members.first().ok_or_else(invalid)?;
        let address = local_address(first)?;
        let ipv6_only = address.is_ipv6() && getsockopt(first, Ipv6V6Only)?;
        Ok(Self { members, address, ipv6_only, backlog, attached: None })
    }

    /// One more socket on the address. It is the last member, whose index is returned. A program that was given before does not choose
    /// it yet. The first one after all have left makes the group anew, at the same address and without a program.
    ///
    /// # Errors
    /// `EADDRINUSE` when all had left and the address went to another; `EMFILE`, …; `E2BIG` from 65,536 members on.
    pub fn join(&mut self) -> io::Result<u16> {
        let index = u16::try_from(self.members.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
        let socket = if self.members.is_empty() {
            first_member(self.address, self.ipv6_only, self.backlog)?
        } else {
            later_member(self.address, self.ipv6_only, self.backlog)?
        };
        self.members.push(socket);
        Ok(index)
    }

    /// Takes a member out of the group, at once and whoever holds copies of it; connections in its queue are reset. The former
    /// last member has its index from now on, so the program must be given anew: until then connections may go to any member.
    /// Returns the former index of the member that moved, if one did.
    ///
    /// To lose nothing: [`steer`](Self::steer) to the others, let the handshakes under way end, and empty the queue. A worker must
    /// have closed its copy, or its next `accept` fails.
    ///
    /// # Errors
    /// `EINVAL` when there is no such member. It has not left then.
    pub fn leave(&mut self, index: u16) -> io::Result<Option<u16>> {
        let at = usize::from(index);
        let leaving = self.members.get(at).ok_or_else(invalid)?;
        match shutdown(leaving.as_raw_fd(), Shutdown::Both) {
            // Not connected: some copy was shut down before, and the kernel has made the move already.
            Ok(()) | Err(Errno::ENOTCONN) => {}
            Err(error) => return Err(error.into()),
        }
        self.members.swap_remove(at);
        if self.members.is_empty() {
            // The program went with the last one.
            self.attached = None;
        }
        Ok(u16::try_from(self.members.len()).ok().filter(|&last| last != index))
    }

    /// Sends new connections to these members only, from the next one on; those that have begun stay where they are. With nobody
    /// live the last program stays, as there is none for "nobody". What the numbers are, one for each of `live`, says [`Choice`].
    ///
    /// # Errors
    /// `EINVAL` for an index that is no member, or another count of numbers; `E2BIG` for too many members (over 2,047 by chance, over
    /// 338 by client address), `ENOMEM` on older kernels from about 1,200 on. The last program then stays.
    pub fn steer(&mut self, live: &[u16], numbers: Option<&[u32]>, by: Choice) -> io::Result<()> {
        let known = live.iter().all(|&index| usize::from(index) < self.members.len());
        if !known || numbers.is_some_and(|numbers| numbers.len() != live.len()) {
            return Err(invalid());
        }
        let Some(program) = program(live, numbers, by) else { return Ok(()) };
        if program.len() > MOST_INSTRUCTIONS {
            return Err(io::Error::from_raw_os_error(libc::E2BIG));
        }
        if self.attached.as_ref() != Some(&program) {
            let member = self.members.first().ok_or_else(invalid)?;
            attach(member.as_fd(), &program)?;
            self.attached = Some(program);
        }
        Ok(())
    }

    /// The socket of an index.
    #[must_use]
    pub fn member(&self, index: u16) -> Option<BorrowedFd<'_>> {
        self.members.get(usize::from(index)).map(AsFd::as_fd)
    }

    /// All sockets in the order of their indexes.
    pub fn members(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.members.iter().map(AsFd::as_fd)
    }

    /// How many sockets there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether every socket has left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The address of all, with the port that the kernel chose if none was given.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Whether groups and their programs do here what they should: tried on loopback with real connections, as some kernels take the
/// options and ignore them. Takes less than a millisecond where it works. False also where it cannot be tried.
#[must_use]
pub fn supported() -> bool {
    try_both_ways().unwrap_or(false)
}

fn try_both_ways() -> io::Result<bool> {
    let mut group = Group::first(Some("127.0.0.1"), 0, false, 8)?;
    group.join()?;
    for index in [1, 0] {
        group.steer(&[index], None, Choice::Random)?;
        let client = open(group.address, SockType::Stream)?;
        match connect(client.as_raw_fd(), &SockaddrStorage::from(group.address)) {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let watched: Vec<_> = group.members().map(|member| (member, poll::Interest::Read)).collect();
        // On loopback it is there already; a second is for a kernel that is not Linux but says so.
        let ready = poll::wait(&watched, Some(Duration::from_secs(1)))?;
        let expected = [index == 0, index == 1];
        if ready != expected {
            return Ok(false);
        }
        if let Some(member) = group.member(index) {
            super::accept_nonblocking(member)?;
        }
    }
    Ok(true)
}

fn first_member(address: SocketAddr, ipv6_only: bool, backlog: u32) -> io::Result<OwnedFd> {
    let socket = open_tcp(address, ipv6_only)?;
    // The option comes after `bind`, which refuses an address in use only without it, and before `listen`, by which the group is
    // made.
    bind_to(&socket, address)?;
    setsockopt(&socket, ReusePort, &true)?;
    start(socket.as_fd(), backlog)?;
    Ok(socket)
}

fn later_member(address: SocketAddr, ipv6_only: bool, backlog: u32) -> io::Result<OwnedFd> {
    let socket = open_tcp(address, ipv6_only)?;
    setsockopt(&socket, ReusePort, &true)?;
    bind_to(&socket, address)?;
    start(socket.as_fd(), backlog)?;
    Ok(socket)
}

fn attach(member: BorrowedFd<'_>, program: &[Instruction]) -> io::Result<()> {
    let mut filters: Vec<libc::sock_filter> = program
        .iter()
        .map(|one| libc::sock_filter { code: one.code, jt: one.if_true, jf: one.if_false, k: one.k })
        .collect();
    let length = u16::try_from(filters.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
    let whole = libc::sock_fprog { len: length, filter: filters.as_mut_ptr() };
    // SAFETY: `whole` and the `len` instructions it points to live through the call, and the kernel copies them.
    check(unsafe {
        libc::setsockopt(
            member.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const whole).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    })?;
    Ok(())
}

fn invalid() -> io::Error {
    io::Error::from_raw_os_error(libc::EINVAL)
}
