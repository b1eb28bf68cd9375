//! Users and groups by name or number. Never checks whether we may become one.

use rewake_unix::user;

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
        Id::Number(number) => user::by_uid(*number),
        Id::Name(name) => user::by_name(name),
    };
    let found = found.map_err(|error| Wrong::new(format!("users cannot be looked up: {error}")))?;
    match (found, id) {
        (Some(user), Id::Number(_) | Id::Name(_)) => Ok(RunAs {
            uid: Some(user.uid),
            gid: Some(user.gid),
            account: Some((user.name, user.home.to_string_lossy().into_owned())),
        }),
        (None, Id::Number(number)) => Ok(RunAs { uid: Some(*number), ..RunAs::default() }),
        (None, Id::Name(name)) => Err(Wrong::new(format!("unknown user `{}`", name.escape_debug()))),
    }
}

pub(crate) fn group(id: &Id) -> Result<u32, Wrong> {
    match id {
        Id::Number(number) => Ok(*number),
        Id::Name(name) => user::group_by_name(name)
            .map_err(|error| Wrong::new(format!("groups cannot be looked up: {error}")))?
            .ok_or_else(|| Wrong::new(format!("unknown group `{}`", name.escape_debug()))),
    }
}
