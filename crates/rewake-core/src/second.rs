//! The run beside a slot's own: a successor that is to replace it, or one that is on its way out. There are never three.

use serde::{Deserialize, Serialize};

use crate::{Goal, Phase, Policy, RunId, Slot, StopStage, Stopping, Time};

/// What a slot has beside its own run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Second {
    /// It is to replace the slot's own run, which is online and stays so until then.
    Successor(Successor),
    /// It is on its way out: the old run, or a successor that was no good.
    Leaving(Leaving),
}

/// How far a successor is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Successor {
    Spawning {
        run: RunId,
    },
    Launching {
        run: RunId,
        since: Time,
        listened: bool,
        awaits: Awaits,
    },
    /// Ready; it takes over if it lives until then.
    Soaking {
        run: RunId,
        since: Time,
        listened: bool,
        until: Time,
    },
}

/// What a run has yet to do to be ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Awaits {
    /// To say `'ready'`.
    Ready { by: Time },
    /// To listen. If the run that it replaces never did, it may have nothing to listen on: then living until `grown_at` is enough.
    Listening { by: Time, grown_at: Option<Time> },
    /// To live until then: nothing else can be seen of it.
    Growing { until: Time },
}

/// How far a run is that nobody wants any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Leaving {
    /// The order to make it is out: it is stopped as soon as it is there.
    Spawning {
        run: RunId,
    },
    Stopping(Stopping),
}

impl Second {
    /// The run.
    #[must_use]
    pub fn run(&self) -> RunId {
        match self {
            Self::Successor(successor) => successor.run(),
            Self::Leaving(Leaving::Spawning { run }) => *run,
            Self::Leaving(Leaving::Stopping(stopping)) => stopping.run,
        }
    }
}

impl Awaits {
    /// What the new run of a reload must do, from its birth on.
    pub(crate) fn of(policy: &Policy, born: Time) -> Self {
        let (by, grown) = (born + policy.ready_timeout, born + policy.min_uptime);
        match (policy.wait_ready, policy.listens) {
            (true, _) => Self::Ready { by },
            (false, true) => Self::Listening { by, grown_at: Some(grown) },
            (false, false) => Self::Growing { until: grown },
        }
    }

    /// When something comes of waiting, and what. `listened`: the run that it replaces has.
    pub(crate) fn due(self, listened: bool) -> (Time, Due) {
        match self {
            Self::Ready { by } => (by, Due::Late),
            // A release that hangs before it listens must not replace one that listens.
            Self::Listening { by, grown_at } => match grown_at {
                Some(grown_at) if !listened => (grown_at, Due::Grown),
                Some(_) | None => (by, Due::Late),
            },
            Self::Growing { until } => (until, Due::Grown),
        }
    }

    /// The same, for when the run that it replaces is no longer there to be asked whether it has listened.
    pub(crate) fn alone(self, listened: bool) -> Self {
        match self {
            Self::Listening { by, grown_at } => Self::Listening { by, grown_at: grown_at.filter(|_| !listened) },
            Self::Ready { .. } | Self::Growing { .. } => self,
        }
    }
}

impl Successor {
    /// The run.
    #[must_use]
    pub fn run(&self) -> RunId {
        match self {
            Self::Spawning { run } | Self::Launching { run, .. } | Self::Soaking { run, .. } => *run,
        }
    }
}

/// What has come of waiting for a successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// It has not done in time what it had to.
    Late,
    /// It has lived for long enough to count as ready.
    Grown,
    /// It has lived for long enough after it was ready.
    Soaked,
}

impl Slot {
    /// When something is due with the run beside its own.
    pub(crate) fn second_due(&self) -> Option<Time> {
        match &self.second {
            None => None,
            Some(Second::Successor(successor)) => self.successor_due(successor).map(|(at, _)| at),
            Some(Second::Leaving(Leaving::Spawning { .. })) => None,
            Some(Second::Leaving(Leaving::Stopping(stopping))) => stopping.due(),
        }
    }

    /// When something is due with a successor, and what.
    pub(crate) fn successor_due(&self, successor: &Successor) -> Option<(Time, Due)> {
        match successor {
            Successor::Spawning { .. } => None,
            Successor::Soaking { until, .. } => Some((*until, Due::Soaked)),
            Successor::Launching { awaits, .. } => Some(awaits.due(self.has_listened())),
        }
    }

    /// Whether its own run has begun to listen.
    pub(crate) fn has_listened(&self) -> bool {
        matches!(self.phase, Phase::Online { listened: true, .. } | Phase::Launching { listened: true, .. })
    }

    /// How long its successor must live after it was ready.
    pub(crate) fn reload_soak(&self) -> u64 {
        let soak = |goal: Goal| match goal {
            Goal::Reload { soak, .. } => Some(soak),
            Goal::Up { .. } | Goal::Down | Goal::Gone | Goal::Alone { .. } => None,
        };
        self.waiters.iter().find_map(|waiter| soak(waiter.goal)).unwrap_or(self.policy.reload_soak)
    }

    /// Whether a reload has begun with it and is not over.
    pub(crate) fn awaits_reload(&self) -> bool {
        self.is_alone() || self.waiters.iter().any(|waiter| matches!(waiter.goal, Goal::Reload { .. }))
    }

    /// Whether its own run is a reload's new one, the old one has ended by itself, and it has yet to prove itself.
    pub(crate) fn is_alone(&self) -> bool {
        self.waiters.iter().any(|waiter| matches!(waiter.goal, Goal::Alone { .. }))
    }

    /// Whether a reload may begin: no other one is going on, and what it has left behind is gone, or will never be.
    pub(crate) fn may_be_reloaded(&self) -> bool {
        match &self.second {
            _ if self.is_alone() => false,
            None => true,
            Some(Second::Leaving(Leaving::Stopping(stopping))) => stopping.stage == StopStage::Stuck,
            Some(Second::Successor(_) | Second::Leaving(Leaving::Spawning { .. })) => false,
        }
    }
}
