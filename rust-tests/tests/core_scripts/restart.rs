//! `restart`, and a `start` of what is on its way out.

use rewake_core::Policy;
use rust_tests::script::Script;

use crate::plain;

#[test]
fn a_restart_replaces_the_process_and_counts() {
    let mut s = Script::online(plain());
    s.restart(0);
    assert_eq!(s.orders(), ["signal 2 to the tree of run 0"]);
    s.exited(0, 0);
    assert_eq!(s.orders(), ["release run 0", "spawn run 1 of 0"]);
    s.spawned(1);
    assert_eq!(s.orders(), ["reply 1: 0 ok"]);
    assert_eq!(s.slot(0).restarts, 1);
}

#[test]
fn a_restart_of_what_is_stopped_starts_it_and_does_not_count() {
    let mut s = Script::with(plain());
    s.restart(0);
    s.spawned(0);
    assert_eq!(s.orders(), ["spawn run 0 of 0", "reply 0: 0 ok"]);
    assert_eq!(s.slot(0).restarts, 0);
}

#[test]
fn a_restart_does_not_ask_the_policy() {
    let policy = Policy { autorestart: false, restart_delay: 9000, stop_exit_codes: vec![0], ..plain() };
    let mut s = Script::online(policy);
    s.restart(0);
    s.exited(0, 0);
    assert_eq!(s.orders(), ["signal 2 to the tree of run 0", "release run 0", "spawn run 1 of 0"]);
}

#[test]
fn a_restart_during_the_spawn_replaces_what_was_being_made() {
    let mut s = Script::with(plain());
    s.start(0);
    s.restart(0);
    s.spawned(0);
    assert_eq!(s.orders(), ["spawn run 0 of 0", "signal 2 to the tree of run 0"]);
    s.exited(0, 0);
    s.spawned(1);
    assert_eq!(s.orders(), ["release run 0", "spawn run 1 of 0", "reply 0: 0 ok", "reply 1: 0 ok"]);
}

#[test]
fn a_stop_supersedes_a_restart_and_nothing_comes_up() {
    let mut s = Script::online(plain());
    s.restart(0);
    s.stop(0);
    assert_eq!(s.orders(), ["signal 2 to the tree of run 0", "reply 1: 0 Superseded"]);
    s.exited(0, 0);
    assert_eq!(s.orders(), ["release run 0", "reply 2: 0 ok"]);
}

#[test]
fn a_start_while_stopping_comes_up_as_soon_as_the_old_run_is_gone() {
    let mut s = Script::online(plain());
    s.stop(0);
    s.start(0);
    s.exited(0, 0);
    assert_eq!(s.orders(), ["signal 2 to the tree of run 0", "release run 0", "reply 1: 0 ok", "spawn run 1 of 0"]);
    s.spawned(1);
    assert_eq!(s.orders(), ["reply 2: 0 ok"]);
}

#[test]
fn a_start_while_waiting_to_restart_does_not_wait() {
    let mut s = Script::online(Policy { restart_delay: 60_000, ..plain() });
    s.exited(0, 1);
    s.orders();
    s.start(0);
    assert_eq!((s.orders(), s.due_in()), (vec!["spawn run 1 of 0".to_owned()], None));
}
