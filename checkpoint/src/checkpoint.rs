//! An opened checkpoint.

mod view;

use crate::edge::{Output, Page, Point};
use crate::error::{Error, Result};
use crate::format::object::Object;
use crate::name::Hash;
use crate::trace::TraceStore;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::{Arc, PoisonError, RwLock};
use view::View;

/// How often a checkpoint looks for another path.
const PATIENCE: usize = 20;

/// A checkpoint whose manifests have been read and whose pages can be loaded. Cheap to
/// clone; any number of threads may use it.
///
/// It outlives thinning: in a folder always, elsewhere if its step stays or for the time
/// that [`Options::grace`](crate::Options::grace) says.
#[derive(Clone)]
pub struct Checkpoint {
    trace: TraceStore,
    point: Point,
    view: Arc<RwLock<Arc<View>>>,
}

impl Checkpoint {
    pub(crate) fn new(trace: TraceStore, path: Vec<Arc<Object>>) -> Self {
        let point = path[path.len() - 1].manifest.to;
        let view = Arc::new(RwLock::new(Arc::new(View::new(path))));
        Self { trace, point, view }
    }

    /// Its step and state hash.
    #[must_use]
    pub fn point(&self) -> Point {
        self.point
    }

    /// All but memory, in full, as the writer gave it.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged on every path.
    pub fn state(&self) -> Result<Vec<u8>> {
        self.with(|view| view.last().state(self.trace.backend()))
    }

    /// Index and root of every page, by index.
    #[must_use]
    pub fn pages(&self) -> Vec<(u64, Hash)> {
        self.view().pages().collect()
    }

    /// The indexes of the pages that the last edge on the way here brings.
    #[must_use]
    pub fn brought(&self) -> Vec<u64> {
        let view = self.view();
        let pages = view.last().manifest.pages.iter();
        pages.map(|page| page.index).collect()
    }

    /// A page.
    ///
    /// # Errors
    /// [`Error::NoPage`] if there is none of this index; when it cannot be read, or is
    /// damaged on every path.
    pub fn load(&self, index: u64) -> Result<Box<Page>> {
        let mut pages = self.load_many(&[index])?;
        Ok(pages.pop().expect("as many pages as asked for"))
    }

    /// Some pages, in the order asked for. Neighbours in the store are read at once, and
    /// from an object store many at a time.
    ///
    /// # Errors
    /// As [`Checkpoint::load`].
    pub fn load_many(&self, indexes: &[u64]) -> Result<Vec<Box<Page>>> {
        self.with(|view| view.load(self.trace.backend(), indexes))
    }

    /// A pre-image that was read on the way here.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged on every path.
    pub fn preimage(&self, key: &Hash) -> Result<Option<Vec<u8>>> {
        self.with(|view| {
            let found = view
                .path()
                .map(|object| object.preimage(self.trace.backend(), key));
            found.filter_map(Result::transpose).next().transpose()
        })
    }

    /// The keys of all pre-images that were read on the way here, in order.
    #[must_use]
    pub fn preimages(&self) -> Vec<Hash> {
        let view = self.view();
        let entries = view.path().flat_map(|object| &object.manifest.preimages);
        let keys: BTreeSet<_> = entries.map(|entry| entry.key).collect();
        keys.into_iter().collect()
    }

    /// What the guest wrote on the way here, at these steps. Two checkpoints at `a` and
    /// `b` have `a + 1..=b` between them.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged on every path.
    pub fn output(&self, steps: RangeInclusive<u64>) -> Result<Vec<Output>> {
        self.with(|view| {
            let mut all = Vec::new();
            for object in view.path() {
                let from = object.manifest.from.map_or(0, |from| from.step);
                if from <= *steps.end() && object.manifest.to.step >= *steps.start() {
                    all.extend(object.output(self.trace.backend())?);
                }
            }
            all.retain(|output| steps.contains(&output.step));
            Ok(all)
        })
    }

    /// The steps of the checkpoints on the way here, this one last.
    #[must_use]
    pub fn path(&self) -> Vec<u64> {
        self.view()
            .path()
            .map(|object| object.manifest.to.step)
            .collect()
    }

    fn view(&self) -> Arc<View> {
        self.view
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Does something on a path; on another one if an object turns out to be missing or
    /// damaged.
    fn with<T>(&self, act: impl Fn(&View) -> Result<T>) -> Result<T> {
        let mut bad = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for _ in 0..PATIENCE {
            let view = self.view();
            let error = match act(&view) {
                Err(error) if error.is_of_object() => error,
                other => return other,
            };
            // An object that was replaced meanwhile only looks damaged to who has read
            // its manifest before; the second time it is.
            let culprit = view.blamed(&error);
            if let Some(name) = culprit.filter(|name| !seen.insert(*name)) {
                bad.insert(name);
                if matches!(error, Error::Damaged { .. }) {
                    self.trace.distrust(name);
                }
            }
            let mut cache = self.trace.cache();
            view.path().for_each(|object| cache.forget(object.name));
            drop(cache);
            match self.trace.path_to(self.point.step, &mut bad) {
                Ok(path) => self.take(path),
                Err(Error::NoCheckpoint { .. }) if matches!(error, Error::Damaged { .. }) => {
                    return Err(error);
                }
                Err(other) => return Err(other),
            }
        }
        Err(Error::NoCheckpoint {
            step: self.point.step,
        })
    }

    fn take(&self, path: Vec<Arc<Object>>) {
        let view = Arc::new(View::new(path));
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view;
    }
}
