//! The checkpoint store: what a run leaves behind, in a folder or in an object store, so
//! that any step of a long trace can be reached within a second.
//!
//! ```no_run
//! # use carronade_checkpoint::{Options, Store};
//! # fn main() -> carronade_checkpoint::Result<()> {
//! let store = Store::open("/var/lib/carronade", &Options::default())?;
//! let trace = store.trace([1; 32], [2; 32]);
//! if let Some(checkpoint) = trace.open_nearest(3_000_000_000)? {
//!     let state = checkpoint.state()?;
//!     for (index, root) in checkpoint.pages() { /* … */ }
//! }
//! # Ok(()) }
//! ```
//!
//! **Traces.** A trace is all steps of a program that starts in one state and hears one
//! thing from its host ([`TraceId`]). It is deterministic, so whatever different runs
//! write about it agrees.
//!
//! **Edges.** An object is an *edge* from one checkpoint to a later one: all that differs
//! between both. A *root edge* has no beginning and holds everything. A checkpoint can be
//! opened if edges lead from a root edge to it. Objects never change. Runs with other
//! grids write other edges into the same graph, and any path is right.
//!
//! **Nothing is believed.** The store knows nothing of machines: states are bytes, a page
//! is an index, a root and 4096 bytes. But it never hands out other bytes than it was
//! given: every piece is checked as it is read. A damaged object is left out, and another
//! path or an earlier checkpoint is taken, until a [`TraceStore::put`] writes it again.
//!
//! **Thinning.** A checkpoint is removed in this order: edges that bridge it are written,
//! a mark says which edges go, the graph is looked at once more, the edges are removed,
//! then the mark. Whatever ends when, each other checkpoint can be opened at each moment.
//! Marks are what keeps a writer and a thinner from missing each other: a writer looks at
//! the graph after it has written its edge, a thinner after it has written its mark; so
//! one of them sees what the other did, and gives in. See `thinning`.

mod backend;
mod cache;
mod checkpoint;
mod edge;
mod error;
mod format;
mod graph;
mod name;
mod notes;
mod put;
mod resolve;
mod store;
mod thinning;
mod trace;
mod work;

pub use checkpoint::Checkpoint;
pub use edge::{ChangedPage, Edge, Output, PAGE_SIZE, Page, Point};
pub use error::{Error, Result};
pub use name::{Hash, TraceId};
pub use store::{Options, Store, StoredTrace};
pub use thinning::Thinned;
pub use thinning::policy::{Limit, Policy, gap_bound};
pub use trace::TraceStore;
pub use work::Claim;
