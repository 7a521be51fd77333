//! The chain that games are played on: what all commands of the dispute game begin with.

use crate::failure::{Failure, Outcome};
use crate::log::{Level, Logger};
use crate::{cli, interrupt, out};
use alloy_primitives::Address;
use anyhow::{Context, Result, bail};
use carronade_challenger::{
    Block, Chain, Factory, Journal, Metrics, Notice, Rpc, SendOptions, Sender, Severity, Wallet,
};
use std::sync::Arc;
use std::time::Duration;

/// Where the key is, if no file has it.
const KEY_VARIABLE: &str = "CARRONADE_PRIVATE_KEY";

/// The chain behind the L1 node.
///
/// # Errors
/// When the address is wrong.
pub fn chain(args: &cli::Settlement) -> Result<Chain> {
    Ok(Chain::new(Rpc::new("L1 node", &args.l1_eth_rpc)?))
}

/// The factory at an address, if there is a contract.
///
/// # Errors
/// When there is none, or the node cannot be asked.
pub fn factory(chain: &Chain, head: &Block, address: Address) -> Result<Factory> {
    if !chain.has_code(address, head)? {
        bail!("there is no contract at {address} (--game-factory-address)");
    }
    let factory = Factory::new(chain.clone(), address);
    let is_one = factory.count(head);
    is_one.with_context(|| format!("{address} is no DisputeGameFactory"))?;
    Ok(factory)
}

/// What all who send transactions begin with.
pub struct Desk {
    /// The chain.
    pub chain: Chain,
    /// The factory of its games.
    pub factory: Factory,
    /// Who sends.
    pub sender: Sender,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How users are told.
    pub notice: Notice,
    /// How long to wait between looks at the chain.
    pub poll: Duration,
}

impl Desk {
    /// What the flags describe, for a command that tells what it does under a name.
    ///
    /// # Errors
    /// When the chain cannot be asked or has no such factory, there is no key, or the journal cannot
    /// be used.
    pub fn new(args: &cli::Sending, module: &'static str, logger: &Logger) -> Result<Self> {
        let chain = chain(&args.settlement)?;
        let head = chain.latest()?;
        let factory = factory(&chain, &head, args.factory.game_factory_address)?;
        let notice = notice(module, logger);
        let metrics = Arc::new(Metrics::default());
        Ok(Self {
            sender: sender(&args.account, &chain, &metrics, &notice)?,
            chain,
            factory,
            metrics,
            notice,
            poll: Duration::from_secs_f64(args.account.http_poll_interval),
        })
    }
}

/// Waits until all that was sent is buried.
///
/// # Errors
/// [`Failure::Interrupted`], or when the chain or the journal fails.
pub fn bury(sender: &Sender, poll: Duration) -> Outcome {
    match sender.bury(poll, &interrupt::flag())? {
        true => Ok(()),
        false => Err(Failure::Interrupted),
    }
}

/// Who sends transactions, going on with what the journal has.
///
/// # Errors
/// When there is no key, or the journal cannot be used.
fn sender(
    args: &cli::Account,
    chain: &Chain,
    metrics: &Arc<Metrics>,
    notice: &Notice,
) -> Result<Sender> {
    let wallet = match &args.private_key_file {
        Some(file) => Wallet::from_file(file),
        None => Wallet::from_environment(KEY_VARIABLE),
    }?;
    let id = chain.id()?;
    let folder = &args.datadir;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    let journal = Journal::open(&folder.join("journal.redb"), id, wallet.address())?;
    let options = SendOptions {
        confirmations: args.num_confirmations,
        resubmit: Duration::from_secs(args.resubmission_timeout),
        max_fee: u128::from(args.max_fee_gwei) * 1_000_000_000,
        dry_run: args.dry_run,
    };
    let (metrics, notice) = (Arc::clone(metrics), notice.clone());
    let chain = chain.clone();
    Ok(Sender::new(
        chain, id, wallet, journal, options, metrics, notice,
    )?)
}

/// Tells users on the log.
#[must_use]
pub fn notice(module: &'static str, logger: &Logger) -> Notice {
    let logger = logger.clone();
    Notice::new(move |severity, words| {
        let level = match severity {
            Severity::Info => Level::Info,
            Severity::Warn => Level::Warn,
        };
        // Nodes' words may hold anything.
        let line = out::one_line(words);
        logger.log(level, &line, &[("module", module.into())]);
    })
}
