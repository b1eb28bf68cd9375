//! Cuts JSON text into tokens and checks the grammar on the way. Never recurses, never copies, never looks back.

use std::ops::Range;

use crate::search;

/// The text is not one JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Invalid;

/// One token. Ranges are byte offsets; those of strings leave the quotes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    BeginObject,
    EndObject,
    BeginArray,
    EndArray,
    Key(Range<usize>),
    String(Range<usize>),
    Number(Range<usize>),
    True,
    False,
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
    /// The value is complete; only white space may follow.
    Nothing,
}

/// The tokens of one JSON value.
#[derive(Debug)]
pub(crate) struct Tokens<'a> {
    bytes: &'a [u8],
    position: usize,
    start: usize,
    expect: Expect,
    nest: Nest,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), position: 0, start: 0, expect: Expect::Value, nest: Nest::default() }
    }

    /// How many objects and arrays are open after the last token.
    pub(crate) fn depth(&self) -> usize {
        self.nest.depth
    }

    /// Where the last token is, quotes included.
    pub(crate) fn span(&self) -> Range<usize> {
        self.start..self.position
    }

    /// The next token; `None` once the one value has ended and nothing but white space followed.
    pub(crate) fn next(&mut self) -> Result<Option<Token>, Invalid> {
        loop {
            self.skip_space();
            self.start = self.position;
            let Some(&byte) = self.bytes.get(self.position) else {
                return if self.expect == Expect::Nothing { Ok(None) } else { Err(Invalid) };
            };
            match (self.expect, byte) {
                (Expect::CommaOrEnd, b',') => {
                    self.position += 1;
                    self.expect = if self.nest.in_object() { Expect::Key } else { Expect::Value };
                }
                (Expect::CommaOrEnd | Expect::KeyOrEnd, b'}') if self.nest.in_object() => {
                    return Ok(Some(self.close(Token::EndObject)));
                }
                (Expect::CommaOrEnd | Expect::ValueOrEnd, b']') if !self.nest.in_object() => {
                    return Ok(Some(self.close(Token::EndArray)));
                }
                (Expect::Key | Expect::KeyOrEnd, b'"') => return self.key().map(Some),
                (Expect::Value | Expect::ValueOrEnd, _) => return self.value(byte).map(Some),
                (Expect::Key | Expect::KeyOrEnd | Expect::CommaOrEnd | Expect::Nothing, _) => return Err(Invalid),
            }
        }
    }

    fn key(&mut self) -> Result<Token, Invalid> {
        let key = self.string()?;
        self.skip_space();
        if self.bytes.get(self.position) != Some(&b':') {
            return Err(Invalid);
        }
        self.position += 1;
        self.expect = Expect::Value;
        Ok(Token::Key(key))
    }

    fn value(&mut self, byte: u8) -> Result<Token, Invalid> {
        match byte {
            b'{' => return Ok(self.open(true)),
            b'[' => return Ok(self.open(false)),
            _ => {}
        }
        let token = match byte {
            b'"' => Token::String(self.string()?),
            b't' => self.word(b"true", Token::True)?,
            b'f' => self.word(b"false", Token::False)?,
            b'n' => self.word(b"null", Token::Null)?,
            _ => self.number()?,
        };
        self.after_value();
        Ok(token)
    }

    fn open(&mut self, object: bool) -> Token {
        self.position += 1;
        self.nest.open(object);
        if object {
            self.expect = Expect::KeyOrEnd;
            Token::BeginObject
        } else {
            self.expect = Expect::ValueOrEnd;
            Token::BeginArray
        }
    }

    fn close(&mut self, token: Token) -> Token {
        self.position += 1;
        self.nest.close();
        self.after_value();
        token
    }

    fn after_value(&mut self) {
        self.expect = if self.nest.depth == 0 { Expect::Nothing } else { Expect::CommaOrEnd };
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(self.position) {
            self.position += 1;
        }
    }

    fn word(&mut self, word: &[u8], token: Token) -> Result<Token, Invalid> {
        if !self.bytes[self.position..].starts_with(word) {
            return Err(Invalid);
        }
        self.position += word.len();
        Ok(token)
    }

    fn string(&mut self) -> Result<Range<usize>, Invalid> {
        let start = self.position + 1;
        let mut at = start;
        loop {
            at += search::end_of_plain(&self.bytes[at..]).ok_or(Invalid)?;
            match self.bytes[at] {
                b'"' => {
                    self.position = at + 1;
                    return Ok(start..at);
                }
                b'\\' => at += escape_length(&self.bytes[at..])?,
                // A control character must be escaped.
                _ => return Err(Invalid),
            }
        }
    }

    fn number(&mut self) -> Result<Token, Invalid> {
        let start = self.position;
        let rest = &self.bytes[start..];
        let mut at = usize::from(rest.first() == Some(&b'-'));
        match rest.get(at) {
            Some(b'0') => at += 1,
            Some(b'1'..=b'9') => at += digits(&rest[at..])?,
            _ => return Err(Invalid),
        }
        if rest.get(at) == Some(&b'.') {
            at += 1 + digits(&rest[at + 1..])?;
        }
        if let Some(b'e' | b'E') = rest.get(at) {
            at += 1;
            at += usize::from(matches!(rest.get(at), Some(b'+' | b'-')));
            at += digits(&rest[at..])?;
        }
        self.position = start + at;
        Ok(Token::Number(start..self.position))
    }
}

/// Length of the escape that begins here. Surrogates need not come in pairs: Node writes lone ones.
fn escape_length(bytes: &[u8]) -> Result<usize, Invalid> {
    match bytes.get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') if bytes.get(2..6).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) => Ok(6),
        _ => Err(Invalid),
    }
}

/// How many digits stand here, one at least.
fn digits(bytes: &[u8]) -> Result<usize, Invalid> {
    match bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len()) {
        0 => Err(Invalid),
        count => Ok(count),
    }
}

/// Which of the open brackets are objects: one bit each, so that 64 MiB of brackets cost 8 MiB.
#[derive(Debug, Default)]
struct Nest {
    bits: Vec<u64>,
    depth: usize,
}

impl Nest {
    fn open(&mut self, object: bool) {
        let (word, bit) = (self.depth / 64, self.depth % 64);
        if word == self.bits.len() {
            self.bits.push(0);
        }
        self.bits[word] = self.bits[word] & !(1 << bit) | u64::from(object) << bit;
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn in_object(&self) -> bool {
        self.depth > 0 && self.bits[(self.depth - 1) / 64] >> ((self.depth - 1) % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid(text: &str) -> bool {
        let mut tokens = Tokens::new(text);
        loop {
            match tokens.next() {
                Ok(None) => return true,
                Ok(Some(_)) => {}
                Err(Invalid) => return false,
            }
        }
    }

    #[test]
    fn the_grammar_is_the_one_of_json() {
        for text in [
            "0",
            "-0",
            "1.5e+3",
            "1E9",
            " [ ] ",
            "{}",
            "{\"a\":1,\"b\":[true,false,null]}",
            "\"\\ud800\"",
            "\"\\u00e9\\n\\/\"",
            "[[],[{}],{\"\":\"\"}]",
            "1e300",
            "1152921504606846976",
            "\r\n\t 1 ",
        ] {
            assert!(valid(text), "{text}");
        }
        for text in [
            "",
            " ",
            "01",
            "-",
            "1.",
            ".5",
            "+1",
            "1e",
            "[1,]",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "[1 2]",
            "tru",
            "nulL",
            "NaN",
            "\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\n\"",
            "[}",
            "{]",
            "]",
            "1 1",
            "[1]]",
            "'a'",
            "\u{feff}1",
        ] {
            assert!(!valid(text), "{text}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = 1_000_000;
        assert!(valid(&("[".repeat(deep) + &"]".repeat(deep))));
        assert!(valid(&("{\"a\":[".repeat(deep) + &"]}".repeat(deep))));
        assert!(!valid(&"[".repeat(deep)));
    }
}
