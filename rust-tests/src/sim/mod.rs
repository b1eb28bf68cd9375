//! The seeded simulation of the core: a pretend operating system with faults, pretend users, and the rules.

pub mod rng;
pub mod trace;
pub mod rule;
pub mod subject;
pub mod nature;
pub mod world;
pub mod client;
pub mod restart;
pub mod book;
pub mod calls;
pub mod judge;
pub mod life;
pub mod tally;
pub mod mutants;
pub mod many;
