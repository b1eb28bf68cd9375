//! Checks a JSON text and finds named fields of the object at its top. Never looks into what they hold.

use std::ops::Range;

use super::{Invalid, Token, Tokens, units};

/// Where the values of the top-level fields `names` are, `None` for absent ones (all, when the text is not an object).
/// Of a field that comes twice the last one counts, as for `JSON.parse`.
///
/// # Errors
/// When the text is not one JSON value.
pub(crate) fn outline<const N: usize>(text: &str, names: [&str; N]) -> Result<[Option<Range<usize>>; N], Invalid> {
    let mut found = [const { None }; N];
    let mut tokens = Tokens::new(text);
    // The field whose value comes next or is being read, and where it began.
    let mut current = None;
    let mut start = 0;
    while let Some(token) = tokens.next()? {
        if tokens.depth() > 2 {
            continue;
        }
        match token {
            Token::Key(key) if tokens.depth() == 1 => {
                current = names.iter().position(|name| is_key(&text[key.clone()], name));
            }
            Token::BeginObject | Token::BeginArray if tokens.depth() == 2 => start = tokens.span().start,
            Token::EndObject | Token::EndArray if tokens.depth() == 1 => {
                if let Some(index) = current.take() {
                    found[index] = Some(start..tokens.span().end);
                }
            }
            Token::String(_) | Token::Number(_) | Token::True | Token::False | Token::Null if tokens.depth() == 1 => {
                if let Some(index) = current.take() {
                    found[index] = Some(tokens.span());
                }
            }
            Token::Key(_) | Token::BeginObject | Token::BeginArray | Token::EndObject | Token::EndArray => {}
            Token::String(_) | Token::Number(_) | Token::True | Token::False | Token::Null => {}
        }
    }
    Ok(found)
}

/// What the JSON string `value` (with its quotes) says; `None` when it is not a string. Lone surrogates are replaced:
/// for comparing, not for handing on.
pub(crate) fn text_of(value: &str) -> Option<String> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(inner.to_owned());
    }
    let mut found = Vec::new();
    units(inner, |unit| found.push(unit));
    Some(String::from_utf16_lossy(&found))
}

/// Whether the raw text of a key means `name`. A key may be written with escapes.
fn is_key(raw: &str, name: &str) -> bool {
    if !raw.contains('\\') {
        return raw == name;
    }
    // Six bytes are the longest form of one character of our names, which are ASCII.
    if raw.len() > name.len() * 6 {
        return false;
    }
    let mut expected = name.encode_utf16();
    let mut same = true;
    units(raw, |unit| same &= expected.next() == Some(unit));
    same && expected.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cmd(text: &str) -> Option<&str> {
        let [cmd] = outline(text, ["cmd"]).unwrap();
        cmd.map(|range| &text[range])
    }

    #[test]
    fn only_the_top_counts() {
        assert_eq!(cmd(r#"{"a":{"cmd":1},"cmd" : [1,{"cmd":2}] ,"b":3}"#), Some(r#"[1,{"cmd":2}]"#));
        assert_eq!(cmd(r#"{"a":{"cmd":1},"b":["cmd",2]}"#), None);
        assert_eq!(cmd(r#"[{"cmd":1}]"#), None);
        assert_eq!(cmd(r#"["cmd",1]"#), None);
        assert_eq!(cmd(r#""cmd""#), None);
    }

    #[test]
    fn the_last_of_two_counts_and_escapes_are_read() {
        assert_eq!(cmd(r#"{"cmd":1,"cmd":"x"}"#), Some("\"x\""));
        assert_eq!(cmd(r#"{"\u0063m\u0064":true}"#), Some("true"));
        assert_eq!(cmd(r#"{"cmd\u0000":true,"\u0063":1,"\ud800md":1}"#), None);
        assert_eq!(text_of(r#""NODE\u005fA""#).as_deref(), Some("NODE_A"));
        assert_eq!(text_of("7"), None);
    }
}
