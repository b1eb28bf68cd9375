//! How messages are written on a channel. Never changes during the life of a run.

/// Node's `serialization` option, told to the child in `NODE_CHANNEL_SERIALIZATION_MODE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// One JSON value per line.
    Json,
    /// A length of four bytes, then V8's structured clone format.
    Advanced,
}

impl Mode {
    /// The value of `NODE_CHANNEL_SERIALIZATION_MODE`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Advanced => "advanced",
        }
    }
}
