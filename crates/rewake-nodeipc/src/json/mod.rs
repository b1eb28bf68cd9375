//! JSON as Node writes it, read without building a tree: tokens, the fields at the top, strings and numbers.

mod number;
mod outline;
mod string;
mod tokens;

pub(crate) use number::push_number;
pub(crate) use outline::{outline, text_of};
pub(crate) use string::{escape_bytes, escape_units, units};
pub(crate) use tokens::{Invalid, Token, Tokens};
