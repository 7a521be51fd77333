//! The checkpoints of one trace.

use crate::backend::Backend;
use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::format::object::Object;
use crate::graph::{Graph, Mark};
use crate::name::{EdgeName, Hash, TraceId};
use crate::store::Options;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// The folders of a trace, in the order in which they are removed: no note is left of edges that
/// are gone, and no edge that somebody is about to remove is without its mark.
pub(crate) const KINDS: [&str; 5] = ["notes", "claims", "results", "edges", "marks"];

/// How often a listing is repeated while it changes.
const LISTINGS: usize = 10;

/// The checkpoints of one trace. Cheap to clone; clones share what they know.
#[derive(Clone)]
pub struct TraceStore {
    shared: Arc<Shared>,
}

struct Shared {
    backend: Arc<dyn Backend>,
    id: TraceId,
    options: Options,
    cache: Mutex<Cache>,
    damaged: Mutex<Damaged>,
    /// Bytes of edges that were written here.
    written: AtomicU64,
}

/// Edges that were sound when they were opened, and not when they were read.
#[derive(Default)]
pub(crate) struct Damaged {
    /// Found since somebody looked here last.
    pub found: BTreeSet<EdgeName>,
    /// Those that could not be removed: no way leads over them.
    pub left_out: BTreeSet<EdgeName>,
}

impl TraceStore {
    pub(crate) fn new(backend: Arc<dyn Backend>, id: TraceId, options: Options) -> Self {
        let cache = Mutex::new(Cache::new(options.manifests));
        let shared = Shared {
            backend,
            id,
            options,
            cache,
            damaged: Mutex::default(),
            written: AtomicU64::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Whose checkpoints these are.
    #[must_use]
    pub fn id(&self) -> TraceId {
        self.shared.id
    }

    /// The trace that begins in another state of the same program, with the same inputs.
    #[must_use]
    pub fn sibling(&self, prestate: Hash) -> Self {
        let id = TraceId {
            prestate,
            ..self.shared.id
        };
        Self::new(self.shared.backend.clone(), id, self.shared.options.clone())
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.shared.backend
    }

    pub(crate) fn options(&self) -> &Options {
        &self.shared.options
    }

    pub(crate) fn cache(&self) -> MutexGuard<'_, Cache> {
        // It is whole between any two statements that could panic.
        self.shared
            .cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bytes the trace's edges take, as a listing tells.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn weigh(&self) -> Result<u64> {
        Ok(self.backend().measure(&self.folder("edges"))?.bytes)
    }

    /// How many bytes of edges were written over this and its clones.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.shared.written.load(Ordering::Relaxed)
    }

    pub(crate) fn add_written(&self, bytes: u64) {
        self.shared.written.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What was found damaged.
    pub(crate) fn damaged(&self) -> MutexGuard<'_, Damaged> {
        self.shared
            .damaged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The path of a folder of this trace.
    pub(crate) fn folder(&self, kind: &str) -> String {
        format!("{}/{kind}", self.id())
    }

    pub(crate) fn edge_path(&self, edge: EdgeName) -> String {
        format!("{}/{edge}", self.folder("edges"))
    }

    /// Lists the trace. Marks come first: edges that are not marked in the listing had
    /// no mark when the listing of edges began.
    pub(crate) fn graph(&self) -> Result<Graph> {
        let mut marks = BTreeMap::new();
        for name in self.backend().list(&self.folder("marks"))? {
            // A damaged one is nobody's; thinning removes it.
            let mark = match self.small::<Mark>("marks", &name) {
                Ok(Some(small)) => (small.modified, small.value),
                Ok(None) => continue,
                Err(Error::Damaged { .. }) => (SystemTime::UNIX_EPOCH, Mark::default()),
                Err(error) => return Err(error),
            };
            marks.insert(name, mark);
        }
        let names = self.backend().list(&self.folder("edges"))?;
        let mut edges: BTreeSet<_> = names
            .iter()
            .filter_map(|name| EdgeName::parse(name))
            .collect();
        edges.retain(|name| !self.damaged().left_out.contains(name));
        self.cache().keep(|name| edges.contains(name));
        Ok(Graph { edges, marks })
    }

    /// Lists the trace until nothing changes. While edges are replaced, one listing may
    /// miss both those that go and those that come.
    pub(crate) fn settled(&self) -> Result<Graph> {
        let mut graph = self.graph()?;
        for _ in 0..LISTINGS {
            let again = self.graph()?;
            let same = again.is_like(&graph);
            graph = again;
            if same {
                break;
            }
        }
        Ok(graph)
    }

    /// Opens edges, from memory if they are there.
    pub(crate) fn objects(&self, names: &[EdgeName]) -> Vec<Result<Arc<Object>>> {
        let mut known: Vec<_> = names.iter().map(|name| self.cache().get(*name)).collect();
        let unknown = names
            .iter()
            .zip(&known)
            .filter(|(_, known)| known.is_none());
        let unknown: Vec<_> = unknown
            .map(|(name, _)| (*name, self.edge_path(*name)))
            .collect();
        let mut opened = Object::open(self.backend(), &self.id(), &unknown).into_iter();
        let next = |known: &mut Option<Arc<Object>>| match known.take() {
            Some(object) => Ok(object),
            None => {
                let object = Arc::new(opened.next().expect("one for every unknown name")?);
                self.cache().insert(&object);
                Ok(object)
            }
        };
        known.iter_mut().map(next).collect()
    }
}
