//! Small objects: written once, read whole.

use crate::backend::Small;
use crate::edge::Point;
use crate::error::{Error, Result};
use crate::name::{Hash, check_plain};
use crate::trace::TraceStore;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Begins every small object.
const MAGIC: [u8; 8] = *b"carrnote";
/// The folder of notes.
const NOTES: &str = "notes";
/// The note that says where the trace ends.
const END: &str = "end";

impl TraceStore {
    /// Keeps a note about the trace under a name, once and for all. Says whether it was
    /// the first; the same note again is no error.
    ///
    /// # Errors
    /// [`Error::Conflict`] if there is another note under this name; when the name is
    /// not a plain one or the note cannot be written.
    pub fn keep_note(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        check_plain(name)?;
        let was = match self.create_small(NOTES, name, bytes)? {
            None => return Ok(true),
            Some(was) => was,
        };
        match was == bytes {
            true => Ok(false),
            false => Err(Error::Conflict {
                object: self.small_path(NOTES, name),
            }),
        }
    }

    /// Keeps a note in place of what may be there under its name.
    ///
    /// # Errors
    /// When the name is not a plain one or the note cannot be written.
    pub fn set_note(&self, name: &str, bytes: &[u8]) -> Result<()> {
        check_plain(name)?;
        let path = self.small_path(NOTES, name);
        self.backend().replace(&path, &frame(&path, bytes))
    }

    /// The note under a name.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    pub fn note(&self, name: &str) -> Result<Option<Vec<u8>>> {
        check_plain(name)?;
        Ok(self.small_bytes(NOTES, name)?.map(|small| small.value))
    }

    /// Keeps where the trace ends. Says whether that was not known yet.
    ///
    /// # Errors
    /// As [`TraceStore::keep_note`].
    pub fn keep_end(&self, end: Point) -> Result<bool> {
        self.keep_note(END, &encode(&end))
    }

    /// Keeps where the trace ends, if the checkpoint there can be opened; in place of another
    /// end, if that one has none: it is left of what somebody has removed. Says whether it is kept.
    ///
    /// # Errors
    /// As [`TraceStore::keep_note`].
    pub fn keep_sound_end(&self, end: Point) -> Result<bool> {
        let is_there = |end: Point| Ok(self.nearest(end.step)? == Some(end));
        if !is_there(end)? {
            return Ok(false);
        }
        match self.end() {
            Ok(Some(other)) if other != end && !is_there(other)? => {
                self.set_note(END, &encode(&end))?;
            }
            _ => drop(self.keep_end(end)?),
        }
        Ok(true)
    }

    /// Where the trace ends, if that is known: the last step and its state hash.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    pub fn end(&self) -> Result<Option<Point>> {
        Ok(self.small(NOTES, END)?.map(|small| small.value))
    }

    pub(crate) fn small_path(&self, kind: &str, name: &str) -> String {
        format!("{}/{name}", self.folder(kind))
    }

    /// Writes a small object unless it is there; then returns what is there. A damaged
    /// one is replaced.
    pub(crate) fn create_small(
        &self,
        kind: &str,
        name: &str,
        bytes: &[u8],
    ) -> Result<Option<Vec<u8>>> {
        let path = self.small_path(kind, name);
        let framed = frame(&path, bytes);
        loop {
            if self.backend().create(&path, &framed)? {
                return Ok(None);
            }
            // It may have been removed meanwhile.
            let Some(there) = self.backend().get(&path)? else {
                continue;
            };
            if let Some(was) = unframe(&path, &there.value) {
                return Ok(Some(was.into()));
            }
            if self.backend().swap(&path, &there.version, &framed)? {
                return Ok(None);
            }
        }
    }

    /// The bytes of a small object, if it is there.
    pub(crate) fn small_bytes(&self, kind: &str, name: &str) -> Result<Option<Small<Vec<u8>>>> {
        let path = self.small_path(kind, name);
        let Some(small) = self.backend().get(&path)? else {
            return Ok(None);
        };
        match unframe(&path, &small.value).map(Vec::from) {
            Some(bytes) => Ok(Some(small.map(|_| bytes))),
            None => Err(Error::damaged(path, "it is not what was written here")),
        }
    }

    /// A small object, if it is there.
    pub(crate) fn small<T: DeserializeOwned>(
        &self,
        kind: &str,
        name: &str,
    ) -> Result<Option<Small<T>>> {
        let Some(small) = self.small_bytes(kind, name)? else {
            return Ok(None);
        };
        match postcard::take_from_bytes(&small.value) {
            Ok((value, [])) => Ok(Some(Small {
                value,
                version: small.version,
                modified: small.modified,
            })),
            _ => Err(Error::damaged(
                self.small_path(kind, name),
                "it cannot be understood",
            )),
        }
    }
}

/// The bytes of a value.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("a small value can always be written")
}

/// A small object: magic, hash of path and bytes, bytes.
pub(crate) fn frame(path: &str, bytes: &[u8]) -> Vec<u8> {
    [&MAGIC[..], &hash(path, bytes), bytes].concat()
}

fn unframe<'a>(path: &str, framed: &'a [u8]) -> Option<&'a [u8]> {
    let (expected, bytes) = framed.strip_prefix(&MAGIC)?.split_first_chunk()?;
    (hash(path, bytes) == *expected).then_some(bytes)
}

fn hash(path: &str, bytes: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(path.len() as u64).to_le_bytes());
    hasher.update(path.as_bytes());
    hasher.update(bytes);
    hasher.finalize().into()
}
