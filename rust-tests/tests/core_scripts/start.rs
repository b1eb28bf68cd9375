//! Coming up: `start`, readiness, spawns that fail.

use rewake_core::{Command, Policy, SlotId};
use rust_tests::script::Script;

use crate::{NOTHING, plain, wait_ready};

#[test]
fn a_start_is_answered_when_the_process_is_there() {
    let mut s = Script::with(plain());
    s.start(0);
    assert_eq!(s.orders(), ["spawn run 0 of 0"]);
    s.spawned(0);
    assert_eq!(s.orders(), ["reply 0: 0 ok"]);
    assert_eq!(s.changes(), ["save", "0 Start", "0 Online"]);
}

#[test]
fn a_start_of_what_is_online_changes_nothing() {
    let mut s = Script::online(plain());
    s.start(0);
    assert_eq!(s.orders(), ["reply 1: 0 ok"]);
    assert_eq!(s.changes(), NOTHING);
}

#[test]
fn two_starts_make_one_process_and_get_an_answer_each() {
    let mut s = Script::with(plain());
    s.start(0);
    s.start(0);
    s.spawned(0);
    assert_eq!(s.orders(), ["spawn run 0 of 0", "reply 0: 0 ok", "reply 1: 0 ok"]);
}

#[test]
fn a_start_of_several_is_answered_after_the_last() {
    let mut s = Script::with(plain());
    s.add("other", plain());
    s.command(Command::Start { slots: vec![SlotId(1), SlotId(0), SlotId(1), SlotId(9)], settle: 0 });
    assert_eq!(s.orders(), ["spawn run 0 of 0", "spawn run 1 of 1"]);
    s.spawned(1);
    assert_eq!(s.orders(), NOTHING);
    s.spawn_failed(0, false);
    assert_eq!(s.orders(), ["release run 0", "reply 0: 0 SpawnFailed, 1 ok, 9 Unknown"]);
}

#[test]
fn a_command_over_no_slots_is_answered_at_once() {
    let mut s = Script::default();
    s.command(Command::Stop { slots: Vec::new() });
    assert_eq!(s.orders(), ["reply 0: "]);
}

#[test]
fn a_start_with_a_settle_time_waits_until_it_has_been_up_for_so_long() {
    let mut s = Script::with(plain());
    s.start_and_settle(0, 500);
    s.wait(20);
    s.spawned(0);
    assert_eq!(s.due_in(), Some(500));
    s.tick_after(499);
    assert_eq!(s.orders(), ["spawn run 0 of 0"]);
    s.tick_after(1);
    assert_eq!(s.orders(), ["reply 0: 0 ok"]);
    assert_eq!(s.due_in(), None);
}

#[test]
fn a_start_fails_with_the_exit_when_the_process_ends_before_it_has_settled() {
    let mut s = Script::with(plain());
    s.start_and_settle(0, 500);
    s.spawned(0);
    s.wait(499);
    s.exited(0, 1);
    let expected = ["spawn run 0 of 0", "reply 0: 0 exited early with Code(1)", "release run 0", "spawn run 1 of 0"];
    assert_eq!(s.orders(), expected);
}

#[test]
fn a_settle_time_without_end_ends_with_the_stop() {
    let mut s = Script::with(plain());
    s.start_and_settle(0, u64::MAX);
    s.spawned(0);
    s.stop(0);
    assert_eq!(s.orders(), ["spawn run 0 of 0", "reply 0: 0 Superseded", "signal 2 to the tree of run 0"]);
}

#[test]
fn with_wait_ready_a_start_waits_for_ready() {
    let mut s = Script::with(wait_ready());
    s.start(0);
    s.spawned(0);
    assert_eq!((s.phase(0), s.due_in()), ("launching", Some(3000)));
    assert_eq!(s.orders(), ["spawn run 0 of 0"]);
    s.ready(0);
    assert_eq!(s.orders(), ["reply 0: 0 ok"]);
    assert_eq!((s.phase(0), s.due_in()), ("online", None));
}

#[test]
fn what_never_says_ready_counts_as_online_after_its_time() {
    let mut s = Script::with(wait_ready());
    s.start(0);
    s.spawned(0);
    s.tick_after(2999);
    assert_eq!(s.phase(0), "launching");
    s.tick_after(1);
    assert_eq!(s.orders(), ["spawn run 0 of 0", "reply 0: 0 ok"]);
    assert_eq!(s.changes(), ["save", "0 Start", "0 ReadyTimeout", "0 Online"]);
}

#[test]
fn a_ready_that_comes_late_or_twice_changes_nothing() {
    let mut s = Script::online(wait_ready());
    s.ready(0);
    s.stop(0);
    s.ready(0);
    assert_eq!((s.orders(), s.phase(0)), (vec!["signal 2 to the tree of run 0".to_owned()], "stopping"));
}

#[test]
fn an_exit_before_ready_fails_the_start() {
    let mut s = Script::with(Policy { autorestart: false, ..wait_ready() });
    s.start(0);
    s.spawned(0);
    s.exited(0, 3);
    assert_eq!(s.orders(), ["spawn run 0 of 0", "reply 0: 0 exited early with Code(3)", "release run 0"]);
    assert_eq!(s.phase(0), "stopped");
}

#[test]
fn a_process_that_cannot_be_made_makes_the_slot_errored() {
    let mut s = Script::with(plain());
    s.start(0);
    s.spawn_failed(0, false);
    assert_eq!(s.orders(), ["spawn run 0 of 0", "release run 0", "reply 0: 0 SpawnFailed"]);
    assert_eq!((s.phase(0), s.due_in()), ("errored", None));
}

#[test]
fn a_spawn_that_failed_for_want_of_something_is_tried_again_later() {
    let mut s = Script::with(plain());
    s.start(0);
    s.spawn_failed(0, true);
    assert_eq!((s.phase(0), s.due_in()), ("waiting restart", Some(500)));
    s.orders();
    s.tick_after(500);
    assert_eq!(s.orders(), ["spawn run 1 of 0"]);
    assert_eq!(s.slot(0).restarts, 1);
}

#[test]
fn a_restart_asked_for_during_a_spawn_that_fails_gets_its_own_attempt() {
    let mut s = Script::with(plain());
    s.start(0);
    s.restart(0);
    s.spawn_failed(0, false);
    assert_eq!(s.orders(), ["spawn run 0 of 0", "release run 0", "spawn run 1 of 0"]);
    s.spawned(1);
    assert_eq!(s.orders(), ["reply 0: 0 ok", "reply 1: 0 ok"]);
}
