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

    /// The traces in it, in no order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn traces(&self) -> Result<Vec<StoredTrace>> {
        let ids = self.backend.folders()?;
        let ids = ids.iter().filter_map(|name| TraceId::parse(name));
        ids.filter_map(|id| self.stored(id).transpose()).collect()
    }

    /// Removes the traces that nothing has been written to, or thinned from, for so long: which
    /// they were. Of one that somebody reads at this moment, some checkpoints may be gone and
    /// others not; whatever is left is sound.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn prune(&self, limit: Duration) -> Result<Vec<StoredTrace>> {
        let mut removed = Vec::new();
        for StoredTrace { id, .. } in self.traces()? {
            // Somebody may have begun to write to it while others were removed.
            match self.stored(id)? {
                Some(trace) if trace.unwritten_for() >= limit => {
                    self.remove(id)?;
                    removed.push(trace);
                }
                _ => (),
            }
        }
        Ok(removed)
    }

    fn stored(&self, id: TraceId) -> Result<Option<StoredTrace>> {
        let folders = KINDS.map(|kind| format!("{id}/{kind}"));
        let all = folders.iter().try_fold(Extent::default(), |all, folder| {
            Ok(all.and(self.backend.measure(folder)?))
        })?;
        // A folder that is empty was made just now.
        let own = self.backend.measure(&id.to_string())?;
        Ok(all.modified.max(own.modified).map(|modified| StoredTrace {
            id,
            bytes: all.bytes,
            modified,
        }))
    }

    fn remove(&self, id: TraceId) -> Result<()> {
        for kind in KINDS {
            self.backend.remove_folder(&format!("{id}/{kind}"))?;
        }
        self.backend.remove_folder(&id.to_string())
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
