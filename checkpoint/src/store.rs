//! Opening a store.

use crate::backend::folder::Folder;
use crate::backend::{Backend, Extent, age};
use crate::error::{Error, Result};
use crate::name::{Hash, TraceId};
use crate::trace::{KINDS, TraceStore};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How a store behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// How long a thinned checkpoint can still be read by those who have opened it. In a
    /// folder it can be read as long as it is open anyway, and none is needed. By default
    /// none in a folder, ten minutes elsewhere.
    pub grace: Option<Duration>,
    /// A checkpoint that no edge leads on from, younger than this, may be what some run
    /// goes on from, and is not thinned. An hour by default.
    pub fresh: Duration,
    /// After this long, what a writer began is nobody's any more. An hour by default.
    pub abandoned: Duration,
    /// Bytes of manifests kept in memory for each trace. 64 MiB by default.
    pub manifests: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            grace: None,
            fresh: Duration::from_secs(3600),
            abandoned: Duration::from_secs(3600),
            manifests: 64 << 20,
        }
    }
}

/// A trace that is in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredTrace {
    /// Whose checkpoints these are.
    pub id: TraceId,
    /// Bytes of all that the store has of it.
    pub bytes: u64,
    /// When something of it was written last, or, in a folder, removed.
    pub modified: SystemTime,
}

impl StoredTrace {
    /// How long ago that was; no time if a clock says that it has not been yet.
    #[must_use]
    pub fn unwritten_for(&self) -> Duration {
        age(self.modified)
    }
}

/// A place for the checkpoints of many traces.
#[derive(Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
    options: Options,
}

impl Store {
    /// Opens a store. The location is a folder, which is made if it is missing, or
    /// `s3://bucket/prefix`. Then endpoint, region and credentials come from the
    /// environment (`AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY` and what else the AWS tools read).
    ///
    /// # Errors
    /// When the location cannot be understood or the folder not be made.
    pub fn open(location: &str, options: &Options) -> Result<Self> {
        let mut options = options.clone();
        let backend = open_backend(location)?;
        let grace = if backend.is_near() { 0 } else { 600 };
        options.grace.get_or_insert(Duration::from_secs(grace));
        Ok(Self { backend, options })
    }

    /// The traces in it, in order of their names.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn traces(&self) -> Result<Vec<TraceId>> {
        let mut names = self.backend.folders()?;
        names.sort();
        Ok(names
            .iter()
            .filter_map(|name| TraceId::parse(name))
            .collect())
    }

    /// What the store has of a trace; none if that is nothing.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn measure(&self, id: TraceId) -> Result<Option<StoredTrace>> {
        let mut all = Extent::default();
        for kind in KINDS {
            all = all.and(self.backend.measure(&format!("{id}/{kind}"))?);
        }
        // A folder that is empty was made just now.
        let own = self.backend.measure(&id.to_string())?;
        Ok(all.modified.max(own.modified).map(|modified| StoredTrace {
            id,
            bytes: all.bytes,
            modified,
        }))
    }

    /// A trace, if nothing was written to it, or removed from it, for so long.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn unused(&self, id: TraceId, limit: Duration) -> Result<Option<StoredTrace>> {
        let trace = self.measure(id)?;
        Ok(trace.filter(|trace| trace.unwritten_for() >= limit))
    }

    /// Removes a trace if nothing was written to it, or removed from it, for so long: what was
    /// removed.
    ///
    /// # Errors
    /// When it cannot be read or removed; some of it may be gone then, and is not what others
    /// could miss.
    pub fn prune(&self, id: TraceId, limit: Duration) -> Result<Option<StoredTrace>> {
        let Some(trace) = self.unused(id, limit)? else {
            return Ok(None);
        };
        let was_there = self.backend.remove_folder(&id.to_string(), &KINDS)?;
        Ok(was_there.then_some(trace))
    }

    /// Goes on where pruning was ended.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn finish_pruning(&self) -> Result<()> {
        self.backend.finish_removing()
    }

    /// The checkpoints of a trace, which need not have any yet.
    #[must_use]
    pub fn trace(&self, prestate: Hash, inputs: Hash) -> TraceStore {
        let id = TraceId { prestate, inputs };
        TraceStore::new(self.backend.clone(), id, self.options.clone())
    }
}

fn open_backend(location: &str) -> Result<Arc<dyn Backend>> {
    match location.split_once("://") {
        None => Ok(Arc::new(Folder::open(Path::new(location))?)),
        Some(("s3", _)) => open_remote(location),
        Some(_) => Err(Error::Location {
            location: location.into(),
            why: "only folders and s3:// are known".into(),
        }),
    }
}

#[cfg(feature = "object-store")]
fn open_remote(location: &str) -> Result<Arc<dyn Backend>> {
    Ok(Arc::new(crate::backend::remote::Remote::open(location)?))
}

#[cfg(not(feature = "object-store"))]
fn open_remote(location: &str) -> Result<Arc<dyn Backend>> {
    Err(Error::Location {
        location: location.into(),
        why: "this program was built without the feature `object-store`".into(),
    })
}
