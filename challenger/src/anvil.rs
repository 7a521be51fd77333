//! A local chain: foundry's anvil as a child process, for demonstrations and tests.

mod find;
mod process;

use std::path::{Path, PathBuf};

use alloy_primitives::{Address, U64, U256};
use alloy_rpc_types_eth::{Block, Header};
use serde_json::Value;

use self::process::Process;
use crate::rpc::{Rpc, RpcError};

/// States of past blocks that can be asked about; all of them are in memory.
const STATES: u64 = 4096;

/// Why there is no local chain.
#[derive(Debug, thiserror::Error)]
pub enum AnvilError {
    /// There is no anvil.
    #[error("there is no anvil {0}")]
    NotFound(String),
    /// It cannot be started.
    #[error("cannot start {}: {source}", .binary.display())]
    Start {
        /// The program.
        binary: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It ended instead of listening.
    #[error("{} ended before it listened: {words}", .binary.display())]
    Ended {
        /// The program.
        binary: PathBuf,
        /// What it said.
        words: String,
    },
    /// It does not answer as it should.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

/// What kind of chain it is. The default is one of its own, with rules of Prague.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The address of an execution node after whose newest block the chain goes on.
    pub fork: Option<String>,
    /// The id of the chain; by default the fork's, or anvil's 31337.
    pub chain_id: Option<u64>,
    /// The time of the first block, in seconds, of a chain that is no fork.
    pub timestamp: Option<u64>,
    /// Seconds of wall time after which a block is made, whether there are transactions or not;
    /// by default blocks are made when there are, and at once.
    pub interval: Option<u64>,
    /// By how many seconds a block is later than the one before it, whatever the wall clock says,
    /// so that the same transactions give the same chain. Not with `interval`.
    pub spacing: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            fork: None,
            chain_id: None,
            timestamp: None,
            interval: None,
            spacing: 1,
        }
    }
}

/// A running anvil on a free port of loopback. It ends when this is dropped, and with this
/// process.
pub struct Anvil {
    url: String,
    rpc: Rpc,
    process: Process,
}

impl Anvil {
    /// The program: the one that is given, else the one in `PATH`, else the one in
    /// `contracts/node_modules` here or in a folder above. In place of npm's script it is the
    /// program that the script runs.
    ///
    /// # Errors
    /// [`AnvilError::NotFound`].
    pub fn find(given: Option<&Path>) -> Result<PathBuf, AnvilError> {
        find::find(given)
    }

    /// The pinned program, for tests: npm installs it if it is not there, which takes some
    /// seconds.
    ///
    /// # Panics
    /// When it cannot be installed, or this is no test run by cargo.
    #[must_use]
    pub fn for_tests() -> PathBuf {
        find::install()
    }

    /// Starts it, and waits until it listens.
    ///
    /// # Errors
    /// [`AnvilError`].
    pub fn start(binary: &Path, options: &Options) -> Result<Self, AnvilError> {
        let process = Process::start(binary, &arguments(options))?;
        let url = format!("http://127.0.0.1:{}", process.port());
        let rpc = Rpc::new("local chain", &url)?;
        let anvil = Self { url, rpc, process };
        if options.interval.is_none() {
            let spacing = [options.spacing];
            anvil
                .rpc
                .ask::<Value>("anvil_setBlockTimestampInterval", spacing)?;
        }
        Ok(anvil)
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its JSON-RPC.
    #[must_use]
    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its accounts, for which it signs itself: ten, with 10,000 ether each.
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn accounts(&self) -> Result<Vec<Address>, RpcError> {
        self.rpc.ask("eth_accounts", ())
    }

    /// Gives an account a balance, in wei.
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn fund(&self, account: Address, balance: U256) -> Result<(), RpcError> {
        let done = self
            .rpc
            .ask::<Value>("anvil_setBalance", (account, balance));
        done.map(drop)
    }

    /// The header of its newest block.
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn head(&self) -> Result<Header, RpcError> {
        let block: Block = self.rpc.ask("eth_getBlockByNumber", ("latest", false))?;
        Ok(block.header)
    }

    /// Makes blocks without waiting for transactions.
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn mine(&self, blocks: u64) -> Result<(), RpcError> {
        let done = self.rpc.ask::<Value>("anvil_mine", [U64::from(blocks)]);
        done.map(drop)
    }

    /// Makes a block that is so many seconds later than the newest one; those after it go on
    /// from there.
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn increase_time(&self, seconds: u64) -> Result<(), RpcError> {
        // `evm_increaseTime` would move the wall clock, which does not matter with a spacing.
        let time = self.head()?.timestamp + seconds;
        let next = "evm_setNextBlockTimestamp";
        self.rpc.ask::<Value>(next, [U64::from(time)])?;
        self.mine(1)
    }
}

fn arguments(options: &Options) -> Vec<String> {
    let mut arguments: Vec<String> = ["--host", "127.0.0.1", "--port", "0"]
        .map(str::to_owned)
        .into();
    let mut flag = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
    // Anvil's default is its newest fork, in which a transaction may take 16.8 million gas.
    flag("--hardfork", "prague".to_owned());
    // States go to disk otherwise, and stay there if anvil is killed.
    flag("--prune-history", STATES.to_string());
    if let Some(chain_id) = options.chain_id {
        flag("--chain-id", chain_id.to_string());
    }
    if let Some(timestamp) = options.timestamp {
        flag("--timestamp", timestamp.to_string());
    }
    if let Some(interval) = options.interval {
        flag("--block-time", interval.to_string());
    }
    if let Some(fork) = &options.fork {
        flag("--fork-url", fork.clone());
        // The cache is by chain id and block number, which mean another chain each time.
        arguments.push("--no-storage-caching".to_owned());
        arguments.push("--no-rate-limit".to_owned());
    }
    arguments
}
