//! One file per verb: what a request means before the core is asked. Nothing here waits.

mod env;
mod flush;
mod history;
mod list;
mod reload;
mod reload_logs;
mod restart;
mod resurrect;
mod rotate;
mod save;
mod scale;
mod send;
mod signal;
mod start;
mod update;

pub(crate) use env::env;
pub(crate) use flush::flush;
pub(crate) use history::history;
pub(crate) use list::list;
pub(crate) use reload::{Way as ReloadWay, give_back, reload, settle as settle_reload};
pub(crate) use reload_logs::reload_logs;
pub(crate) use restart::restart;
pub(crate) use resurrect::{list_what_was_saved, resurrect};
pub(crate) use rotate::rotate;
pub(crate) use save::save;
pub(crate) use scale::scale;
pub(crate) use send::send;
pub(crate) use signal::signal;
pub(crate) use start::{sheet as sheet_of, start};
pub(crate) use update::{Updating, update, updated};
