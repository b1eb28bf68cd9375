//! The form of an error and of a warning. Never more than the sentence and its hint.

use rewake_wire::ErrorReply;

use super::{Colour, Styles};

/// `error: what failed, on what`, and the hint below.
pub(super) fn text(styles: Styles, error: &ErrorReply) -> String {
    let mut text = format!("{} {}", styles.paint(Colour::Red, "error:"), error.message);
    if let Some(hint) = &error.hint {
        text.push_str(&format!("\n  {} {hint}", styles.paint(Colour::Cyan, "hint:")));
    }
    text
}

/// `warning: …`.
pub(super) fn warning(styles: Styles, text: &str) -> String {
    format!("{} {text}", styles.paint(Colour::Yellow, "warning:"))
}
