//! A folder that is this user's alone. Never changes one that belongs to somebody else.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, eaccess};

use crate::user;

/// Why a folder cannot be the home.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    #[error("create the folder `{}`", path.display())]
    Create {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("look at `{}`", path.display())]
    Inspect {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("use `{}`: it is not a folder", path.display())]
    NotAFolder { path: PathBuf },
    #[error("use `{}`: it belongs to {} and this is {}", path.display(), user::describe(*owner), user::describe(*me))]
    ForeignOwner { path: PathBuf, owner: u32, me: u32 },
    #[error("write to `{}`", path.display())]
    NotWritable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("make `{}` private", path.display())]
    Tighten {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl HomeError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Create { path, .. } | Self::Inspect { path, .. } | Self::Tighten { path, .. } => {
                format!(
                    "check the rights on the folders above {}, or choose another home with REWAKE_HOME",
                    path.display()
                )
            }
            Self::NotAFolder { path } => {
                format!("move {} away, or choose another home with REWAKE_HOME", path.display())
            }
            Self::ForeignOwner { path, me, .. } => format!(
                "run the command as that user, give the folder away (chown -R {me} {}), or choose another home with REWAKE_HOME",
                path.display()
            ),
            Self::NotWritable { path, .. } => {
                format!(
                    "check the rights and the file system of {}, or choose another home with REWAKE_HOME",
                    path.display()
                )
            }
        }
    }
}

/// Makes the folder (and those above it) if it is absent, and sees to it that nobody else can look inside: mode 0700.
///
/// # Errors
/// When it cannot be made, is no folder, belongs to another user, or cannot be written to.
pub fn ensure(path: &Path) -> Result<(), HomeError> {
    let path_buf = || path.to_path_buf();
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Ok(()) => {}
        // Something else is there under this name; a dangling link too. What it is, the checks below tell.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(HomeError::Create { path: path_buf(), source }),
    }
    let found = fs::metadata(path).map_err(|source| HomeError::Inspect { path: path_buf(), source })?;
    if !found.is_dir() {
        return Err(HomeError::NotAFolder { path: path_buf() });
    }
    let me = user::effective();
    if found.uid() != me {
        return Err(HomeError::ForeignOwner { path: path_buf(), owner: found.uid(), me });
    }
    let mode = found.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(mode & 0o700))
            .map_err(|source| HomeError::Tighten { path: path_buf(), source })?;
    }
    eaccess(path, AccessFlags::W_OK | AccessFlags::X_OK)
        .map_err(|source| HomeError::NotWritable { path: path_buf(), source: source.into() })
}

/// Whether [`ensure`] would probably make a home of this path. Makes nothing.
#[must_use]
pub fn may_be(path: &Path) -> bool {
    let there = path.ancestors().find(|folder| folder.symlink_metadata().is_ok());
    there.is_some_and(|folder| eaccess(folder, AccessFlags::W_OK | AccessFlags::X_OK).is_ok())
}

/// Whether this is a folder of this user's, and no link to one: in a folder that all may write to, somebody else may have been there
/// first.
#[must_use]
pub fn is_own(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir() && found.uid() == user::effective())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scratch;

    #[test]
    fn a_new_home_is_private_and_an_open_one_is_tightened() {
        let scratch = Scratch::new();
        let home = scratch.path().join("a/b/home");
        ensure(&home).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&home), 0o700);
        fs::set_permissions(&home, Permissions::from_mode(0o755)).unwrap();
        ensure(&home).unwrap();
        assert_eq!(mode(&home), 0o700);
    }

    #[test]
    fn a_file_in_its_place_is_named() {
        let scratch = Scratch::new();
        let file = scratch.path().join("home");
        fs::write(&file, "x").unwrap();
        assert!(matches!(ensure(&file), Err(HomeError::NotAFolder { .. })));
        let below = file.join("deeper");
        assert!(matches!(ensure(&below), Err(HomeError::Create { .. })));
    }

    #[test]
    fn a_home_of_another_user_names_both() {
        let scratch = Scratch::new();
        let home = scratch.path().join("home");
        fs::create_dir(&home).unwrap();
        if std::os::unix::fs::chown(&home, Some(12345), None).is_err() {
            // Only root can give a folder away; as anybody else the root folder is the foreign one.
            let error = ensure(Path::new("/")).unwrap_err();
            assert!(matches!(error, HomeError::ForeignOwner { owner: 0, .. }), "{error}");
            return;
        }
        let text = ensure(&home).unwrap_err().to_string();
        assert!(text.contains("12345") && text.contains(&user::effective().to_string()), "{text}");
    }
}
