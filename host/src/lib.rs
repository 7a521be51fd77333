//! Everything between the VM and the process that fetches its pre-images.
//!
//! Two sides of one protocol, which is Cannon's (`op-preimage`, `cannon/cmd/run.go`):
//!
//! - the client, [`ProcessOracle`], starts a host such as `kona-host` or `op-program` as a child
//!   process and answers the VM with what that host says;
//! - the server, [`serve`], is such a host itself, answering out of a [`Store`].
//!
//! The host sees four pipes: descriptor 3 brings hints, 4 takes their acknowledgements, 5 brings
//! pre-image keys, 6 takes pre-images. A hint is a big-endian `u32` length and that many bytes,
//! answered by one byte. A key is 32 bytes, answered by a big-endian `u64` length and the data.
//!
//! Linux only: the host's life is tied to ours with `PR_SET_PDEATHSIG`.

mod child;
mod error;
mod exchange;
mod panics;
mod pipes;
mod process;
mod serve;
mod show;
mod store;

pub use error::{Asked, HostError};
pub use panics::catch;
pub use process::{Ended, Grace, HostExit, MAX_PREIMAGE, ProcessOracle};
pub use serve::{
    Find, HostFds, ServeError, Served, inherited_fds, serve, serve_from, serve_inherited_fds,
};
pub use show::{key_type, show_hint, show_key};
pub use store::{
    DatabaseStore, FileStore, Format, Layout, MemoryStore, Store, StoreError, Visit, check,
    create_store, open_store, parse_key,
};
