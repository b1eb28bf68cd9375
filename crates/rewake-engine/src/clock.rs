//! The two clocks: the core's, which only goes forward, and the wall's, for people. Never used for decisions here.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rewake_core::Time;
use rewake_unix::clock::monotonic_ms;

/// A moment on all three clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
    origin_time: Time,
    origin_epoch_ms: u64,
}

impl Clock {
    /// The clock of this machine. The next daemon's is the same one: a deadline that is on record means the same moment to it. One hour
    /// ahead of the kernel's, so that moments before the machine's start can be told, too.
    pub(crate) fn start() -> Self {
        let origin_time = Time(HEAD_START + monotonic_ms());
        Self { origin: Instant::now(), origin_time, origin_epoch_ms: epoch_ms() }
    }

    /// Now, for the core.
    pub(crate) fn now(&self) -> Time {
        self.origin_time + u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The instant of a core's moment, for a timer.
    pub(crate) fn instant(&self, time: Time) -> Instant {
        // A deadline beyond a year is as good as none, and keeps the sum within what `Instant` can hold.
        self.origin + std::time::Duration::from_millis((time - self.origin_time).min(YEAR))
    }

    /// A core's moment as ms since the epoch. Steady even when somebody sets the wall clock.
    pub(crate) fn epoch_of(&self, time: Time) -> u64 {
        let (since, before) = (time - self.origin_time, self.origin_time - time);
        self.origin_epoch_ms.saturating_add(since).saturating_sub(before)
    }

    /// A wall-clock moment of the past as the core's.
    pub(crate) fn time_of(&self, epoch_ms: u64) -> Time {
        let age = self.origin_epoch_ms.saturating_sub(epoch_ms);
        let since = epoch_ms.saturating_sub(self.origin_epoch_ms);
        Time((self.origin_time.0.saturating_sub(age) + since).min(self.now().0))
    }
}

/// A process that ran before the machine's clock began (a container that was moved) is given its age up to this many ms; the core's
/// longest look back is 30 s, the health rule of the back-off.
const HEAD_START: u64 = 3_600_000;
const YEAR: u64 = 366 * 86_400_000;

/// Now, as ms since the Unix epoch.
pub(crate) fn epoch_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
