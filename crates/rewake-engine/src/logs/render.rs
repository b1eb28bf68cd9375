//! Lines as they stand in a log: raw, with the time before them, or as JSON. Bytes are not decoded, but for JSON, which is text.

use std::io::Write;

use rewake_logs::DateFormat;
use rewake_wire::{LogSpec, Stream};

/// How lines are written.
#[derive(Debug)]
pub(crate) enum Format {
    Raw,
    Dated(DateFormat),
    Json { date: DateFormat, tail: String },
}

impl Format {
    /// The format that an app asked for.
    pub(crate) fn of(spec: &LogSpec, id: u32, name: &str, stream: Stream) -> Self {
        let date = spec.date_format.as_deref().filter(|format| !format.is_empty());
        match (spec.json, date) {
            (false, None) => Self::Raw,
            (false, Some(format)) => Self::Dated(DateFormat::new(format)),
            (true, format) => {
                // As JavaScript's `toISOString` where nothing else is asked for, in local time.
                let date = DateFormat::new(format.unwrap_or("YYYY-MM-DDTHH:mm:ss.SSSZ"));
                let kind = match stream {
                    Stream::Out => "out",
                    Stream::Err => "err",
                };
                let name = serde_json::to_string(name).unwrap_or_default();
                Self::Json { date, tail: format!("\",\"type\":\"{kind}\",\"process_id\":{id},\"app_name\":{name}}}\n") }
            }
        }
    }

    /// Whether a line must be there to its end before it is written.
    pub(crate) fn needs_whole_lines(&self) -> bool {
        matches!(self, Self::Json { .. })
    }

    /// Writes what stands in the log for these bytes to `out`; `None`: the bytes themselves. `mid_line`: the line has begun before.
    pub(crate) fn render(&mut self, bytes: &[u8], time_ms: u64, mid_line: bool, out: &mut Vec<u8>) -> Option<()> {
        out.clear();
        match self {
            Self::Raw => return None,
            Self::Dated(date) => {
                let date = date.text(time_ms);
                // Room for lines of some length, so that the buffer seldom grows.
                out.reserve(bytes.len() + bytes.len() / 2);
                let mut begun = mid_line;
                for line in lines(bytes) {
                    if !begun {
                        out.extend_from_slice(date.as_bytes());
                        out.extend_from_slice(b": ");
                    }
                    out.extend_from_slice(line);
                    begun = false;
                }
            }
            Self::Json { date, tail } => {
                let date = serde_json::to_string(date.text(time_ms)).unwrap_or_default();
                let date = date.trim_matches('"');
                for line in lines(bytes) {
                    let line = line.strip_suffix(b"\n").unwrap_or(line);
                    out.extend_from_slice(b"{\"message\":");
                    // Writing to memory does not fail.
                    let _ = serde_json::to_writer(&mut *out, &*String::from_utf8_lossy(line));
                    let _ = write!(out, ",\"timestamp\":\"{date}");
                    out.extend_from_slice(tail.as_bytes());
                }
            }
        }
        Some(())
    }

    /// Whether the log is in the middle of a line after these bytes.
    pub(crate) fn mid_line_after(&self, bytes: &[u8], before: bool) -> bool {
        match self {
            Self::Json { .. } => false,
            Self::Raw | Self::Dated(_) => bytes.last().map_or(before, |&last| last != b'\n'),
        }
    }
}

/// Lines with their ends; the last may have none.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (line, left) = rest.split_at(end);
        rest = left;
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use rewake_wire::{LogCapture, LogTarget};

    use super::*;

    fn format(date_format: Option<&str>, json: bool) -> Format {
        let spec = LogSpec {
            out: LogTarget::Null,
            error: LogTarget::Null,
            combined: LogTarget::Null,
            merge: true,
            date_format: date_format.map(str::to_owned),
            json,
            capture: LogCapture::Auto,
            rotate: None,
            system: None,
        };
        Format::of(&spec, 3, "a\"b", Stream::Err)
    }

    fn rendered(format: &mut Format, bytes: &[u8], mid_line: bool) -> Vec<u8> {
        let mut out = b"old".to_vec();
        if format.render(bytes, 0, mid_line, &mut out).is_none() { bytes.to_vec() } else { out }
    }

    #[test]
    fn a_date_stands_before_each_line_once_wherever_the_bytes_are_cut() {
        let text = b"one\n\n\xff\x00two\nrest";
        for at in 0..=text.len() {
            let mut format = format(Some("[d]"), false);
            let mut all = rendered(&mut format, &text[..at], false);
            let mid_line = format.mid_line_after(&text[..at], false);
            all.extend(rendered(&mut format, &text[at..], mid_line));
            assert_eq!(all, b"d: one\nd: \nd: \xff\x00two\nd: rest", "cut at {at}");
        }
    }

    #[test]
    fn json_is_one_object_a_line() {
        let mut format = format(Some("[at]"), true);
        let out = rendered(&mut format, b"gr\xc3\xbc\xc3\x9fe \"x\"\n\n", false);
        let lines: Vec<serde_json::Value> =
            out.split_terminator_lines().map(|line| serde_json::from_slice(line).unwrap()).collect();
        let expected = serde_json::json!({"message": "grüße \"x\"", "timestamp": "at", "type": "err", "process_id": 3, "app_name": "a\"b"});
        assert_eq!(lines[0], expected);
        assert_eq!(lines[1]["message"], "");
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn raw_is_raw() {
        assert_eq!(rendered(&mut format(None, false), b"\xff\n", false), b"\xff\n");
    }

    trait Lines {
        fn split_terminator_lines(&self) -> impl Iterator<Item = &[u8]>;
    }

    impl Lines for Vec<u8> {
        fn split_terminator_lines(&self) -> impl Iterator<Item = &[u8]> {
            lines(self)
        }
    }
}
