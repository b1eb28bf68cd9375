//! The time that a line says it was written at: in the format that the app asked us for, else as loggers write it. Never the time at which
//! it is read.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rewake_wire::LogSpec;
use serde::Deserialize;

use crate::DateFormat;

/// What the date of our JSON lines is where nothing else is asked for.
const JSON_DATE: &str = "YYYY-MM-DDTHH:mm:ss.SSSZ";

/// `2026-11-21T13:45:00`, the least that is taken for a time.
const SHORTEST: usize = 19;

/// How the lines of one log tell their time.
#[derive(Debug)]
pub struct Stamps {
    /// What we write ourselves, before a line or in an object.
    own: Option<DateFormat>,
    /// Each line is an object of ours.
    json: bool,
    zone: TimeZone,
}

impl Stamps {
    /// Those of an app's logs.
    #[must_use]
    pub fn of(spec: &LogSpec) -> Self {
        let asked = spec.date_format.as_deref().filter(|format| !format.is_empty());
        let own = asked.or(spec.json.then_some(JSON_DATE)).map(DateFormat::new);
        Self { own, json: spec.json, zone: TimeZone::system() }
    }

    /// Those of an app of which nothing is known.
    pub(crate) fn usual() -> Self {
        Self { own: None, json: false, zone: TimeZone::system() }
    }

    /// Whether each line is an object of ours.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// The time of a line, ms since the epoch.
    #[must_use]
    pub fn of_line(&self, line: &[u8]) -> Option<i64> {
        if line.first() == Some(&b'{') {
            return self.of_object(line);
        }
        let own = self.own.as_ref().filter(|_| !self.json).and_then(|format| format.read(line));
        own.map(|(ms, _)| ms).or_else(|| self.of_text(line))
    }

    fn of_object(&self, line: &[u8]) -> Option<i64> {
        let fields: Fields<'_> = serde_json::from_slice(line).ok()?;
        let named = fields.timestamp.or(fields.time).or(fields.at_timestamp).or(fields.ts).or(fields.date)?;
        match named {
            // Seconds or ms: what is less than this in ms is in 1973.
            Told::Number(number) if number.is_finite() && number > 0.0 => {
                let ms = if number < 1e11 { number * 1000.0 } else { number };
                Timestamp::from_millisecond(ms as i64).ok().map(Timestamp::as_millisecond)
            }
            Told::Text(text) => {
                let own = self.own.as_ref().and_then(|format| format.read(text.as_bytes()));
                own.map(|(ms, _)| ms).or_else(|| self.of_text(text.as_bytes()))
            }
            Told::Number(_) | Told::Other(_) => None,
        }
    }

    /// `2026-11-21T13:45:00Z`, with a space for the `T`, with fractions, in brackets, with a zone or in ours.
    fn of_text(&self, text: &[u8]) -> Option<i64> {
        let text = text.strip_prefix(b"[").unwrap_or(text);
        let head = text.get(..SHORTEST)?;
        let fits = |(at, byte): (usize, &u8)| match at {
            4 | 7 => *byte == b'-' || *byte == b'/',
            10 => *byte == b'T' || *byte == b' ',
            13 | 16 => *byte == b':',
            _ => byte.is_ascii_digit(),
        };
        if !head.iter().enumerate().all(fits) {
            return None;
        }
        let part =
            |from: usize, to: usize| head[from..to].iter().fold(0_i16, |sum, digit| sum * 10 + i16::from(digit - b'0'));
        let small = |from: usize, to: usize| i8::try_from(part(from, to)).unwrap_or(i8::MAX);
        let (fraction, taken) = fraction(&text[SHORTEST..]);
        let time =
            DateTime::new(part(0, 4), small(5, 7), small(8, 10), small(11, 13), small(14, 16), small(17, 19), fraction);
        let zone = zone(&text[SHORTEST + taken..]).unwrap_or_else(|| self.zone.clone());
        Some(time.ok()?.to_zoned(zone).ok()?.timestamp().as_millisecond())
    }
}

/// Nanoseconds of `.123` or `,123`, and its length.
fn fraction(text: &[u8]) -> (i32, usize) {
    if !matches!(text.first(), Some(b'.' | b',')) {
        return (0, 0);
    }
    let digits = text[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let nine = text[1..=digits].iter().copied().chain(std::iter::repeat(b'0')).take(9);
    (nine.fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0')), digits + 1)
}

/// `Z`, `+01:00`, ` +0100`.
fn zone(text: &[u8]) -> Option<TimeZone> {
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let sign = match text.first()? {
        b'Z' => return Some(TimeZone::UTC),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: Vec<i32> =
        text[1..].iter().filter(|byte| **byte != b':').take(4).map(|byte| i32::from(*byte) - 48).collect();
    let [a, b, c, d] = digits.try_into().ok()?;
    if [a, b, c, d].iter().any(|digit| !(0..10).contains(digit)) {
        return None;
    }
    let seconds = sign * ((a * 10 + b) * 3600 + (c * 10 + d) * 60);
    Some(TimeZone::fixed(jiff::tz::Offset::from_seconds(seconds).ok()?))
}

/// Where loggers put the time.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default)]
    timestamp: Option<Told<'a>>,
    #[serde(borrow, default)]
    time: Option<Told<'a>>,
    #[serde(borrow, default, rename = "@timestamp")]
    at_timestamp: Option<Told<'a>>,
    #[serde(borrow, default)]
    ts: Option<Told<'a>>,
    #[serde(borrow, default)]
    date: Option<Told<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Told<'a> {
    Number(f64),
    #[serde(borrow)]
    Text(Cow<'a, str>),
    /// A time that is neither is none.
    Other(serde::de::IgnoredAny),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamps(own: Option<&str>, json: bool) -> Stamps {
        let own = own.map(|format| DateFormat::in_zone(format, TimeZone::UTC));
        Stamps { own, json, zone: TimeZone::UTC }
    }

    #[test]
    fn times_are_found_where_loggers_put_them() {
        let ms = 1_795_268_700_000; // 2026-11-21T13:45:00Z
        let stamps = stamps(None, false);
        for (line, expected) in [
            ("2026-11-21T13:45:00.250Z hello", Some(ms + 250)),
            ("[2026-11-21 14:45:00,5 +0100] hello", Some(ms + 500)),
            ("2026-11-21 13:45:00 hello", Some(ms)),
            ("2026/11/21 13:45:00 hello", Some(ms)),
            (r#"{"level":30,"time":1795268700000,"msg":"pino"}"#, Some(ms)),
            (r#"{"ts":1795268700.25,"msg":"zap"}"#, Some(ms + 250)),
            (r#"{"timestamp":"2026-11-21T13:45:00.000Z","message":"winston"}"#, Some(ms)),
            (r#"{"@timestamp":"2026-11-21T13:45:00Z"}"#, Some(ms)),
            (r#"{"time":{"a":1}}"#, None),
            (r#"{"time":"#, None),
            ("2026-11-21", None),
            ("2026-99-21 13:45:00 hello", None),
            ("    at main (app.js:1:1)", None),
            ("", None),
        ] {
            assert_eq!(stamps.of_line(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn the_format_that_was_asked_for_comes_first() {
        let dated = stamps(Some("DD.MM.YYYY HH:mm"), false);
        assert_eq!(dated.of_line(b"21.11.2026 13:45: hello"), Some(1_795_268_700_000));
        let json = stamps(Some("DD.MM.YYYY HH:mm"), true);
        let line = br#"{"message":"x","timestamp":"21.11.2026 13:45","type":"out","process_id":0,"app_name":"a"}"#;
        assert_eq!(json.of_line(line), Some(1_795_268_700_000));
    }
}
