//! The rules that a life is held to, and how a breach of one is told. Checks nothing itself.

use std::fmt;

/// A rule that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A slot has at most one process or one that is being made; two while it is reloaded, never three.
    OneRunPerSlot,
    /// New connections of a slot that is up are for its own run, and those of any other slot for none; never for one that is on its way out.
    Steered,
    /// A run is let go only when another of its slot is up.
    NeverUnserved,
    /// Run numbers only grow.
    FreshRunNumber,
    /// Orders name slots and runs that exist and were not let go of.
    KnownNames,
    /// A run is let go of when its process and tree are gone, or nothing more can be done.
    ReleaseWhenGone,
    /// An order came that nothing asked for.
    Unasked(Order),
    /// An order did not come when it was due.
    Missing(Order),
    /// A command is answered once.
    OneReply,
    /// An answer lists the slots that the command named, each once, in order.
    ReplyNamesItsSlots,
    /// An answer is true.
    ReplyIsTrue,
    /// An answer comes as soon as there is nothing left to wait for.
    ReplyInTime,
    /// The core met something that it believed impossible.
    Never,
    /// Somebody is woken when something is due.
    DeadlineKnown,
    /// After a tick the next deadline lies ahead: no busy loop.
    DeadlineAhead,
    /// What must survive is saved when it changes.
    Saved,
    /// The core's view of a slot is what the inputs make of it.
    State,
    /// When the world behaves, everything comes to rest where it is wanted.
    ComesToRest,
    /// After `Shutdown` nothing is alive but what SIGKILL cannot end.
    NothingLeft,
}

/// The kinds of orders that are predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Spawn,
    Release,
    /// A signal or message, but not SIGKILL.
    Ask,
    Kill,
    Drain,
    Online,
    Serve,
    Exit,
    CannotBeKilled,
    ReloadFailed,
    Removed,
}

/// Where a rule was broken, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    pub rule: Rule,
    pub detail: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.detail)
    }
}

/// A breach, with its detail written only when there is one.
pub(crate) fn breach<T>(rule: Rule, detail: impl Into<String>) -> Result<T, Breach> {
    Err(Breach { rule, detail: detail.into() })
}
