//! Whole trees: who is signalled, and when the last is gone.

use std::os::fd::AsFd;

use rewake_unix::{pidfd, proc};
use rewake_wire::keeper::{Exit, Order, Plan, Report};

use crate::harness::Test;
use crate::setup::{self, Keeping, on_both_kernels, read_line, talking, wait_until};

pub(crate) const TESTS: &[Test] = &[
    ("a_tree_signal_reaches_attached_detached_and_orphaned_descendants", a_tree_signal_reaches_all),
    ("a_signal_to_the_process_alone_spares_its_children", a_signal_to_the_process_alone),
    ("what_outlives_its_leader_is_told_when_it_is_gone", what_outlives_its_leader),
    ("a_stopped_tree_is_gone_only_with_its_detached_part", a_stopped_tree_with_a_detached_part),
    ("one_that_leaves_the_group_after_the_signal_still_belongs_to_the_tree", one_that_leaves_the_group),
    ("without_treekill_the_leader_is_the_tree", without_treekill),
    ("orphans_are_reaped", orphans_are_reaped),
];

const KILLED: Exit = Exit::Signal { number: 9, core_dumped: false };

/// Waits for the pids that a script says it has started.
fn pids(line: &str) -> Vec<u32> {
    line.split_whitespace().map(|word| word.parse().unwrap()).collect()
}

fn wait_until_gone(pids: &[u32]) {
    wait_until("all processes are gone", || !pids.iter().any(|&pid| setup::is_alive(pid)));
}

fn a_tree_signal_reaches_all() {
    on_both_kernels(|keeping| {
        // Attached: in the group. Detached: a session of its own, its parent lives. Below it one more of each kind.
        // Orphaned: in the group, its parent has ended.
        let script = "
            sleep 1001 & attached=$!
            setsid sh -c 'sleep 1002 & setsid sleep 1003 & echo $$ $!; wait' &
            sh -c 'sleep 1004 & echo $!'
            echo $attached; echo ready; wait";
        let spawned = keeping.spawn(1, &talking(script));
        let mut told = Vec::new();
        loop {
            let line = read_line(&spawned.stdout);
            if line == "ready" && told.len() == 4 {
                break;
            } else if line == "ready" {
                // The detached shell's line is still to come.
                told.extend(pids(&read_line(&spawned.stdout)));
                break;
            }
            told.extend(pids(&line));
        }
        assert_eq!(told.len(), 4, "{told:?}");
        let mut all = setup::descendants(spawned.pid);
        all.extend(&told);
        all.sort_unstable();
        all.dedup();
        // The two inner sleeps of the detached shell, itself, the attached, the orphaned.
        wait_until("all sleeps run", || all.iter().filter(|&&pid| setup::is_alive(pid)).count() >= 5);
        keeping.signal(1, 9, true);
        let report = keeping.report();
        let Report::Exited { run: 1, exit: KILLED, tree_gone } = report else { panic!("{report:?}") };
        if !tree_gone {
            assert_eq!(keeping.report(), Report::TreeGone { run: 1 });
        }
        wait_until_gone(&all);
    });
}

fn a_signal_to_the_process_alone() {
    on_both_kernels(|keeping| {
        let spawned = keeping.spawn(1, &talking("sleep 1000 & echo $!; wait"));
        let child = pids(&read_line(&spawned.stdout))[0];
        keeping.signal(1, 9, false);
        assert_eq!(keeping.report(), Report::Exited { run: 1, exit: KILLED, tree_gone: false });
        assert!(setup::is_alive(child));
        keeping.signal(1, 9, true);
        assert_eq!(keeping.report(), Report::TreeGone { run: 1 });
        assert!(!setup::is_alive(child));
    });
}

fn what_outlives_its_leader() {
    on_both_kernels(|keeping| {
        let spawned = keeping.spawn(1, &talking("for i in 1 2 3; do sleep 1000 & echo $!; done; exit 5"));
        let children: Vec<u32> = (0..3).flat_map(|_| pids(&read_line(&spawned.stdout))).collect();
        assert_eq!(keeping.report(), Report::Exited { run: 1, exit: Exit::Code(5), tree_gone: false });
        for &child in &children {
            assert!(setup::is_alive(child));
            let child = pidfd::open(child).unwrap();
            pidfd::send(child.as_fd(), 9).unwrap();
        }
        assert_eq!(keeping.report(), Report::TreeGone { run: 1 });
        wait_until("no zombie is left", || proc::children(keeping.pid).unwrap().is_empty());
    });
}

fn a_stopped_tree_with_a_detached_part() {
    on_both_kernels(|keeping| {
        // The detached one outlives the polite signal.
        let script = "setsid sh -c 'trap : TERM; echo $$; while :; do sleep 1000; done' & wait";
        let spawned = keeping.spawn(1, &talking(script));
        let stubborn = pids(&read_line(&spawned.stdout))[0];
        let sleeps = || -> Vec<u32> {
            setup::descendants(stubborn).into_iter().filter(|&pid| setup::name(pid) == "sleep").collect()
        };
        wait_until("it sleeps", || !sleeps().is_empty());
        let first = sleeps();
        keeping.signal(1, 15, true);
        let exit = Exit::Signal { number: 15, core_dumped: false };
        assert_eq!(keeping.report(), Report::Exited { run: 1, exit, tree_gone: false });
        // The polite signal ended its sleep, and it starts another one that nobody has seen yet.
        wait_until("it sleeps again", || !sleeps().is_empty() && sleeps() != first);
        let unseen = sleeps();
        keeping.signal(1, 9, true);
        assert_eq!(keeping.report(), Report::TreeGone { run: 1 });
        assert!(!setup::is_alive(stubborn));
        wait_until_gone(&unseen);
    });
}

fn one_that_leaves_the_group() {
    on_both_kernels(|keeping| {
        // It is in the group when the polite signal comes, lets it pass, and leaves once its parent is no more its parent.
        let parent = "while read _ _ _ parent _ < /proc/$$/stat && [ $parent = $0 ]; do sleep 0.01; done";
        let child = format!("trap \"\" TERM; echo $$; {parent}; exec setsid sleep 1000");
        let spawned = keeping.spawn(1, &talking(&format!("sh -c '{child}' $$ & wait")));
        let stubborn = pids(&read_line(&spawned.stdout))[0];
        assert_eq!(proc::stat(stubborn).unwrap().group, spawned.pid);
        keeping.signal(1, 15, true);
        let exit = Exit::Signal { number: 15, core_dumped: false };
        assert_eq!(keeping.report(), Report::Exited { run: 1, exit, tree_gone: false });
        wait_until("it leaves the group", || proc::stat(stubborn).unwrap().group == stubborn);
        keeping.signal(1, 9, true);
        assert_eq!(keeping.report(), Report::TreeGone { run: 1 });
        assert!(!setup::is_alive(stubborn));
    });
}

fn without_treekill() {
    on_both_kernels(|keeping| {
        let plan = Plan { treekill: false, ..talking("sleep 1000 & echo $!; exit 0") };
        let spawned = keeping.spawn(1, &plan);
        let child = pids(&read_line(&spawned.stdout))[0];
        assert_eq!(keeping.report(), Report::Exited { run: 1, exit: Exit::Code(0), tree_gone: true });
        keeping.signal(1, 9, true);
        keeping.order(&Order::Release { run: 1 });
        keeping.settle();
        assert!(setup::is_alive(child));
        end(keeping, child);
    });
}

fn orphans_are_reaped() {
    on_both_kernels(|keeping| {
        // While the first run's group lives on, its leader may have to stay a zombie; others must not.
        let first = keeping.spawn(1, &talking("sleep 1000 & echo $!; exit 0"));
        let survivor = pids(&read_line(&first.stdout))[0];
        assert!(matches!(keeping.report(), Report::Exited { run: 1, tree_gone: false, .. }));
        let second = keeping.spawn(2, &talking("sh -c 'setsid sleep 1000 & echo $!'; exec sleep 1000"));
        let orphan = pids(&read_line(&second.stdout))[0];
        wait_until("the orphan falls to the keeper", || proc::children(keeping.pid).unwrap().contains(&orphan));
        end(keeping, orphan);
        keeping.signal(2, 9, true);
        assert_eq!(keeping.report(), Report::Exited { run: 2, exit: KILLED, tree_gone: true });
        keeping.signal(1, 9, true);
        assert_eq!(keeping.report(), Report::TreeGone { run: 1 });
        assert!(!setup::is_alive(survivor));
        // That the last has ended may be known a moment before its exit is to be taken.
        wait_until("no zombie is left", || proc::children(keeping.pid).unwrap().is_empty());
    });
}

/// Kills an orphan that fell to the keeper and waits until it is reaped.
fn end(keeping: &Keeping, orphan: u32) {
    let pidfd = pidfd::open(orphan).unwrap();
    pidfd::send(pidfd.as_fd(), 9).unwrap();
    wait_until("the orphan is reaped", || !proc::children(keeping.pid).unwrap().contains(&orphan));
}
