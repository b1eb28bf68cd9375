//! Absolute paths from what people write: `~`, relative, with `..`. Never asks the disk.

use std::path::{Component, Path, PathBuf};

/// `text` as an absolute path: `~` is the home, anything relative begins at `base`. As `path.resolve` of Node does, `..`
/// goes by the text, not by where symbolic links lead.
pub(crate) fn absolute(text: &str, base: &Path, home: Option<&Path>) -> PathBuf {
    let joined = match (text.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home.to_path_buf(),
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        (Some(_) | None, Some(_) | None) => base.join(text),
    };
    let mut path = PathBuf::new();
    for part in joined.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                path.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => path.push(part),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_resolved_by_their_text() {
        let home = Path::new("/home/me");
        for (text, path) in [
            ("a.js", "/srv/a.js"),
            ("./a/../b.js", "/srv/b.js"),
            ("../../../x", "/x"),
            ("/abs/./x", "/abs/x"),
            ("~", "/home/me"),
            ("~/x", "/home/me/x"),
            ("~x", "/srv/~x"),
            (".", "/srv"),
        ] {
            assert_eq!(absolute(text, Path::new("/srv"), Some(home)), Path::new(path), "{text}");
        }
        assert_eq!(absolute("~/x", Path::new("/srv"), None), Path::new("/srv/~/x"));
    }
}
