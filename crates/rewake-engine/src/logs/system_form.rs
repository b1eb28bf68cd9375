//! A line as systemd's journal and syslog take it: one datagram. Sends nothing.

use jiff::Zoned;
use rewake_logs::Level;
use rewake_wire::Stream;

/// Facility `user`.
const USER: u8 = 1;
/// Characters of a tag, as RFC 3164 has them.
const LONGEST_TAG: usize = 32;

/// A line that somebody has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) app: String,
    pub(crate) id: u32,
    pub(crate) run: u64,
    pub(crate) stream: Stream,
    pub(crate) line: String,
}

impl Said {
    /// Syslog's number: what the line says of itself, else 6 (information), on stderr 3 (error).
    fn severity(&self) -> u8 {
        match (Level::of_line(self.line.as_bytes()), self.stream) {
            (Some(Level::Fatal), _) => 2,
            (Some(Level::Error), _) | (None, Stream::Err) => 3,
            (Some(Level::Warn), _) => 4,
            (Some(Level::Info), _) | (None, Stream::Out) => 6,
            (Some(Level::Debug | Level::Trace), _) => 7,
        }
    }

    /// Fields of the journal's native protocol.
    pub(crate) fn journal(&self) -> Vec<u8> {
        let stream = match self.stream {
            Stream::Out => "out",
            Stream::Err => "err",
        };
        let mut datagram = Vec::with_capacity(self.line.len() + 160);
        let (priority, id, run) = (self.severity().to_string(), self.id.to_string(), self.run.to_string());
        for (name, value) in [
            ("PRIORITY", priority.as_str()),
            ("SYSLOG_FACILITY", "1"),
            ("SYSLOG_IDENTIFIER", &self.app),
            ("REWAKE_APP", &self.app),
            ("REWAKE_ID", &id),
            ("REWAKE_RUN", &run),
            ("REWAKE_STREAM", stream),
            ("MESSAGE", &self.line),
        ] {
            field(&mut datagram, name, value.as_bytes());
        }
        datagram
    }

    /// What `/dev/log` takes: RFC 3164 without a host, as syslog(3) writes it. Control characters would end or garble a record there.
    pub(crate) fn syslog(&self, now: &Zoned) -> Vec<u8> {
        let is_tag = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        let tag: String = self.app.chars().map(is_tag).take(LONGEST_TAG).collect();
        let text: String = self.line.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect();
        let time = now.strftime("%b %e %H:%M:%S");
        format!("<{}>{time} {tag}[{}]: {text}", USER * 8 + self.severity(), self.id).into_bytes()
    }
}

/// `NAME=value`, or with its length where the value holds a newline.
fn field(datagram: &mut Vec<u8>, name: &str, value: &[u8]) {
    datagram.extend_from_slice(name.as_bytes());
    if memchr::memchr(b'\n', value).is_some() {
        datagram.push(b'\n');
        datagram.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        datagram.push(b'=');
    }
    datagram.extend_from_slice(value);
    datagram.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str, stream: Stream) -> Said {
        Said { app: "my app".into(), id: 3, run: 7, stream, line: line.into() }
    }

    #[test]
    fn the_journal_is_given_fields() {
        let datagram = String::from_utf8(said("[warn] hm = x", Stream::Out).journal()).unwrap();
        let expected = "PRIORITY=4\nSYSLOG_FACILITY=1\nSYSLOG_IDENTIFIER=my app\nREWAKE_APP=my app\nREWAKE_ID=3\nREWAKE_RUN=7\nREWAKE_STREAM=out\nMESSAGE=[warn] hm = x\n";
        assert_eq!(datagram, expected);
        let mut datagram = Vec::new();
        field(&mut datagram, "A", b"x\ny");
        assert_eq!(datagram, b"A\n\x03\0\0\0\0\0\0\0x\ny\n");
    }

    #[test]
    fn syslog_is_given_a_line() {
        let now = jiff::civil::date(2026, 11, 2).at(1, 2, 3, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap();
        assert_eq!(said("a\u{7}b", Stream::Err).syslog(&now), b"<11>Nov  2 01:02:03 my-app[3]: a b");
        assert_eq!(said("TypeError: x", Stream::Out).syslog(&now), b"<11>Nov  2 01:02:03 my-app[3]: TypeError: x");
        assert_eq!(said("x", Stream::Out).syslog(&now), b"<14>Nov  2 01:02:03 my-app[3]: x");
    }
}
