//! Groups of sockets on one address, by what the kernel does with connections.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::libc;
use nix::sys::socket::sockopt::{ReuseAddr, ReusePort};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, SockaddrStorage, bind, listen, setsockopt, socket,
};
use rewake_unix::listen::group::{Choice, Group, supported};
use rewake_unix::listen::{accept_nonblocking, is_listening, local_port};
use rewake_unix::poll::{self, Interest};

use crate::{LONG, has_ipv6, number};

/// A listening socket of somebody else who would share its address.
pub(crate) fn stranger() -> OwnedFd {
    let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    setsockopt(&fd, ReuseAddr, &true).unwrap();
    setsockopt(&fd, ReusePort, &true).unwrap();
    bind(fd.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    listen(&fd, Backlog::new(8).unwrap()).unwrap();
    fd
}

fn group_of(members: u16, host: Option<&str>) -> Group {
    let mut group = Group::first(host, 0, false, 128).unwrap();
    for index in 1..members {
        assert_eq!(group.join().unwrap(), index);
    }
    group
}

/// Which member a connection from this address goes to. It is accepted there.
fn taker_from(group: &Group, to: SocketAddr, from: Option<Ipv4Addr>) -> u16 {
    let _client = match from {
        None => TcpStream::connect(to).unwrap(),
        Some(from) => {
            let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
            bind(fd.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(from.into(), 0))).unwrap();
            nix::sys::socket::connect(fd.as_raw_fd(), &SockaddrStorage::from(to)).unwrap();
            TcpStream::from(fd)
        }
    };
    let members: Vec<BorrowedFd<'_>> = group.members().collect();
    let watched: Vec<_> = members.iter().map(|&member| (member, Interest::Read)).collect();
    let ready = poll::wait(&watched, Some(LONG)).unwrap();
    let takers: Vec<usize> = (0..ready.len()).filter(|&index| ready[index]).collect();
    assert_eq!(takers.len(), 1, "one member gets the connection");
    accept_nonblocking(members[takers[0]]).unwrap();
    u16::try_from(takers[0]).unwrap()
}

fn taker(group: &Group) -> u16 {
    taker_from(group, loopback(group), None)
}

/// An address by which it is reached with IPv4.
fn loopback(group: &Group) -> SocketAddr {
    let address = group.address();
    if address.ip().is_unspecified() { (Ipv4Addr::LOCALHOST, address.port()).into() } else { address }
}

/// Fixes the program to each index in turn: the table agrees with the kernel when the socket there gets the connection.
fn check_every_index(group: &mut Group) {
    for index in 0..u16::try_from(group.len()).unwrap() {
        group.steer(&[index], None, Choice::Random).unwrap();
        for _ in 0..3 {
            assert_eq!(taker(group), index, "of {}", group.len());
        }
    }
}

#[test]
fn this_kernel_has_groups() {
    assert!(supported());
}

#[test]
fn the_table_is_the_kernels_after_every_join_and_leave() {
    // Each number is a member to leave; `None` is one more that joins.
    let orders: [&[Option<u16>]; 4] = [
        &[Some(0), Some(0), None, Some(1), None, None, Some(0)],
        &[Some(3), Some(2), Some(1), None, None],
        &[Some(1), None, Some(1), None, Some(2), Some(0)],
        &[None, Some(2), Some(2), None, Some(0), Some(1), None],
    ];
    for order in orders {
        let mut group = group_of(4, Some("127.0.0.1"));
        check_every_index(&mut group);
        for step in order {
            let last = u16::try_from(group.len()).unwrap() - 1;
            match *step {
                None => assert_eq!(group.join().unwrap(), last + 1),
                Some(index) => {
                    assert_eq!(group.leave(index).unwrap(), (index != last).then_some(last));
                }
            }
            check_every_index(&mut group);
        }
    }
}

#[test]
fn a_member_leaves_although_a_copy_of_it_is_open() {
    let mut group = group_of(3, Some("127.0.0.1"));
    let copy = group.member(0).unwrap().try_clone_to_owned().unwrap();
    group.leave(0).unwrap();
    assert!(!is_listening(&copy).unwrap());
    check_every_index(&mut group);
    // Another copy of a member that was shut down by somebody leaves once, not twice.
    let copy = group.member(0).unwrap().try_clone_to_owned().unwrap();
    nix::sys::socket::shutdown(copy.as_raw_fd(), nix::sys::socket::Shutdown::Both).unwrap();
    group.leave(0).unwrap();
    check_every_index(&mut group);
}

#[test]
fn a_member_lives_as_long_as_any_copy() {
    let mut group = group_of(3, Some("127.0.0.1"));
    for index in 0..3 {
        // A worker that ends closes its copy.
        drop(group.member(index).unwrap().try_clone_to_owned().unwrap());
    }
    check_every_index(&mut group);
}

#[test]
fn a_group_is_restored_in_its_order() {
    let mut group = group_of(4, None);
    group.leave(1).unwrap();
    let copies: Vec<OwnedFd> = group.members().map(|member| member.try_clone_to_owned().unwrap()).collect();
    drop(group);
    let mut group = Group::restore(copies, 128).unwrap();
    check_every_index(&mut group);
    assert_eq!(group.join().unwrap(), 3);
    check_every_index(&mut group);
}

#[test]
fn only_members_of_one_group_are_restored() {
    assert_eq!(number(Group::restore(Vec::new(), 8)), Some(libc::EINVAL));
    let copy = |group: &Group| group.member(0).unwrap().try_clone_to_owned().unwrap();
    let (mut one, other) = (group_of(2, Some("127.0.0.1")), group_of(1, Some("127.0.0.1")));
    assert_eq!(number(Group::restore(vec![copy(&one), copy(&other)], 8)), Some(libc::EINVAL));
    let left = copy(&one);
    one.leave(0).unwrap();
    assert_eq!(number(Group::restore(vec![copy(&one), left], 8)), Some(libc::EINVAL));
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    assert_eq!(number(Group::restore(vec![plain.into()], 8)), Some(libc::EINVAL));
}

#[test]
fn a_strangers_address_is_in_use_even_if_it_would_be_shared() {
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let sharing = stranger();
    for port in [local_port(&plain).unwrap(), local_port(&sharing).unwrap()] {
        for host in [Some("127.0.0.1"), Some("0.0.0.0"), None] {
            assert_eq!(number(Group::first(host, port, false, 8)), Some(libc::EADDRINUSE), "{host:?}");
        }
    }
    let group = group_of(2, Some("127.0.0.1"));
    let port = group.address().port();
    assert_eq!(number(Group::first(Some("127.0.0.1"), port, false, 8)), Some(libc::EADDRINUSE));
    assert_eq!(TcpListener::bind(("127.0.0.1", port)).unwrap_err().raw_os_error(), Some(libc::EADDRINUSE));
}

#[test]
fn an_address_is_free_when_the_group_is_gone_and_again_a_group() {
    // An address that no other test uses.
    let mut group = group_of(3, Some("127.77.1.1"));
    let port = group.address().port();
    group.steer(&[1], None, Choice::Random).unwrap();
    while !group.is_empty() {
        group.leave(0).unwrap();
    }
    assert_eq!(number(group.leave(0)), Some(libc::EINVAL));
    // Made anew, it has no program: the one it had must not be taken for given.
    assert_eq!((group.join().unwrap(), group.join().unwrap()), (0, 1));
    group.steer(&[1], None, Choice::Random).unwrap();
    for _ in 0..30 {
        assert_eq!(taker(&group), 1);
    }
    check_every_index(&mut group);
    while !group.is_empty() {
        group.leave(0).unwrap();
    }
    let other = TcpListener::bind(("127.77.1.1", port)).unwrap();
    assert_eq!(number(group.join()), Some(libc::EADDRINUSE));
    drop(other);
    drop(group);
    let group = Group::first(Some("127.77.1.1"), port, false, 8).unwrap();
    assert_eq!(group.address().port(), port);
}

#[test]
fn an_index_that_is_no_member_falls_back_to_the_kernels_own_choice() {
    let mut group = group_of(2, Some("127.0.0.1"));
    group.steer(&[1], None, Choice::Random).unwrap();
    // The program names the second, which is not there any more.
    group.leave(1).unwrap();
    assert_eq!(taker(&group), 0);
    assert_eq!(group.join().unwrap(), 1);
    assert_eq!(taker(&group), 1);
}

#[test]
fn steering_to_nobody_changes_nothing_and_to_strangers_is_refused() {
    let mut group = group_of(3, Some("127.0.0.1"));
    group.steer(&[2], None, Choice::Random).unwrap();
    group.steer(&[], None, Choice::Random).unwrap();
    assert_eq!(taker(&group), 2);
    assert_eq!(number(group.steer(&[3], None, Choice::Random)), Some(libc::EINVAL));
    assert_eq!(number(group.steer(&[0, 1], Some(&[1]), Choice::Random)), Some(libc::EINVAL));
    let many = vec![0; 3000];
    assert_eq!(number(group.steer(&many, None, Choice::Random)), Some(libc::E2BIG));
    assert_eq!(taker(&group), 2);
}

#[test]
fn the_kernel_takes_the_longest_programs() {
    let mut group = group_of(2, Some("127.0.0.1"));
    // Indexes may be named more than once, which makes long programs of few sockets. The lower limit is that of older kernels.
    for (length, by) in [(1100, Choice::Random), (200, Choice::ClientAddress)] {
        let mut live = vec![0; length];
        live.push(1);
        group.steer(&live, None, by).unwrap();
        taker(&group);
    }
}

fn counts(group: &Group, connections: usize) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..connections {
        *counts.entry(taker(group)).or_default() += 1;
    }
    counts
}

/// Six standard deviations of the binomial distribution: chance exceeds them once in a hundred million runs.
fn assert_about(count: usize, connections: usize, share: f64) {
    let expected = connections as f64 * share;
    let bound = 6.0 * (expected * (1.0 - share)).sqrt();
    assert!((count as f64 - expected).abs() <= bound, "{count} is not {expected} give or take {bound}");
}

#[test]
fn connections_follow_the_weights() {
    let mut group = group_of(4, Some("127.0.0.1"));
    group.steer(&[0, 1, 2, 3], None, Choice::Random).unwrap();
    let found = counts(&group, 2000);
    for index in 0..4 {
        assert_about(found[&index], 2000, 0.25);
    }
    group.steer(&[3, 1, 0], Some(&[1, 7, 0]), Choice::Random).unwrap();
    let found = counts(&group, 2000);
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [1, 3], "no other is live or has a weight");
    assert_about(found[&1], 2000, 0.875);
}

#[test]
fn a_client_address_stays_at_its_member_and_moves_only_when_that_is_gone() {
    // Dual stack: IPv4 clients come in IPv4 packets.
    for host in [None, Some("127.0.0.1")] {
        let mut group = group_of(4, host);
        let to = loopback(&group);
        let clients: Vec<Ipv4Addr> = (1..=60).map(|last| Ipv4Addr::new(127, 0, 0, last)).collect();
        let look =
            |group: &Group| -> Vec<u16> { clients.iter().map(|&client| taker_from(group, to, Some(client))).collect() };
        group.steer(&[0, 1, 2, 3], None, Choice::ClientAddress).unwrap();
        let before = look(&group);
        assert_eq!(look(&group), before);
        for index in 0..4 {
            assert!(before.contains(&index), "member {index} has clients: {before:?}");
        }
        group.steer(&[0, 1, 3], None, Choice::ClientAddress).unwrap();
        for (now, &before) in look(&group).into_iter().zip(&before) {
            assert!(now != 2 && (now == before || before == 2));
        }
        group.steer(&[0, 1, 2, 3], None, Choice::ClientAddress).unwrap();
        assert_eq!(look(&group), before, "they come back");
    }
}

#[test]
fn both_stacks_are_steered_alike() {
    if !has_ipv6() {
        return;
    }
    let mut group = group_of(3, None);
    let six: SocketAddr = (std::net::Ipv6Addr::LOCALHOST, group.address().port()).into();
    let four = loopback(&group);
    for index in 0..3 {
        group.steer(&[index], None, Choice::Random).unwrap();
        assert_eq!((taker_from(&group, six, None), taker_from(&group, four, None)), (index, index));
    }
    group.steer(&[0, 1, 2], None, Choice::ClientAddress).unwrap();
    let first = taker_from(&group, six, None);
    for _ in 0..20 {
        assert_eq!(taker_from(&group, six, None), first);
    }
}

#[test]
fn sockets_are_ready_to_be_handed_over() {
    let group = group_of(2, Some("127.0.0.1"));
    for member in group.members() {
        assert_eq!(accept_nonblocking(member).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        assert_eq!(local_port(member).unwrap(), group.address().port());
    }
}
