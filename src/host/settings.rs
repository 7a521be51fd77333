//! What the flags of `host single` and `prove` mean together.

use crate::cli::{self, DataFormat};
use crate::files;
use anyhow::{Context, Result, anyhow, bail};
use carronade_host::{Format, MemoryStore, Store, create_store, open_store};
use carronade_online::{Endpoints, Locals};
use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;

/// What of a rollup configuration matters to a host.
#[derive(Deserialize)]
struct RollupConfig {
    l1_chain_id: Option<u64>,
    l2_chain_id: u64,
}

/// The flags, understood.
pub struct Settings {
    /// The inputs of the run.
    pub locals: Locals,
    /// `None` if there are no nodes to ask.
    pub endpoints: Option<Endpoints>,
}

impl Settings {
    /// Reads the flags and the files that they name.
    ///
    /// # Errors
    /// When they do not go together, or a file cannot be read.
    pub fn new(args: &cli::Proof) -> Result<Self> {
        let rollup_config = args.rollup_config_path.as_deref().map(read).transpose()?;
        let (l1_chain_id, l2_chain_id) = match (args.l2_chain_id, &rollup_config) {
            (Some(id), None) => (None, id),
            (None, Some(json)) => {
                let config: RollupConfig = serde_json::from_slice(json)
                    .with_context(|| format!("bad rollup configuration {}", shown(args)))?;
                (config.l1_chain_id, config.l2_chain_id)
            }
            _ => bail!("exactly one of --l2-chain-id and --rollup-config-path is needed"),
        };
        let l1_config = args.l1_config_path.as_deref().map(read).transpose()?;
        let endpoints = endpoints(args, l1_chain_id, l2_chain_id)?;
        if endpoints.is_none() && args.data_dir.is_none() {
            bail!("there is nothing to take pre-images from: neither nodes nor --data-dir");
        }
        let locals = Locals {
            l1_head: args.l1_head.into(),
            agreed_l2_output_root: args.agreed_l2_output_root.into(),
            claimed_l2_output_root: args.claimed_l2_output_root.into(),
            claimed_l2_block_number: args.claimed_l2_block_number,
            l2_chain_id,
            rollup_config,
            l1_config,
        };
        Ok(Self { locals, endpoints })
    }
}

/// The rollup configuration's name.
fn shown(args: &cli::Proof) -> String {
    let path = args.rollup_config_path.as_deref();
    path.unwrap_or(Path::new("")).display().to_string()
}

/// The content of a file that must be JSON. It goes to the program as it is: what is not known
/// here may be known there.
fn read(path: &Path) -> Result<Vec<u8>> {
    files::refuse_irregular(path)?;
    let json = files::read_bytes(path)?;
    if json.is_empty() {
        bail!("{} is empty", path.display());
    }
    serde_json::from_slice::<serde::de::IgnoredAny>(&json)
        .with_context(|| format!("{} is not JSON", path.display()))?;
    Ok(json)
}

/// The nodes: all three or none.
fn endpoints(
    args: &cli::Proof,
    l1_chain_id: Option<u64>,
    l2_chain_id: u64,
) -> Result<Option<Endpoints>> {
    let flags = [
        ("--l1-node-address", &args.l1_node_address),
        ("--l1-beacon-address", &args.l1_beacon_address),
        ("--l2-node-address", &args.l2_node_address),
    ];
    if let (Some(l1), Some(beacon), Some(l2)) = (flags[0].1, flags[1].1, flags[2].1) {
        return Ok(Some(Endpoints {
            l1: l1.clone(),
            beacon: beacon.clone(),
            l2: l2.clone(),
            l1_chain_id,
            l2_chain_id,
            agreed_l2_head_hash: args.agreed_l2_head_hash.into(),
        }));
    }
    let names = |given: bool| {
        let flags = flags.iter().filter(|(_, value)| value.is_some() == given);
        flags
            .map(|(name, _)| *name)
            .collect::<Vec<_>>()
            .join(" and ")
    };
    if flags.iter().all(|(_, value)| value.is_none()) {
        return Ok(None);
    }
    let (given, missing) = (names(true), names(false));
    bail!("{given} without {missing}: give all three nodes, or none to work from --data-dir alone")
}

/// The format that a flag stands for.
///
/// # Errors
/// For RocksDB.
pub fn format(format: DataFormat) -> Result<Format> {
    match format {
        DataFormat::Directory => Ok(Format::Directory),
        DataFormat::File => Ok(Format::File),
        DataFormat::Database => Ok(Format::Database),
        DataFormat::Rocksdb => Err(anyhow!(
            "RocksDB is not kept here: use the format directory, which op-challenger reads too, \
             or database, which is faster"
        )),
    }
}

/// The store that the flags ask for; only to be read if there are no nodes to fill it from.
///
/// # Errors
/// When it cannot be opened or made, or is of another format than the flags say.
pub fn store(args: &cli::Proof, online: bool) -> Result<Arc<dyn Store + Send + Sync>> {
    let asked = args.data_format.map(format).transpose()?;
    let Some(path) = &args.data_dir else {
        return Ok(Arc::new(MemoryStore::new()));
    };
    let store = if online {
        let format = match asked {
            Some(format) => format,
            None => Format::of(path)
                .context("cannot open pre-images")?
                .unwrap_or(Format::Directory),
        };
        create_store(path, format)
    } else {
        open_store(path)
    };
    Ok(store.context("cannot open pre-images")?.into())
}
