//! Output of apps: where it goes, how it gets there, and who else sees it. Bytes are never decoded on their way to the file.

pub(crate) mod file;
mod lines;
pub(crate) mod paths;
pub(crate) mod pump;
