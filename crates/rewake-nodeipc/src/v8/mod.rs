//! V8's structured clone format, as Node's `serialization: 'advanced'` uses it: to JSON text and from it.
//! Never builds the value, never recurses, never trusts a length.

mod bigint;
mod date;
mod decode;
mod encode;
mod output;
mod read;
mod tag;
#[cfg(test)]
mod tests;
mod views;

pub(crate) use decode::{Fault, decode};
pub(crate) use encode::{NotEncoded, encode};
