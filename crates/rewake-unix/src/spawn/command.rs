//! What a new process becomes, prepared down to the pointers before the fork. Never reads the environment of this process.

use std::ffi::{CStr, CString};
use std::fmt;
use std::ptr;

use nix::libc::c_char;

use crate::limits::OpenFiles;
use crate::program::DEFAULT_PATH;

pub use std::ffi::NulError;

/// A program with everything it is started with.
pub struct Command {
    /// Paths to try in order; one when the program is a path.
    pub(super) candidates: Vec<CString>,
    pub(super) argv: Vec<CString>,
    pub(super) env: Vec<CString>,
    pub(super) cwd: CString,
    /// Runs as this user; needs privilege. Supplementary groups are dropped then.
    pub uid: Option<u32>,
    /// Runs as this group; needs privilege. Supplementary groups are dropped then.
    pub gid: Option<u32>,
    /// Its limit of open descriptors; `None`: this process's.
    pub open_files: Option<OpenFiles>,
    /// A variable, as `NAME=`, whose value is to be the new process's own pid. It must not be in the environment already.
    pub pid_variable: Option<&'static CStr>,
}

impl Command {
    /// Prepares a program: a path, or a name that is searched in the `PATH` of `env` (`KEY=value`).
    ///
    /// # Errors
    /// When a string holds a NUL.
    pub fn new<S: AsRef<[u8]>>(program: &[u8], argv: &[S], env: &[S], cwd: &[u8]) -> Result<Self, NulError> {
        let strings = |list: &[S]| list.iter().map(|item| CString::new(item.as_ref())).collect::<Result<_, _>>();
        let path = env.iter().find_map(|entry| entry.as_ref().strip_prefix(b"PATH="));
        let search = path.unwrap_or(DEFAULT_PATH.as_bytes());
        Ok(Self {
            candidates: candidates(program, search)?,
            argv: strings(argv)?,
            env: strings(env)?,
            cwd: CString::new(cwd)?,
            uid: None,
            gid: None,
            open_files: None,
            pid_variable: None,
        })
    }

    /// Another path to try when the ones before are not there.
    ///
    /// # Errors
    /// When it holds a NUL.
    pub fn or_program(mut self, path: &[u8]) -> Result<Self, NulError> {
        self.candidates.push(CString::new(path)?);
        Ok(self)
    }

    /// This path and no other.
    ///
    /// # Errors
    /// When it holds a NUL.
    pub fn only_program(&mut self, path: &[u8]) -> Result<(), NulError> {
        self.candidates = vec![CString::new(path)?];
        Ok(())
    }
}

/// Shows no environment: it holds secrets.
impl fmt::Debug for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Command").field("candidates", &self.candidates).finish_non_exhaustive()
    }
}

/// Pointers to the strings with a null at the end, as `execve` wants them. Valid as long as the strings.
pub(super) fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

fn candidates(program: &[u8], search: &[u8]) -> Result<Vec<CString>, NulError> {
    if program.contains(&b'/') {
        return Ok(vec![CString::new(program)?]);
    }
    let in_folder = |folder: &[u8]| {
        // An empty entry means the current folder.
        let mut path = if folder.is_empty() { b".".to_vec() } else { folder.to_vec() };
        path.push(b'/');
        path.extend_from_slice(program);
        CString::new(path)
    };
    search.split(|&byte| byte == b':').map(in_folder).collect()
}
