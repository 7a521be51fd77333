//! Where objects lie: a folder, or an object store.

pub(crate) mod folder;
#[cfg(feature = "object-store")]
pub(crate) mod remote;

use crate::error::{Error, Result};
use std::fs::File;
use std::ops::Range;
use std::time::{Duration, SystemTime};

/// How much of the end of an object is read at once: footer and manifest of a usual one.
pub(crate) const TAIL: u64 = 64 << 10;

/// An object that was opened.
#[derive(Debug)]
pub(crate) struct Source {
    pub path: String,
    pub size: u64,
    pub modified: SystemTime,
    /// Which content of a remote object was opened, so that no other is read.
    #[cfg_attr(
        not(feature = "object-store"),
        expect(dead_code, reason = "an open file cannot become another")
    )]
    pub version: Option<Version>,
    /// An open file can be read even after it was removed. None for a remote object.
    pub file: Option<File>,
}

/// Tells one content of a small object from another.
pub(crate) type Version = String;

/// A small object.
#[derive(Debug)]
pub(crate) struct Small<T> {
    pub value: T,
    pub version: Version,
    pub modified: SystemTime,
}

impl<T> Small<T> {
    /// The same with another view of its value.
    pub fn map<U>(self, view: impl FnOnce(T) -> U) -> Small<U> {
        Small {
            value: view(self.value),
            version: self.version,
            modified: self.modified,
        }
    }
}

/// What is in a folder.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Extent {
    pub bytes: u64,
    /// When something in it was written last, or removed, where that can be known; none if
    /// there is no such folder.
    pub modified: Option<SystemTime>,
}

impl Extent {
    /// What is in both.
    pub fn and(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            modified: self.modified.max(other.modified),
        }
    }
}

/// How long ago something was written.
pub(crate) fn age(modified: SystemTime) -> Duration {
    modified.elapsed().unwrap_or_default()
}

/// A place for immutable objects, and small ones that are replaced as a whole. Paths have
/// slashes and plain names. What many are asked of at once, a remote place does at once.
pub(crate) trait Backend: Send + Sync {
    /// The names of what is in a folder; none if there is no such folder. Objects that
    /// were there before the call and still are after it are among them.
    fn list(&self, folder: &str) -> Result<Vec<String>>;

    /// The names of the folders in the place itself.
    fn folders(&self) -> Result<Vec<String>>;

    /// Removes one of them with what is in the folders in it, in this order if it takes time in
    /// which others look: whether it was there.
    fn remove_folder(&self, folder: &str, order: &[&str]) -> Result<bool>;

    /// Goes on where removing folders was ended.
    fn finish_removing(&self) -> Result<()>;

    /// How much the objects in a folder are, without opening them.
    fn measure(&self, folder: &str) -> Result<Extent>;

    /// Opens objects and reads their last [`TAIL`] bytes.
    fn open(&self, paths: &[String]) -> Vec<Result<(Source, Vec<u8>)>>;

    /// Reads ranges, whole or not at all.
    fn read(&self, requests: &[(&Source, Range<u64>)]) -> Vec<Result<Vec<u8>>>;

    /// Writes an object unless there is one, and says whether it did. Either way, there
    /// is one that survives a power cut.
    fn create(&self, path: &str, bytes: &[u8]) -> Result<bool>;

    /// Writes an object in place of what may be there.
    fn replace(&self, path: &str, bytes: &[u8]) -> Result<()>;

    /// A small object, if it is there.
    fn get(&self, path: &str) -> Result<Option<Small<Vec<u8>>>>;

    /// Writes a small object in place of just that version, and says whether it did.
    fn swap(&self, path: &str, version: &Version, bytes: &[u8]) -> Result<bool>;

    /// Removes an object, if it is there.
    fn remove(&self, path: &str) -> Result<()>;

    /// Makes all that is in a folder survive a power cut.
    fn sync(&self, folder: &str) -> Result<()>;

    /// Removes what writers left behind that were ended long ago.
    fn sweep(&self, folder: &str, age: Duration) -> Result<()>;

    /// Whether reading a whole object costs next to nothing.
    fn is_near(&self) -> bool;
}

/// `Ok(None)` instead of the error that something is missing.
pub(crate) fn if_there<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
