//! The end of one daemon and the beginning of the next; new policies.

use rewake_core::{NewSlot, Policy, RunId, SlotId, StopWith, Time, Wanted};
use rust_tests::script::Script;

use crate::{NOTHING, plain, wait_ready};

#[test]
fn a_shutdown_stops_everything_and_remembers_what_was_wanted() {
    let mut s = Script::online(plain());
    s.add("waiting", Policy { restart_delay: 60_000, ..plain() });
    s.start(1);
    s.spawned(1);
    s.exited(1, 1);
    s.orders();
    s.changes();
    s.shutdown();
    assert_eq!(s.orders(), ["signal 2 to the tree of run 0"]);
    s.exited(0, 0);
    assert_eq!(s.orders(), ["release run 0", "reply 2: 0 ok, 1 ok"]);
    assert_eq!((s.slot(0).wanted, s.slot(1).wanted), (Wanted::Up, Wanted::Up));
    assert!(!s.changes().contains(&"save".to_owned()));
    assert!(s.core.is_closing());
}

#[test]
fn after_a_shutdown_nothing_is_started() {
    let mut s = Script::online(plain());
    s.shutdown();
    s.start(0);
    s.restart(0);
    s.exited(0, 1);
    let expected = [
        "signal 2 to the tree of run 0",
        "reply 2: 0 ShuttingDown",
        "reply 3: 0 ShuttingDown",
        "release run 0",
        "reply 1: 0 ok",
    ];
    assert_eq!(s.orders(), expected);
    s.start(0);
    assert_eq!(s.orders(), ["reply 4: 0 ShuttingDown"]);
}

#[test]
fn a_shutdown_fails_those_who_wait_for_something_to_come_up() {
    let mut s = Script::with(plain());
    s.start(0);
    s.shutdown();
    assert_eq!(s.orders(), ["spawn run 0 of 0", "reply 0: 0 ShuttingDown"]);
    s.spawned(0);
    s.exited(0, 0);
    assert_eq!(s.orders(), ["signal 2 to the tree of run 0", "release run 0", "reply 1: 0 ok"]);
}

#[test]
fn what_is_restored_keeps_its_id_its_counter_and_what_was_wanted_and_is_not_started() {
    let mut s = Script::default();
    let new = NewSlot { name: "app".into(), namespace: "default".into(), policy: plain() };
    s.core.restore(SlotId(5), 2, new, Wanted::Up, 3);
    assert_eq!((s.slot(5).instance, s.slot(5).restarts, s.phase(5)), (2, 3, "stopped"));
    assert_eq!(s.orders(), NOTHING);
    assert_eq!(s.add("next", plain()), 6);
}

#[test]
fn an_adopted_run_is_online_and_its_number_is_not_given_again() {
    let mut s = Script::with(plain());
    s.wait(500);
    assert!(s.core.adopt(SlotId(0), RunId(40), Time(100)));
    assert!(!s.core.adopt(SlotId(0), RunId(41), Time(100)), "it has a run");
    assert!(!s.core.adopt(SlotId(9), RunId(42), Time(100)), "there is no such slot");
    assert_eq!(s.phase(0), "online");
    s.start(0);
    s.restart(0);
    s.exited(40, 0);
    assert_eq!(s.slot(0).last_exit.map(|exit| exit.lived), Some(400));
    assert_eq!(s.orders(), ["reply 0: 0 ok", "signal 2 to the tree of run 40", "release run 40", "spawn run 43 of 0"]);
}

#[test]
fn instances_of_a_name_get_the_lowest_free_number() {
    let mut s = Script::default();
    let ids = [s.add("web", plain()), s.add("web", plain()), s.add("api", plain()), s.add("web", plain())];
    assert_eq!(ids.map(|id| s.slot(id).instance), [0, 1, 0, 2]);
    s.delete(1);
    let id = s.add("web", plain());
    assert_eq!((id, s.slot(id).instance), (4, 1));
}

#[test]
fn a_new_policy_holds_for_what_happens_from_now_on() {
    let mut s = Script::online(plain());
    s.core.redefine(SlotId(0), Policy { kill_timeout: 50, stop_with: StopWith::Signal(15), ..plain() });
    s.stop(0);
    assert_eq!((s.orders(), s.due_in()), (vec!["signal 15 to the tree of run 0".to_owned()], Some(50)));
}

#[test]
fn times_without_end_do_not_overflow() {
    let policy = Policy { kill_timeout: u64::MAX, restart_delay: u64::MAX, ready_timeout: u64::MAX, ..wait_ready() };
    let mut s = Script::with(policy);
    s.wait(1000);
    s.start_and_settle(0, u64::MAX);
    s.spawned(0);
    s.stop(0);
    s.tick_after(1 << 40);
    assert_eq!(s.phase(0), "stopping");
    s.start(0);
    s.exited(0, 0);
    s.spawned(1);
    s.exited(1, 0);
    s.tick_after(1 << 40);
    assert_eq!(s.phase(0), "waiting restart");
}
