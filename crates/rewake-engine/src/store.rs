//! The table of apps on disk: written at every change, off the loop, one write at a time; the newest state wins.
//! Never leaves a half-written file, and keeps the generation before.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rewake_unix::file;
use rewake_wire::store::{self, Table};

use crate::engine::Begin;

/// The table's file, and the dump of `save`.
const TABLE: &str = "table.json";
const DUMP: &str = "dump.json";
/// The table of what runs in the foreground, which is no part of the list.
const FOREGROUND_TABLE: &str = "runtime.json";
/// A generous bound: thousands of slots with large environments.
const MAX_BYTES: u64 = 256 << 20;

/// The files of one home.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    home: PathBuf,
    table: &'static str,
}

/// What was found of a stored file.
#[derive(Debug)]
pub(crate) enum Found {
    /// There is none.
    Nothing,
    /// It was whole.
    Whole(Table),
    /// The newest was damaged (moved aside); this is the generation before.
    Earlier(Table, String),
    /// Nothing usable; what was there has been moved aside.
    Damaged(String),
}

impl Store {
    pub(crate) fn new(home: &Path, begin: Begin) -> Self {
        let table = match begin {
            Begin::Listed | Begin::Booted => TABLE,
            Begin::Empty => FOREGROUND_TABLE,
        };
        Self { home: home.to_owned(), table }
    }

    pub(crate) fn read_table(&self) -> Found {
        read(&self.home.join(self.table))
    }

    pub(crate) fn read_dump(&self) -> Found {
        read(&self.home.join(DUMP))
    }

    pub(crate) fn dump_path(&self) -> PathBuf {
        self.home.join(DUMP)
    }

    /// Writes the table; blocks for as long as the disk takes.
    pub(crate) fn write_table(&self, table: &Table) -> io::Result<()> {
        write(&self.home.join(self.table), table)
    }

    /// Removes the table with the generation before it.
    pub(crate) fn remove_table(&self) {
        let path = self.home.join(self.table);
        for path in [earlier(&path), path] {
            // Gone already is as good; one that stays is not read by a new keeper's engine.
            let _ = std::fs::remove_file(path);
        }
    }

    /// Writes the dump.
    pub(crate) fn write_dump(&self, table: &Table) -> io::Result<()> {
        write(&self.home.join(DUMP), table)
    }
}

fn write(path: &Path, table: &Table) -> io::Result<()> {
    let bytes = store::to_bytes(table).map_err(io::Error::other)?;
    file::replace(path, &bytes, Some(&earlier(path)))
}

/// `dump.json.bak`, as PM2 names the generation before.
fn earlier(path: &Path) -> PathBuf {
    with_suffix(path, ".bak")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn read(path: &Path) -> Found {
    let newest = load(path);
    let why = match newest {
        Ok(Some(table)) => return Found::Whole(table),
        // A crash between the two renames leaves only the generation before; it is whole.
        Ok(None) => None,
        Err(why) => {
            // Kept for whoever wants to know; never in the way again.
            let _ = std::fs::rename(path, with_suffix(path, ".corrupt"));
            Some(why)
        }
    };
    match (load(&earlier(path)), why) {
        (Ok(Some(table)), None) => Found::Whole(table),
        (Ok(Some(table)), Some(why)) => Found::Earlier(table, why),
        (Ok(None), None) => Found::Nothing,
        (Ok(None), Some(why)) | (Err(why), _) => Found::Damaged(why),
    }
}

/// The table in a file; `None`: there is no file.
fn load(path: &Path) -> Result<Option<Table>, String> {
    let bytes = match read_bounded(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("`{}`: {error}", path.display())),
    };
    store::from_bytes(&bytes).map(Some).map_err(|error| format!("`{}`: {error}", path.display()))
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(generation: u64) -> Table {
        Table { generation, ..Table::default() }
    }

    #[test]
    fn a_damaged_table_gives_way_to_the_generation_before_and_is_kept_aside() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::new(home.path(), Begin::Listed);
        assert!(matches!(store.read_table(), Found::Nothing));
        store.write_table(&table(1)).unwrap();
        store.write_table(&table(2)).unwrap();
        assert!(matches!(store.read_table(), Found::Whole(t) if t.generation == 2));
        let path = home.path().join(TABLE);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(matches!(store.read_table(), Found::Earlier(t, _) if t.generation == 1));
        assert!(home.path().join("table.json.corrupt").exists());
        // As a crash between the two renames leaves it.
        assert!(matches!(store.read_table(), Found::Whole(t) if t.generation == 1));
        std::fs::write(home.path().join("table.json.bak"), b"junk").unwrap();
        assert!(matches!(store.read_table(), Found::Damaged(_)));
    }
}
