//! Messages on their way to an app: from JSON text to the bytes of one frame. Never sends what would harm the app.

use crate::{
    Mode,
    json::{Invalid, outline, text_of},
    v8,
};

/// Deepest nesting that is sent in advanced mode. V8 reads that format recursively, and one that is too deep for its
/// stack ends the app: 1000 levels are read by all of Node 18 to 24, 4000 are not.
pub const MAX_ADVANCED_DEPTH: usize = 1000;

/// Why a message cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The text is not one JSON value.
    #[error("encode a message that is not valid JSON")]
    NotJson,
    /// Its `cmd` begins with `NODE_`: Node takes such messages for its own, hides them from the app, and may abort.
    #[error("send `cmd` `{cmd}`, which Node keeps for itself")]
    Reserved {
        /// The `cmd`.
        cmd: String,
    },
    /// It is nested deeper than [`MAX_ADVANCED_DEPTH`] levels (advanced mode only).
    #[error("encode a message nested deeper than {MAX_ADVANCED_DEPTH} levels")]
    TooDeep,
    /// It is too long for the four bytes of its length (advanced mode only).
    #[error("encode a message of {0} bytes, over what its frame can tell")]
    TooLong(usize),
}

impl From<Invalid> for EncodeError {
    fn from(Invalid: Invalid) -> Self {
        Self::NotJson
    }
}

impl From<v8::NotEncoded> for EncodeError {
    fn from(why: v8::NotEncoded) -> Self {
        match why {
            v8::NotEncoded::Invalid => Self::NotJson,
            v8::NotEncoded::TooDeep => Self::TooDeep,
        }
    }
}

/// The bytes that bring `json_text` to the app's `process.on('message')`.
///
/// In json mode the text goes out as it is; newlines and white space at its ends, and newlines between its tokens, are
/// all that may change. In advanced mode the app gets what `JSON.parse` makes of it.
///
/// # Errors
/// When the text is not JSON, is a message of Node's own, or (advanced mode) too deep or too long.
pub fn encode(mode: Mode, json_text: &str) -> Result<Vec<u8>, EncodeError> {
    let [cmd] = outline(json_text, ["cmd"])?;
    if let Some(cmd) = cmd.and_then(|range| text_of(&json_text[range])).filter(|cmd| is_reserved(cmd)) {
        return Err(EncodeError::Reserved { cmd });
    }
    frame(mode, json_text)
}

/// The message `'shutdown'`, which asks an app to end where signals are not used.
#[must_use]
pub fn shutdown(mode: Mode) -> Vec<u8> {
    fixed(mode, "\"shutdown\"")
}

/// The bytes of a message of Node's own: a [`crate::cluster::Order::Send`].
///
/// # Errors
/// When the text is not JSON, or (advanced mode) too deep or too long.
pub fn encode_own(mode: Mode, json_text: &str) -> Result<Vec<u8>, EncodeError> {
    let [] = outline(json_text, [])?;
    frame(mode, json_text)
}

/// Whether a message of this `cmd` is Node's own. `NODE_` alone is not.
pub(crate) fn is_reserved(cmd: &str) -> bool {
    cmd.len() > 5 && cmd.starts_with("NODE_")
}

/// The frame of a text of ours, known to be right.
pub(crate) fn fixed(mode: Mode, json_text: &str) -> Vec<u8> {
    let framed = frame(mode, json_text);
    debug_assert!(framed.is_ok(), "{json_text}");
    framed.unwrap_or_default()
}

fn frame(mode: Mode, json_text: &str) -> Result<Vec<u8>, EncodeError> {
    match mode {
        Mode::Json => Ok(line(json_text)),
        Mode::Advanced => {
            let mut bytes = vec![0; 4];
            v8::encode(&mut bytes, json_text, MAX_ADVANCED_DEPTH)?;
            let length = bytes.len() - 4;
            let length = u32::try_from(length).map_err(|_| EncodeError::TooLong(length))?;
            bytes[..4].copy_from_slice(&length.to_be_bytes());
            Ok(bytes)
        }
    }
}

/// The text as one line. Valid JSON has newlines only between tokens (within strings they are escaped), where a space
/// means the same.
fn line(json_text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(json_text.len() + 1);
    bytes.extend_from_slice(json_text.trim_matches([' ', '\t', '\n', '\r']).as_bytes());
    for byte in &mut bytes {
        if *byte == b'\n' || *byte == b'\r' {
            *byte = b' ';
        }
    }
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line() {
        let text = " {\n  \"a\\n\": [\r\n 1,\n 2 ]\n}\n";
        assert_eq!(encode(Mode::Json, text).unwrap(), b"{   \"a\\n\": [   1,  2 ] }\n");
        assert_eq!(encode(Mode::Json, "\"\\ud800\"").unwrap(), b"\"\\ud800\"\n");
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for mode in [Mode::Json, Mode::Advanced] {
            for text in ["", "{", "1 2", "\"a\nb\"", "undefined", "{'a':1}"] {
                assert_eq!(encode(mode, text), Err(EncodeError::NotJson), "{text}");
            }
        }
    }

    #[test]
    fn messages_of_nodes_own_are_refused() {
        for mode in [Mode::Json, Mode::Advanced] {
            let refused = encode(mode, r#"{"a":1,"cmd":"NODE_HANDLE_ACK"}"#);
            assert_eq!(refused, Err(EncodeError::Reserved { cmd: "NODE_HANDLE_ACK".into() }));
            assert!(encode(mode, r#"{"cmd":"\u004eODE_X"}"#).is_err());
            assert!(encode(mode, r#"{"cmd":"NODE_"}"#).is_ok());
            assert!(encode(mode, r#"{"cmd":"NODE"}"#).is_ok());
            assert!(encode(mode, r#"{"a":{"cmd":"NODE_X"}}"#).is_ok());
            assert!(encode(mode, r#"["cmd","NODE_X"]"#).is_ok());
        }
    }

    #[test]
    fn only_the_advanced_mode_minds_depth() {
        let deep = "[".repeat(MAX_ADVANCED_DEPTH + 1) + &"]".repeat(MAX_ADVANCED_DEPTH + 1);
        assert!(encode(Mode::Json, &deep).is_ok());
        assert_eq!(encode(Mode::Advanced, &deep), Err(EncodeError::TooDeep));
    }

    #[test]
    fn the_shutdown_message_is_a_string() {
        assert_eq!(shutdown(Mode::Json), b"\"shutdown\"\n");
        assert_eq!(shutdown(Mode::Advanced), b"\0\0\0\x0c\xff\x0f\"\x08shutdown");
    }
}
