//! Times read back from what [`DateFormat`] has written. What a format does not tell (a day, a zone) is not made up, but for the zone, which
//! is that of this machine.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use crate::date::{DAYS, DateFormat, MONTHS, Part};

#[derive(Debug, Default)]
struct Found {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    hour: Option<i8>,
    afternoon: Option<bool>,
    minute: i8,
    second: i8,
    millisecond: i32,
    offset: Option<i32>,
}

impl DateFormat {
    /// The time that `text` begins with, ms since the epoch, and how many bytes it takes. `None` where it is not in this format, or where the
    /// format does not tell the day.
    #[must_use]
    pub fn read(&self, text: &[u8]) -> Option<(i64, usize)> {
        let mut found = Found::default();
        let mut rest = text;
        for part in self.parts() {
            match part {
                Part::Text(part) => rest = rest.strip_prefix(part.as_bytes())?,
                Part::Token(token) => rest = &rest[found.read(token, rest)?..],
            }
        }
        Some((found.ms(self.zone())?, text.len() - rest.len()))
    }
}

impl Found {
    /// Reads one token; how many bytes it took.
    fn read(&mut self, token: &str, text: &[u8]) -> Option<usize> {
        Some(match token {
            "YYYY" => set(&mut self.year, number(text, 4, 4)?),
            "YY" => {
                let (value, taken): (i16, usize) = number(text, 2, 2)?;
                set(&mut self.year, (value + 2000, taken))
            }
            "MMMM" => self.month_name(name(text, &MONTHS, usize::MAX)?),
            "MMM" => self.month_name(name(text, &MONTHS, 3)?),
            "MM" => set(&mut self.month, number(text, 2, 2)?),
            "M" => set(&mut self.month, number(text, 1, 2)?),
            "DD" => set(&mut self.day, number(text, 2, 2)?),
            "D" => set(&mut self.day, number(text, 1, 2)?),
            "dddd" => name(text, &DAYS, usize::MAX)?.1,
            "ddd" => name(text, &DAYS, 3)?.1,
            "dd" => name(text, &DAYS, 2)?.1,
            "d" => number::<i8>(text, 1, 1)?.1,
            "HH" | "hh" => set(&mut self.hour, number(text, 2, 2)?),
            "H" | "h" => set(&mut self.hour, number(text, 1, 2)?),
            "a" | "A" => {
                let word = text.get(..2)?.to_ascii_lowercase();
                self.afternoon = Some(if word == b"pm" {
                    true
                } else if word == b"am" {
                    false
                } else {
                    return None;
                });
                2
            }
            "mm" => put(&mut self.minute, number(text, 2, 2)?),
            "m" => put(&mut self.minute, number(text, 1, 2)?),
            "ss" => put(&mut self.second, number(text, 2, 2)?),
            "s" => put(&mut self.second, number(text, 1, 2)?),
            "SSS" => put(&mut self.millisecond, number(text, 3, 3)?),
            "ZZ" => self.zone(text, 2)?,
            "Z" => self.zone(text, 3)?,
            _ => return None,
        })
    }

    fn month_name(&mut self, (at, taken): (usize, usize)) -> usize {
        self.month = i8::try_from(at + 1).ok();
        taken
    }

    fn zone(&mut self, text: &[u8], minutes_at: usize) -> Option<usize> {
        let sign = match text.first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let (hours, _): (i32, usize) = number(&text[1..], 2, 2)?;
        let minutes_at = minutes_at + 1;
        if minutes_at == 4 && text.get(3) != Some(&b':') {
            return None;
        }
        let (minutes, _): (i32, usize) = number(text.get(minutes_at..)?, 2, 2)?;
        self.offset = Some(sign * (hours * 3600 + minutes * 60));
        Some(minutes_at + 2)
    }

    fn ms(&self, zone: &TimeZone) -> Option<i64> {
        let hour = match (self.hour?, self.afternoon) {
            (hour, None) => hour,
            (12, Some(false)) => 0,
            (12, Some(true)) => 12,
            (hour, Some(false)) => hour,
            (hour, Some(true)) => hour + 12,
        };
        let nanoseconds = self.millisecond * 1_000_000;
        let time =
            DateTime::new(self.year?, self.month?, self.day?, hour, self.minute, self.second, nanoseconds).ok()?;
        let zoned = match self.offset {
            Some(seconds) => time.to_zoned(TimeZone::fixed(Offset::from_seconds(seconds).ok()?)),
            None => time.to_zoned(zone.clone()),
        };
        Some(zoned.ok()?.timestamp().as_millisecond())
    }
}

fn set<T>(to: &mut Option<T>, (value, taken): (T, usize)) -> usize {
    *to = Some(value);
    taken
}

fn put<T>(to: &mut T, (value, taken): (T, usize)) -> usize {
    *to = value;
    taken
}

/// A number of so many digits.
fn number<T: std::str::FromStr>(text: &[u8], least: usize, most: usize) -> Option<(T, usize)> {
    let digits = text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    if digits < least {
        return None;
    }
    Some((std::str::from_utf8(&text[..digits]).ok()?.parse().ok()?, digits))
}

/// Which of the names the text begins with, each cut to `length`.
fn name(text: &[u8], names: &[&str], length: usize) -> Option<(usize, usize)> {
    names.iter().enumerate().find_map(|(at, name)| {
        let name = &name[..name.len().min(length)];
        text.starts_with(name.as_bytes()).then_some((at, name.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let zone = TimeZone::fixed(Offset::from_seconds(-12_600).unwrap());
        for (format, precision) in [
            ("YYYY-MM-DDTHH:mm:ss", 1000),
            ("YYYY-MM-DD HH:mm:ss.SSS Z", 1),
            ("[at] D.M.YY H:m:s ZZ", 1000),
            ("dddd, MMMM D YYYY, h:mm:ss a", 1000),
            ("ddd MMM DD YYYY hh:mm A", 60_000),
        ] {
            let mut format = DateFormat::in_zone(format, zone.clone());
            for ms in [951_782_400_000_i64, 1_772_707_029_042, 1_795_268_700_999, 1_772_758_800_000, 1_772_715_600_001]
            {
                let text = format.text(u64::try_from(ms).unwrap()).to_owned();
                let line = format!("{text}: hello");
                let expected = ms - ms % precision;
                assert_eq!(format.read(line.as_bytes()), Some((expected, text.len())), "{line}");
            }
        }
    }

    #[test]
    fn what_is_something_else_is_no_time() {
        let format = DateFormat::new("YYYY-MM-DD HH:mm:ss");
        for text in ["", "hello", "2026-11-21", "2026-13-01 00:00:00", "2026-11-21T13:45:00", "é026-11-21 13:45:00"] {
            assert_eq!(format.read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(DateFormat::new("HH:mm:ss").read(b"13:45:00: x"), None, "no day is made up");
    }
}
