//! A message as JSON text. Never parsed into a tree: what an app sent is handed on as it was written.

use std::fmt;

/// One valid JSON value, without white space around it.
///
/// "Valid" is the grammar alone: lone surrogates (`"\ud800"`), `-0`, `1e300`, integers of any size and any depth of
/// nesting are legal, as they are for Node. Whoever parses it must bound its own recursion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    json: String,
    cycles: u32,
}

impl Text {
    pub(crate) fn new(json: String) -> Self {
        Self { json, cycles: 0 }
    }

    pub(crate) fn with_cycles(json: String, cycles: u32) -> Self {
        Self { json, cycles }
    }

    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.json
    }

    /// The JSON text, without copying it.
    #[must_use]
    pub fn into_string(self) -> String {
        self.json
    }

    /// How many references of an object to itself (directly or through others) became `null`: JSON has no form for
    /// them. Always 0 in json mode.
    #[must_use]
    pub fn cycles(&self) -> u32 {
        self.cycles
    }

    /// Whether this is PM2's `process.send('ready')`.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.json == "\"ready\""
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.json)
    }
}
