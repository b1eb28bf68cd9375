//! `reset` and `send-signal`: neither changes what a slot is doing.

use rust_tests::script::Script;

use crate::plain;

#[test]
fn a_reset_zeroes_the_counters_and_touches_no_process() {
    let mut s = Script::online(plain());
    s.exited(0, 1);
    s.spawned(1);
    s.orders();
    s.reset(0);
    assert_eq!(s.orders(), ["reply 1: 0 ok"]);
    assert_eq!((s.slot(0).restarts, s.slot(0).streak.unstable, s.phase(0)), (0, 0, "online"));
}

#[test]
fn a_signal_goes_to_the_process_alone() {
    let mut s = Script::online(plain());
    s.signal(0, 12);
    assert_eq!(s.orders(), ["signal 12 to run 0", "reply 1: 0 ok"]);
}

#[test]
fn a_signal_to_what_has_no_process_is_refused() {
    let mut s = Script::with(plain());
    s.signal(0, 12);
    s.start(0);
    s.signal(0, 12);
    s.spawned(0);
    s.exited_leaving_a_tree(0, 1);
    s.orders();
    s.signal(0, 12);
    assert_eq!(s.orders(), ["reply 3: 0 NotRunning"]);
}
