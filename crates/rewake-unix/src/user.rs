//! Users and groups of the system. Never changes who this process is.

use std::io;
use std::path::PathBuf;

use nix::unistd::{Group, Uid, User, geteuid};

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: PathBuf,
}

/// The uid that decides what this process may do.
#[must_use]
pub fn effective() -> u32 {
    geteuid().as_raw()
}

/// Name of a uid, if it has one.
#[must_use]
pub fn name_of(uid: u32) -> Option<String> {
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name)
}

/// `alice (uid 1000)`, or `uid 1000` for one without a name.
#[must_use]
pub fn describe(uid: u32) -> String {
    match name_of(uid) {
        Some(name) => format!("{name} (uid {uid})"),
        None => format!("uid {uid}"),
    }
}

/// The account of this name.
///
/// # Errors
/// When the user database cannot be read.
pub fn by_name(name: &str) -> io::Result<Option<Account>> {
    Ok(User::from_name(name)?.map(account))
}

/// The account of this uid.
///
/// # Errors
/// When the user database cannot be read.
pub fn by_uid(uid: u32) -> io::Result<Option<Account>> {
    Ok(User::from_uid(Uid::from_raw(uid))?.map(account))
}

/// The gid of the group of this name.
///
/// # Errors
/// When the group database cannot be read.
pub fn group_by_name(name: &str) -> io::Result<Option<u32>> {
    Ok(Group::from_name(name)?.map(|group| group.gid.as_raw()))
}

fn account(user: User) -> Account {
    Account { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), home: user.dir }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_by_name_and_number() {
        let root = by_name("root").unwrap().unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(name_of(0).as_deref(), Some("root"));
        assert_eq!(group_by_name("root").unwrap(), Some(0));
        assert_eq!(by_name("no such user here").unwrap(), None);
        assert_eq!(describe(4_000_000), "uid 4000000");
    }
}
