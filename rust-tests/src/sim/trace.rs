//! What a life did, line by line, for whoever replays a seed. Costs nothing when it is off.

use rewake_core::{Effect, Input, Time};

/// The lines so far, or nothing.
#[derive(Debug, Clone)]
pub enum Trace {
    Off,
    Lines(Vec<String>),
}

impl Trace {
    /// An input and the orders that followed.
    pub fn step(&mut self, now: Time, input: &Input, effects: &[Effect]) {
        if let Self::Lines(lines) = self {
            lines.push(format!("{:>10} ms  {}", now.0, shown_input(input)));
            lines.extend(effects.iter().map(|effect| format!("{:>13}  -> {effect:?}", "")));
        }
    }

    /// Something that happened outside the core.
    pub fn note(&mut self, now: Time, text: impl FnOnce() -> String) {
        if let Self::Lines(lines) = self {
            lines.push(format!("{:>10} ms  [{}]", now.0, text()));
        }
    }

    /// All lines.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        match self {
            Self::Off => &[],
            Self::Lines(lines) => lines,
        }
    }
}

fn shown_input(input: &Input) -> String {
    match input {
        Input::Command(call, command) => format!("call {call}: {command:?}"),
        Input::Fact(fact) => format!("{fact:?}"),
        Input::Tick => "Tick".into(),
    }
}
