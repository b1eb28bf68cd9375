//! Numbers and texts as PM2 writes them.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `5s`, `3m`, `2h`, `4D`.
pub(super) fn uptime(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}D", seconds / 86_400),
    }
}

/// `0b`, `51.4mb`.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "tb"), (1 << 30, "gb"), (1 << 20, "mb"), (1 << 10, "kb")];
    for (size, unit) in UNITS {
        if bytes >= size {
            let tenths = bytes.saturating_mul(10).saturating_add(size / 2) / size;
            return format!("{}.{}{unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes}b")
}

/// `0%`, `12.5%`.
pub(super) fn percent(percent: f32) -> String {
    let rounded = (percent * 10.0).round() / 10.0;
    format!("{rounded}%")
}

/// `2026-11-21T01:51:57.237Z`.
pub(super) fn instant(ms: u64) -> String {
    let stamp = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    stamp.map_or_else(|| "N/A".into(), |stamp| format!("{stamp:.3}"))
}

/// The text without control characters: a name or an exit reason must not steer the terminal.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if char.is_control() {
            write!(clean, "\\x{:02x}", u32::from(char)).ok();
        } else {
            clean.push(char);
        }
    }
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_pm2_writes_them() {
        assert_eq!([0, 59_999, 60_000, 7_200_000, 200_000_000].map(uptime), ["0s", "59s", "1m", "2h", "2D"]);
        assert_eq!([0, 1023, 1024, 53_896_806].map(bytes), ["0b", "1023b", "1.0kb", "51.4mb"]);
        assert_eq!([0.0, 12.54, 100.0].map(percent), ["0%", "12.5%", "100%"]);
        assert_eq!(instant(1_795_225_917_237), "2026-11-21T01:51:57.237Z");
    }

    #[test]
    fn a_text_cannot_steer_the_terminal() {
        assert_eq!(safe("web\x1b[2J\n"), "web\\x1b[2J\\x0a");
        assert_eq!(safe("naïve 日本"), "naïve 日本");
    }
}
