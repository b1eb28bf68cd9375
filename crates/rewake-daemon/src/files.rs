//! The daemon's own small files. For people and scripts to read; nothing depends on them.

use std::path::{Path, PathBuf};

use crate::DaemonError;

/// `<home>/rewake.pid`, as long as the daemon lives.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
}

impl PidFile {
    pub(crate) fn write(home: &Path) -> Result<Self, DaemonError> {
        let path = home.join(rewake_keeper::PID_FILE);
        // A full disk must not keep the daemon from supervising: only a home that cannot be written at all is an error.
        match std::fs::write(&path, format!("{}\n", std::process::id())) {
            Err(source) if source.kind() != std::io::ErrorKind::StorageFull => {
                Err(DaemonError::PidFile { path: path.display().to_string(), source })
            }
            Ok(()) | Err(_) => Ok(Self { path }),
        }
    }

    pub(crate) fn remove(self) {
        // Gone already is as good.
        let _ = std::fs::remove_file(self.path);
    }
}
