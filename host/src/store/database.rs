//! Pre-images in an embedded database: one file, for speed.

use std::fs;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use redb::{
    Database, DatabaseError, ReadOnlyDatabase, ReadTransaction, ReadableDatabase as _,
    ReadableTable as _, TableDefinition, TableError,
};

use super::file::{refuse_irregular, sweep};
use super::format::{Format, claim, recorded};
use super::{Store, StoreError, Visit};
use crate::panics::catch;

/// The database's file in the store's folder.
const FILE: &str = "preimages.redb";

/// Pre-images by key.
const IMAGES: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("preimages");

/// A folder with a database of pre-images.
///
/// What was put is on the disk when `put` returns, and a power cut loses nothing of it. One
/// process may write; several may read as long as none writes.
///
/// The library panics at some damages of its file, which are errors here like others.
pub struct DatabaseStore {
    path: PathBuf,
    handle: Handle,
    /// The words of the first panic. After it, nothing of the handle may be used.
    broken: OnceLock<String>,
}

/// The database, as it was opened.
enum Handle {
    Writer(Database),
    Reader(ReadOnlyDatabase),
    /// The store is being dropped.
    Closed,
}

impl std::fmt::Debug for DatabaseStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Drop for DatabaseStore {
    fn drop(&mut self) {
        let handle = mem::replace(&mut self.handle, Handle::Closed);
        // Closing what panicked would panic again. The system closes the file in the end.
        match self.broken.get() {
            Some(_) => mem::forget(handle),
            None => drop(catch(|| drop(handle))),
        }
    }
}

impl DatabaseStore {
    /// Opens an existing store to read it.
    ///
    /// # Errors
    /// When there is none, it is damaged, or a process writes it.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let path = root.join(FILE);
        let found = fs::metadata(&path).map_err(StoreError::io(&path))?;
        refuse_irregular(&path, &found)?;
        let opened = catch(|| match ReadOnlyDatabase::open(&path) {
            // Its last writer was killed; opening it to write makes it whole again.
            Err(DatabaseError::RepairAborted) => Database::create(&path).map(Handle::Writer),
            other => other.map(Handle::Reader),
        });
        Self::with(path, opened)
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
        sweep(root)?;
        let path = root.join(FILE);
        if let Ok(found) = fs::metadata(&path) {
            refuse_irregular(&path, &found)?;
        }
        // It also makes the file whole if its last writer was killed.
        let opened = catch(|| Database::create(&path).map(Handle::Writer));
        Self::with(path, opened)
    }

    /// The store, or why it could not be opened.
    fn with(
        path: PathBuf,
        opened: Result<Result<Handle, DatabaseError>, String>,
    ) -> Result<Self, StoreError> {
        let handle = match opened {
            Ok(Ok(handle)) => handle,
            Ok(Err(DatabaseError::DatabaseAlreadyOpen)) => return Err(StoreError::InUse { path }),
            Ok(Err(error)) => {
                let reason = error.to_string();
                return Err(StoreError::Database { path, reason });
            }
            Err(panic) => return Err(damaged(path, &panic)),
        };
        Ok(Self {
            path,
            handle,
            broken: OnceLock::new(),
        })
    }

    /// Whether the folder says that it is such a store.
    pub(super) fn is_at(root: &Path) -> Result<bool, StoreError> {
        Ok(recorded(root)? == Some(Format::Database))
    }

    /// Works on the database, whose errors and panics become the store's.
    fn work<T>(&self, work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, StoreError> {
        if let Some(panic) = self.broken.get() {
            return Err(damaged(self.path.clone(), panic));
        }
        match catch(work) {
            Ok(result) => result.map_err(|error| StoreError::Database {
                path: self.path.clone(),
                reason: error.to_string(),
            }),
            Err(panic) => {
                let first = self.broken.get_or_init(|| panic);
                Err(damaged(self.path.clone(), first))
            }
        }
    }

    /// A view of the store as it is now.
    fn view(&self) -> Result<ReadTransaction, redb::Error> {
        Ok(match &self.handle {
            Handle::Writer(database) => database.begin_read()?,
            Handle::Reader(database) => database.begin_read()?,
            Handle::Closed => return Err(redb::Error::DatabaseClosed),
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

    /// Visits all pre-images; the visitor's error is inside.
    fn visit(&self, visit: Visit<'_>) -> Result<Result<(), StoreError>, redb::Error> {
        let table = match self.view()?.open_table(IMAGES) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Ok(())),
            Err(error) => return Err(error.into()),
        };
        for entry in table.iter()? {
            let (key, value) = entry?;
            let visited = visit(*key.value(), value.value().to_vec());
            if visited.is_err() {
                return Ok(visited);
            }
        }
        Ok(Ok(()))
    }
}

/// The error of a database whose library panicked.
fn damaged(path: PathBuf, panic: &str) -> StoreError {
    let reason = format!("the database is damaged: {panic}");
    StoreError::Database { path, reason }
}

impl Store for DatabaseStore {
    fn get(&self, key: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        self.work(|| self.read(key))
    }

    fn put(&self, key: &[u8; 32], value: &[u8]) -> Result<(), StoreError> {
        self.put_all(&[(*key, value.to_vec())])
    }

    fn put_all(&self, pairs: &[([u8; 32], Vec<u8>)]) -> Result<(), StoreError> {
        self.work(|| self.write(pairs))
    }

    fn each(&self, visit: Visit<'_>) -> Result<(), StoreError> {
        self.work(|| self.visit(visit))?
    }
}
