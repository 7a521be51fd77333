//! Where a server finds pre-images.

mod file;
mod memory;

use std::io;
use std::path::{Path, PathBuf};

pub use file::{FileStore, Layout};
pub use memory::MemoryStore;

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
    #[error("{}: {reason}", .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The store's `kvformat` file names a format that cannot be read here.
    #[error("{}: pre-images in the format `{format}` cannot be read, only `directory` and `file`",
        .path.display())]
    Format {
        /// The store's folder.
        path: PathBuf,
        /// The format named.
        format: String,
    },
    /// A symbolic link, device or folder is where a pre-image's own file should be.
    #[error("{}: not a regular file of the store", .path.display())]
    NotRegular {
        /// The file's name.
        path: PathBuf,
    },
}

impl StoreError {
    /// For use with `map_err`.
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// Opens the store at `path`, only to be read: a folder in op-program's or kona's format, or
/// a JSON map that may be gzipped.
///
/// # Errors
/// When there is nothing, or something else.
pub fn open_store(path: &Path) -> Result<Box<dyn Store + Send + Sync>, StoreError> {
    if path.is_dir() {
        Ok(Box::new(FileStore::open(path)?))
    } else {
        Ok(Box::new(MemoryStore::read_json(path)?))
    }
}

/// Reads a key of exactly 64 hex digits with or without `0x`.
#[must_use]
pub fn parse_key(text: &str) -> Option<[u8; 32]> {
    const_hex::decode_to_array(text).ok()
}

/// Writes a file by way of a temporary one in `temp_dir`, which must be on the same file system
/// as `path`, so that nobody ever sees half of it.
fn write_atomic(temp_dir: &Path, path: &Path, data: &[u8]) -> Result<(), StoreError> {
    use std::fs::Permissions;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    // Readable by others as the umask allows: the challenger may be another user than the host.
    let mut temp = tempfile::Builder::new()
        .prefix(".preimage-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(temp_dir)
        .map_err(StoreError::io(temp_dir))?;
    temp.write_all(data).map_err(StoreError::io(temp.path()))?;
    temp.persist(path).map_err(|error| StoreError::Io {
        path: path.to_owned(),
        source: error.error,
    })?;
    Ok(())
}
