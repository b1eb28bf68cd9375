//! What is to be read, as people write it, made into what the reading needs. Never reads a clock.

use std::sync::{Arc, Weak};

use jiff::tz::TimeZone;

use crate::{Filter, Level, when};

/// Lines of each log when nobody says how many, as PM2 has it.
const USUAL_LINES: usize = 15;

/// What somebody asks for, as text.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
pub struct Wishes {
    pub lines: Option<usize>,
    pub since: Option<String>,
    pub until: Option<String>,
    pub level: Option<String>,
    /// A regular expression on bytes, in the syntax of the crate `regex`.
    pub grep: Option<String>,
}

/// The same, understood.
#[derive(Debug, Clone)]
pub struct Query {
    /// The last so many of each log that are wanted; `None`: all.
    pub lines: Option<usize>,
    pub filter: Arc<Filter>,
    /// Find the times of lines also where nobody selects by them.
    pub times: bool,
    /// Gone with the one who reads: a search of gigabytes ends then. `None`: it goes to its end.
    pub reader: Option<Weak<()>>,
}

/// A wish that means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadQuery {
    /// Which of them.
    pub what: &'static str,
    pub value: String,
    /// What is wrong, or what would be right.
    pub hint: String,
}

impl Query {
    /// How many lines are shown of a log of which nobody can say how old its lines are.
    pub(crate) fn lines_without_times(&self) -> usize {
        self.lines.unwrap_or(USUAL_LINES)
    }

    /// Understands wishes.
    ///
    /// # Errors
    /// The first that means nothing.
    pub fn new(wishes: &Wishes, now_ms: i64) -> Result<Self, BadQuery> {
        let zone = TimeZone::system();
        let time = |what, text: &Option<String>| -> Result<Option<i64>, BadQuery> {
            let Some(text) = text else { return Ok(None) };
            let read = when::read(text, now_ms, &zone).map(Some);
            read.ok_or_else(|| BadQuery {
                what,
                value: text.clone(),
                hint: "such as `10m`, `2h`, `1d`, `2026-11-21 13:45:00` or `2026-11-21T13:45:00Z`".into(),
            })
        };
        let since = time("since", &wishes.since)?;
        let until = time("until", &wishes.until)?;
        let level = match &wishes.level {
            Some(word) => Some(Level::of_word(word).ok_or_else(|| BadQuery {
                what: "level",
                value: word.clone(),
                hint: "one of trace, debug, info, warn, error, fatal".into(),
            })?),
            None => None,
        };
        let grep = match &wishes.grep {
            Some(text) => Some(regex::bytes::Regex::new(text).map_err(|error| BadQuery {
                what: "grep",
                value: text.clone(),
                hint: error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
            })?),
            None => None,
        };
        let lines = wishes.lines.or(since.is_none().then_some(USUAL_LINES));
        Ok(Self { lines, filter: Arc::new(Filter { since, until, level, grep }), times: false, reader: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_nothing_is_named() {
        let bad = |wishes: Wishes| Query::new(&wishes, 0).map(|_| ()).unwrap_err();
        let text = || Some("(x".to_owned());
        assert_eq!(bad(Wishes { since: text(), ..Wishes::default() }).what, "since");
        assert_eq!(bad(Wishes { until: text(), ..Wishes::default() }).what, "until");
        assert_eq!(bad(Wishes { level: text(), ..Wishes::default() }).what, "level");
        assert_eq!(bad(Wishes { grep: text(), ..Wishes::default() }).hint, "unclosed group");
        let usual = Query::new(&Wishes::default(), 0).unwrap();
        assert_eq!((usual.lines, usual.filter.is_empty()), (Some(15), true));
        let since = Query::new(&Wishes { since: Some("1h".into()), ..Wishes::default() }, 3_600_000).unwrap();
        assert_eq!((since.lines, since.filter.since), (None, Some(0)));
    }
}
