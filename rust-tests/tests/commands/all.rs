//! The shell commands against a real daemon and real processes: one file for each verb. A test target of `rewake-cli`,
//! so that cargo builds the executable first.

mod home;

mod delete;
mod describe;
mod env;
mod flush;
mod id;
mod jlist;
mod kill;
mod list;
mod logs;
mod logs_wanted;
mod pid;
mod ping;
mod reload;
mod reset;
mod restart;
mod resurrect;
mod runtime;
mod save;
mod scale;
mod send_signal;
mod start;
mod startup;
mod stop;
mod unstartup;
mod usage;
mod version;
