//! Bytes with descriptors beside them over unix sockets (SCM_RIGHTS). Never loses a received descriptor, never waits.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use crate::sys::{check_long, retry};

/// Most descriptors beside one packet. A spawned run has five; Node sends one at a time.
pub const MAX_FDS: usize = 16;

/// Room for one control message of [`MAX_FDS`] descriptors, in words because `cmsghdr` wants that alignment.
const CONTROL_WORDS: usize = 12;
const _: () = {
    // SAFETY: CMSG_SPACE only computes a size.
    let needed = unsafe { libc::CMSG_SPACE((MAX_FDS * size_of::<RawFd>()) as u32) } as usize;
    assert!(needed <= CONTROL_WORDS * size_of::<u64>());
};

/// What one `recvmsg` brought.
#[derive(Debug)]
pub struct Received {
    /// Bytes in the buffer; 0 is the end of the connection.
    pub bytes: usize,
    /// Descriptors that came beside them, close-on-exec.
    pub fds: Vec<OwnedFd>,
    /// Some descriptors were lost (this process has too many open, or more than [`MAX_FDS`] were sent).
    pub fds_lost: bool,
    /// The packet was longer than the buffer; its end is lost. Never on a stream.
    pub cut: bool,
}

/// Two connected sockets that keep packets apart (`SOCK_SEQPACKET`), close-on-exec and non-blocking.
///
/// # Errors
/// `EMFILE`.
pub fn packet_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?)
}

/// Two connected stream sockets, close-on-exec; the first is non-blocking.
///
/// # Errors
/// `EMFILE`.
pub fn stream_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?;
    crate::fd::set_nonblocking(&ours)?;
    Ok((ours, theirs))
}

/// Sends bytes with descriptors beside the first of them: a whole packet, or as much as fits of a stream. Returns how much.
///
/// # Errors
/// `WouldBlock` when nothing fits; `EPIPE` (no signal) when the other end is closed; `InvalidInput` for more than [`MAX_FDS`];
/// `ETOOMANYREFS` when too many descriptors are under way.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    if fds.len() > MAX_FDS {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control = [0u64; CONTROL_WORDS];
    // SAFETY: msghdr is plain data for which all zeroes is a value.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    if !fds.is_empty() {
        let length = size_of_val(fds) as u32;
        message.msg_control = control.as_mut_ptr().cast();
        // SAFETY: CMSG_SPACE only computes a size.
        message.msg_controllen = unsafe { libc::CMSG_SPACE(length) } as _;
        // SAFETY: the control buffer is aligned and, by the check at its definition, large enough for a header and
        // `length` bytes of data; CMSG_FIRSTHDR and CMSG_DATA stay within it.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(length) as _;
            let data = libc::CMSG_DATA(header).cast::<RawFd>();
            for (at, fd) in fds.iter().enumerate() {
                data.add(at).write_unaligned(fd.as_raw_fd());
            }
        }
    }
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: `message` points at `part` and `control`, which outlive the call; `part` at `bytes`, which is only read.
    let sent = retry(|| check_long(unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, flags) } as _))?;
    Ok(sent.unsigned_abs() as usize)
}

/// Receives one packet with its descriptors.
///
/// # Errors
/// `WouldBlock` when there is none.
pub fn recv(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control = [0u64; CONTROL_WORDS];
    // SAFETY: msghdr is plain data for which all zeroes is a value.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
    // SAFETY: `message` points at `part` and `control`, which outlive the call; `part` at `buffer`, which is ours to write.
    let bytes = retry(|| check_long(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) } as _))?;
    Ok(Received {
        bytes: bytes.unsigned_abs() as usize,
        fds: take_fds(&message),
        fds_lost: message.msg_flags & libc::MSG_CTRUNC != 0,
        cut: message.msg_flags & libc::MSG_TRUNC != 0,
    })
}

/// Reads bytes of a stream (Node's IPC channel) and the descriptors that came beside them. Linux never joins bytes that carry different
/// descriptors, so those of one call belong to the bytes of this call.
///
/// # Errors
/// `WouldBlock` when there is nothing; `ECONNRESET`.
pub fn recv_stream_with_fds(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
    recv(socket, buffer)
}

fn take_fds(message: &libc::msghdr) -> Vec<OwnedFd> {
    let mut fds = Vec::new();
    // SAFETY: recvmsg has filled the control buffer and set its length; the CMSG functions walk within that, and each
    // number in a SCM_RIGHTS message is a new descriptor that belongs to nobody yet.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
                let length = (*header).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                let data = libc::CMSG_DATA(header).cast::<RawFd>();
                for at in 0..length / size_of::<RawFd>() {
                    fds.push(OwnedFd::from_raw_fd(data.add(at).read_unaligned()));
                }
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    fds
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_packet_arrives_with_all_its_descriptors() {
        let (left, right) = packet_pair().unwrap();
        let (read, write) = crate::pipe::new().unwrap();
        send(left.as_fd(), b"one", &[read.as_fd(), write.as_fd()]).unwrap();
        send(left.as_fd(), b"two", &[]).unwrap();
        let mut buffer = [0; 64];
        let first = recv(right.as_fd(), &mut buffer).unwrap();
        assert_eq!((&buffer[..first.bytes], first.fds.len()), (&b"one"[..], 2));
        crate::fd::write(first.fds[1].as_fd(), b"x").unwrap();
        assert_eq!(crate::fd::read(first.fds[0].as_fd(), &mut buffer).unwrap(), 1);
        let second = recv(right.as_fd(), &mut buffer).unwrap();
        assert_eq!((&buffer[..second.bytes], second.fds.len()), (&b"two"[..], 0));
        assert_eq!(recv(right.as_fd(), &mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(left);
        assert_eq!(recv(right.as_fd(), &mut buffer).unwrap().bytes, 0);
    }

    #[test]
    fn a_packet_too_long_for_the_buffer_is_told() {
        let (left, right) = packet_pair().unwrap();
        send(left.as_fd(), &[7; 100], &[]).unwrap();
        assert!(recv(right.as_fd(), &mut [0; 10]).unwrap().cut);
    }

    #[test]
    fn a_full_buffer_and_a_closed_end_are_errors_not_signals() {
        let (left, right) = packet_pair().unwrap();
        let full = loop {
            if let Err(error) = send(left.as_fd(), &[0; 4096], &[]) {
                break error;
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        drop(right);
        let closed = send(left.as_fd(), b"x", &[]).unwrap_err();
        assert!(matches!(closed.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset), "{closed}");
    }

    #[test]
    fn stream_bytes_with_different_descriptors_are_read_apart() {
        let (left, right) = stream_pair().unwrap();
        let null = crate::pipe::null().unwrap();
        send(left.as_fd(), b"a", &[null.as_fd()]).unwrap();
        send(left.as_fd(), b"b", &[null.as_fd()]).unwrap();
        let mut buffer = [0; 64];
        for expected in [b"a", b"b"] {
            let got = recv_stream_with_fds(right.as_fd(), &mut buffer).unwrap();
            assert_eq!((&buffer[..got.bytes], got.fds.len()), (&expected[..], 1));
        }
    }
}
