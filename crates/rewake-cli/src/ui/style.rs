//! Colours, or none. Decided once for each stream: only on a terminal, never with NO_COLOR or `--no-color`.

use std::borrow::Cow;

/// The few colours that mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Blue,
    Cyan,
}

/// How one stream is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Styles {
    pub(crate) colours: bool,
}

impl Styles {
    /// The text in this colour, or as it is.
    pub(crate) fn paint(self, colour: Colour, text: &str) -> Cow<'_, str> {
        if !self.colours {
            return Cow::Borrowed(text);
        }
        Cow::Owned(format!("{}{text}\x1b[0m", Self::code(colour)))
    }

    /// The sequence that begins the colour, empty without colours.
    pub(crate) fn begin(self, colour: Colour) -> &'static str {
        if self.colours { Self::code(colour) } else { "" }
    }

    /// The sequence that ends any colour, empty without colours.
    pub(crate) fn end(self) -> &'static str {
        if self.colours { "\x1b[0m" } else { "" }
    }

    fn code(colour: Colour) -> &'static str {
        match colour {
            Colour::Bold => "\x1b[1m",
            Colour::Dim => "\x1b[90m",
            Colour::Red => "\x1b[31m",
            Colour::Green => "\x1b[32m",
            Colour::Yellow => "\x1b[33m",
            Colour::Blue => "\x1b[34m",
            Colour::Cyan => "\x1b[36m",
        }
    }
}
