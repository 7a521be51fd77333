//! Finds pre-images by their hints at L1, beacon and L2 nodes.
//!
//! [`Single`] is a host for the proof of one chain: local keys, a store, and what turns hints
//! into pre-images. It does what programs need from a host, [`Single::hint`] and
//! [`Single::get`], from any number of threads, whether the program is behind pipes, in a VM in
//! this process, or native code in this process.
//!
//! Nothing that a node says is believed: what is stored hashes to its key, lists of transactions
//! and receipts have the roots of a header that does, a blob has the commitment of its versioned
//! hash, and results of precompiles are computed here. Nor is what a store holds.

mod backoff;
mod beacon;
mod blob;
mod endpoint;
mod fault;
mod fetch;
mod hint;
mod jobs;
mod kzg;
mod locals;
mod node;
mod precompile;
mod single;
mod source_error;
mod statistics;
mod told;
mod trie;
mod vault;
mod work;

use std::sync::Arc;

pub use backoff::wait_after;
pub use blob::prove_blob;
pub use endpoint::{parse_address, root_cause};
pub use fault::Fault;
pub use fetch::Endpoints;
pub use hint::{BlockId, Hint, Layer, Leads};
pub use locals::Locals;
pub use node::is_unknown_method;
pub use precompile::execute;
pub use single::Single;
pub use source_error::SourceError;
pub use statistics::{Calls, Images, Summary};

/// A key and its pre-image.
pub(crate) type Pair = ([u8; 32], Vec<u8>);

/// Takes what a user should know, one line at a time.
pub type Notice = Arc<dyn Fn(&str) + Send + Sync>;
