//! The flags of the dispute game's commands. Where op-challenger and op-proposer have a flag for
//! the same thing, its name is theirs.

use super::Translation;
use alloy_primitives::{Address, B256};
use clap::{Args, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The chain that games are played on.
#[derive(Debug, Args)]
pub struct Settlement {
    /// L1 node's JSON-RPC
    #[arg(
        long,
        env = "CARRONADE_L1_ETH_RPC",
        value_name = "URL",
        hide_env_values = true
    )]
    pub l1_eth_rpc: String,
}

/// The factory of games.
#[derive(Debug, Args)]
pub struct FactoryAddress {
    /// Address of the DisputeGameFactory
    #[arg(long, env = "CARRONADE_GAME_FACTORY_ADDRESS", value_name = "ADDRESS")]
    pub game_factory_address: Address,
}

/// Who sends transactions, and how.
#[derive(Debug, Args)]
pub struct Account {
    /// File with the private key in hex; else CARRONADE_PRIVATE_KEY has it. There is no flag for
    /// the key itself, which everybody on the machine could read
    #[arg(long, env = "CARRONADE_PRIVATE_KEY_FILE", value_name = "FILE")]
    pub private_key_file: Option<PathBuf>,
    /// Folder for the journal of transactions, checkpoints and pre-images
    #[arg(long, env = "CARRONADE_DATADIR", value_name = "DIR")]
    pub datadir: PathBuf,
    /// Blocks after which a transaction is taken for buried
    #[arg(long, default_value_t = 10, value_name = "BLOCKS", value_parser = clap::value_parser!(u64).range(1..))]
    pub num_confirmations: u64,
    /// Seconds after which the fee of a transaction that no block takes is raised
    #[arg(long, default_value_t = 48, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub resubmission_timeout: u64,
    /// The most to pay per unit of gas, in gwei
    #[arg(long, default_value_t = 1000, value_name = "GWEI")]
    pub max_fee_gwei: u64,
    /// Send nothing, and tell what would be sent
    #[arg(long)]
    pub dry_run: bool,
    /// Seconds between looks at the chain
    #[arg(long, default_value_t = 12.0, value_name = "SECONDS", value_parser = seconds)]
    pub http_poll_interval: f64,
}

/// What all who send transactions need.
#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Sending {
    #[command(flatten)]
    pub settlement: Settlement,
    #[command(flatten)]
    pub factory: FactoryAddress,
    #[command(flatten)]
    pub account: Account,
}

/// Who knows output roots.
#[derive(Debug, Args)]
pub struct Rollup {
    /// Rollup node's JSON-RPC
    #[arg(
        long,
        env = "CARRONADE_ROLLUP_RPC",
        value_name = "URL",
        hide_env_values = true
    )]
    pub rollup_rpc: String,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Challenger {
    #[command(flatten)]
    pub sending: Sending,
    #[command(flatten)]
    pub rollup: Rollup,
    /// L2 node's JSON-RPC (namespaces eth and debug)
    #[arg(
        long,
        env = "CARRONADE_L2_ETH_RPC",
        value_name = "URL",
        hide_env_values = true
    )]
    pub l2_eth_rpc: String,
    /// L1 beacon node's REST interface
    #[arg(
        long,
        env = "CARRONADE_L1_BEACON",
        value_name = "URL",
        hide_env_values = true
    )]
    pub l1_beacon: String,
    /// Rollup configuration, for chains that the registry does not have
    #[arg(long, value_name = "FILE")]
    pub rollup_config: Option<PathBuf>,
    /// Start state of the program, .bin or .bin.gz; by default that of the embedded program
    #[arg(long, value_name = "FILE")]
    pub prestate: Option<PathBuf>,
    /// Types of games to play; all have this program and machine
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "0",
        value_name = "NUMBERS"
    )]
    pub game_types: Vec<u32>,
    /// Only games that were created so many seconds ago at most
    #[arg(long, default_value_t = 28 * 86_400, value_name = "SECONDS")]
    pub game_window: u64,
    /// Games whose traces are asked at the same moment; by default as many as there are cores, and
    /// four at least
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub max_concurrency: Option<u32>,
    /// Serve metrics in Prometheus' format at this address
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics_address: Option<SocketAddr>,
    #[command(flatten)]
    pub translation: Translation,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Propose {
    #[command(flatten)]
    pub sending: Sending,
    #[command(flatten)]
    pub rollup: Rollup,
    /// Type of the games that are created
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    pub game_type: u32,
    /// Seconds between proposals
    #[arg(long, default_value_t = 3600, value_name = "SECONDS")]
    pub proposal_interval: u64,
    /// Propose safe blocks too, whose L1 data is not final yet
    #[arg(long)]
    pub allow_non_finalized: bool,
    /// Propose once and end
    #[arg(long)]
    pub once: bool,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct CreateGame {
    #[command(flatten)]
    pub sending: Sending,
    /// Type of the game
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    pub game_type: u32,
    /// Output root to claim
    #[arg(long, value_name = "HASH")]
    pub output_root: B256,
    /// Number of the L2 block that it is of
    #[arg(long, value_name = "NUMBER")]
    pub l2_block_num: u64,
}

#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub enum Game {
    /// Draw a game: claims with their positions, clocks and bonds, and who counters whom
    Show(ShowGame),
    /// List the games of a factory
    List(ListGames),
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct ShowGame {
    #[command(flatten)]
    pub settlement: Settlement,
    /// Address of the game
    #[arg(long, value_name = "ADDRESS")]
    pub game_address: Address,
    /// Write a page to this file instead of text to standard output
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct ListGames {
    #[command(flatten)]
    pub settlement: Settlement,
    #[command(flatten)]
    pub factory: FactoryAddress,
    /// So many of the newest ones
    #[arg(long, default_value_t = 20, value_name = "NUMBER")]
    pub last: u64,
}

/// What a game is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GameProgram {
    /// The verifier of a small chain, which takes seconds
    Verifier,
    /// The fault proof program, on a devnet whose L1 the games are played on
    FaultProof,
}

/// Who is dishonest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Liar {
    /// The proposer claims a wrong output root
    Proposer,
    /// The challenger disputes a right one
    Challenger,
    /// One game with each
    Both,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct DemoDispute {
    /// Program that the game is about
    #[arg(long, value_enum, default_value_t = GameProgram::Verifier)]
    pub program: GameProgram,
    /// Who is dishonest
    #[arg(long, value_enum, default_value_t = Liar::Both)]
    pub liar: Liar,
    /// Instruction that the liar says leads elsewhere
    #[arg(long, default_value_t = 100_000, value_name = "STEP")]
    pub instruction: u64,
    /// Depth of the game, 43 levels of which are steps; by default 73, the standard's, if the
    /// challenger lies, and one more if the proposer does, so that the last move is the honest
    /// player's in both
    #[arg(long, value_name = "LEVELS", value_parser = clap::value_parser!(u64).range(50..=100))]
    pub max_depth: Option<u64>,
    /// The program anvil; else it is looked for in PATH and in contracts/node_modules
    #[arg(long, value_name = "FILE")]
    pub anvil: Option<PathBuf>,
    /// Write a page that shows the games to this folder
    #[arg(long, value_name = "DIR")]
    pub html: Option<PathBuf>,
    #[command(flatten)]
    pub translation: Translation,
}

/// A time that is not nothing.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.01..=86_400.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("not between 0.01 and 86400".into())
    }
}
