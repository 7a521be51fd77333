//! Pre-images in an embedded database: one file, for speed.

use std::fs;
use std::path::{Path, PathBuf};

use redb::{
    Database, DatabaseError, ReadOnlyDatabase, ReadTransaction, ReadableDatabase as _,
    ReadableTable as _, TableDefinition, TableError,
};

use super::format::{Format, claim, recorded};
use super::{Store, StoreError, Visit};

/// The database's file in the store's folder.
const FILE: &str = "preimages.redb";

/// Pre-images by key.
const IMAGES: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("preimages");

/// A folder with a database of pre-images.
///
/// What was put is on the disk when `put` returns, and a power cut loses nothing of it. One
/// process may write; several may read as long as none writes.
pub struct DatabaseStore {
    path: PathBuf,
    handle: Handle,
}

/// The database, as it was opened.
enum Handle {
    Writer(Database),
    Reader(ReadOnlyDatabase),
}

impl std::fmt::Debug for DatabaseStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl DatabaseStore {
    /// Opens an existing store to read it.
    ///
    /// # Errors
    /// When there is none, it is damaged, or a process writes it.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let path = root.join(FILE);
        fs::metadata(&path).map_err(StoreError::io(&path))?;
        let handle = match ReadOnlyDatabase::open(&path) {
            Ok(reader) => Handle::Reader(reader),
            // Its last writer was killed; opening it to write makes it whole again.
            Err(DatabaseError::RepairAborted) => Handle::Writer(open_writer(&path)?),
            Err(error) => return Err(cannot_open(&path)(error)),
        };
        Ok(Self { path, handle })
    }

    /// Opens a store to read and write it, making it if need be.
    ///
    /// # Errors
    /// When the folder cannot be made or written, is of another format, or another process has
    /// the store open.
    pub fn create(root: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(root).map_err(StoreError::io(root))?;
        let format = claim(root, Format::Database)?;
        if format != Format::Database {
            return Err(StoreError::OtherFormat {
                path: root.to_owned(),
                found: format.name(),
                wanted: Format::Database.name(),
            });
        }
        let path = root.join(FILE);
        let handle = Handle::Writer(open_writer(&path)?);
        Ok(Self { path, handle })
    }

    /// Whether the folder says that it is such a store.
    pub(super) fn is_at(root: &Path) -> Result<bool, StoreError> {
        Ok(recorded(root)? == Some(Format::Database))
    }

    /// A view of the store as it is now.
    fn view(&self) -> Result<ReadTransaction, redb::Error> {
        Ok(match &self.handle {
            Handle::Writer(database) => database.begin_read()?,
            Handle::Reader(database) => database.begin_read()?,
        })
    }

    fn read(&self, key: &[u8; 32]) -> Result<Option<Vec<u8>>, redb::Error> {
        let table = match self.view()?.open_table(IMAGES) {
            Ok(table) => table,
            // Nothing was ever written.
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(table.get(key)?.map(|value| value.value().to_vec()))
    }

    fn write(&self, pairs: &[([u8; 32], Vec<u8>)]) -> Result<(), redb::Error> {
        let Handle::Writer(database) = &self.handle else {
            return Err(redb::Error::Io(
                std::io::ErrorKind::ReadOnlyFilesystem.into(),
            ));
        };
        let transaction = database.begin_write()?;
        {
            let mut table = transaction.open_table(IMAGES)?;
            for (key, value) in pairs {
                table.insert(key, value.as_slice())?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// For use with `map_err`.
    fn failed(&self) -> impl FnOnce(redb::Error) -> StoreError {
        let path = self.path.clone();
        move |error| StoreError::Database {
            path,
            reason: error.to_string(),
        }
    }
}

/// Opens the file to write, and makes it whole if its last writer was killed.
fn open_writer(path: &Path) -> Result<Database, StoreError> {
    Database::create(path).map_err(cannot_open(path))
}

/// For use with `map_err`.
fn cannot_open(path: &Path) -> impl FnOnce(DatabaseError) -> StoreError {
    let path = path.to_owned();
    move |error| match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse { path },
        other => StoreError::Database {
            path,
            reason: other.to_string(),
        },
    }
}

impl Store for DatabaseStore {
    fn get(&self, key: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(key).map_err(self.failed())
    }

    fn put(&self, key: &[u8; 32], value: &[u8]) -> Result<(), StoreError> {
        self.put_all(&[(*key, value.to_vec())])
    }

    fn put_all(&self, pairs: &[([u8; 32], Vec<u8>)]) -> Result<(), StoreError> {
        self.write(pairs).map_err(self.failed())
    }

    fn each(&self, visit: Visit<'_>) -> Result<(), StoreError> {
        let opened = self.view().map_err(self.failed())?.open_table(IMAGES);
        let table = match opened {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(()),
            Err(error) => return Err(self.failed()(error.into())),
        };
        for entry in table.iter().map_err(|error| self.failed()(error.into()))? {
            let (key, value) = entry.map_err(|error| self.failed()(error.into()))?;
            visit(*key.value(), value.value().to_vec())?;
        }
        Ok(())
    }
}
