//! What a writer hands to the store.

use crate::error::{Error, Result};
use crate::name::{EdgeName, Hash};
use serde::{Deserialize, Serialize};

/// Bytes of a page.
pub const PAGE_SIZE: usize = 4096;

/// The bytes of a page.
pub type Page = [u8; PAGE_SIZE];

/// A step and the hash of the state there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Point {
    /// The step.
    pub step: u64,
    /// The state hash before that step.
    pub state_hash: Hash,
}

/// A piece of what the guest wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Before which step it had been written. With it, output can be cut at steps that
    /// are no checkpoints any more.
    pub step: u64,
    /// The guest's file descriptor.
    pub fd: u64,
    /// What was written.
    pub bytes: Vec<u8>,
}

/// A page that an edge brings.
#[derive(Debug, Clone, Copy)]
pub struct ChangedPage<'a> {
    /// Address divided by the size of a page.
    pub index: u64,
    /// The page's root in the memory's tree, so that nobody has to compute it again.
    pub root: Hash,
    /// What is in it.
    pub bytes: &'a Page,
}

/// All that differs between two checkpoints, or all there is at one.
#[derive(Debug, Clone)]
pub struct Edge<'a> {
    /// The earlier checkpoint; none if this edge holds everything.
    pub from: Option<Point>,
    /// The checkpoint that this edge makes.
    pub to: Point,
    /// Registers, threads, counters: all but memory, in full.
    pub state: &'a [u8],
    /// The pages that changed, in any order. More than changed does no harm.
    pub pages: Vec<ChangedPage<'a>>,
    /// The pre-images that were read, by key, in any order.
    pub preimages: Vec<(Hash, &'a [u8])>,
    /// What the guest wrote.
    pub output: Vec<Output>,
}

impl Edge<'_> {
    pub(crate) fn name(&self) -> EdgeName {
        EdgeName {
            from: self.from.map(|from| from.step),
            to: self.to.step,
        }
    }

    /// Sorts the edge, and refuses what no reader would take.
    pub(crate) fn settle(&mut self) -> Result<()> {
        let object = self.name().to_string();
        let refuse = |why| {
            Err(Error::Invalid {
                object: object.clone(),
                why,
            })
        };
        self.pages.sort_by_key(|page| page.index);
        self.preimages.sort_by_key(|(key, _)| *key);
        if !self.name().is_forward() {
            return refuse("it does not lead to a later step");
        }
        if self
            .pages
            .windows(2)
            .any(|two| two[0].index == two[1].index)
        {
            return refuse("a page is in it twice");
        }
        if self.preimages.windows(2).any(|two| two[0].0 == two[1].0) {
            return refuse("a pre-image is in it twice");
        }
        Ok(())
    }
}
