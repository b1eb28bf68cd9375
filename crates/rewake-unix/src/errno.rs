//! Error numbers that callers tell apart and `std` has no kind for. Numbers only.

pub use nix::libc::{EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM, ETXTBSY};
