//! Listening sockets in the file system.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;

use nix::libc;
use rewake_unix::listen::{accept_nonblocking, file_id, owner_of_path, remove, set_mode, unix, unix_with_mode};
use rewake_unix::socket::{connect, connect_now};
use tempfile::tempdir;

use crate::number;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn modes_are_added_to_what_the_umask_leaves() {
    let scratch = tempdir().unwrap();
    let usual = scratch.path().join("usual");
    drop(UnixListener::bind(&usual).unwrap());
    for (readable, writable, more) in
        [(false, false, 0), (true, false, 0o444), (false, true, 0o222), (true, true, 0o666)]
    {
        let path = scratch.path().join(format!("{readable}-{writable}"));
        let made = unix(&path, readable, writable, 8).unwrap();
        assert_eq!(mode(&path), mode(&usual) | more);
        let _client = UnixStream::connect(&path).unwrap();
        accept_nonblocking(made.socket.as_fd()).unwrap();
        assert_eq!(accept_nonblocking(made.socket.as_fd()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}

#[test]
fn a_mode_can_be_exact() {
    let scratch = tempdir().unwrap();
    for wanted in [0o600, 0o660, 0o777] {
        let path = scratch.path().join(format!("{wanted:o}"));
        let made = unix_with_mode(&path, wanted, 8).unwrap();
        assert_eq!(mode(&path), wanted);
        assert!(set_mode(&path, made.file, 0o606).unwrap());
        assert_eq!(mode(&path), 0o606);
        fs::remove_file(&path).unwrap();
        assert!(!set_mode(&path, made.file, 0o600).unwrap(), "it is gone");
        let _theirs = unix_with_mode(&path, 0o640, 8).unwrap();
        assert!(!set_mode(&path, made.file, 0o600).unwrap(), "it is another's");
        assert_eq!(mode(&path), 0o640);
    }
}

#[test]
fn who_listens_on_a_path_can_be_asked() {
    let scratch = tempdir().unwrap();
    let path = scratch.path().join("app.sock");
    assert_eq!(owner_of_path(&path), None);
    let listening = unix(&path, false, false, 8).unwrap();
    assert_eq!(owner_of_path(&path), Some(std::process::id()));
    drop(listening);
    assert_eq!(owner_of_path(&path), None);
}

#[test]
fn a_path_may_be_long() {
    let scratch = tempdir().unwrap();
    let folder = scratch.path().join("x".repeat(200));
    fs::create_dir(&folder).unwrap();
    let path = folder.join("app.sock");
    let made = unix(&path, true, true, 8).unwrap();
    assert_eq!(mode(&path) & 0o666, 0o666);
    let _client = connect(&path).unwrap();
    accept_nonblocking(made.socket.as_fd()).unwrap();
    assert_eq!(number(unix(&path, false, false, 8)), Some(libc::EADDRINUSE));
    assert!(remove(&path, made.file).unwrap());
    assert_eq!(number(unix(&folder.join("n".repeat(120)), false, false, 8)), Some(libc::ENAMETOOLONG));
}

#[test]
fn only_what_nobody_listens_on_is_replaced() {
    let scratch = tempdir().unwrap();
    let path = scratch.path().join("app.sock");
    let living = UnixListener::bind(&path).unwrap();
    assert_eq!(number(unix(&path, false, false, 8)), Some(libc::EADDRINUSE));
    drop(living);
    let made = unix(&path, false, false, 8).unwrap();
    assert_eq!(number(unix(&path, false, false, 8)), Some(libc::EADDRINUSE));
    drop(made);
    for other in ["file", "datagram", "link"] {
        let path = scratch.path().join(other);
        let _datagram = match other {
            "file" => fs::write(&path, "precious").map(|()| None).unwrap(),
            "datagram" => Some(UnixDatagram::bind(&path).unwrap()),
            _ => std::os::unix::fs::symlink("nowhere", &path).map(|()| None).unwrap(),
        };
        let before = file_id(&path).unwrap();
        assert_eq!(number(unix(&path, false, false, 8)), Some(libc::EADDRINUSE), "{other}");
        assert_eq!(file_id(&path).unwrap(), before, "{other}");
    }
}

#[test]
fn a_full_queue_is_somebodys() {
    let scratch = tempdir().unwrap();
    let path = scratch.path().join("app.sock");
    let _full = unix(&path, false, false, 0).unwrap();
    let _waiting = connect_now(&path).unwrap();
    assert_eq!(number(connect_now(&path)), Some(libc::EAGAIN));
    assert_eq!(number(unix(&path, false, false, 8)), Some(libc::EADDRINUSE));
}

#[test]
fn errors_carry_their_number() {
    let scratch = tempdir().unwrap();
    assert_eq!(number(unix(&scratch.path().join("no/app.sock"), false, false, 8)), Some(libc::ENOENT));
    assert_eq!(number(unix(Path::new(""), false, false, 8)), Some(libc::EINVAL));
    assert_eq!(number(unix(Path::new("a\0b"), false, false, 8)), Some(libc::EINVAL));
}

#[test]
fn only_our_own_file_is_removed() {
    let scratch = tempdir().unwrap();
    let path = scratch.path().join("app.sock");
    let ours = unix(&path, false, false, 8).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(!remove(&path, ours.file).unwrap(), "it is gone already");
    let theirs = unix(&path, false, false, 8).unwrap();
    assert!(!remove(&path, ours.file).unwrap());
    drop(UnixStream::connect(&path).unwrap());
    assert!(remove(&path, theirs.file).unwrap());
    assert_eq!(file_id(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
}
