//! The flags of `prove` and `devnet`.

use super::{Proof, Translation};
use carronade_devnet::{BatchKind, DataKind, Fork};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Prove {
    #[command(flatten)]
    pub proof: Proof,
    /// Run the program as native code, for a quick answer, not in the VM
    #[arg(long, conflicts_with_all = ["prestate", "version", "engine"])]
    pub native: bool,
    /// Start state, .bin or .bin.gz; by default that of the embedded program
    #[arg(long, value_name = "FILE", conflicts_with = "version")]
    pub prestate: Option<PathBuf>,
    /// State version of the embedded program's start state
    #[arg(
        long = "type",
        value_name = "NAME",
        default_value = "multithreaded64-5"
    )]
    pub version: String,
    /// What executes the steps
    #[arg(long, value_enum, default_value_t = ProveEngine::Translator)]
    pub engine: ProveEngine,
    #[command(flatten)]
    pub translation: Translation,
}

/// What executes the steps of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProveEngine {
    /// Instruction by instruction
    Interpreter,
    /// Hot code as native code, the rest instruction by instruction
    Translator,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Devnet {
    /// Folder for pre-images and rollup configuration
    #[arg(long, value_name = "DIR", required_unless_present = "serve")]
    pub out: Option<PathBuf>,
    /// Where all randomness comes from
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// L1 blocks at least
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u64).range(2..=10_000))]
    pub l1_blocks: u64,
    /// L2 blocks that are sequenced
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub l2_blocks: u64,
    /// User transactions in an L2 block at most
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(..=1_000))]
    pub transactions: u64,
    /// Fork of the L2 chain
    #[arg(long, value_enum, default_value_t = Fork::Isthmus)]
    pub fork: Fork,
    /// How L2 blocks are put into batches
    #[arg(long, value_enum, default_value_t = BatchKind::Span)]
    pub batches: BatchKind,
    /// Where batches are
    #[arg(long, value_enum, default_value_t = DataKind::Blobs)]
    pub data: DataKind,
    /// Number of the agreed L2 block
    #[arg(long, default_value_t = 0)]
    pub agreed: u64,
    /// Number of the claimed L2 block; the last one by default
    #[arg(long)]
    pub claimed: Option<u64>,
    /// Serve the chain as L1, beacon and L2 nodes on loopback until a signal comes
    #[arg(long)]
    pub serve: bool,
}
