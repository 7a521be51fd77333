//! A deterministic OP Stack chain in a box, for tests, demonstrations and disputes.
//!
//! A [`Spec`] says how large the chains are, which forks they go through and how batches reach
//! L1. [`Devnet::generate`] makes them: L1 blocks with signed transactions, receipts and blobs;
//! L2 blocks executed by op-revm; and the batches between the two. The same spec gives the same
//! bytes. A devnet can then be
//!
//! - claimed about: [`Devnet::claim`] is a right claim, and any field of it can be falsified;
//! - written down: [`Devnet::write`] puts every pre-image that a proof may ask for in a store, so
//!   that a host answers offline;
//! - served: [`Devnet::serve`] answers like an L1 node, a beacon node, an L2 node and a rollup
//!   node on loopback, with [`Faults`] on request. The L1 node answers enough for another chain to
//!   begin as its fork.
//!
//! ```
//! use carronade_devnet::{Devnet, Spec};
//! use carronade_host::MemoryStore;
//!
//! let spec = Spec { l2_blocks: 3, ..Spec::default() };
//! let devnet = Devnet::generate(&spec)?;
//! let claim = devnet.claim(0, devnet.l2_head());
//! devnet.write(&MemoryStore::new(), &claim).expect("memory takes all");
//! # Ok::<(), carronade_devnet::DevnetError>(())
//! ```
//!
//! # What is real and what is not
//!
//! L2 is real: op-revm executes every block by way of alloy-op-evm, its state is in Merkle
//! Patricia tries, deposits, fees and headers follow the forks from Regolith to Isthmus, and
//! network upgrades happen by their own transactions. The predeploys that execution needs are
//! there (`L1Block`, `GasPriceOracle` and `OperatorFeeVault` behind a minimal proxy, with the
//! code that the upgrades deploy; a minimal `L2ToL1MessagePasser`); others are plain accounts.
//! Users send every type of transaction, some of which fail, to contracts that write storage,
//! log, create, destroy themselves, look around and call precompiles.
//!
//! L1 is real to a reader: signatures, tries, bloom filters, base fees, blobs and commitments are
//! right, but there is no EVM behind it. Its state roots are random, and a deposit or a
//! configuration update is a log that its sender says was emitted.
//!
//! # How the chains grow
//!
//! After each L1 block, the sequencer makes the L2 blocks up to the time of the next one, each
//! with the newest L1 origin that it may have (or an older one, [`Spec::origin_lag`]). The batcher
//! closes a channel every [`Spec::channel_blocks`] L1 blocks, and sends its frames in the
//! following [`Spec::spread`] blocks. During an [`Outage`] both are silent; when the sequencing
//! window of an L1 origin runs out, the chain goes on with the blocks that derivation makes
//! without batches, and the sequencer later continues on top of those. So the L2 chain is at any
//! time what derivation yields from L1.
//!
//! [`Spec::noise`] adds what derivation has to ignore: batches from strangers, batches to the wrong
//! address, broken frames, whole channels twice, logs of other contracts, foreign blobs.

mod asm;
mod attributes;
mod batcher;
mod blob;
mod calls;
mod channel;
mod claim;
mod contracts;
mod devnet;
mod error;
mod events;
mod generator;
mod genesis;
mod keys;
mod l1;
mod l2;
mod l2_chain;
mod noise;
mod precompile;
mod serve;
mod spec;
mod traffic;
mod trie;
mod walk;
mod world;

pub use blob::Blob;
pub use claim::{Claim, Preimages};
pub use devnet::Devnet;
pub use error::DevnetError;
pub use keys::Signer;
pub use l1::L1Block;
pub use l2::L2Block;
pub use serve::{Faults, L1Ref, Node, Served};
pub use spec::{BatchKind, DataKind, Fork, L1_CHAIN_ID, L2_CHAIN_ID, Outage, Spec};
