//! `retire`: a delete that lets requests in flight end, for scaling down; and runs that the last daemon's reload has left.

use rewake_core::{Command, Policy, RunId, SlotId, Time};
use rust_tests::script::Script;

use crate::{NOTHING, plain};

fn cluster() -> Policy {
    Policy { listens: true, rolling: true, ..plain() }
}

fn retire(s: &mut Script, id: u32) {
    s.command(Command::Retire { slots: vec![SlotId(id)] });
}

#[test]
fn what_can_be_drained_is_drained_before_it_is_asked_and_forgotten() {
    let mut s = Script::online(cluster());
    retire(&mut s, 0);
    assert_eq!(s.orders(), ["drain run 0"]);
    retire(&mut s, 0);
    assert_eq!(s.orders(), NOTHING);
    s.drained(0);
    s.exited(0, 0);
    let expected = ["signal 2 to the tree of run 0", "release run 0", "reply 1: 0 ok", "reply 2: 0 ok", "removed 0"];
    assert_eq!(s.orders(), expected);
}

#[test]
fn what_cannot_be_drained_is_deleted() {
    let mut s = Script::online(plain());
    retire(&mut s, 0);
    assert_eq!(s.orders(), ["signal 2 to the tree of run 0"]);
}

#[test]
fn a_delete_cuts_it_short() {
    let mut s = Script::online(cluster());
    retire(&mut s, 0);
    s.delete(0);
    assert_eq!(s.orders(), ["drain run 0", "signal 2 to the tree of run 0"]);
}

#[test]
fn a_run_that_an_earlier_daemon_was_replacing_or_bringing_up_is_told_to_go() {
    let mut s = Script::with(cluster());
    s.start(0);
    s.spawned(0);
    s.orders();
    let mut effects = Vec::new();
    assert!(s.core.retire(Time(0), SlotId(0), RunId(7), Time(0), &mut effects));
    assert!(!s.core.retire(Time(0), SlotId(0), RunId(8), Time(0), &mut effects), "there are never three");
    assert!(!s.core.retire(Time(0), SlotId(9), RunId(9), Time(0), &mut effects), "there is no such slot");
    assert_eq!(effects, [rewake_core::Effect::Drain { run: RunId(7) }]);
    s.drained(7);
    s.exited(7, 0);
    assert_eq!(s.orders(), ["signal 2 to the tree of run 7", "release run 7"]);
    assert_eq!((s.phase(0), s.runs(0), s.core.next_run()), ("online", vec![0], 10));
}
