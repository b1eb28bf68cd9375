//! All that the user sees. Nothing else in this program prints: data goes to stdout, talk to stderr.

mod block;
mod describe;
pub(crate) mod done;
mod errors;
mod format;
mod help;
mod history;
mod jlist;
mod list;
pub(crate) mod log_line;
mod output;
mod sort;
pub(crate) mod streams;
mod style;
mod table;

pub(crate) use format::safe;
pub(crate) use jlist::entry;
pub(crate) use output::{Ui, now_ms};
pub(crate) use style::{Colour, Styles};
