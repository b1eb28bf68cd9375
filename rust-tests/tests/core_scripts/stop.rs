//! Going down: `stop`, SIGKILL, what cannot be killed.

use rewake_core::{Fact, Policy, RunId, StopWith};
use rust_tests::script::Script;

use crate::{NOTHING, plain};

#[test]
fn a_stop_asks_politely_and_is_answered_when_the_process_is_gone() {
    let mut s = Script::online(plain());
    s.stop(0);
    assert_eq!(s.orders(), ["signal 2 to the tree of run 0"]);
    assert_eq!((s.phase(0), s.due_in()), ("stopping", Some(1600)));
    s.wait(5);
    s.exited(0, 0);
    assert_eq!(s.orders(), ["release run 0", "reply 1: 0 ok"]);
    assert_eq!((s.phase(0), s.due_in()), ("stopped", None));
    assert_eq!(s.changes(), ["save", "0 exit Code(0) after 5", "0 Stop"]);
}

#[test]
fn what_ignores_the_request_is_killed_with_its_tree_at_its_time() {
    let mut s = Script::online(plain());
    s.stop(0);
    s.orders();
    s.tick_after(1599);
    assert_eq!(s.orders(), NOTHING);
    s.tick_after(1);
    assert_eq!(s.orders(), ["signal 9 to the tree of run 0"]);
    s.exited(0, 0);
    assert_eq!(s.orders(), ["release run 0", "reply 1: 0 ok"]);
}

#[test]
fn a_kill_timeout_of_zero_kills_at_the_next_tick() {
    let mut s = Script::online(Policy { kill_timeout: 0, ..plain() });
    s.stop(0);
    assert_eq!(s.due_in(), Some(0));
    s.tick_after(0);
    assert_eq!(s.orders(), ["signal 2 to the tree of run 0", "signal 9 to the tree of run 0"]);
    assert_eq!(s.due_in(), Some(10_000));
}

#[test]
fn without_treekill_the_process_alone_is_signalled() {
    let mut s = Script::online(Policy { treekill: false, stop_with: StopWith::Signal(15), ..plain() });
    s.stop(0);
    s.tick_after(1600);
    assert_eq!(s.orders(), ["signal 15 to run 0", "signal 9 to run 0"]);
}

#[test]
fn a_stop_by_message_falls_back_to_a_signal_when_it_cannot_be_delivered() {
    let mut s = Script::online(Policy { stop_with: StopWith::Message, ..plain() });
    s.stop(0);
    assert_eq!(s.orders(), ["send shutdown to run 0"]);
    s.wait(10);
    s.fact(Fact::ShutdownUndeliverable { run: RunId(0) });
    assert_eq!(s.orders(), ["signal 2 to the tree of run 0"]);
    // Its time goes on from when it should have been told.
    assert_eq!(s.due_in(), Some(1590));
}

#[test]
fn a_stop_during_the_spawn_ends_stopped() {
    let mut s = Script::with(plain());
    s.start(0);
    s.stop(0);
    assert_eq!(s.orders(), ["spawn run 0 of 0", "reply 0: 0 Superseded"]);
    s.spawned(0);
    assert_eq!(s.orders(), ["signal 2 to the tree of run 0"]);
    s.exited(0, 0);
    assert_eq!(s.orders(), ["release run 0", "reply 1: 0 ok"]);
    assert_eq!(s.phase(0), "stopped");
}

#[test]
fn a_stop_during_a_spawn_that_fails_ends_stopped() {
    let mut s = Script::with(plain());
    s.start(0);
    s.stop(0);
    s.spawn_failed(0, true);
    assert_eq!(s.orders(), ["spawn run 0 of 0", "reply 0: 0 Superseded", "release run 0", "reply 1: 0 ok"]);
    assert_eq!((s.phase(0), s.due_in()), ("stopped", None));
}

#[test]
fn a_stop_and_a_start_during_the_spawn_go_down_once_and_come_up_again() {
    let mut s = Script::with(plain());
    s.start(0);
    s.stop(0);
    s.start(0);
    s.spawned(0);
    assert_eq!(s.orders(), ["spawn run 0 of 0", "reply 0: 0 Superseded", "signal 2 to the tree of run 0"]);
    s.exited(0, 0);
    assert_eq!(s.orders(), ["release run 0", "reply 1: 0 ok", "spawn run 1 of 0"]);
    s.spawned(1);
    assert_eq!(s.orders(), ["reply 2: 0 ok"]);
}

#[test]
fn a_stop_while_waiting_to_restart_signals_nobody() {
    let mut s = Script::online(Policy { restart_delay: 1000, ..plain() });
    s.exited(0, 1);
    assert_eq!(s.phase(0), "waiting restart");
    s.orders();
    s.stop(0);
    assert_eq!(s.orders(), ["reply 1: 0 ok"]);
    s.tick_after(5000);
    assert_eq!((s.orders(), s.phase(0)), (vec![], "stopped"));
}

#[test]
fn a_stop_of_what_is_stopped_or_errored_is_answered_at_once() {
    let mut s = Script::with(plain());
    s.stop(0);
    s.start(0);
    s.spawn_failed(0, false);
    s.orders();
    assert_eq!(s.phase(0), "errored");
    s.stop(0);
    assert_eq!((s.orders(), s.phase(0)), (vec!["reply 2: 0 ok".to_owned()], "stopped"));
}

#[test]
fn a_second_stop_waits_for_the_first_without_a_second_signal() {
    let mut s = Script::online(plain());
    s.stop(0);
    s.stop(0);
    s.exited(0, 0);
    let expected = ["signal 2 to the tree of run 0", "release run 0", "reply 1: 0 ok", "reply 2: 0 ok"];
    assert_eq!(s.orders(), expected);
}

#[test]
fn a_stop_of_what_sigkill_does_not_end_fails_and_later_still_ends_stopped() {
    let mut s = Script::online(plain());
    s.stop(0);
    s.tick_after(1600);
    s.orders();
    s.tick_after(10_000);
    assert_eq!(s.orders(), ["reply 1: 0 CannotBeKilled"]);
    assert_eq!((s.phase(0), s.due_in()), ("stopping", None));
    s.stop(0);
    s.start(0);
    s.restart(0);
    let refusals = ["reply 2: 0 CannotBeKilled", "reply 3: 0 CannotBeKilled", "reply 4: 0 CannotBeKilled"];
    assert_eq!(s.orders(), refusals);
    s.stop(0);
    s.wait(90_000);
    s.exited(0, 0);
    assert_eq!(s.orders(), ["reply 5: 0 CannotBeKilled", "release run 0"]);
    assert_eq!(s.phase(0), "stopped");
}

#[test]
fn what_ends_after_all_comes_up_when_it_is_wanted() {
    let mut s = Script::online(plain());
    s.restart(0);
    s.tick_after(1600);
    s.tick_after(10_000);
    s.orders();
    s.wait(1);
    s.exited(0, 0);
    assert_eq!(s.orders(), ["release run 0", "spawn run 1 of 0"]);
}

#[test]
fn what_ends_after_all_and_leaves_a_straggler_does_not_hold_its_slot_for_ever() {
    let mut s = Script::online(plain());
    s.restart(0);
    s.tick_after(1600);
    s.tick_after(10_000);
    s.orders();
    s.exited_leaving_a_tree(0, 0);
    assert_eq!(s.orders(), ["signal 9 to the tree of run 0"]);
    assert_eq!(s.due_in(), Some(10_000));
    s.tick_after(10_000);
    assert_eq!(s.orders(), ["release run 0", "spawn run 1 of 0"]);
}
