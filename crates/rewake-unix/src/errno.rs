//! Error numbers that callers tell apart and `std` has no kind for. Numbers only.

pub use nix::libc::{
    EACCES, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EINVAL, EMFILE, ENAMETOOLONG, ENFILE, ENOBUFS, ENOENT,
    ENOMEM, ENOTDIR, ETXTBSY,
};
