//! The pretend operating system: carries orders out and reports, late and in its own order. Knows the truth about every
//! process, so that the core's orders can be held against it. Never decides what the core ought to have done.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use rewake_core::{ExitStatus, Fact, RunId, SlotId, Time};

use super::nature::{Channel, Nature};
use super::process::{How, Life, Process};
use super::rng::Rng;

/// POSIX numbers that matter here.
const SIGKILL: i32 = 9;
const LAST_SIGNAL: i32 = 64;

/// All processes that ever were, and what is about to happen to them.
#[derive(Debug, Default)]
pub struct World {
    queue: BinaryHeap<Reverse<(Time, u64, Due)>>,
    sequence: u64,
    processes: BTreeMap<RunId, Process>,
    /// How many of a hundred new processes do as they are told.
    tame: u64,
}

/// A run that outlives its daemon.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    pub run: RunId,
    pub slot: SlotId,
    pub since: Time,
    /// Its process has not ended.
    pub alive: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Birth(RunId),
    Death(RunId, How),
    TreeDeath(RunId),
    Ready(RunId),
    Listening(RunId),
    Drained(RunId),
    Undeliverable(RunId),
    ExitReport(RunId, How),
    TreeReport(RunId),
}

impl World {
    /// When something happens next.
    #[must_use]
    pub fn next(&self) -> Option<Time> {
        self.queue.peek().map(|Reverse((at, ..))| *at)
    }

    /// Lets the next thing happen, and reports it if it is one that is reported.
    pub fn happen(&mut self, now: Time) -> Option<Fact> {
        let Reverse((_, _, due)) = self.queue.pop()?;
        match due {
            Due::Birth(run) => self.birth(run),
            Due::Death(run, how) => {
                self.death(now, run, how);
                None
            }
            Due::TreeDeath(run) => {
                self.tree_death(now, run);
                None
            }
            Due::Ready(run) => Some(Fact::Ready { run }),
            Due::Listening(run) => Some(Fact::Listening { run }),
            Due::Drained(run) => Some(Fact::Drained { run }),
            Due::Undeliverable(run) => Some(Fact::ShutdownUndeliverable { run }),
            Due::ExitReport(run, how) => self.exit_report(run, how),
            Due::TreeReport(run) => Some(Fact::TreeGone { run }),
        }
    }

    /// From here on so many of a hundred new processes do as they are told.
    pub fn grow_tame(&mut self, percent: u64) {
        self.tame = percent;
    }

    /// Makes a process. `watched`: its tree matters too.
    pub fn spawn(&mut self, now: Time, slot: SlotId, run: RunId, watched: bool, rng: &mut Rng) {
        let nature = if rng.percent(self.tame) { Nature::tame() } else { Nature::wild(rng) };
        let announced = now + nature.birth;
        self.at(announced, Due::Birth(run));
        if nature.stillborn.is_none() {
            if let Some((after, status)) = nature.crash {
                self.at(now + after, Due::Death(run, How::from(status)));
            }
            for after in nature.ready.clone() {
                self.at(announced + after, Due::Ready(run));
            }
            if let Some(after) = nature.listens {
                self.at(announced + after, Due::Listening(run));
            }
        }
        self.processes.insert(run, Process::new(slot, nature, announced, watched));
    }

    /// Sends a signal. To what is gone, nothing happens.
    pub fn signal(&mut self, now: Time, run: RunId, signal: i32, whole_tree: bool) {
        let Some(process) = self.processes.get(&run) else {
            return;
        };
        if !(1..=LAST_SIGNAL).contains(&signal) {
            return;
        }
        let hard = signal == SIGKILL;
        let dies = if hard { process.nature.mortal } else { process.nature.polite };
        let tree = process.tree.filter(|_| whole_tree).and_then(|tree| if hard { tree.mortal } else { tree.polite });
        if let Some(after) = dies.filter(|_| process.life == Life::Alive) {
            let how = if hard || after > 0 { How::Signal(signal) } else { How::Code(0) };
            self.at(now + after, Due::Death(run, how));
        }
        if let Some(after) = tree {
            self.at(now + after, Due::TreeDeath(run));
        }
    }

    /// Sends `'shutdown'`.
    pub fn send_shutdown(&mut self, now: Time, run: RunId) {
        let Some(process) = self.processes.get(&run) else {
            return;
        };
        match process.nature.channel {
            Channel::Obeys(after) if process.life == Life::Alive => {
                self.at(now + after, Due::Death(run, How::Code(0)));
            }
            Channel::Ignores if process.life == Life::Alive => {}
            Channel::Obeys(_) | Channel::Ignores | Channel::None => {
                self.at(now + process.nature.report, Due::Undeliverable(run));
            }
        }
    }

    /// Tells it to accept nothing any more.
    pub fn drain(&mut self, now: Time, run: RunId) {
        let Some(process) = self.processes.get(&run).filter(|process| process.life == Life::Alive) else {
            return;
        };
        let leaves = process.nature.leaves;
        if let Some(after) = process.nature.drains {
            self.at(now + after, Due::Drained(run));
            if leaves {
                self.at(now + after, Due::Death(run, How::Code(0)));
            }
        }
    }

    /// Lets go of a run.
    pub fn release(&mut self, run: RunId) {
        if let Some(process) = self.processes.get_mut(&run) {
            process.released = true;
        }
    }

    /// Kills and lets go of a run whose slot is no longer on the list.
    pub fn put_away(&mut self, now: Time, run: RunId) {
        self.signal(now, run, SIGKILL, true);
        if let Some(process) = self.processes.get_mut(&run) {
            process.released = true;
            process.put_away = true;
        }
    }

    /// Ends a process and its tree, whatever they are like (an administrator's help, a reboot of the file server).
    pub fn end(&mut self, now: Time, run: RunId) {
        if let Some(process) = self.processes.get_mut(&run).filter(|process| !process.doomed) {
            process.doomed = true;
            self.at(now + 1, Due::Death(run, How::Signal(SIGKILL)));
            self.at(now + 1, Due::TreeDeath(run));
        }
    }

    /// Whoever was told of births and ends is gone. What could not be made is forgotten, and every end that was not let go of
    /// is told once more. Answers with the runs that are held, and since when.
    pub fn listener_died(&mut self, now: Time) -> Vec<Held> {
        for run in self.listener_changed(now) {
            self.release(run);
        }
        let held = self.processes.iter().filter(|(_, process)| !process.released);
        let held = held.map(|(run, process)| Held {
            run: *run,
            slot: process.slot,
            since: process.announced.min(now),
            alive: process.life == Life::Alive,
        });
        held.collect()
    }

    /// Whoever was told of births and ends is gone, and another one knows what that one knew. Every end that was not let go of is told once
    /// more. Answers with the runs that could not be made: nobody will say so again.
    pub fn listener_changed(&mut self, now: Time) -> Vec<RunId> {
        let (mut ended, mut unborn) = (Vec::new(), Vec::new());
        for (run, process) in self.processes.iter_mut().filter(|(_, process)| !process.released) {
            match process.life {
                Life::NeverMade => unborn.push(*run),
                Life::Dead(how) if process.exit_reported => {
                    process.exit_reported = false;
                    ended.push((*run, how));
                }
                Life::Alive | Life::Dead(_) => {}
            }
        }
        self.queue.retain(|Reverse((_, _, due))| !matches!(due, Due::Birth(run) if unborn.contains(run)));
        for (run, how) in ended {
            self.at(now, Due::ExitReport(run, how));
        }
        unborn
    }

    /// The first number that no run was ever given.
    #[must_use]
    pub fn fresh_run(&self) -> u64 {
        self.processes.keys().next_back().map_or(0, |run| run.0 + 1)
    }

    /// The runs of a slot that are alive, being made, or not let go of.
    pub fn held_in(&self, slot: SlotId) -> impl Iterator<Item = RunId> {
        let held = move |process: &Process| {
            process.slot == slot && !process.put_away && (process.is_alive() || !process.released)
        };
        self.processes.iter().filter(move |(_, process)| held(process)).map(|(run, _)| *run)
    }

    /// All that is alive or being made.
    pub fn alive(&self) -> impl Iterator<Item = (RunId, &Process)> {
        self.processes.iter().filter(|(_, process)| process.is_alive()).map(|(run, process)| (*run, process))
    }

    /// Runs whose watched tree has outlived them.
    pub fn lingering(&self) -> impl Iterator<Item = (RunId, &Process)> {
        self.processes.iter().filter(|(_, process)| process.lingers()).map(|(run, process)| (*run, process))
    }

    /// One process.
    #[must_use]
    pub fn process(&self, run: RunId) -> Option<&Process> {
        self.processes.get(&run)
    }

    /// A report that should not be there: about a run that is long gone, told again, or never heard of.
    pub fn nuisance(&self, rng: &mut Rng) -> Option<Fact> {
        if rng.percent(5) {
            let unheard_of = RunId(u64::MAX - rng.below(3));
            return Some(any_fact(rng, unheard_of));
        }
        let nth = rng.index(self.processes.len());
        let (&run, process) = self.processes.iter().nth(nth)?;
        if process.released {
            return Some(any_fact(rng, run));
        }
        // About a run that is there, only what was told already can be told again.
        match rng.below(5) {
            3 if process.life != Life::NeverMade => Some(Fact::Listening { run }),
            4 if process.life != Life::NeverMade => Some(Fact::Drained { run }),
            0 if process.life != Life::NeverMade => Some(Fact::Ready { run }),
            1 if process.exit_reported => {
                Some(Fact::Exited { run, status: ExitStatus::Code(1), tree_gone: rng.percent(50) })
            }
            _ if process.life != Life::NeverMade => Some(Fact::Spawned { run }),
            _ => None,
        }
    }

    fn birth(&mut self, run: RunId) -> Option<Fact> {
        let process = self.processes.get(&run)?;
        Some(match process.nature.stillborn {
            Some(retry) => Fact::SpawnFailed { run, retry },
            None => Fact::Spawned { run },
        })
    }

    fn death(&mut self, now: Time, run: RunId, how: How) {
        let Some(process) = self.processes.get_mut(&run).filter(|process| process.life == Life::Alive) else {
            return;
        };
        process.life = Life::Dead(how);
        let report = now + process.nature.report;
        let report = if process.nature.hasty { report } else { report.max(process.announced) };
        let tree_ends = process.tree.and_then(|tree| tree.by_itself);
        self.at(report, Due::ExitReport(run, how));
        if let Some(after) = tree_ends {
            self.at(now + after, Due::TreeDeath(run));
        }
    }

    fn tree_death(&mut self, now: Time, run: RunId) {
        let Some(process) = self.processes.get_mut(&run) else {
            return;
        };
        if process.tree.take().is_some() && process.exit_reported && process.watched {
            let report = now + process.nature.report;
            self.at(report, Due::TreeReport(run));
        }
    }

    fn exit_report(&mut self, run: RunId, how: How) -> Option<Fact> {
        let process = self.processes.get_mut(&run)?;
        (process.exit_reported, process.known_dead) = (true, true);
        let tree_gone = !process.watched || process.tree.is_none();
        Some(Fact::Exited { run, status: how.into(), tree_gone })
    }

    fn at(&mut self, at: Time, due: Due) {
        self.sequence += 1;
        self.queue.push(Reverse((at, self.sequence, due)));
    }
}

fn any_fact(rng: &mut Rng, run: RunId) -> Fact {
    match rng.below(8) {
        6 => Fact::Listening { run },
        7 => Fact::Drained { run },
        0 => Fact::Spawned { run },
        1 => Fact::SpawnFailed { run, retry: rng.percent(50) },
        2 => Fact::Exited { run, status: ExitStatus::Code(1), tree_gone: rng.percent(70) },
        3 => Fact::TreeGone { run },
        4 => Fact::Ready { run },
        _ => Fact::ShutdownUndeliverable { run },
    }
}
