//! `Date.prototype.toISOString`. Never rejects a time that JavaScript allows.

/// JavaScript's time range: 100 million days on either side of 1970.
const MAX_MS: f64 = 8.64e15;

/// ISO text of milliseconds since 1970; `None` for an invalid date, which `JSON.stringify` makes `null`.
pub(super) fn to_iso(ms: f64) -> Option<String> {
    if ms.is_nan() || ms.abs() > MAX_MS {
        return None;
    }
    // Whole and below 2^53 in size after the check.
    let ms = ms.trunc() as i64;
    let (day, time) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let (year, month, day) = civil(day);
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ => format!("{}{:06}", if year < 0 { '-' } else { '+' }, year.abs()),
    };
    let (seconds, millis) = (time / 1000, time % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    Some(format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"))
}

/// Year, month and day of a day number since 1970-01-01 in the Gregorian calendar. Years are counted from March, so
/// that the leap day is the last of its year; 400 years have 146,097 days.
fn civil(day: i64) -> (i64, i64, i64) {
    // Days since 0000-03-01.
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_look_as_in_javascript() {
        for (ms, text) in [
            (0.0, "1970-01-01T00:00:00.000Z"),
            (-1.0, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000.0, "2000-02-29T00:00:00.000Z"),
            (1_700_000_000_123.0, "2023-11-14T22:13:20.123Z"),
            (-62_167_219_200_001.0, "-000001-12-31T23:59:59.999Z"),
            (8.64e15, "+275760-09-13T00:00:00.000Z"),
            (-8.64e15, "-271821-04-20T00:00:00.000Z"),
        ] {
            assert_eq!(to_iso(ms).as_deref(), Some(text));
        }
        assert_eq!(to_iso(f64::NAN), None);
        assert_eq!(to_iso(8.64e15 + 1.0), None);
    }
}
