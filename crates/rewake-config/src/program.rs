//! Looks for programs in PATH and at what a file is. Never runs one.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rewake_unix::program;
pub(crate) use rewake_unix::program::is_executable;

/// The executable file of this name in the PATH of `env`; relative parts of PATH begin at `cwd`. A path is no name.
pub(crate) fn find(name: &str, env: &BTreeMap<String, String>, cwd: &Path) -> Option<PathBuf> {
    if name.contains('/') {
        return None;
    }
    program::find(name.as_ref(), env.get("PATH").map(OsStr::new), cwd)
}

/// What a file begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Head {
    /// `#!`: base name of the program, behind `env` if that is used.
    Shebang(String),
    /// ELF, or anything else that is not text.
    Binary,
    Text,
}

/// The first bytes of a file, looked at.
pub(crate) fn head(path: &Path) -> io::Result<Head> {
    // The kernel reads 256 bytes for a shebang; more only makes it surer that text is text.
    let mut bytes = Vec::new();
    File::open(path)?.take(1024).read_to_end(&mut bytes)?;
    Ok(head_of(&bytes))
}

fn head_of(bytes: &[u8]) -> Head {
    if let Some(rest) = bytes.strip_prefix(b"#!") {
        let line = rest.split(|&b| b == b'\n').next().unwrap_or(rest);
        let line = String::from_utf8_lossy(line);
        let mut words = line.split_whitespace();
        let program = base_name(words.next().unwrap_or(""));
        let behind = words.find(|word| !word.starts_with('-') && !word.contains('=')).map(base_name);
        let program = if program == "env" { behind.unwrap_or(program) } else { program };
        return Head::Shebang(program.to_owned());
    }
    if bytes.contains(&0) { Head::Binary } else { Head::Text }
}

pub(crate) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_file_tells_what_runs_it() {
        let shebang = |program: &str| Head::Shebang(program.to_owned());
        assert_eq!(head_of(b"#!/bin/sh\necho"), shebang("sh"));
        assert_eq!(head_of(b"#!/usr/bin/env node"), shebang("node"));
        assert_eq!(head_of(b"#! /usr/bin/env -S A=1 node --flag\n"), shebang("node"));
        assert_eq!(head_of(b"#!\n"), shebang(""));
        assert_eq!(head_of(b"\x7fELF\x02\x01\x01\0"), Head::Binary);
        assert_eq!(head_of("console.log('é')".as_bytes()), Head::Text);
        assert_eq!(head_of(b""), Head::Text);
    }
}
