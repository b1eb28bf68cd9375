//! How grave a line is, as loggers write it: `level` of JSON lines (pino, bunyan, winston, severities of syslog), `[error]`, `WARN`,
//! `level=info`. Never guesses from what a sentence says.

use serde::Deserialize;

/// From the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

/// Words and what they mean, in lower case.
const WORDS: [(&str, Level); 24] = [
    ("trace", Level::Trace),
    ("silly", Level::Trace),
    ("trc", Level::Trace),
    ("debug", Level::Debug),
    ("verbose", Level::Debug),
    ("dbg", Level::Debug),
    ("info", Level::Info),
    ("information", Level::Info),
    ("inf", Level::Info),
    ("log", Level::Info),
    ("http", Level::Info),
    ("notice", Level::Info),
    ("warn", Level::Warn),
    ("warning", Level::Warn),
    ("wrn", Level::Warn),
    ("error", Level::Error),
    ("err", Level::Error),
    ("severe", Level::Error),
    ("fatal", Level::Fatal),
    ("critical", Level::Fatal),
    ("crit", Level::Fatal),
    ("alert", Level::Fatal),
    ("emerg", Level::Fatal),
    ("panic", Level::Fatal),
];

/// Words that are no level when they stand free in capitals at the head of a line.
const ONLY_MARKED: [&str; 2] = ["log", "http"];

/// Bytes at the head of a line in which a marker is looked for: room for a time and a name.
const HEAD: usize = 160;

impl Level {
    /// The level that a word or a number of pino names.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        if let Ok(number) = word.parse() {
            return Some(Self::of_number(number));
        }
        let lower = word.to_ascii_lowercase();
        WORDS.iter().find(|(name, _)| *name == lower).map(|(_, level)| *level)
    }

    /// pino's numbers (10 is trace, 60 fatal); below 8, those of syslog (0 is an emergency, 7 debug).
    fn of_number(number: i64) -> Self {
        match number {
            ..=2 => Self::Fatal,
            3 => Self::Error,
            4 => Self::Warn,
            5..=6 => Self::Info,
            7 => Self::Debug,
            8..20 => Self::Trace,
            20..30 => Self::Debug,
            30..40 => Self::Info,
            40..50 => Self::Warn,
            50..60 => Self::Error,
            60.. => Self::Fatal,
        }
    }

    /// The level that a line names, if it does.
    #[must_use]
    pub fn of_line(line: &[u8]) -> Option<Self> {
        let line = line.trim_ascii_start();
        if line.first() == Some(&b'{')
            && let Ok(fields) = serde_json::from_slice::<Fields<'_>>(line)
        {
            let named = fields.level.or(fields.severity).or(fields.lvl).and_then(Named::level);
            return named.or_else(|| Self::of_line(fields.message?.as_bytes()));
        }
        Self::of_head(&line[..line.len().min(HEAD)])
    }

    /// The first marker of a plain line.
    fn of_head(head: &[u8]) -> Option<Self> {
        let mut at = 0;
        while at < head.len() {
            if !head[at].is_ascii_alphabetic() {
                at += 1;
                continue;
            }
            let end =
                head[at..].iter().position(|byte| !byte.is_ascii_alphanumeric()).map_or(head.len(), |end| at + end);
            let word = std::str::from_utf8(&head[at..end]).unwrap_or_default();
            let (before, after) = (head[..at].last(), head.get(end));
            if let Some(level) = Self::of_marker(word, before, after, at == 0) {
                return Some(level);
            }
            at = end;
        }
        None
    }

    fn of_marker(word: &str, before: Option<&u8>, after: Option<&u8>, is_first: bool) -> Option<Self> {
        let bracketed = matches!((before, after), (Some(b'[' | b'(' | b'<'), Some(b']' | b')' | b'>')));
        let assigned = before == Some(&b'=') || before == Some(&b'"');
        let free =
            !matches!(before, Some(b'-' | b'_' | b'.' | b'/')) && !matches!(after, Some(b'-' | b'_' | b'.' | b'/'));
        let capitals = free
            && word.bytes().all(|byte| byte.is_ascii_uppercase())
            && !ONLY_MARKED.contains(&&*word.to_ascii_lowercase());
        let headed = after == Some(&b':') && (is_first || before == Some(&b' '));
        // `TypeError: ...`: how Node tells what nobody has caught.
        if headed && (word.ends_with("Error") || word.ends_with("Exception")) {
            return Some(Self::Error);
        }
        if bracketed || assigned || capitals || headed {
            Self::of_word(word).filter(|_| word.parse::<i64>().is_err())
        } else {
            None
        }
    }
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default)]
    level: Option<Named<'a>>,
    #[serde(borrow, default)]
    severity: Option<Named<'a>>,
    #[serde(borrow, default)]
    lvl: Option<Named<'a>>,
    /// Of an object that we have made around a line.
    #[serde(borrow, default)]
    message: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Text<'a> {
    #[serde(borrow)]
    Plain(std::borrow::Cow<'a, str>),
    /// Whatever else a logger calls its message is passed over.
    Other(serde::de::IgnoredAny),
}

impl Text<'_> {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Plain(text) => text.as_bytes(),
            Self::Other(_) => b"",
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Named<'a> {
    Number(i64),
    #[serde(borrow)]
    Word(std::borrow::Cow<'a, str>),
    /// A `level` that is neither is none.
    Other(serde::de::IgnoredAny),
}

impl Named<'_> {
    fn level(self) -> Option<Level> {
        match self {
            Self::Number(number) => Some(Level::of_number(number)),
            Self::Word(word) => Level::of_word(&word),
            Self::Other(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_json_lines_are_those_of_the_usual_loggers() {
        for (line, level) in [
            (r#"{"level":30,"time":1,"msg":"x"}"#, Some(Level::Info)),
            (r#"{"level":50,"msg":"x"}"#, Some(Level::Error)),
            (r#"{"message":"x","level":"warn"}"#, Some(Level::Warn)),
            (r#"{"severity":"CRITICAL","message":"x"}"#, Some(Level::Fatal)),
            (r#"{"lvl":3}"#, Some(Level::Error)),
            (r#"{"level":{"a":1},"message":{"b":2}}"#, None),
            (
                r#"{"message":"[debug] x","timestamp":"","type":"out","process_id":0,"app_name":"a"}"#,
                Some(Level::Debug),
            ),
            (r#"{"message":"{\"level\":60}","type":"out"}"#, Some(Level::Fatal)),
            (r#"{"msg":"error"}"#, None),
        ] {
            assert_eq!(Level::of_line(line.as_bytes()), level, "{line}");
        }
    }

    #[test]
    fn markers_are_found_and_sentences_are_not_taken_for_them() {
        for (line, level) in [
            ("2026-11-21T13:45:00: [error] it broke", Some(Level::Error)),
            ("2026-11-21 13:45:00 WARN  [main] x", Some(Level::Warn)),
            ("ERROR it broke", Some(Level::Error)),
            ("time=1 level=debug msg=x", Some(Level::Debug)),
            ("warning: deprecated", Some(Level::Warn)),
            ("TypeError: x is not a function", Some(Level::Error)),
            ("Uncaught Error: boom", Some(Level::Error)),
            ("<info> NetworkManager", Some(Level::Info)),
            ("there was no error at all", None),
            ("GET /error/log HTTP/1.1", None),
            ("no-warn ERROR-PAGE", None),
            ("", None),
        ] {
            assert_eq!(Level::of_line(line.as_bytes()), level, "{line}");
        }
    }
}
