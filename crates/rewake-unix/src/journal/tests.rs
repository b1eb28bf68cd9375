//! What journals keep, also of a writer that is killed.

use super::*;
use crate::fd;

/// As after a `kill -9`: the memory is there, the process's own knowledge is not.
fn die(journal: Journal) -> Journal {
    let held = journal.fd().try_clone_to_owned().unwrap();
    drop(journal);
    Journal::follow(held).unwrap()
}

#[test]
fn input_that_was_read_off_and_not_written_down_is_found() {
    let (ours, theirs) = fdpass::stream_pair().unwrap();
    let mut journal = Journal::new("test").unwrap();
    journal.attach(ours.as_fd());
    fd::write(theirs.as_fd(), b"one two").unwrap();
    let (received, state) = journal.receive(ours.as_fd(), 4).unwrap();
    assert_eq!(received.bytes, 4);
    journal.commit(state);
    // Read off, and killed before anything could be written down.
    journal.receive(ours.as_fd(), 2).unwrap();
    let mut journal = die(journal);
    journal.attach(ours.as_fd());
    let state = journal.state();
    assert_eq!(journal.input(state.start, state.end), b"one tw");
    let (_, state) = journal.receive(ours.as_fd(), 9).unwrap();
    journal.commit(state);
    assert_eq!(journal.input(state.start, state.end), b"one two");
    journal.acted(4, [6, 7, 8, 9]);
    let mut journal = die(journal);
    journal.attach(ours.as_fd());
    let state = journal.state();
    assert_eq!((journal.input(state.start, state.end), state.notes), (&b"two"[..], [6, 7, 8, 9]));
}

#[test]
fn nothing_is_lost_or_doubled_whenever_it_dies() {
    let (ours, theirs) = fdpass::stream_pair().unwrap();
    let mut journal = Journal::new("test").unwrap();
    journal.attach(ours.as_fd());
    let (mut sent, mut taken) = (0u32, Vec::new());
    for round in 0..20_000u32 {
        if round % 3 != 0 {
            fd::write(theirs.as_fd(), &sent.to_le_bytes()).unwrap();
            sent += 1;
        }
        let most = 1 + (round * 7 % 61) as usize;
        if let Ok((_, state)) = journal.receive(ours.as_fd(), most)
            && round % 5 != 0
        {
            journal.commit(state);
        } else {
            journal = die(journal);
            journal.attach(ours.as_fd());
        }
        let State { start, end, .. } = journal.state();
        let whole = (end - start) / 4 * 4;
        taken.extend_from_slice(journal.input(start, start + whole));
        journal.acted(start + whole, [0; NOTES]);
    }
    let numbers: Vec<u32> = taken.as_chunks::<4>().0.iter().map(|chunk| u32::from_le_bytes(*chunk)).collect();
    assert!(numbers.len() > 10_000);
    assert!(numbers.iter().copied().eq(0..numbers.len() as u32));
}

#[test]
fn the_count_begins_anew_without_a_gap() {
    let (ours, theirs) = fdpass::stream_pair().unwrap();
    let mut journal = Journal::new("test").unwrap();
    journal.attach(ours.as_fd());
    // A long life, shortened.
    set_count(ours.as_fd(), LOW_COUNT + 1).unwrap();
    journal.commit(State { count: LOW_COUNT + 1, ..journal.state() });
    for byte in b"abc" {
        fd::write(theirs.as_fd(), &[*byte]).unwrap();
        let (_, state) = journal.receive(ours.as_fd(), 1).unwrap();
        journal.commit(state);
    }
    assert_eq!(journal.state().count, FULL_COUNT - 1);
    // Killed between the socket's count and our own note of it.
    let before = State { count: LOW_COUNT - 1, ..journal.state() };
    set_count(ours.as_fd(), FULL_COUNT).unwrap();
    journal.commit(before);
    let mut journal = die(journal);
    journal.attach(ours.as_fd());
    assert_eq!(journal.input(0, journal.state().end), b"abc");
}

#[test]
fn output_goes_on_at_the_byte_where_it_stopped_and_is_never_written_over() {
    let (ours, theirs) = fdpass::stream_pair().unwrap();
    let mut journal = Journal::new("test").unwrap();
    let all: Vec<u8> = (0..2_000_000u32).flat_map(|n| (n % 251) as u8..=(n % 251) as u8).collect();
    let (mut put, mut read) = (0, Vec::new());
    let mut buffer = vec![0; 50_000];
    fd::set_nonblocking(&theirs).unwrap();
    while read.len() < all.len() {
        let part = &all[put..(put + 70_001).min(all.len())];
        put += part.len();
        let mut state = journal.state();
        journal.put(&mut state, part).unwrap();
        journal.commit(state);
        journal = die(journal);
        let unsent = journal.unsent().unwrap();
        match journal.send(ours.as_fd(), &unsent) {
            Ok(taken) => assert!(taken > 0),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        journal.spare();
        let n = fd::read(theirs.as_fd(), &mut buffer).unwrap_or(0);
        read.extend_from_slice(&buffer[..n]);
    }
    assert!(read == all);
    drop(theirs);
    let mut state = journal.state();
    journal.put(&mut state, b"more").unwrap();
    journal.commit(state);
    assert_eq!(journal.send(ours.as_fd(), b"more").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

/// Sends numbers until it is killed. Allocates nothing: it is a copy of a process that has other threads.
fn send_for_ever(mut journal: Journal, socket: BorrowedFd<'_>) -> ! {
    loop {
        let number = ((journal.sent() / 4) as u32).to_le_bytes();
        let mut state = journal.state();
        if state.output == journal.sent() && journal.put(&mut state, &number).is_ok() {
            journal.commit(state);
        }
        let _ = journal.send(socket, &number);
    }
}

#[test]
fn a_sender_that_is_killed_at_any_instruction_has_sent_what_is_noted_and_nothing_else() {
    let (ours, theirs) = fdpass::stream_pair().unwrap();
    fd::set_nonblocking(&theirs).unwrap();
    let mut journal = Journal::new("test").unwrap();
    let (mut buffer, mut read) = (vec![0; 64 << 10], Vec::new());
    for round in 0..300u32 {
        // SAFETY: the copy does nothing but what `send_for_ever` does.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: no memory is handed over. It ends with the test, however that ends.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            send_for_ever(journal, ours.as_fd());
        }
        let enough = read.len() + 4 * (1 + round as usize % 41);
        while read.len() < enough {
            let n = fd::read(theirs.as_fd(), &mut buffer).unwrap_or(0);
            read.extend_from_slice(&buffer[..n]);
        }
        let pid = nix::unistd::Pid::from_raw(child);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        nix::sys::wait::waitpid(pid, None).unwrap();
        journal = die(journal);
        while let Ok(n @ 1..) = fd::read(theirs.as_fd(), &mut buffer) {
            read.extend_from_slice(&buffer[..n]);
        }
        assert_eq!(read.len() as u64, journal.sent(), "round {round}");
    }
    let numbers = read.as_chunks::<4>().0.iter().map(|chunk| u32::from_le_bytes(*chunk));
    assert!(numbers.eq(0..(read.len() / 4) as u32));
}

#[test]
fn what_is_no_journal_is_refused() {
    let empty = crate::memfd::from_bytes("test", b"no").unwrap();
    assert!(Journal::follow(empty).is_err());
    let journal = Journal::new("test").unwrap();
    let held = journal.fd().try_clone_to_owned().unwrap();
    journal.word(1).store(7, Ordering::Release);
    drop(journal);
    assert!(Journal::follow(held).is_err());
}
