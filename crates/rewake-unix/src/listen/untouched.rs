//! Whether an accepted connection is still as it was accepted, so that another process can serve it from its beginning. Never says so
//! where the kernel does not tell.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;

use crate::sys::check;

/// The part of the kernel's `struct tcp_info` up to the fields that count bytes and segments of data (Linux 4.6 and later). That of
/// the C library may end before them.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TcpInfo {
    state: u8,
    before: [u8; 7],
    numbers: [u32; 24],
    pacing: [u64; 2],
    bytes_acked: u64,
    bytes_received: u64,
    segments: [u32; 2],
    bytes_unsent: u32,
    min_rtt: u32,
    data_segments_in: u32,
    data_segments_out: u32,
}

/// `TCP_ESTABLISHED` of the kernel's `tcp_states.h`.
const ESTABLISHED: u8 = 1;

/// Whether nothing has been read from a connection and nothing written to it. `false` when it is not known: for a socket of another kind
/// than TCP, and for one that its client has closed.
#[must_use]
pub fn is_untouched(connection: BorrowedFd<'_>) -> bool {
    let counts = || -> io::Result<(TcpInfo, u64)> { Ok((info(connection)?, unread(connection)?)) };
    counts().is_ok_and(|(info, unread)| {
        let written = info.data_segments_out > 0 || info.bytes_unsent > 0;
        // What has come since the first of the two looks makes the second number the larger one.
        info.state == ESTABLISHED && !written && info.bytes_received <= unread
    })
}

fn info(connection: BorrowedFd<'_>) -> io::Result<TcpInfo> {
    let mut info = MaybeUninit::<TcpInfo>::zeroed();
    let mut length = size_of::<TcpInfo>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, the size of `info`.
    check(unsafe {
        libc::getsockopt(
            connection.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    })?;
    if (length as usize) < size_of::<TcpInfo>() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // SAFETY: all fields are numbers, for which zero bytes are a value.
    Ok(unsafe { info.assume_init() })
}

fn unread(connection: BorrowedFd<'_>) -> io::Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the kernel writes one int.
    check(unsafe { libc::ioctl(connection.as_raw_fd(), libc::FIONREAD, &raw mut bytes) })?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    #[test]
    fn a_new_connection_is_untouched_also_with_bytes_of_the_client_waiting() {
        let (mut client, server) = pair();
        assert!(is_untouched(server.as_fd()));
        client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        server.peek(&mut [0]).unwrap();
        assert!(is_untouched(server.as_fd()));
    }

    #[test]
    fn one_byte_read_or_written_is_seen() {
        let (mut client, mut server) = pair();
        client.write_all(b"ab").unwrap();
        server.read_exact(&mut [0]).unwrap();
        assert!(!is_untouched(server.as_fd()));

        let (mut client, mut server) = pair();
        server.write_all(b"220 hello\r\n").unwrap();
        client.read_exact(&mut [0]).unwrap();
        assert!(!is_untouched(server.as_fd()));
    }

    #[test]
    fn what_is_closed_or_no_tcp_is_never_said_to_be_untouched() {
        let (client, server) = pair();
        drop(client);
        let mut byte = [0];
        assert_eq!(server.peek(&mut byte).unwrap(), 0, "its end has come");
        assert!(!is_untouched(server.as_fd()));
        assert!(!is_untouched(UnixStream::pair().unwrap().0.as_fd()));
    }
}
