//! What every source file must be. Never reads a file itself: text in, sentences out.

use crate::source::{code, without_tests, words};

/// Longest file, without its unit tests.
const MOST_LINES: usize = 500;
/// Crates that may hold `unsafe`. What only a test needs (a descriptor handed to a child) may stand in the test.
const MAY_BE_UNSAFE: &[&str] = &["rewake-unix", "rewake-napi"];
/// Crates that know no clock and no system.
const PURE: &[&str] = &["rewake-core", "rewake-nodeipc", "rewake-wire"];
/// Names of the standard library that are a clock or a system. Addresses (`std::net::IpAddr`) are only values.
const IMPURE: &[&str] = &[
    "fs",
    "process",
    "thread",
    "env",
    "os",
    "Instant",
    "SystemTime",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "ToSocketAddrs",
];
const UNFINISHED: &[&str] = &["todo", "unimplemented", "dbg"];

/// What is wrong with a source file of `package`. `is_shipped`: it is no test and no build script.
pub(crate) fn problems(package: &str, text: &str, is_shipped: bool) -> Vec<String> {
    let mut problems = Vec::new();
    if !text.starts_with("//!") && !text.starts_with("#![") {
        problems.push("does not say what it is: its first line must be a `//!`".to_owned());
    }
    let code = code(text);
    let lines = without_tests(&code).lines().count();
    if lines > MOST_LINES {
        problems.push(format!("has {lines} lines without tests, more than {MOST_LINES}"));
    }
    for (word, behind) in words(&code) {
        if word == "unsafe" && is_shipped && !MAY_BE_UNSAFE.contains(&package) {
            problems.push("holds `unsafe`".to_owned());
        }
        if behind == Some('!') && UNFINISHED.contains(&word) {
            problems.push(format!("holds `{word}!`"));
        }
    }
    if is_shipped && PURE.contains(&package) {
        problems.extend(impure(without_tests(&code)).map(|name| format!("is pure, but uses `std::{name}`")));
    }
    problems
}

/// Names of impure things that are reached from `std::`.
fn impure(code: &str) -> impl Iterator<Item = &'static str> {
    let reached: Vec<&str> = code.split("std::").skip(1).map(path).collect();
    IMPURE.iter().copied().filter(move |name| reached.iter().any(|path| words(path).any(|(part, _)| part == *name)))
}

/// The path that the text begins with; all of them, where it branches as in `net::{IpAddr, TcpStream}`.
fn path(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(text.len());
    let branches = text[end..].starts_with('{');
    let end = if branches { text.find(';').unwrap_or(text.len()) } else { end };
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(package: &str, text: &str) -> String {
        problems(package, text, true).join("; ")
    }

    #[test]
    fn a_good_file_is_good() {
        assert_eq!(one("rewake-core", "//! It is.\nuse alloc::vec::Vec;\n"), "");
        assert_eq!(one("rewake-unix", "//! It is.\nunsafe extern \"C\" {}\n"), "");
        assert_eq!(one("rewake-engine", "//! It is.\nuse std::fs;\n// unsafe, todo!\n"), "");
    }

    #[test]
    fn bad_files_are_noticed() {
        assert_eq!(one("rewake-engine", "use std::fs;\n"), "does not say what it is: its first line must be a `//!`");
        assert_eq!(one("rewake-engine", "//! It is.\nunsafe fn f() {}\n"), "holds `unsafe`");
        assert_eq!(one("rewake-unix", "//! It is.\nfn f() { todo!() }\n"), "holds `todo!`");
        assert_eq!(one("rewake-unix", "//! It is.\nfn f() { dbg!(1); }\n"), "holds `dbg!`");
        assert_eq!(one("rewake-wire", "//! It is.\nuse std::time::Instant;\n"), "is pure, but uses `std::Instant`");
        assert_eq!(one("rewake-wire", "//! It is.\nfn f() { std::fs::read(x); }\n"), "is pure, but uses `std::fs`");
        let branches = "//! It is.\nuse std::{cmp, net::{IpAddr, TcpStream}};\nlet x = fs;\n";
        assert_eq!(one("rewake-wire", branches), "is pure, but uses `std::TcpStream`");
        assert_eq!(one("rewake-wire", "//! It is.\nuse std::net::{IpAddr, Ipv4Addr};\n"), "");
        let long = format!("//! It is.\n{}", "fn f() {}\n".repeat(500));
        assert_eq!(one("rewake-unix", &long), "has 501 lines without tests, more than 500");
        let tested = format!("//! It is.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "fn f() {}\n".repeat(500));
        assert_eq!(one("rewake-unix", &tested), "");
        assert_eq!(problems("rewake-nodeipc", "//! It is.\nunsafe {}\n", false), [""; 0]);
    }
}
