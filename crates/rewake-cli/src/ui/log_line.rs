//! One line of an app's output as the user wants to see it. Bytes pass as they are, but in JSON, which must be UTF-8.

use rewake_wire::Stream;
use serde_json::json;

use super::{Colour, Styles, table};

/// Where a line comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) id: u32,
    pub(crate) name: String,
    /// `0|web`, or `web` for a file that several instances share.
    pub(crate) label: String,
    pub(crate) stream: Stream,
}

/// How lines are written.
#[derive(Debug, Clone)]
pub(crate) struct LineForm {
    pub(crate) shape: Shape,
    pub(crate) styles: Styles,
    /// Width of the label's column.
    pub(crate) label_width: usize,
    /// PM2's date format, for lines that are followed.
    pub(crate) timestamp: Option<String>,
    pub(crate) highlight: Option<String>,
}

/// PM2's four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Labelled,
    Raw,
    Json,
    KeyValue,
}

impl LineForm {
    /// Appends the line; `now` is when it was read, `None` for one that was there before.
    pub(crate) fn write(&self, to: &mut Vec<u8>, origin: &Origin, line: &[u8], now: Option<&jiff::Zoned>) {
        let stamp = match (&self.timestamp, now) {
            (Some(format), Some(now)) => Some(date(now, format)),
            (Some(_) | None, Some(_) | None) => None,
        };
        match self.shape {
            Shape::Raw => to.extend_from_slice(&self.marked(line)),
            Shape::Labelled => {
                if let Some(stamp) = stamp {
                    to.extend_from_slice(format!("{stamp} ").as_bytes());
                }
                let colour = match origin.stream {
                    Stream::Out => Colour::Green,
                    Stream::Err => Colour::Red,
                };
                let pad = self.label_width.saturating_sub(label_width(&origin.label));
                let label = format!("{}{} | ", origin.label, " ".repeat(pad));
                to.extend_from_slice(self.styles.paint(colour, &label).as_bytes());
                to.extend_from_slice(&self.marked(line));
            }
            Shape::Json => {
                let time = now.map(|now| format!("{:.3}", now.timestamp()));
                let object = json!({
                    "message": String::from_utf8_lossy(line),
                    "timestamp": time,
                    "type": kind(origin.stream),
                    "process_id": origin.id,
                    "app_name": origin.name,
                });
                to.extend_from_slice(object.to_string().as_bytes());
            }
            Shape::KeyValue => {
                let stamp = stamp.or_else(|| now.map(|now| date(now, "YYYY-MM-DDTHH:mm:ssZ")));
                if let Some(stamp) = stamp {
                    to.extend_from_slice(format!("timestamp={stamp} ").as_bytes());
                }
                let head = format!("app={} id={} type={} message=", origin.name, origin.id, kind(origin.stream));
                to.extend_from_slice(head.as_bytes());
                to.extend_from_slice(line);
            }
        }
        to.push(b'\n');
    }

    fn marked<'a>(&self, line: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        let Some(needle) = self.highlight.as_deref().filter(|text| self.styles.colours && !text.is_empty()) else {
            return line.into();
        };
        let needle = needle.as_bytes();
        let (mut marked, mut at) = (Vec::with_capacity(line.len() + 16), 0);
        while at < line.len() {
            if line[at..].starts_with(needle) {
                marked.extend_from_slice(b"\x1b[7m");
                marked.extend_from_slice(needle);
                marked.extend_from_slice(b"\x1b[27m");
                at += needle.len();
            } else {
                marked.push(line[at]);
                at += 1;
            }
        }
        marked.into()
    }
}

/// Columns of the terminal that a label takes.
pub(crate) fn label_width(label: &str) -> usize {
    table::width_of(label)
}

fn kind(stream: Stream) -> &'static str {
    match stream {
        Stream::Out => "out",
        Stream::Err => "err",
    }
}

/// The time in the letters that PM2's users know (`YYYY-MM-DD HH:mm:ss.SSS Z`); other characters stand for themselves.
fn date(now: &jiff::Zoned, format: &str) -> String {
    const LETTERS: [(&str, &str); 9] = [
        ("YYYY", "%Y"),
        ("MM", "%m"),
        ("DD", "%d"),
        ("HH", "%H"),
        ("hh", "%I"),
        ("mm", "%M"),
        ("ss", "%S"),
        ("SSS", "%3f"),
        ("Z", "%:z"),
    ];
    let mut pattern = String::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        // `SSS` before `ss` cannot be mistaken: case differs.
        if let Some((letters, code)) = LETTERS.iter().find(|(letters, _)| rest.starts_with(letters)) {
            pattern.push_str(code);
            rest = &rest[letters.len()..];
        } else {
            if first == '%' {
                pattern.push('%');
            }
            pattern.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    now.strftime(&pattern).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin { id: 3, name: "web".into(), label: "3|web".into(), stream: Stream::Err }
    }

    fn form(shape: Shape) -> LineForm {
        LineForm { shape, styles: Styles { colours: false }, label_width: 7, timestamp: None, highlight: None }
    }

    fn written(form: &LineForm, line: &[u8], now: Option<&jiff::Zoned>) -> String {
        let mut bytes = Vec::new();
        form.write(&mut bytes, &origin(), line, now);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn each_shape_is_pm2s() {
        assert_eq!(written(&form(Shape::Labelled), b"hello", None), "3|web   | hello\n");
        assert_eq!(written(&form(Shape::Raw), b"hello", None), "hello\n");
        assert_eq!(written(&form(Shape::KeyValue), b"hello", None), "app=web id=3 type=err message=hello\n");
        let object: serde_json::Value = serde_json::from_str(&written(&form(Shape::Json), b"a\"\xff", None)).unwrap();
        assert_eq!(object["message"], "a\"\u{fffd}");
        assert_eq!((&object["type"], &object["process_id"]), (&json!("err"), &json!(3)));
    }

    #[test]
    fn times_stand_before_followed_lines_in_the_users_format() {
        let now: jiff::Zoned = "2026-11-21T01:02:03.004+00:00[UTC]".parse().unwrap();
        let form = LineForm { timestamp: Some("YYYY-MM-DD HH:mm:ss.SSS Z 100%".into()), ..form(Shape::Labelled) };
        assert_eq!(written(&form, b"x", Some(&now)), "2026-11-21 01:02:03.004 +00:00 100% 3|web   | x\n");
        assert_eq!(written(&form, b"x", None), "3|web   | x\n");
    }

    #[test]
    fn what_is_searched_is_marked_only_with_colours() {
        let plain = LineForm { highlight: Some("err".into()), ..form(Shape::Raw) };
        assert_eq!(written(&plain, b"an error", None), "an error\n");
        let coloured = LineForm { styles: Styles { colours: true }, ..plain };
        assert_eq!(written(&coloured, b"an error", None), "an \x1b[7merr\x1b[27mor\n");
    }
}
