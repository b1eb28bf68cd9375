//! Log files as they are read: their last lines, those since a time, what is appended, and which of them are wanted. Never writes one,
//! and never asks the daemon for output.

mod origin;
mod query;

mod history;
mod source;

mod filter;
mod level;
mod stamp;
mod when;

mod forward;
mod tail;
mod window;

mod follow;

pub mod aside;
mod date;
mod date_read;

pub use date::DateFormat;
pub use filter::{Filter, Judge};
pub use follow::{Follower, Start};
pub use forward::{PIECE, Piece};
pub use history::{History, Shown};
pub use level::Level;
pub use origin::{Log, Origin, Shelf};
pub use query::{BadQuery, Query, Wishes};
pub use stamp::Stamps;
pub use tail::last_lines;
