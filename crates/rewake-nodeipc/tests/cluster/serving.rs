//! Workers that may be given connections and workers that may not, and what is left of both in the next daemon.

use std::net::{IpAddr, Ipv6Addr};

use rewake_nodeipc::cluster::{Bound, Order, Primary, SavedGroup, Sharing, SlotId};
use serde_json::json;

use crate::{ONE, TWO, Test, offers, query, sent};

#[test]
fn connections_go_to_no_worker_that_is_not_serving_and_wait_for_one_that_is() {
    for sharing in [Sharing::RoundRobin, Sharing::Sockets] {
        let mut test = Test::new(sharing);
        let group = test.listens(ONE);
        test.listens(TWO);
        test.primary.set_serving(ONE, false, &mut test.out);
        for connection in 0..3 {
            let offered = test.offer(group, connection);
            assert_eq!(offered.iter().map(|(worker, _)| *worker).collect::<Vec<_>>(), [TWO]);
        }
        test.primary.set_serving(TWO, false, &mut test.out);
        assert!(!test.primary.has_taker(group));
        assert_eq!(test.offer(group, 3), []);
        test.primary.set_serving(ONE, true, &mut test.out);
        let orders = test.orders();
        assert_eq!(offers(&orders).len(), 1, "who waited gets it: {orders:?}");
        assert_eq!(offers(&orders)[0].0, ONE);
    }
}

#[test]
fn what_a_worker_has_taken_is_counted() {
    let mut test = Test::new(Sharing::RoundRobin);
    let group = test.listens(ONE);
    let (worker, seq) = test.offer(group, 1)[0];
    assert_eq!(test.primary.taken(worker), 0);
    test.replies(worker, seq, true);
    let (worker, seq) = test.offer(group, 2)[0];
    test.replies(worker, seq, false);
    assert_eq!(test.primary.taken(worker), 1);
}

#[test]
fn a_socket_that_cannot_be_had_is_refused_and_the_next_acknowledgement_is_that_of_the_next_one() {
    let mut test = Test::new(Sharing::Sockets);
    test.listens(ONE);
    let (to, _, handle) = sent(&test.says(TWO, &query(1, 3000, 0)));
    test.primary.unsent(to, handle.unwrap(), &mut test.out);
    let (to, message, handle) = sent(&test.orders());
    assert_eq!((to, handle, &message["errno"], &message["ack"]), (TWO, None, &json!(-24), &json!(1)));
    let (_, message, handle) = sent(&test.says(TWO, &query(2, 3000, 0)));
    assert!(handle.is_some(), "asked again it may be there: {message}");
    assert_eq!(test.says(TWO, &json!({"cmd": "NODE_HANDLE_NACK"})).len(), 1, "the new one is sent again");
}

#[test]
fn a_restored_primary_knows_who_listens_and_answers_the_same_question_again() {
    let mut before = Test::new(Sharing::RoundRobin);
    let group = before.listens(ONE);
    before.listens(TWO);
    let saved: Vec<SavedGroup> = before.primary.saved().map(|(_, saved)| saved).collect();
    assert_eq!(saved.len(), 1);

    let mut after = Test { primary: Primary::new(Sharing::RoundRobin), out: Vec::new() };
    let bound = Bound { address: Some((IpAddr::V6(Ipv6Addr::UNSPECIFIED), 3000)) };
    let restored = after.primary.restore(saved[0].clone(), &bound);
    after.primary.joined(TWO, SlotId(1), 5000);
    after.primary.forget_strangers();
    assert!(!after.primary.is_listening(restored, ONE), "it died with nobody there");
    assert!(after.primary.is_listening(restored, TWO));
    let offered = after.offer(restored, 1);
    assert_eq!(offered.len(), 1);
    assert_eq!(offered[0].0, TWO);
    assert!(offered[0].1 >= 5000);
    let (_, message, _) = sent(&after.says(TWO, &query(1, 3000, 0)));
    assert_eq!((&message["errno"], &message["ack"]), (&json!(0), &json!(1)));
    let (_, message, _) = sent(&after.says(TWO, &query(2, 3000, 0)));
    assert_eq!(message["errno"], -98, "another question is for a second server on a held address");
    after.primary.joined(ONE, SlotId(0), 0);
    assert!(after.says(ONE, &query(3, 3000, 0)).iter().all(|order| !matches!(order, Order::Bind { .. })));
    assert_eq!(group, restored);
}
