//! What is put to the test: the core, or a core with a planted bug. Adds nothing of its own.

use rewake_core::{Core, Effect, Input, Time};

/// A core, perhaps a bad one.
pub trait Subject {
    /// As [`Core::step`].
    fn step(&mut self, now: Time, input: Input, effects: &mut Vec<Effect>);

    /// As [`Core::next_deadline`].
    fn next_deadline(&self) -> Option<Time>;

    /// The core inside.
    fn core(&self) -> &Core;

    /// The core inside, to add slots and redefine them.
    fn core_mut(&mut self) -> &mut Core;
}

impl Subject for Core {
    fn step(&mut self, now: Time, input: Input, effects: &mut Vec<Effect>) {
        Self::step(self, now, input, effects);
    }

    fn next_deadline(&self) -> Option<Time> {
        Self::next_deadline(self)
    }

    fn core(&self) -> &Core {
        self
    }

    fn core_mut(&mut self) -> &mut Core {
        self
    }
}
