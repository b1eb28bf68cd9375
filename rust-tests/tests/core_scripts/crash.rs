//! Exits that nobody asked for, the trees they leave, and facts that come late.

use rewake_core::{ExitStatus, Fact, Policy, RunId, SlotId, Wanted};
use rust_tests::script::Script;

use crate::plain;

#[test]
fn a_crash_is_followed_by_a_new_run_at_once() {
    let mut s = Script::online(plain());
    s.wait(7);
    s.exited(0, 1);
    assert_eq!(s.orders(), ["release run 0", "spawn run 1 of 0"]);
    assert_eq!(s.changes(), ["0 exit Code(1) after 7", "0 Restart"]);
    assert_eq!(s.slot(0).restarts, 1);
}

#[test]
fn a_crash_is_followed_by_a_new_run_after_the_restart_delay() {
    let mut s = Script::online(Policy { restart_delay: 300, ..plain() });
    s.exited(0, 1);
    s.tick_after(299);
    assert_eq!(s.orders(), ["release run 0"]);
    s.tick_after(1);
    assert_eq!(s.orders(), ["spawn run 1 of 0"]);
}

#[test]
fn the_sixteenth_short_run_makes_it_errored_with_fifteen_restarts() {
    let mut s = Script::online(plain());
    for run in 0..16 {
        s.spawned(run);
        s.wait(5);
        s.exited(run, 1);
    }
    assert_eq!((s.phase(0), s.slot(0).restarts, s.due_in()), ("errored", 15, None));
    assert_eq!(s.slot(0).wanted, Wanted::Up);
    s.orders();
    // A start by hand begins the count anew.
    s.start(0);
    s.spawned(16);
    s.exited(16, 1);
    assert_eq!(s.phase(0), "spawning");
}

#[test]
fn without_autorestart_an_exit_ends_stopped_and_that_is_saved() {
    let mut s = Script::online(Policy { autorestart: false, ..plain() });
    s.exited(0, 0);
    assert_eq!((s.phase(0), s.slot(0).wanted), ("stopped", Wanted::Down));
    assert_eq!(s.changes(), ["0 exit Code(0) after 0", "save", "0 Stop"]);
}

#[test]
fn a_stop_exit_code_ends_it_for_good_and_a_signal_is_no_code() {
    for (status, phase) in [(ExitStatus::Code(0), "stopped"), (ExitStatus::Signal(11), "spawning")] {
        let mut s = Script::online(Policy { stop_exit_codes: vec![0], ..plain() });
        s.fact(Fact::Exited { run: RunId(0), status, tree_gone: true });
        assert_eq!(s.phase(0), phase, "{status:?}");
        assert_eq!(s.slot(0).last_exit.map(|exit| exit.status), Some(status));
    }
}

#[test]
fn a_crash_with_a_lingering_tree_waits_for_the_tree() {
    let mut s = Script::online(plain());
    s.exited_leaving_a_tree(0, 1);
    assert_eq!(s.orders(), ["signal 15 to the tree of run 0"]);
    assert_eq!(s.due_in(), Some(1600));
    s.tree_gone(0);
    assert_eq!(s.orders(), ["release run 0", "spawn run 1 of 0"]);
    assert_eq!(s.slot(0).restarts, 1);
}

#[test]
fn a_tree_that_lingers_is_killed_and_one_that_survives_it_is_left() {
    let mut s = Script::online(plain());
    s.exited_leaving_a_tree(0, 1);
    s.tick_after(1600);
    assert_eq!(s.orders(), ["signal 15 to the tree of run 0", "signal 9 to the tree of run 0"]);
    s.tick_after(10_000);
    assert_eq!(s.orders(), ["release run 0", "spawn run 1 of 0"]);
}

#[test]
fn what_is_left_of_a_tree_is_killed_also_when_treekill_was_switched_off_meanwhile() {
    let mut s = Script::online(plain());
    s.exited_leaving_a_tree(0, 1);
    s.core.redefine(SlotId(0), Policy { treekill: false, ..plain() });
    s.tick_after(1600);
    assert_eq!(s.orders(), ["signal 15 to the tree of run 0", "signal 9 to the tree of run 0"]);
}

#[test]
fn a_stop_while_a_crashed_tree_lingers_waits_for_it_and_ends_stopped() {
    let mut s = Script::online(plain());
    s.exited_leaving_a_tree(0, 1);
    s.stop(0);
    s.tree_gone(0);
    assert_eq!(s.orders(), ["signal 15 to the tree of run 0", "release run 0", "reply 1: 0 ok"]);
    assert_eq!(s.phase(0), "stopped");
}

#[test]
fn a_start_while_a_crashed_tree_lingers_does_not_ask_the_policy() {
    let mut s = Script::online(Policy { restart_delay: 60_000, ..plain() });
    s.exited_leaving_a_tree(0, 1);
    s.start(0);
    s.tree_gone(0);
    assert_eq!(s.orders(), ["signal 15 to the tree of run 0", "release run 0", "spawn run 1 of 0"]);
}

#[test]
fn an_exit_that_is_reported_before_the_birth_counts_as_both() {
    let mut s = Script::with(Policy { restart_delay: 10, ..plain() });
    s.start(0);
    s.exited(0, 1);
    assert_eq!((s.phase(0), s.slot(0).last_exit.map(|exit| exit.lived)), ("waiting restart", Some(0)));
    s.orders();
    s.spawned(0);
    assert_eq!((s.orders(), s.phase(0)), (vec![], "waiting restart"));
}

#[test]
fn a_late_exit_of_an_old_run_does_not_touch_the_new_one() {
    let mut s = Script::online(plain());
    s.exited(0, 1);
    s.spawned(1);
    s.orders();
    s.exited(0, 1);
    s.tree_gone(0);
    s.exited(77, 1);
    assert_eq!((s.orders(), s.phase(0)), (vec![], "online"));
}

#[test]
fn what_ends_before_its_birth_was_told_was_never_up() {
    let mut s = Script::with(plain());
    s.start(0);
    s.exited(0, 1);
    let expected = [
        "save",
        "0 Start",
        "spawn run 0 of 0",
        "0 exit Code(1) after 0",
        "reply 0: 0 exited early with Code(1)",
        "release run 0",
        "0 Restart",
        "spawn run 1 of 0",
    ];
    assert_eq!(s.everything(), expected);
}
