//! A Rust source as the checks see it: its code, without comments and without what stands in quotes. Never parses.

/// The code of a source. What is left out is replaced by blanks; lines stay where they are.
pub(crate) fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let length = foreign(&chars[at..], chars[..at].last().copied());
        if length == 0 {
            code.push(chars[at]);
            at += 1;
        } else {
            let gone = &chars[at..chars.len().min(at + length)];
            code.extend(gone.iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at += length;
        }
    }
    code
}

/// The code without the unit tests, which stand last in a file.
pub(crate) fn without_tests(code: &str) -> &str {
    let Some(start) = code.find("#[cfg(test)]\nmod tests {") else { return code };
    &code[..start]
}

/// The words of the code, each with the character behind it.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (&str, Option<char>)> {
    let mut rest = code;
    std::iter::from_fn(move || {
        let start = rest.find(is_word)?;
        let word = &rest[start..];
        let end = word.find(|c| !is_word(c)).unwrap_or(word.len());
        rest = &word[end..];
        Some((&word[..end], rest.chars().next()))
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// How long the comment, text or character is that begins here; 0 if none does.
fn foreign(rest: &[char], before: Option<char>) -> usize {
    match rest {
        ['/', '/', ..] => rest.iter().take_while(|c| **c != '\n').count(),
        ['/', '*', ..] => block_comment(rest),
        ['"', ..] => text(rest, 1),
        ['r', '"' | '#', ..] if !before.is_some_and(|c| is_word(c) && c != 'b' && c != 'c') => raw_text(rest),
        // A lifetime is `'a` without a closing quote; a character has one right behind it, or an escape.
        ['\'', '\\', _, ..] => 3 + rest[3..].iter().take_while(|c| **c != '\'').count() + 1,
        ['\'', _, '\'', ..] => 3,
        _ => 0,
    }
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let step = match rest[at..] {
            ['/', '*', ..] => 1,
            ['*', '/', ..] => -1,
            _ => 0,
        };
        depth += step;
        at += if step == 0 { 1 } else { 2 };
        if depth == 0 {
            break;
        }
    }
    at
}

fn text(rest: &[char], mut at: usize) -> usize {
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn raw_text(rest: &[char]) -> usize {
    let marks = rest[1..].iter().take_while(|c| **c == '#').count();
    if rest.get(1 + marks) != Some(&'"') {
        // `r#type`, a name.
        return 0;
    }
    let mut at = 2 + marks;
    while at < rest.len() {
        if rest[at] == '"' && rest[at + 1..].iter().take_while(|c| **c == '#').count() >= marks {
            return at + 1 + marks;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(text: &str, word: &str) -> bool {
        let code = code(text);
        words(&code).any(|(found, _)| found == word)
    }

    #[test]
    fn code_is_seen() {
        for text in [
            "unsafe {}",
            "fn f<'a>(x: &'a str) { unsafe { g(x) } }",
            "let c = '\"'; unsafe {}",
            "let c = '\\''; unsafe {}",
            "let c = '\\u{1F600}'; unsafe {}",
            "let s = \"a \\\" b\"; unsafe {}",
            "let s = r#\"a \" b\"#; unsafe {}",
            "let s = br\"a\\\"; unsafe {}",
            "/* a /* b */ c */ unsafe {}",
            "let r#type = 1; unsafe {}",
            "'outer: loop { unsafe {} }",
            "// a\nunsafe {}",
        ] {
            assert!(has(text, "unsafe"), "{text}");
        }
    }

    #[test]
    fn comments_and_texts_are_not() {
        for text in [
            "// unsafe",
            "//! unsafe",
            "/* unsafe */",
            "/* /* */ unsafe */",
            "\"unsafe\"",
            "\"\\\" unsafe\"",
            "r\"unsafe\"",
            "r##\"\"# unsafe\"##",
            "b\"unsafe\"",
            "unsafe_op_in_unsafe_fn",
        ] {
            assert!(!has(text, "unsafe"), "{text}");
        }
    }

    #[test]
    fn lines_stay_where_they_are() {
        let text = "a\n/* b\nc */ d \"e\nf\" g\n";
        assert_eq!(code(text), "a\n    \n     d   \n   g\n");
    }

    #[test]
    fn unit_tests_are_cut_off() {
        let text = "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
        assert_eq!(without_tests(text), "fn a() {}\n\n");
        assert_eq!(without_tests("#[cfg(test)]\nmod tests;\nfn a() {}"), "#[cfg(test)]\nmod tests;\nfn a() {}");
    }
}
