//! The flags of `host`. Those of `host single` are kona-host's, with its names in the environment
//! (`rust/kona/bin/host/src/single/cfg.rs`).

use clap::{ArgAction, Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
#[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
pub struct Host {
    #[command(subcommand)]
    pub command: Option<HostCommand>,
    /// JSON file that maps keys to pre-images: {"0x<key>": "0x<value>"}; may be gzipped
    #[arg(
        long,
        conflicts_with = "data_dir",
        required_unless_present = "data_dir"
    )]
    pub images: Option<PathBuf>,
    /// Folder of pre-images, in the directory or file format of op-program and kona, or a database
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub enum HostCommand {
    /// Serve or run the proof of one chain; takes kona-host's flags
    Single(Box<Single>),
    /// Copy a store into another format, checking each value against its key
    Convert(Convert),
}

/// How a folder keeps pre-images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DataFormat {
    /// A file for each, in folders; op-challenger reads it, and several hosts can share it
    Directory,
    /// A file for each, in one folder; op-challenger reads it
    File,
    /// An embedded database, for speed; one host at a time
    Database,
    /// Not kept here
    #[value(hide = true)]
    Rocksdb,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Single {
    #[command(flatten)]
    pub proof: Proof,
    /// Run the program in this process
    #[arg(long)]
    pub native: bool,
    /// Serve a VM on file descriptors 3 to 6
    #[arg(long)]
    pub server: bool,
}

/// What is to be proven, and where its pre-images are.
#[derive(Debug, Args)]
pub struct Proof {
    /// Hash of the L1 block at which derivation ends
    #[arg(long, env, value_name = "HASH", value_parser = hash)]
    pub l1_head: [u8; 32],
    /// Hash of the agreed L2 block
    #[arg(long, env, visible_alias = "l2-head", value_name = "HASH", value_parser = hash)]
    pub agreed_l2_head_hash: [u8; 32],
    /// Output root of the agreed L2 block
    #[arg(long, env, visible_alias = "l2-output-root", value_name = "HASH", value_parser = hash)]
    pub agreed_l2_output_root: [u8; 32],
    /// Output root to judge
    #[arg(long, env, visible_aliases = ["l2-claim", "claim"], value_name = "HASH", value_parser = hash)]
    pub claimed_l2_output_root: [u8; 32],
    /// Number of the L2 block that it is of
    #[arg(long, env, visible_alias = "l2-block-number", value_name = "NUMBER")]
    pub claimed_l2_block_number: u64,
    /// L2 node's JSON-RPC (namespaces eth and debug)
    #[arg(
        long,
        env,
        visible_alias = "l2",
        value_name = "URL",
        hide_env_values = true
    )]
    pub l2_node_address: Option<String>,
    /// L1 node's JSON-RPC (namespaces eth and debug)
    #[arg(
        long,
        env,
        visible_alias = "l1",
        value_name = "URL",
        hide_env_values = true
    )]
    pub l1_node_address: Option<String>,
    /// L1 beacon node's REST interface
    #[arg(
        long,
        env,
        visible_alias = "beacon",
        value_name = "URL",
        hide_env_values = true
    )]
    pub l1_beacon_address: Option<String>,
    /// Folder to keep pre-images in; in memory without it, needed without nodes
    #[arg(long, env, visible_alias = "db", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Format of the folder; by default what it has, else directory
    #[arg(long, env, value_enum, value_name = "FORMAT")]
    pub data_format: Option<DataFormat>,
    /// Chain id of an L2 chain that the registry has
    #[arg(long, env, value_name = "ID")]
    pub l2_chain_id: Option<u64>,
    /// Rollup configuration, for other chains
    #[arg(long, env, alias = "rollup-cfg", value_name = "FILE")]
    pub rollup_config_path: Option<PathBuf>,
    /// L1 chain's configuration, if it is none of the known ones
    #[arg(long, env, alias = "l1-cfg", value_name = "FILE")]
    pub l1_config_path: Option<PathBuf>,
    /// Ignored: newer versions of kona-host do not have it, and the endpoint is used if it is there
    #[arg(long, env, hide = true)]
    pub enable_experimental_witness_endpoint: bool,
    /// Tell at the end what was done
    #[arg(short, action = ArgAction::Count)]
    pub verbose: u8,
    /// File to write what was done to, as JSON
    #[arg(long, value_name = "FILE")]
    pub summary_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[expect(missing_docs, reason = "the help texts are the documentation")]
pub struct Convert {
    /// Store to read: a folder, or a JSON file
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// Folder to write to; what is in it stays
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Format of the folder to write to
    #[arg(long, value_enum)]
    pub format: DataFormat,
}

/// 32 bytes in hex.
fn hash(text: &str) -> Result<[u8; 32], String> {
    carronade_host::parse_key(text).ok_or_else(|| "not 32 bytes in hex".to_owned())
}
