//! The listening sockets of one address that workers do not share: each has one of its own, a *seat*. A seat outlives its worker, so what
//! waits in its queue is never lost; who comes next takes it. Never closes one before the address itself is over.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rewake_core::{RunId, SlotId};
use rewake_unix::listen::group::{Choice, Group};
use rewake_wire::snapshot::SavedSeat;

/// All seats of an address. A seat's number is its socket's in the kernel's group: seats come last and never leave.
#[derive(Debug)]
pub(super) struct Seats {
    group: Group,
    seats: Vec<Seat>,
}

#[derive(Debug, Default)]
struct Seat {
    /// Usually one; more when there was no descriptor for another socket.
    holders: Vec<RunId>,
    /// Who came last, and for which slot: its successor is to find what waits for it.
    last: Option<(SlotId, RunId)>,
}

impl Seats {
    pub(super) fn new(group: Group) -> Self {
        let seats = (0..group.len()).map(|_| Seat::default()).collect();
        Self { group, seats }
    }

    /// Who sits where, from an earlier daemon's record of it.
    pub(super) fn restore(&mut self, saved: &[SavedSeat]) {
        for (seat, saved) in self.seats.iter_mut().zip(saved) {
            seat.holders = saved.holders.iter().copied().map(RunId).collect();
            seat.last = saved.last.map(|(slot, run)| (SlotId(slot), RunId(run)));
        }
    }

    pub(super) fn saved(&self) -> Vec<SavedSeat> {
        let save = |seat: &Seat| SavedSeat {
            holders: seat.holders.iter().map(|run| run.0).collect(),
            last: seat.last.map(|(slot, run)| (slot.0, run.0)),
        };
        self.seats.iter().map(save).collect()
    }

    /// A seat for a run, and whether it is a new one: the one it has, the one that its slot's last run has left, any that nobody will
    /// come back to, a new one; and where none can be made, somebody else's.
    pub(super) fn take(
        &mut self,
        slot: SlotId,
        run: RunId,
        is_slot: impl Fn(SlotId) -> bool,
    ) -> io::Result<(u16, bool)> {
        let found = self.of(run).or_else(|| self.left_by(slot)).or_else(|| self.abandoned(is_slot));
        let (index, new) = match found {
            Some(index) => (index, false),
            None => match self.group.join() {
                Ok(index) => {
                    self.seats.push(Seat::default());
                    (index, true)
                }
                Err(error) => (self.fewest_held().ok_or(error)?, false),
            },
        };
        if let Some(seat) = self.seats.get_mut(usize::from(index)) {
            if !seat.holders.contains(&run) {
                seat.holders.push(run);
            }
            seat.last = Some((slot, run));
        }
        Ok((index, new))
    }

    /// A run does not listen here any more.
    pub(super) fn leave(&mut self, run: RunId) {
        for seat in &mut self.seats {
            seat.holders.retain(|holder| *holder != run);
        }
    }

    /// Forgets holders that are not there.
    pub(super) fn retain(&mut self, is_run: impl Fn(RunId) -> bool) {
        for seat in &mut self.seats {
            seat.holders.retain(|holder| is_run(*holder));
        }
    }

    /// The seat of a run.
    pub(super) fn of(&self, run: RunId) -> Option<u16> {
        self.first(|seat| seat.holders.contains(&run))
    }

    pub(super) fn holders(&self, index: u16) -> &[RunId] {
        self.seats.get(usize::from(index)).map_or(&[], |seat| &seat.holders)
    }

    pub(super) fn indexes(&self) -> impl Iterator<Item = u16> + use<> {
        (0..self.seats.len()).map_while(|index| u16::try_from(index).ok())
    }

    pub(super) fn socket(&self, index: u16) -> Option<BorrowedFd<'_>> {
        self.group.member(index)
    }

    /// A copy of a seat's socket, to be sent.
    pub(super) fn copy(&self, index: u16) -> io::Result<OwnedFd> {
        let socket = self.socket(index).ok_or(io::ErrorKind::NotFound)?;
        socket.try_clone_to_owned()
    }

    /// As [`Group::steer`].
    pub(super) fn steer(&mut self, live: &[u16], numbers: &[u32], by: Choice) -> io::Result<()> {
        self.group.steer(live, Some(numbers), by)
    }

    /// The free one that a run of this slot had last.
    fn left_by(&self, slot: SlotId) -> Option<u16> {
        let of_slot = |seat: &Seat| seat.last.filter(|(last, _)| *last == slot && seat.holders.is_empty());
        let runs = self.indexes().zip(&self.seats).filter_map(|(index, seat)| Some((of_slot(seat)?.1, index)));
        runs.max().map(|(_, index)| index)
    }

    /// One that is free and that no crashed run's successor will look for.
    fn abandoned(&self, is_slot: impl Fn(SlotId) -> bool) -> Option<u16> {
        self.first(|seat| match seat.last {
            _ if !seat.holders.is_empty() => false,
            None => true,
            Some((slot, run)) => !is_slot(slot) || self.seats.iter().any(|other| other.is_later(slot, run)),
        })
    }

    fn fewest_held(&self) -> Option<u16> {
        self.indexes().zip(&self.seats).min_by_key(|(_, seat)| seat.holders.len()).map(|(index, _)| index)
    }

    fn first(&self, is_it: impl Fn(&Seat) -> bool) -> Option<u16> {
        self.seats.iter().position(is_it).and_then(|index| u16::try_from(index).ok())
    }
}

impl Seat {
    fn is_later(&self, slot: SlotId, run: RunId) -> bool {
        self.last.is_some_and(|(last, later)| last == slot && later > run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats() -> Seats {
        Seats::new(Group::first(Some("127.0.0.1"), 0, false, 8).expect("a group"))
    }

    fn take(seats: &mut Seats, slot: u32, run: u64) -> (u16, bool) {
        seats.take(SlotId(slot), RunId(run), |_| true).expect("a seat")
    }

    #[test]
    fn each_worker_has_one_and_asks_twice_for_the_same() {
        let mut seats = seats();
        assert_eq!(take(&mut seats, 0, 1), (0, false));
        assert_eq!(take(&mut seats, 1, 2), (1, true));
        assert_eq!(take(&mut seats, 1, 2), (1, false));
        assert_eq!(seats.holders(1), [RunId(2)]);
    }

    #[test]
    fn a_successor_finds_what_its_slot_has_left() {
        let mut seats = seats();
        take(&mut seats, 0, 1);
        take(&mut seats, 1, 2);
        seats.leave(RunId(1));
        seats.leave(RunId(2));
        assert_eq!(take(&mut seats, 1, 3), (1, false));
        assert_eq!(take(&mut seats, 2, 4), (2, true), "what slot 0 has left is for slot 0");
        assert_eq!(take(&mut seats, 0, 5), (0, false));
    }

    #[test]
    fn reloads_go_round_with_one_seat_more_than_slots() {
        let mut seats = seats();
        let (mut run, mut of) = (2, [0, 1]);
        take(&mut seats, 0, 0);
        take(&mut seats, 1, 1);
        for _ in 0..10 {
            for (slot, old) in (0..).zip(&mut of) {
                take(&mut seats, slot, run);
                seats.leave(RunId(*old));
                *old = run;
                run += 1;
            }
        }
        assert_eq!(seats.indexes().count(), 3);
        let at = seats.of(RunId(of[0]));
        seats.leave(RunId(of[0]));
        assert_eq!(Some(take(&mut seats, 0, run).0), at, "after a crash the seat that served is taken");
    }

    #[test]
    fn what_a_slot_that_is_gone_has_left_is_used() {
        let mut seats = seats();
        take(&mut seats, 0, 1);
        seats.leave(RunId(1));
        let taken = seats.take(SlotId(7), RunId(2), |slot| slot != SlotId(0)).expect("a seat");
        assert_eq!(taken, (0, false));
    }

    #[test]
    fn a_record_brings_everybody_back() {
        let mut old = seats();
        take(&mut old, 0, 1);
        take(&mut old, 1, 2);
        old.leave(RunId(1));
        let mut new = seats();
        new.group.join().expect("a seat");
        new.seats.push(Seat::default());
        new.restore(&old.saved());
        assert_eq!(take(&mut new, 0, 3), (0, false));
        assert_eq!(new.of(RunId(2)), Some(1));
        new.retain(|run| run != RunId(2));
        assert_eq!(new.of(RunId(2)), None);
    }
}
