//! The seeded simulation of the core: a pretend operating system with faults, pretend users, and the rules.

pub mod book;
pub mod calls;
pub mod client;
pub mod heir_book;
pub mod judge;
pub mod life;
pub mod many;
pub mod mutants;
pub mod nature;
pub mod process;
pub mod reload_mutants;
pub mod restart;
pub mod rng;
pub mod rule;
pub mod run_book;
pub mod slot_book;
mod steering;
pub mod subject;
mod table;
pub mod tally;
pub mod trace;
mod turns;
pub mod world;
