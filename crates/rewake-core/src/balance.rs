//! Who of several listening sockets gets the next connections, from looks at their queues. Looks only while connections come: after
//! each it says when to look again, or to rest until one arrives. Never takes the last socket out.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::Time;

/// A queue that has not shrunk in so many looks belongs to a worker that does not accept: one that does empties it each time.
const STUCK_LOOKS: u8 = 4;
/// Between looks while something may be wrong or connections accumulate, ms.
const SOON: u64 = 10;
/// Between looks while all is well and connections come, ms. With [`SOON`] it keeps a blocked worker's delay below 100 ms, at a
/// tenth of a percent of a CPU.
const REST: u64 = 50;
/// Who waits less than this for an arrival, ms, has so many that it need not wait for each: so many looks are by time alone.
const QUICK: u64 = 20;
const QUICK_LOOKS: u8 = 8;
/// How long a blocked socket stays out at first, ms, and at most. Then it is tried again: what it does not accept is found as
/// before, so a trial costs a few connections the time of [`STUCK_LOOKS`].
const OUT_FIRST: u64 = 100;
const OUT_MOST: u64 = 800;
/// After so long without trouble a socket's next trouble counts as its first, ms.
const FORGIVEN: u64 = 1000;

/// What was seen of one socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Any number that stays the socket's.
    pub seat: u16,
    /// Connections that nobody has accepted.
    pub waiting: u32,
    /// Connections that its worker has open, or a number that goes up and down with them; `None`: unknown.
    pub open: Option<u32>,
}

/// What follows from a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// For each sample its share of new connections. 0: none, its worker is blocked; what waits for it is to go to others.
    pub weights: Vec<u32>,
    /// Look again after so many ms.
    pub after: u64,
    /// And not before a connection has arrived since then.
    pub rest: bool,
}

/// What is remembered between looks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balancer {
    seats: BTreeMap<u16, Seat>,
    /// From when on the next arrival was waited for.
    waits_from: Option<Time>,
    looks_left: u8,
    /// The most connections that were open together of late.
    high: u32,
    /// The socket with the most at the last look.
    fullest: Option<u16>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Seat {
    waiting: u32,
    /// Looks in a row that have found its queue no shorter than the one before.
    stuck: u8,
    out_until: Option<Time>,
    /// For how long it was out last, and until when.
    out_for: u64,
    last_out: Option<Time>,
    weight: Option<u32>,
}

impl Balancer {
    /// A look at all sockets among which connections are spread.
    pub fn look(&mut self, now: Time, samples: &[Sample]) -> Look {
        self.seats.retain(|seat, _| samples.iter().any(|sample| sample.seat == *seat));
        for sample in samples {
            self.seats.entry(sample.seat).or_default().note(now, sample.waiting);
        }
        let idle = samples.iter().filter(|sample| sample.waiting == 0 && self.is_in(sample.seat)).count();
        let mut suspicion = false;
        if idle > 0 {
            for seat in self.seats.values_mut().filter(|seat| seat.out_until.is_none() && seat.stuck > 0) {
                if seat.stuck >= STUCK_LOOKS {
                    seat.take_out(now);
                } else {
                    suspicion = true;
                }
            }
        }
        let growing = self.is_growing(samples);
        let weights = self.weights(samples, growing);
        for (sample, weight) in samples.iter().zip(&weights) {
            self.seats.entry(sample.seat).or_default().weight = Some(*weight);
        }
        let after = if suspicion || growing { SOON } else { REST };
        let back = self.seats.values().filter_map(|seat| seat.out_until).min();
        let may_rest = self.may_rest(now);
        match back {
            // It is tried again whether anything arrives or not: it may be the only one that is still well then.
            Some(back) => Look { weights, after: after.min((back - now).max(1)), rest: false },
            None => {
                let rest = may_rest && !suspicion;
                self.waits_from = rest.then_some(now + after);
                Look { weights, after, rest }
            }
        }
    }

    /// Whether a socket is out because its worker is blocked.
    #[must_use]
    pub fn is_out(&self, seat: u16) -> bool {
        self.seats.get(&seat).is_some_and(|seat| seat.out_until.is_some())
    }

    /// A socket's share, as it was after the last look; that of one that was not there then is that of the least.
    #[must_use]
    pub fn weight(&self, seat: u16) -> u32 {
        self.seats.get(&seat).and_then(|seat| seat.weight).unwrap_or(1)
    }

    fn is_in(&self, seat: u16) -> bool {
        !self.is_out(seat)
    }

    /// Whether connections come so slowly that each may be waited for.
    fn may_rest(&mut self, now: Time) -> bool {
        self.looks_left = match self.waits_from.take() {
            Some(from) if now - from < QUICK => QUICK_LOOKS,
            Some(_) => 0,
            None => self.looks_left.saturating_sub(1),
        };
        self.looks_left == 0
    }

    /// Whether more are open than of late: then they stay, and it matters where they go. Short ones come and go.
    fn is_growing(&mut self, samples: &[Sample]) -> bool {
        let open = samples.iter().filter_map(|sample| sample.open).fold(0, u32::saturating_add);
        let growing = open > self.high;
        self.high = open.max(self.high - self.high / 256);
        growing
    }

    /// In proportion to how many connections each lacks to the fullest, so that long-lived ones even out. Small differences are
    /// chance and left alone; large ones are corrected hard where few are open and gently where many are.
    fn weights(&mut self, samples: &[Sample], growing: bool) -> Vec<u32> {
        let ins: Vec<&Sample> = samples.iter().filter(|sample| self.is_in(sample.seat)).collect();
        let opens: Option<Vec<u32>> = ins.iter().map(|sample| sample.open).collect();
        let opens = opens.unwrap_or_default();
        let (least, most) = (opens.iter().min().copied().unwrap_or(0), opens.iter().max().copied().unwrap_or(0));
        let fullest = ins.iter().find(|sample| sample.open == Some(most)).map(|sample| sample.seat);
        let lasting = fullest == core::mem::replace(&mut self.fullest, fullest);
        let mean = (least / 2).saturating_add(most / 2);
        let chance = if growing { (mean / 16).max(1) } else { (mean / 3).max(2) };
        let even = most - least <= chance || !(growing || lasting);
        let base = 1 + mean / 50;
        let weight = |sample: &Sample| match sample.open {
            _ if self.is_out(sample.seat) => 0,
            Some(open) if !even => base.saturating_add(most.saturating_sub(open)),
            Some(_) | None => 1,
        };
        samples.iter().map(weight).collect()
    }
}

impl Seat {
    fn note(&mut self, now: Time, waiting: u32) {
        if self.out_until.is_some_and(|until| until <= now) {
            self.out_until = None;
            self.stuck = 0;
        } else if waiting > 0 && (self.stuck == 0 || waiting >= self.waiting) {
            self.stuck = self.stuck.saturating_add(1);
        } else {
            self.stuck = 0;
        }
        self.waiting = waiting;
    }

    fn take_out(&mut self, now: Time) {
        let relapse = self.last_out.is_some_and(|until| now - until < FORGIVEN);
        self.out_for = if relapse { (self.out_for * 2).min(OUT_MOST) } else { OUT_FIRST };
        self.out_until = Some(now + self.out_for);
        self.last_out = self.out_until;
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    fn queues(waiting: &[u32]) -> Vec<Sample> {
        (0..).zip(waiting).map(|(seat, &waiting)| Sample { seat, waiting, open: None }).collect()
    }

    fn opens(open: &[u32]) -> Vec<Sample> {
        (0..).zip(open).map(|(seat, &open)| Sample { seat, waiting: 0, open: Some(open) }).collect()
    }

    #[test]
    fn while_all_is_well_it_rests_until_a_connection_comes() {
        let look = Balancer::default().look(Time(0), &queues(&[0, 0, 0]));
        assert_eq!(look, Look { weights: vec![1, 1, 1], after: REST, rest: true });
    }

    #[test]
    fn a_queue_that_does_not_shrink_while_another_is_empty_is_taken_out_and_tried_again() {
        let mut balancer = Balancer::default();
        for at in [0, 10, 20] {
            let look = balancer.look(Time(at), &queues(&[3, 0]));
            assert_eq!(look, Look { weights: vec![1, 1], after: SOON, rest: false });
        }
        let look = balancer.look(Time(30), &queues(&[4, 0]));
        assert_eq!(look, Look { weights: vec![0, 1], after: REST, rest: false });
        assert!(balancer.is_out(0));
        let look = balancer.look(Time(100), &queues(&[0, 0]));
        assert_eq!(look, Look { weights: vec![0, 1], after: 30, rest: false });
        let look = balancer.look(Time(130), &queues(&[0, 0]));
        assert_eq!(look, Look { weights: vec![1, 1], after: REST, rest: true });
    }

    #[test]
    fn one_that_blocks_again_stays_out_longer_each_time_up_to_a_limit() {
        let mut balancer = Balancer::default();
        let mut now = 0;
        let mut outs = Vec::new();
        for _ in 0..6 {
            while !balancer.is_out(0) {
                balancer.look(Time(now), &queues(&[1, 0]));
                now += SOON;
            }
            let from = now - SOON;
            while balancer.is_out(0) {
                balancer.look(Time(now), &queues(&[0, 0]));
                now += 1;
            }
            outs.push(now - 1 - from);
        }
        assert_eq!(outs, [100, 200, 400, 800, 800, 800]);
        now += FORGIVEN + 800;
        while !balancer.is_out(0) {
            balancer.look(Time(now), &queues(&[1, 0]));
            now += SOON;
        }
        balancer.look(Time(now - SOON + OUT_FIRST), &queues(&[0, 0]));
        assert!(!balancer.is_out(0));
    }

    #[test]
    fn a_queue_that_shrinks_or_that_is_like_all_others_is_left_alone() {
        let mut balancer = Balancer::default();
        for (at, waiting) in [(0, 9), (10, 9), (20, 8), (30, 8), (40, 7), (50, 0)] {
            assert_eq!(balancer.look(Time(at), &queues(&[waiting, 0])).weights, [1, 1], "{at}");
        }
        for at in 0..50 {
            assert_eq!(balancer.look(Time(100 + at * 10), &queues(&[5, 5, 7])).weights, [1, 1, 1]);
        }
    }

    #[test]
    fn the_last_socket_stays_in() {
        let mut balancer = Balancer::default();
        for at in 0..4 {
            balancer.look(Time(at * 10), &queues(&[5, 0]));
        }
        assert!(balancer.is_out(0));
        for at in 4..13 {
            let look = balancer.look(Time(at * 10), &queues(&[0, 5]));
            assert_eq!(look.weights[1], 1);
        }
        let mut alone = Balancer::default();
        for at in 0..10 {
            assert_eq!(alone.look(Time(at * 10), &queues(&[5])).weights, [1]);
        }
    }

    #[test]
    fn who_has_fewer_open_connections_gets_more_new_ones() {
        let mut balancer = Balancer::default();
        let look = balancer.look(Time(0), &opens(&[20, 30, 41]));
        assert_eq!(look, Look { weights: vec![22, 12, 1], after: SOON, rest: true });
        let look = balancer.look(Time(60), &opens(&[100, 103, 106]));
        assert_eq!(look.weights, [1, 1, 1]);
        balancer.look(Time(75), &opens(&[u32::MAX, 0, 0]));
        let look = balancer.look(Time(90), &opens(&[u32::MAX, 0, 0]));
        assert!(look.weights[0] < look.weights[1]);
    }

    #[test]
    fn where_connections_come_and_go_only_what_is_large_and_lasts_counts() {
        let mut balancer = Balancer::default();
        balancer.look(Time(0), &opens(&[40, 40]));
        for (at, open, weights) in [
            (60, [35, 43], [1, 1]),
            (120, [60, 10], [1, 1]),
            (180, [10, 60], [1, 1]),
            (240, [10, 60], [51, 1]),
            (300, [30, 40], [1, 1]),
        ] {
            let look = balancer.look(Time(at), &opens(&open));
            assert_eq!((look.weights, look.after), (weights.to_vec(), REST), "{at}");
        }
    }

    #[test]
    fn while_many_connections_come_it_looks_by_time_and_waits_for_one_now_and_then() {
        let mut balancer = Balancer::default();
        let mut now = Time(0);
        let mut rests = Vec::new();
        for _ in 0..20 {
            let look = balancer.look(now, &queues(&[0, 0]));
            rests.push(look.rest);
            now = now + look.after + if look.rest { 1 } else { 0 };
        }
        assert_eq!(rests.iter().filter(|rest| **rest).count(), 3);
        assert!(rests[0] && rests[9] && rests[18]);
        while !balancer.look(now, &queues(&[0, 0])).rest {
            now = now + REST;
        }
        assert!(balancer.look(now + 500, &queues(&[0, 0])).rest, "the many are over");
    }

    #[test]
    fn where_few_come_each_is_waited_for() {
        let mut balancer = Balancer::default();
        for at in 0..20 {
            assert!(balancer.look(Time(at * 1000), &queues(&[0, 0])).rest);
        }
    }

    #[test]
    fn one_count_that_is_unknown_leaves_all_alike() {
        let mut samples = opens(&[0, 100]);
        samples[1].open = None;
        assert_eq!(Balancer::default().look(Time(0), &samples).weights, [1, 1]);
    }

    #[test]
    fn a_socket_that_has_gone_is_forgotten() {
        let mut balancer = Balancer::default();
        for at in 0..4 {
            balancer.look(Time(at * 10), &queues(&[5, 0]));
        }
        balancer.look(Time(40), &[Sample { seat: 1, waiting: 0, open: None }]);
        assert!(!balancer.is_out(0));
    }
}
