//! Times as Day.js writes them, which is what PM2's users ask for in `log_date_format`. Never reads a clock.

use std::fmt::Write;

use jiff::Zoned;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(crate) const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The tokens, the longest of each letter first.
const TOKENS: &[&str] = &[
    "YYYY", "YY", "MMMM", "MMM", "MM", "M", "DD", "D", "dddd", "ddd", "dd", "d", "HH", "H", "hh", "h", "a", "A", "mm",
    "m", "ss", "s", "SSS", "ZZ", "Z",
];

/// A format, taken apart once, and the last time that was written in it: many lines have the same.
#[derive(Debug, Clone)]
pub struct DateFormat {
    parts: Vec<Part>,
    zone: TimeZone,
    last: Option<(u64, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Token(&'static str),
    Text(String),
}

impl DateFormat {
    /// A format of Day.js. What is no token stands for itself, and so does what stands in `[brackets]`.
    #[must_use]
    pub fn new(format: &str) -> Self {
        Self::in_zone(format, TimeZone::system())
    }

    pub(crate) fn in_zone(format: &str, zone: TimeZone) -> Self {
        Self { parts: parts(format), zone, last: None }
    }

    /// The time as text.
    pub fn text(&mut self, time_ms: u64) -> &str {
        if self.last.as_ref().is_none_or(|(last, _)| *last != time_ms) {
            let text = self.write(time_ms);
            self.last = Some((time_ms, text));
        }
        self.last.as_ref().map_or("", |(_, text)| text)
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    fn write(&self, time_ms: u64) -> String {
        let timestamp = jiff::Timestamp::from_millisecond(i64::try_from(time_ms).unwrap_or(0)).unwrap_or_default();
        let time = timestamp.to_zoned(self.zone.clone());
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Token(token) => write_token(&mut text, token, &time),
            }
        }
        text
    }
}

fn parts(format: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        let escaped = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).filter(|(text, _)| !text.is_empty());
        let (part, left) = if let Some((text, left)) = escaped {
            (Part::Text(text.to_owned()), left)
        } else if let Some(token) = TOKENS.iter().find(|token| rest.starts_with(**token)) {
            (Part::Token(token), &rest[token.len()..])
        } else {
            (Part::Text(first.to_string()), &rest[first.len_utf8()..])
        };
        match (parts.last_mut(), part) {
            (Some(Part::Text(before)), Part::Text(text)) => before.push_str(&text),
            (_, part) => parts.push(part),
        }
        rest = left;
    }
    parts
}

fn write_token(text: &mut String, token: &str, time: &Zoned) {
    let hour_of_half = (time.hour() + 11) % 12 + 1;
    let day = usize::from(time.weekday().since(Weekday::Sunday).unsigned_abs());
    let day_name = DAYS.get(day).copied().unwrap_or_default();
    let month_name = MONTHS.get(usize::from(time.month().unsigned_abs()).wrapping_sub(1)).copied().unwrap_or_default();
    let half = if time.hour() < 12 { "AM" } else { "PM" };
    let offset = time.offset().seconds();
    let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs() / 60);
    let written = match token {
        "YYYY" => write!(text, "{:04}", time.year()),
        "YY" => write!(text, "{:02}", time.year().rem_euclid(100)),
        "MMMM" => write!(text, "{month_name}"),
        "MMM" => write!(text, "{month_name:.3}"),
        "MM" => write!(text, "{:02}", time.month()),
        "M" => write!(text, "{}", time.month()),
        "DD" => write!(text, "{:02}", time.day()),
        "D" => write!(text, "{}", time.day()),
        "dddd" => write!(text, "{day_name}"),
        "ddd" => write!(text, "{day_name:.3}"),
        "dd" => write!(text, "{day_name:.2}"),
        "d" => write!(text, "{day}"),
        "HH" => write!(text, "{:02}", time.hour()),
        "H" => write!(text, "{}", time.hour()),
        "hh" => write!(text, "{hour_of_half:02}"),
        "h" => write!(text, "{hour_of_half}"),
        "a" => write!(text, "{}", half.to_lowercase()),
        "A" => write!(text, "{half}"),
        "mm" => write!(text, "{:02}", time.minute()),
        "m" => write!(text, "{}", time.minute()),
        "ss" => write!(text, "{:02}", time.second()),
        "s" => write!(text, "{}", time.second()),
        "SSS" => write!(text, "{:03}", time.millisecond()),
        "ZZ" => write!(text, "{sign}{:02}{:02}", minutes / 60, minutes % 60),
        "Z" => write!(text, "{sign}{:02}:{:02}", minutes / 60, minutes % 60),
        other => write!(text, "{other}"),
    };
    // A string takes whatever is written to it.
    debug_assert!(written.is_ok());
}

#[cfg(test)]
mod tests {
    use jiff::tz::Offset;

    use super::*;

    /// 2026-03-05 16:07:09.042 in a zone of +05:30, a Thursday.
    const TIME: u64 = 1_772_707_029_042;

    fn text(format: &str) -> String {
        let zone = TimeZone::fixed(Offset::from_seconds(19_800).unwrap());
        DateFormat::in_zone(format, zone).text(TIME).to_owned()
    }

    #[test]
    fn tokens_are_day_js_s() {
        assert_eq!(text("YYYY-MM-DDTHH:mm:ss"), "2026-03-05T16:07:09");
        assert_eq!(text("YYYY-MM-DD HH:mm:ss.SSS Z"), "2026-03-05 16:07:09.042 +05:30");
        assert_eq!(text("YY M D H h m s ZZ"), "26 3 5 16 4 7 9 +0530");
        assert_eq!(text("dddd ddd dd d, MMMM MMM hh A a"), "Thursday Thu Th 4, March Mar 04 PM pm");
        assert_eq!(text("[YYYY] é: YYYY []"), "YYYY é: 2026 []");
        assert_eq!(text(""), "");
    }

    #[test]
    fn midnight_and_noon_are_twelve() {
        let zone = TimeZone::UTC;
        assert_eq!(DateFormat::in_zone("h A", zone.clone()).text(0), "12 AM");
        assert_eq!(DateFormat::in_zone("h A", zone).text(43_200_000), "12 PM");
    }
}
