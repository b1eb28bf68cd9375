//! `delete`: what is forgotten and when.

use rewake_core::{Command, SlotId};
use rust_tests::script::Script;

use crate::plain;

#[test]
fn a_delete_of_what_is_stopped_removes_it_at_once() {
    let mut s = Script::with(plain());
    s.delete(0);
    assert_eq!(s.orders(), ["reply 0: 0 ok", "removed 0"]);
    assert_eq!(s.changes(), ["save", "0 Delete", "save"]);
    assert!(s.core.slot(SlotId(0)).is_none());
}

#[test]
fn a_delete_stops_first_and_is_saved_before_it_has_stopped() {
    let mut s = Script::online(plain());
    s.delete(0);
    assert_eq!(s.orders(), ["signal 2 to the tree of run 0"]);
    assert_eq!(s.changes(), ["save"]);
    s.exited(0, 0);
    assert_eq!(s.orders(), ["release run 0", "reply 1: 0 ok", "removed 0"]);
}

#[test]
fn what_is_being_deleted_is_unknown_to_every_later_command_but_delete() {
    let mut s = Script::online(plain());
    s.delete(0);
    s.orders();
    s.start(0);
    s.stop(0);
    s.restart(0);
    s.reset(0);
    s.signal(0, 1);
    let unknown: Vec<String> = (2..7).map(|call| format!("reply {call}: 0 Unknown")).collect();
    assert_eq!(s.orders(), unknown);
    s.delete(0);
    s.exited(0, 0);
    assert_eq!(s.orders(), ["release run 0", "reply 1: 0 ok", "reply 7: 0 ok", "removed 0"]);
}

#[test]
fn a_delete_during_the_spawn_leaves_nothing() {
    let mut s = Script::with(plain());
    s.start(0);
    s.delete(0);
    s.spawned(0);
    s.exited(0, 0);
    let expected = [
        "spawn run 0 of 0",
        "reply 0: 0 Superseded",
        "signal 2 to the tree of run 0",
        "release run 0",
        "reply 1: 0 ok",
        "removed 0",
    ];
    assert_eq!(s.orders(), expected);
}

#[test]
fn ids_begin_again_at_zero_when_the_list_is_empty_and_not_before() {
    let mut s = Script::with(plain());
    assert_eq!(s.add("b", plain()), 1);
    s.delete(1);
    assert_eq!(s.add("c", plain()), 2);
    s.command(Command::Delete { slots: vec![SlotId(0), SlotId(2)] });
    assert_eq!(s.add("d", plain()), 0);
}
