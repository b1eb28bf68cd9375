//! Times as people write them: `10m`, RFC 3339, `2026-11-21 13:45:00`. Never reads a clock.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Units of durations and their seconds.
const UNITS: [(&str, f64); 12] = [
    ("ms", 0.001),
    ("s", 1.0),
    ("sec", 1.0),
    ("m", 60.0),
    ("min", 60.0),
    ("h", 3600.0),
    ("hour", 3600.0),
    ("hours", 3600.0),
    ("d", 86_400.0),
    ("day", 86_400.0),
    ("days", 86_400.0),
    ("w", 604_800.0),
];

/// The time, ms since the epoch; a duration is counted back from `now_ms`, and what names no zone is local. `None`: no time at all.
pub(crate) fn read(text: &str, now_ms: i64, zone: &TimeZone) -> Option<i64> {
    let text = text.trim();
    if let Some(ms) = duration_ms(text.strip_suffix("ago").unwrap_or(text).trim()) {
        return now_ms.checked_sub(ms);
    }
    if text == "now" {
        return Some(now_ms);
    }
    if let Ok(stamp) = text.parse::<Timestamp>() {
        return Some(stamp.as_millisecond());
    }
    let spaced = text.replacen(' ', "T", 1);
    if let Ok(stamp) = spaced.parse::<Timestamp>() {
        return Some(stamp.as_millisecond());
    }
    let local = spaced
        .parse::<DateTime>()
        .ok()
        .or_else(|| Some(text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight())));
    let today = || {
        let time = text.contains(':').then(|| text.parse::<jiff::civil::Time>().ok())??;
        let now = Timestamp::from_millisecond(now_ms).ok()?.to_zoned(zone.clone());
        Some(now.date().to_datetime(time))
    };
    Some(local.or_else(today)?.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond())
}

/// `1h30m`, `2d`, `90 s`.
fn duration_ms(text: &str) -> Option<i64> {
    let mut seconds = 0.0;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|end| *end > 0)?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == &rest[..letters])?;
        seconds += number * unit;
        rest = rest[letters..].trim_start();
    }
    let duration = SignedDuration::try_from_secs_f64(seconds).ok()?;
    i64::try_from(duration.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_times_and_dates_are_understood() {
        let now = 1_795_268_700_000; // 2026-11-21T13:45:00Z
        let read = |text| read(text, now, &TimeZone::UTC).map(|ms| now - ms);
        assert_eq!(read("10m"), Some(600_000));
        assert_eq!(read("1h30m"), Some(5_400_000));
        assert_eq!(read("2d ago"), Some(172_800_000));
        assert_eq!(read("1.5 s"), Some(1500));
        assert_eq!(read("now"), Some(0));
        assert_eq!(read("2026-11-21T13:44:00Z"), Some(60_000));
        assert_eq!(read("2026-11-21T14:44:00+01:00"), Some(60_000));
        assert_eq!(read("2026-11-21 13:44:00"), Some(60_000));
        assert_eq!(read("2026-11-21 13:44"), Some(60_000));
        assert_eq!(read("2026-11-21T13:44:59.500"), Some(500));
        assert_eq!(read("2026-11-21"), Some(49_500_000));
        assert_eq!(read("13:44"), Some(60_000));
        for bad in ["", "m", "10", "10x", "yesterday-ish", "2026-13-01", "-5m", "99999999999999999999d"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
