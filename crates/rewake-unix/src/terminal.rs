//! What the terminal can show. Never changes its settings.

use std::os::fd::AsRawFd as _;

use nix::libc;

/// Columns of the terminal that stdout goes to; `None` where it is no terminal or does not know.
#[must_use]
pub fn columns() -> Option<u16> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel writes one `winsize` into ours, which outlives the call; any other descriptor gives ENOTTY.
    let result = unsafe { libc::ioctl(std::io::stdout().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (result == 0 && size.ws_col > 0).then_some(size.ws_col)
}
