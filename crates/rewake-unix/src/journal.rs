//! What one process has read from a stream socket and not yet acted upon, and what it has to say there, in memory that outlives it: who
//! takes the memory over goes on at the very byte. Never waits, and knows nothing of what the bytes mean.
//!
//! Two numbers cannot be written down by a process that is killed at the wrong moment, for they change within a system call: how much was
//! read off, and how much was sent. The kernel keeps both. A socket's peek offset goes down with every byte that is read off. And `sendmmsg`
//! writes how much was taken into the memory of its caller, which here is this memory, before the call can be cut short by a signal.

use std::fs::File;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::fdpass;
use crate::sys::{check, check_long, retry};

/// Largest amount of input that can wait: one message of the greatest length that is taken (64 MiB) and what comes in one go after it.
pub const INPUT_BYTES: usize = 80 << 20;

/// The owner's own words in a state.
pub const NOTES: usize = 4;

/// The header's page: which of two states counts, and both; which of two sendings counts, and both.
const HEADER_BYTES: usize = 4096;
const WORDS: usize = 4 + NOTES;
const STATE_WORDS: [usize; 2] = [8, 16];
/// Number of the last sending, and where it is.
const SENDING_WORD: usize = 2;
const SENDINGS: [usize; 2] = [32, 48];
const OUTPUT_AT: u64 = (HEADER_BYTES + INPUT_BYTES) as u64;
/// Says that this is one of ours, of this layout.
const MAGIC: u64 = 0x7265_7761_6b65_0002;

/// Memory that is not needed any more is given back when there is so much of it.
const SPARE_BYTES: u64 = 1 << 20;

/// Where the count of a socket begins, and when it begins anew.
const FULL_COUNT: u64 = i32::MAX as u64;
const LOW_COUNT: u64 = 1 << 30;

/// What must be known beside the bytes. Written as a whole or not at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct State {
    /// Input from here to `end` has not been acted upon.
    pub start: u64,
    pub end: u64,
    /// What the socket's own count is with all input up to `end` read off.
    pub count: u64,
    /// How much output there was, from the beginning.
    pub output: u64,
    /// The owner's own.
    pub notes: [u64; NOTES],
}

/// One call that sends: what it began with, and where the kernel notes how much it took.
#[repr(C)]
struct Sending {
    /// How much of the output was sent before.
    from: u64,
    call: libc::mmsghdr,
}

const _: () = assert!(size_of::<Sending>() <= (SENDINGS[1] - SENDINGS[0]) * 8, "the two do not overlap");

/// One.
#[derive(Debug)]
pub struct Journal {
    file: File,
    map: NonNull<u8>,
    state: State,
    /// Memory of output before this was given back.
    spared: u64,
}

impl Journal {
    /// An empty one. The name shows in `/proc` only.
    ///
    /// # Errors
    /// `EMFILE`, or out of memory.
    pub fn new(name: &str) -> io::Result<Self> {
        let file = File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC)?);
        file.set_len(OUTPUT_AT)?;
        let map = map(&file)?;
        let journal = Self { file, map, state: State::default(), spared: 0 };
        journal.word(1).store(MAGIC, Ordering::Release);
        Ok(journal)
    }

    /// Goes on with one that an earlier process has left.
    ///
    /// # Errors
    /// `InvalidData` when it is none, or does not hold together.
    pub fn follow(fd: OwnedFd) -> io::Result<Self> {
        let file = File::from(fd);
        if file.metadata()?.len() < OUTPUT_AT {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let map = map(&file)?;
        let mut journal = Self { file, map, state: State::default(), spared: 0 };
        let whose = journal.word(1).load(Ordering::Acquire);
        journal.state = journal.read_state();
        let State { start, end, output, .. } = journal.state;
        let held = journal.file.metadata()?.len() - OUTPUT_AT;
        let sent = journal.sent();
        if whose != MAGIC || start > end || end > INPUT_BYTES as u64 || output > held || sent > output {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(journal)
    }

    /// To be held by somebody else.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// What is written down.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Writes it down.
    pub fn commit(&mut self, state: State) {
        let next = self.word(0).load(Ordering::Relaxed) + 1;
        let State { start, end, count, output, notes } = state;
        let at = STATE_WORDS[(next % 2) as usize];
        for (offset, value) in [start, end, count, output].into_iter().chain(notes).enumerate() {
            self.word(at + offset).store(value, Ordering::Relaxed);
        }
        self.word(0).store(next, Ordering::Release);
        self.state = state;
    }

    /// Begins to count what is read off this socket, or finds what an earlier process has read off and not written down. Where the kernel
    /// does not count, what was written down is what there is.
    pub fn attach(&mut self, socket: BorrowedFd<'_>) {
        let mut state = self.state;
        match count(socket) {
            // A count above what was written down has just begun anew.
            Ok(now) if now > 0 && now <= state.count => state.end += state.count - now,
            Ok(_) | Err(_) => {}
        }
        if state.end > INPUT_BYTES as u64 {
            state.end = state.start;
        }
        self.commit(State { count: 0, ..state });
        self.count_anew(socket);
    }

    /// Reads from the socket behind the input that is there. The new input is written down by the caller's next
    /// [`commit`](Self::commit), with `end` and `count` as they are in the state that is returned.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing; `OutOfMemory` when too much has not been acted upon.
    pub fn receive(&mut self, socket: BorrowedFd<'_>, most: usize) -> io::Result<(fdpass::Received, State)> {
        if self.state.count < LOW_COUNT {
            self.count_anew(socket);
        }
        let mut state = self.state;
        let room = self.input_mut(state.end, most).ok_or(io::ErrorKind::OutOfMemory)?;
        let received = fdpass::recv_stream_with_fds(socket, room)?;
        state.end += received.bytes as u64;
        state.count = state.count.saturating_sub(received.bytes as u64);
        Ok((received, state))
    }

    /// Input between two places.
    #[must_use]
    pub fn input(&self, from: u64, to: u64) -> &[u8] {
        let (from, to) = (from.min(INPUT_BYTES as u64) as usize, to.min(INPUT_BYTES as u64) as usize);
        // SAFETY: the range is within the mapping, which lives as long as `self`; nobody else writes there, and the
        // file is never made shorter.
        unsafe { std::slice::from_raw_parts(self.map.add(HEADER_BYTES + from).as_ptr(), to.saturating_sub(from)) }
    }

    /// All input up to `start` has been acted upon; `notes` are true from there on. What is left moves to the front where that is cheap.
    pub fn acted(&mut self, start: u64, notes: [u64; NOTES]) {
        let State { end, count, output, .. } = self.state;
        let left = end.saturating_sub(start);
        let mut state = State { start, end, count, output, notes };
        if left == 0 {
            (state.start, state.end) = (0, 0);
        } else if start >= left.max(64 << 10) {
            let (to, from) = (HEADER_BYTES, HEADER_BYTES + start as usize);
            // SAFETY: both ranges are within the mapping, and do not overlap.
            unsafe { self.map.add(from).copy_to_nonoverlapping(self.map.add(to), left as usize) };
            (state.start, state.end) = (0, left);
        }
        self.commit(state);
        if state.end == 0 && end > SPARE_BYTES {
            self.give_back(HEADER_BYTES as u64, end);
        }
    }

    /// Adds output. It is written down by the caller's next [`commit`](Self::commit) with this much more `output`.
    ///
    /// # Errors
    /// Out of memory.
    pub fn put(&mut self, state: &mut State, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, OUTPUT_AT + state.output)?;
        state.output += bytes.len() as u64;
        Ok(())
    }

    /// What was not sent never will be.
    pub fn drop_unsent(&mut self) {
        self.begin_sending(self.state.output, &mut []);
    }

    /// How much of the output was sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        let sending = self.sending(self.word(SENDING_WORD).load(Ordering::Acquire));
        // SAFETY: within the mapping; any bytes are a value of these two. Volatile, for the kernel writes there.
        let (from, taken) = unsafe {
            ((&raw const (*sending).from).read_volatile(), (&raw const (*sending).call.msg_len).read_volatile())
        };
        from.saturating_add(taken.into())
    }

    /// The output that was not sent.
    ///
    /// # Errors
    /// Out of memory.
    pub fn unsent(&self) -> io::Result<Vec<u8>> {
        let sent = self.sent();
        let mut bytes = vec![0; usize::try_from(self.state.output - sent).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, OUTPUT_AT + sent)?;
        Ok(bytes)
    }

    /// Sends what of the output is next, which are these bytes. Returns how much was taken; that is written down by then.
    ///
    /// # Errors
    /// As [`fdpass::send`].
    pub fn send(&mut self, socket: BorrowedFd<'_>, next: &[u8]) -> io::Result<usize> {
        if next.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let from = self.sent();
        let mut part = libc::iovec { iov_base: next.as_ptr().cast_mut().cast(), iov_len: next.len() };
        let sending = self.begin_sending(from, std::slice::from_mut(&mut part));
        let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
        // The system call itself: a library may send by other calls, and note the length only afterwards.
        // SAFETY: the message is within the mapping and points at `part`, and that at `next`; both outlive the call.
        let call = || unsafe {
            libc::syscall(libc::SYS_sendmmsg, socket.as_raw_fd(), &raw mut (*sending).call, 1 as libc::c_uint, flags)
        };
        retry(|| check_long(call()))?;
        Ok((self.sent() - from) as usize)
    }

    /// Everything was sent: gives its memory back when there is much of it.
    pub fn spare(&mut self) {
        let sent = self.sent();
        if sent - self.spared.min(sent) > SPARE_BYTES {
            let whole = sent / HEADER_BYTES as u64 * HEADER_BYTES as u64;
            self.give_back(OUTPUT_AT + self.spared, whole - self.spared);
            self.spared = whole;
        }
    }

    /// Notes that so much was sent, with a call in which the kernel will note more.
    fn begin_sending(&self, from: u64, parts: &mut [libc::iovec]) -> *mut Sending {
        let next = self.word(SENDING_WORD).load(Ordering::Relaxed) + 1;
        let sending = self.sending(next);
        // SAFETY: mmsghdr is plain data for which all zeroes is a value.
        let mut call: libc::mmsghdr = unsafe { mem::zeroed() };
        call.msg_hdr.msg_iov = parts.as_mut_ptr();
        call.msg_hdr.msg_iovlen = parts.len() as _;
        // SAFETY: within the mapping, and aligned. It does not count yet.
        unsafe { sending.write_volatile(Sending { from, call }) };
        self.word(SENDING_WORD).store(next, Ordering::Release);
        sending
    }

    fn sending(&self, number: u64) -> *mut Sending {
        self.word(SENDINGS[(number % 2) as usize]).as_ptr().cast()
    }

    fn give_back(&self, from: u64, length: u64) {
        let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        // Should it fail, the memory is held for longer.
        // SAFETY: a file of ours; no memory is handed over.
        let _ = check(unsafe { libc::fallocate(self.file.as_raw_fd(), mode, from as _, length as _) });
    }

    fn count_anew(&mut self, socket: BorrowedFd<'_>) {
        // A count that is higher than the one that is written down is known to be new.
        let count = set_count(socket, FULL_COUNT).map_or(0, |()| FULL_COUNT);
        self.commit(State { count, ..self.state });
    }

    fn input_mut(&mut self, from: u64, most: usize) -> Option<&mut [u8]> {
        let from = usize::try_from(from).ok()?;
        let length = most.min(INPUT_BYTES.checked_sub(from)?);
        if length == 0 {
            return None;
        }
        // SAFETY: as in `input`; `self` is borrowed for as long as the slice.
        Some(unsafe { std::slice::from_raw_parts_mut(self.map.add(HEADER_BYTES + from).as_ptr(), length) })
    }

    fn read_state(&self) -> State {
        let at = STATE_WORDS[(self.word(0).load(Ordering::Acquire) % 2) as usize];
        let [start, end, count, output, notes @ ..] =
            std::array::from_fn::<u64, WORDS, _>(|offset| self.word(at + offset).load(Ordering::Relaxed));
        State { start, end, count, output, notes }
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        debug_assert!(index < HEADER_BYTES / 8, "within the header");
        // SAFETY: within the mapping and aligned, since the mapping begins with a page; only ever used as an atomic.
        unsafe { self.map.cast::<AtomicU64>().add(index).as_ref() }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // SAFETY: the mapping of this length was made by `map`, and no reference into it outlives `self`.
        unsafe { libc::munmap(self.map.as_ptr().cast(), HEADER_BYTES + INPUT_BYTES) };
    }
}

fn map(file: &File) -> io::Result<NonNull<u8>> {
    let (length, access) = (HEADER_BYTES + INPUT_BYTES, libc::PROT_READ | libc::PROT_WRITE);
    // SAFETY: a new mapping at a place of the kernel's choice.
    let at = unsafe {
        libc::mmap(std::ptr::null_mut(), length, access, libc::MAP_SHARED | libc::MAP_NORESERVE, file.as_raw_fd(), 0)
    };
    if at == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(at.cast()).ok_or(io::ErrorKind::OutOfMemory.into())
}

/// The socket's peek offset, which we use as a count: nobody peeks.
fn count(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut value: libc::c_int = -1;
    let mut length = size_of_val(&value) as libc::socklen_t;
    let at = (&raw mut value).cast();
    // SAFETY: `value` and `length` outlive the call, and `length` says how large `value` is.
    check(unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEEK_OFF, at, &raw mut length) })?;
    Ok(u64::try_from(value).unwrap_or(0))
}

fn set_count(socket: BorrowedFd<'_>, count: u64) -> io::Result<()> {
    let value = libc::c_int::try_from(count).map_err(io::Error::other)?;
    let length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: `value` outlives the call, and `length` says how large it is.
    check(unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEEK_OFF, (&raw const value).cast(), length)
    })?;
    Ok(())
}

#[cfg(test)]
mod tests;
