//! Where a program is, as `execvp` would find it. Never runs anything.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, eaccess};

/// The search path of a process without `PATH`, as the C library has it.
pub const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The executable file that this name means: a path when it holds a `/` (relative to `cwd`), else the first in `path`.
#[must_use]
pub fn find(name: &OsStr, path: Option<&OsStr>, cwd: &Path) -> Option<PathBuf> {
    if name.is_empty() {
        return None;
    }
    let path = path.unwrap_or(OsStr::new(DEFAULT_PATH));
    if name.as_encoded_bytes().contains(&b'/') {
        return Some(cwd.join(name)).filter(|file| is_executable(file));
    }
    // An empty entry means the current folder, as does a relative one.
    std::env::split_paths(path).map(|folder| cwd.join(folder).join(name)).find(|file| is_executable(file))
}

/// Whether it is a file that this process may run.
#[must_use]
pub fn is_executable(file: &Path) -> bool {
    file.is_file() && eaccess(file, AccessFlags::X_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_searched_and_a_path_is_not() {
        let cwd = Path::new("/bin");
        let path = Some(OsStr::new("/nowhere:/bin"));
        assert_eq!(find("sh".as_ref(), path, Path::new("/")), Some("/bin/sh".into()));
        assert_eq!(find("./sh".as_ref(), path, cwd), Some("/bin/./sh".into()));
        assert_eq!(find("sh".as_ref(), Some("".as_ref()), cwd).map(|file| file.is_file()), Some(true));
        assert_eq!(find("no-such-program".as_ref(), path, cwd), None);
        assert_eq!(find("/etc/passwd".as_ref(), path, cwd), None);
        assert_eq!(find("/bin".as_ref(), path, cwd), None);
    }
}
