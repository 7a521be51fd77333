//! Where a server finds pre-images.

mod database;
mod file;
mod format;
mod memory;

use std::io;
use std::path::{Path, PathBuf};

use carronade_emulator::preimage::true_key;

pub use database::DatabaseStore;
use file::read_file;
pub use file::{FileStore, Layout};
pub use format::Format;
pub use memory::MemoryStore;

/// How the names of temporary files begin.
const TEMPORARY: &str = ".preimage-";

/// Pre-images by key. Both methods take `&self`, so that a hint handler can add to the store
/// that a server reads.
pub trait Store {
    /// The pre-image of `key`, or `None` if there is none.
    ///
    /// # Errors
    /// When the store cannot be read or holds damaged data.
    fn get(&self, key: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Stores `value` under `key`, replacing what was there.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn put(&self, key: &[u8; 32], value: &[u8]) -> Result<(), StoreError>;

    /// Stores several pre-images in their order; a database does it at one go.
    ///
    /// # Errors
    /// When the store cannot be written; some of them may be stored then.
    fn put_all(&self, pairs: &[([u8; 32], Vec<u8>)]) -> Result<(), StoreError> {
        pairs
            .iter()
            .try_for_each(|(key, value)| self.put(key, value))
    }

    /// Visits all pre-images, in the order of their keys but for prefixes of `0x`.
    ///
    /// # Errors
    /// When the store cannot be read, and the visitor's.
    fn each(&self, visit: Visit<'_>) -> Result<(), StoreError>;
}

/// What [`Store::each`] calls with each key and value.
pub type Visit<'a> = &'a mut dyn FnMut([u8; 32], Vec<u8>) -> Result<(), StoreError>;

/// Checks `value` against `key` as far as the two alone tell: by the hash for keys of keccak256
/// and sha256; a blob's element has 32 bytes, or the 48 of a KZG proof; the result of a
/// precompile has a status byte.
///
/// # Errors
/// [`StoreError::Wrong`], with the reason.
pub fn check(key: &[u8; 32], value: &[u8]) -> Result<(), StoreError> {
    let reason = match (true_key(key[0], value), key[0]) {
        (Some(actual), _) if actual != *key => {
            format!("it hashes to {}", const_hex::encode_prefixed(actual))
        }
        (None, 5) if ![32, 48].contains(&value.len()) => {
            format!("it has {} bytes, a blob's element has 32", value.len())
        }
        (None, 6) if value.first().is_none_or(|status| *status > 1) => {
            "its first byte is not the status 0 or 1".to_owned()
        }
        _ => return Ok(()),
    };
    Err(StoreError::Wrong { key: *key, reason })
}

/// Why a store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file cannot be read or written.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file that should hold a pre-image in hex holds something else.
    #[error("{}: not hex: {reason}", .path.display())]
    Hex {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A JSON file is not an object of `"0xkey": "0xvalue"` pairs.
    #[error("{}: neither a folder nor a JSON object of pre-images by their keys: {reason}",
        .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The store's `kvformat` file names a format that cannot be read here.
    #[error("{}: pre-images in the format `{format}` cannot be read, only `directory`, `file` and \
        `carronade-database`", .path.display())]
    Format {
        /// The store's folder.
        path: PathBuf,
        /// The format named.
        format: String,
    },
    /// The store is in a format that can be read, but another one was asked for.
    #[error("{}: the pre-images are in the format {found}, not {wanted}; \
        `carronade host convert` converts them", .path.display())]
    OtherFormat {
        /// The store's folder.
        path: PathBuf,
        /// The format that it has.
        found: &'static str,
        /// The format asked for.
        wanted: &'static str,
    },
    /// The folder is the database of another program.
    #[error("{}: the database of another program (it holds {file}), not a pre-image store that \
        can be read here", .path.display())]
    Foreign {
        /// The store's folder.
        path: PathBuf,
        /// A file in it that tells.
        file: String,
    },
    /// Another process has the database open.
    #[error("{}: another host is using this store; a database has one writer (the format \
        `directory` can be shared)", .path.display())]
    InUse {
        /// The database's file.
        path: PathBuf,
    },
    /// The database cannot be read or written.
    #[error("{}: {reason}", .path.display())]
    Database {
        /// The database's file.
        path: PathBuf,
        /// The database's reason.
        reason: String,
    },
    /// A value does not belong to its key.
    #[error("the stored pre-image of {} is wrong: {reason}", const_hex::encode_prefixed(.key))]
    Wrong {
        /// The key.
        key: [u8; 32],
        /// What is wrong.
        reason: String,
    },
    /// A store that finds pre-images elsewhere, at nodes say, failed.
    #[error("{0}")]
    Source(String),
    /// A value cannot be held against its key.
    #[error("the stored pre-image of {} cannot be checked: {reason}",
        const_hex::encode_prefixed(.key))]
    Unchecked {
        /// The key.
        key: [u8; 32],
        /// What is missing.
        reason: String,
    },
    /// A symbolic link, pipe, device or folder is where a regular file should be.
    #[error("{}: not a regular file", .path.display())]
    NotRegular {
        /// The file's name.
        path: PathBuf,
    },
}

impl StoreError {
    /// Whether it is about this one pre-image, and another value in its place would mend it.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Wrong { .. } | Self::Unchecked { .. } | Self::Hex { .. }
        )
    }

    /// For use with `map_err`.
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// Opens the store at `path`, only to be read: a folder in op-program's or kona's format, a
/// database, or a JSON map that may be gzipped.
///
/// # Errors
/// When there is nothing, or something else.
pub fn open_store(path: &Path) -> Result<Box<dyn Store + Send + Sync>, StoreError> {
    if path.is_dir() {
        if DatabaseStore::is_at(path)? {
            Ok(Box::new(DatabaseStore::open(path)?))
        } else {
            Ok(Box::new(FileStore::open(path)?))
        }
    } else {
        Ok(Box::new(MemoryStore::read_json(path)?))
    }
}

/// Opens the store in the folder `path` to read and write it. An existing one keeps its format,
/// but `directory` and `file` do not stand for a database, nor a database for them; a new one is
/// made in `format`.
///
/// # Errors
/// When the folder cannot be made, read or written, or holds something else.
pub fn create_store(
    path: &Path,
    format: Format,
) -> Result<Box<dyn Store + Send + Sync>, StoreError> {
    Ok(match format {
        Format::Directory => Box::new(FileStore::create(path, Layout::Directory)?),
        Format::File => Box::new(FileStore::create(path, Layout::File)?),
        Format::Database => Box::new(DatabaseStore::create(path)?),
    })
}

/// Reads a key of exactly 64 hex digits with or without `0x`.
#[must_use]
pub fn parse_key(text: &str) -> Option<[u8; 32]> {
    const_hex::decode_to_array(text).ok()
}

/// Writes a file by way of a temporary one in `temp_dir`, which must be on the same file system
/// as `path`, so that nobody ever sees half of it.
fn write_atomic(temp_dir: &Path, path: &Path, data: &[u8]) -> Result<(), StoreError> {
    temporary(temp_dir, data)?
        .persist(path)
        .map_err(|error| StoreError::io(path)(error.error))?;
    Ok(())
}

/// The same, but leaves a file that is already there.
fn write_new(temp_dir: &Path, path: &Path, data: &[u8]) -> Result<(), StoreError> {
    match temporary(temp_dir, data)?.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => {
            Err(StoreError::io(path)(error.error))
        }
        _ => Ok(()),
    }
}

/// A temporary file with this content.
fn temporary(folder: &Path, data: &[u8]) -> Result<tempfile::NamedTempFile, StoreError> {
    use std::fs::Permissions;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    // Readable by others as the umask allows: the challenger may be another user than the host.
    let mut temp = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(StoreError::io(folder))?;
    temp.write_all(data).map_err(StoreError::io(temp.path()))?;
    Ok(temp)
}
