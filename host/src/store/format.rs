//! The `kvformat` file, by which a folder says how its pre-images are laid out.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::file::read_regular;
use super::{StoreError, write_new};

/// The file that names a store's format (op-program's `kvstore/format.go`).
const FORMAT_FILE: &str = "kvformat";

/// How a folder keeps pre-images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A file for each, in folders by the first two bytes; op-challenger reads it.
    Directory,
    /// A file for each in one folder; op-challenger reads it.
    File,
    /// An embedded database, which only Carronade reads: for speed.
    Database,
}

impl Format {
    /// The format of the store in a folder; `None` if the folder says nothing, or is not there.
    ///
    /// # Errors
    /// When the folder cannot be read, or is of a format that is not known here.
    pub fn of(root: &Path) -> Result<Option<Self>, StoreError> {
        match fs::metadata(root) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io(root)(error)),
            Ok(found) if !found.is_dir() => {
                Err(StoreError::io(root)(ErrorKind::NotADirectory.into()))
            }
            Ok(_) => recorded(root),
        }
    }

    /// The format's name in the `kvformat` file.
    ///
    /// That of the database is none of op-challenger's (`directory`, `file`, `pebble`), which
    /// then refuses the folder by this name instead of finding nothing in it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::File => "file",
            Self::Database => "carronade-database",
        }
    }
}

/// The format that the folder's `kvformat` file names, if there is such a file.
///
/// Without it, files named as in the format `file` tell as much, and the folder of somebody
/// else's database is refused.
pub(super) fn recorded(root: &Path) -> Result<Option<Format>, StoreError> {
    let Some(text) = read_regular(&root.join(FORMAT_FILE))? else {
        return guessed(root);
    };
    let name = text.trim_ascii();
    let formats = [Format::Directory, Format::File, Format::Database];
    match formats
        .iter()
        .find(|format| format.name().as_bytes() == name)
    {
        Some(format) => Ok(Some(*format)),
        None => Err(StoreError::Format {
            path: root.to_owned(),
            format: String::from_utf8_lossy(&name[..name.len().min(40)]).into_owned(),
        }),
    }
}

/// Records `format` in a folder that names none; returns the one that it has now.
pub(super) fn claim(root: &Path, format: Format) -> Result<Format, StoreError> {
    if let Some(found) = recorded(root)? {
        return Ok(found);
    }
    // Byte for byte: op-challenger compares without trimming. Somebody else may be first.
    write_new(root, &root.join(FORMAT_FILE), format.name().as_bytes())?;
    Ok(recorded(root)?.unwrap_or(format))
}

/// What the names of a folder's files tell. Databases of RocksDB (kona-host), pebble and LevelDB
/// (op-program) have a `CURRENT` file or `MANIFEST-` files.
fn guessed(root: &Path) -> Result<Option<Format>, StoreError> {
    let mut found = None;
    for entry in fs::read_dir(root).map_err(StoreError::io(root))? {
        let name = entry.map_err(StoreError::io(root))?.file_name();
        let name = name.to_string_lossy();
        if name == "CURRENT" || name.starts_with("MANIFEST-") || name.ends_with(".sst") {
            return Err(StoreError::Foreign {
                path: root.to_owned(),
                file: name.into_owned(),
            });
        }
        if name.len() == 70 && name.starts_with("0x") && name.ends_with(".txt") {
            found = Some(Format::File);
        }
    }
    Ok(found)
}
