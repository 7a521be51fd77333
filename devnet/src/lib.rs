//! A deterministic OP Stack chain in a box.

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
mod genesis;
mod keys;
mod l1;
mod l2;
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
pub use serve::{Faults, Node, Served};
pub use spec::{BatchKind, DataKind, Fork, L1_CHAIN_ID, L2_CHAIN_ID, Outage, Spec};
