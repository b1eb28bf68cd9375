//! Whose turn it is: at each address by itself, and again for those who had no room.

use rewake_nodeipc::cluster::{GroupId, Sharing, WorkerId};

use crate::{ONE, TWO, Test, group_of, listening, offers, query};

/// Both workers listen on another address, too.
fn second_address(test: &mut Test) -> GroupId {
    let group = group_of(&test.says(ONE, &query(2, 4000, 0)));
    test.bound(group, 4000);
    test.says(TWO, &query(2, 4000, 0));
    for worker in [ONE, TWO] {
        test.says(worker, &listening(4000, 0));
    }
    group
}

#[test]
fn two_addresses_that_are_asked_in_turns_both_reach_every_worker() {
    let mut test = Test::new(Sharing::RoundRobin);
    let first = test.listens(ONE);
    test.listens(TWO);
    let second = second_address(&mut test);
    let mut take = |group| {
        let (worker, seq) = test.offer(group, 1)[0];
        test.replies(worker, seq, true);
        worker
    };
    let turns: Vec<[WorkerId; 2]> = (0..4).map(|_| [take(first), take(second)]).collect();
    for at in [0, 1] {
        let took: Vec<WorkerId> = turns.iter().map(|turn| turn[at]).collect();
        assert!([[ONE, TWO, ONE, TWO], [TWO, ONE, TWO, ONE]].contains(&took[..].try_into().unwrap()), "{took:?}");
    }
}

#[test]
fn what_all_have_refused_is_told_and_offered_again_when_asked_to() {
    let mut test = Test::new(Sharing::RoundRobin);
    let group = test.listens(ONE);
    test.listens(TWO);
    let refused = |test: &Test| test.primary.refused().collect::<Vec<_>>();
    let (first, seq) = test.offer(group, 1)[0];
    assert_eq!(refused(&test), []);
    let (second, seq) = offers(&test.replies(first, seq, false))[0];
    assert_eq!(refused(&test), [], "the other has it");
    assert_eq!(test.replies(second, seq, false), []);
    assert_eq!(refused(&test), [group]);
    for _ in 0..2 {
        test.primary.offer_again(&mut test.out);
        let (worker, seq) = offers(&test.orders())[0];
        assert_eq!(refused(&test), [], "it is on its way");
        let (other, seq) = offers(&test.replies(worker, seq, false))[0];
        test.replies(other, seq, false);
        assert_eq!(refused(&test), [group]);
    }
    test.primary.offer_again(&mut test.out);
    let (worker, seq) = offers(&test.orders())[0];
    test.replies(worker, seq, true);
    assert_eq!(refused(&test), []);
    assert!(test.primary.has_taker(group));
    test.primary.offer_again(&mut test.out);
    assert_eq!(test.orders(), [], "nothing is left");
}
