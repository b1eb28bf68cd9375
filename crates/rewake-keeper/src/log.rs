//! What the keeper itself has to say, as lines on its stderr (the home's log file). Never fails, never says secrets.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use rewake_unix::own_log::OwnLog;

use crate::config::LOG_FILE;

static OF_HOME: OnceLock<OwnLog> = OnceLock::new();

/// From now on lines go to the file that has the name of the home's log, which the daemon puts aside when it is long.
pub(crate) fn follow(home: &Path) {
    OF_HOME.get_or_init(|| OwnLog::followed(&home.join(LOG_FILE)));
}

/// Writes one line with the time.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let line = format!("{} keeper: {text}\n", utc(seconds));
    OF_HOME.get().inspect(|log| log.settle());
    // One write, so that lines of keeper and daemon never mix. Where it fails there is nobody left to tell.
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// `2026-01-31T23:59:59Z`. The civil calendar from days, by whole eras of 400 years that begin in March.
fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_a_date() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_709_251_199), "2024-02-29T23:59:59Z");
        assert_eq!(utc(4_102_444_800), "2100-01-01T00:00:00Z");
    }
}
