//! Users and groups by name or number. Never checks whether we may become one.

use nix::unistd::{Gid, Group, Uid, User};

use crate::draft::Id;
use crate::report::Wrong;

/// Who an app runs as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RunAs {
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    /// Name and home of the user, if it is known to the system.
    pub(crate) account: Option<(String, String)>,
}

/// The user; without a group of its own the user's first one, since root's group would undo half of what was asked for.
pub(crate) fn user(id: &Id) -> Result<RunAs, Wrong> {
    let found = match id {
        Id::Number(number) => User::from_uid(Uid::from_raw(*number)),
        Id::Name(name) => User::from_name(name),
    };
    let found = found.map_err(|error| Wrong::new(format!("users cannot be looked up: {error}")))?;
    match (found, id) {
        (Some(user), Id::Number(_) | Id::Name(_)) => Ok(RunAs {
            uid: Some(user.uid.as_raw()),
            gid: Some(user.gid.as_raw()),
            account: Some((user.name, user.dir.to_string_lossy().into_owned())),
        }),
        (None, Id::Number(number)) => Ok(RunAs { uid: Some(*number), ..RunAs::default() }),
        (None, Id::Name(name)) => Err(Wrong::new(format!("unknown user `{}`", name.escape_debug()))),
    }
}

pub(crate) fn group(id: &Id) -> Result<u32, Wrong> {
    match id {
        Id::Number(number) => Ok(Gid::from_raw(*number).as_raw()),
        Id::Name(name) => Group::from_name(name)
            .map_err(|error| Wrong::new(format!("groups cannot be looked up: {error}")))?
            .map(|group| group.gid.as_raw())
            .ok_or_else(|| Wrong::new(format!("unknown group `{}`", name.escape_debug()))),
    }
}
