//! One line of an app's output as the user wants to see it. Bytes pass as they are, but in JSON, which must be UTF-8.

use rewake_logs::{Origin, Piece};
use rewake_wire::Stream;
use serde_json::json;

use super::{Colour, Styles, table};

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
    /// Appends a whole line; `now` is when it was read.
    pub(crate) fn write_line(&self, to: &mut Vec<u8>, origin: &Origin, line: &[u8], now: Option<&jiff::Zoned>) {
        self.write(to, origin, Piece { bytes: line, begins: true, ends: true }, now);
    }

    /// Appends what was there before. The time that it tells, ms, is told where there is a field for it.
    pub(crate) fn write_old(&self, to: &mut Vec<u8>, origin: &Origin, piece: Piece<'_>, stamp: Option<i64>) {
        let time = match self.shape {
            Shape::Json | Shape::KeyValue => stamp.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()),
            Shape::Labelled | Shape::Raw => None,
        };
        self.write(to, origin, piece, time.map(|time| time.to_zoned(jiff::tz::TimeZone::system())).as_ref());
    }

    /// Appends a piece of a line; `now` is when it was read, `None` where that is not known.
    pub(crate) fn write(&self, to: &mut Vec<u8>, origin: &Origin, piece: Piece<'_>, now: Option<&jiff::Zoned>) {
        match self.shape {
            Shape::Json => object(to, origin, piece.bytes, now),
            Shape::Raw | Shape::Labelled | Shape::KeyValue => {
                if piece.begins {
                    self.begin(to, origin, now);
                }
                to.extend_from_slice(&self.marked(piece.bytes));
                if !piece.ends {
                    return;
                }
            }
        }
        to.push(b'\n');
    }

    /// What stands before a line.
    fn begin(&self, to: &mut Vec<u8>, origin: &Origin, now: Option<&jiff::Zoned>) {
        let stamp = match (&self.timestamp, now) {
            (Some(format), Some(now)) => Some(date(now, format)),
            (Some(_) | None, Some(_) | None) => None,
        };
        match self.shape {
            Shape::Raw | Shape::Json => {}
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
            }
            Shape::KeyValue => {
                let stamp = stamp.or_else(|| now.map(|now| date(now, "YYYY-MM-DDTHH:mm:ssZ")));
                if let Some(stamp) = stamp {
                    to.extend_from_slice(format!("timestamp={stamp} ").as_bytes());
                }
                let head = format!("app={} id={} type={} message=", origin.name, origin.id, kind(origin.stream));
                to.extend_from_slice(head.as_bytes());
            }
        }
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

fn object(to: &mut Vec<u8>, origin: &Origin, line: &[u8], now: Option<&jiff::Zoned>) {
    // Of `log_type: json`: the same object already.
    if origin.json && line.starts_with(b"{\"message\":") && line.ends_with(b"}") {
        return to.extend_from_slice(line);
    }
    let object = json!({
        "message": String::from_utf8_lossy(line),
        "timestamp": now.map(|now| format!("{:.3}", now.timestamp())),
        "type": kind(origin.stream),
        "process_id": origin.id,
        "app_name": origin.name,
    });
    to.extend_from_slice(object.to_string().as_bytes());
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
        Origin { id: 3, name: "web".into(), label: "3|web".into(), stream: Stream::Err, json: false }
    }

    fn form(shape: Shape) -> LineForm {
        LineForm { shape, styles: Styles { colours: false }, label_width: 7, timestamp: None, highlight: None }
    }

    fn written(form: &LineForm, line: &[u8], now: Option<&jiff::Zoned>) -> String {
        let mut bytes = Vec::new();
        form.write_line(&mut bytes, &origin(), line, now);
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
    fn a_line_in_pieces_is_one_line_and_its_own_objects_pass() {
        let mut bytes = Vec::new();
        let form = form(Shape::Labelled);
        form.write(&mut bytes, &origin(), Piece { bytes: b"he", begins: true, ends: false }, None);
        form.write(&mut bytes, &origin(), Piece { bytes: b"llo", begins: false, ends: true }, None);
        assert_eq!(String::from_utf8_lossy(&bytes), "3|web   | hello\n");
        let line = r#"{"message":"x","timestamp":"y","type":"err","process_id":3,"app_name":"web"}"#;
        let mut bytes = Vec::new();
        let json = LineForm { shape: Shape::Json, ..form };
        json.write_line(&mut bytes, &Origin { json: true, ..origin() }, line.as_bytes(), None);
        assert_eq!(String::from_utf8_lossy(&bytes), format!("{line}\n"));
        bytes.clear();
        let whole = Piece { bytes: b"x", begins: true, ends: true };
        json.write_old(&mut bytes, &origin(), whole, Some(1_795_268_700_000));
        assert!(String::from_utf8_lossy(&bytes).contains(r#""timestamp":"2026-11-21T13:45:00.000Z""#));
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
