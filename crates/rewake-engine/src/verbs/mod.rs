//! One file per verb: what a request means before the core is asked. Nothing here waits.

mod env;
mod flush;
mod list;
mod restart;
mod resurrect;
mod save;
mod send;
mod signal;
mod start;

pub(crate) use env::env;
pub(crate) use flush::flush;
pub(crate) use list::list;
pub(crate) use restart::restart;
pub(crate) use resurrect::resurrect;
pub(crate) use save::save;
pub(crate) use send::send;
pub(crate) use signal::signal;
pub(crate) use start::{sheet as sheet_of, start};
