//! `create-game`: claims an output root on chain.

use crate::failure::{Failure, Outcome};
use crate::log::Logger;
use crate::{cli, interrupt, say, settlement};
use alloy_primitives::{Address, B256};
use anyhow::Context;
use carronade_challenger::{Chain, Factory, Metrics, Sender, Submission};
use std::sync::Arc;
use std::time::Duration;

/// Runs the command.
///
/// # Errors
/// When the game cannot be created.
pub fn run(args: &cli::CreateGame, logger: &Logger) -> Outcome {
    let chain = settlement::chain(&args.settlement)?;
    let head = chain.latest()?;
    let factory = settlement::factory(&chain, &head, args.factory.game_factory_address)?;
    let notice = settlement::notice("create-game", logger);
    let metrics = Arc::new(Metrics::default());
    let sender = settlement::sender(&args.account, &chain, &metrics, &notice)?;
    let claim = Claim {
        game_type: args.game_type,
        root: args.output_root,
        block: args.l2_block_num,
    };
    let poll = Duration::from_secs_f64(args.account.http_poll_interval);
    if let Some(game) = create(&chain, &factory, &sender, claim, poll)? {
        say!("{game}");
    }
    Ok(())
}

/// What a game is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The type of the game.
    pub game_type: u32,
    /// The output root.
    pub root: B256,
    /// The L2 block that it is of.
    pub block: u64,
}

/// Creates a game and waits until the chain has it: none in a dry run.
///
/// # Errors
/// When there is such a game, the factory refuses it, or a signal comes.
pub fn create(
    chain: &Chain,
    factory: &Factory,
    sender: &Sender,
    claim: Claim,
    poll: Duration,
) -> Outcome<Option<Address>> {
    let head = chain.latest()?;
    let find = |head| factory.find(head, claim.game_type, claim.root, claim.block);
    let request = factory.create(&head, claim.game_type, claim.root, claim.block)?;
    let submitted = match find(&head)? {
        // After a restart in the middle of it.
        Some(_) if sender.pending() > 0 => Submission::Pending,
        Some(game) => return Err(anyhow::anyhow!("there is such a game: {game}").into()),
        None => sender.submit(request)?,
    };
    if submitted == Submission::Dry {
        return Ok(None);
    }
    wait(chain, sender, poll)?;
    let game = find(&chain.latest()?)?;
    Ok(Some(game.context("the transaction made no game")?))
}

/// Waits until everything that was sent is buried.
fn wait(chain: &Chain, sender: &Sender, poll: Duration) -> Outcome {
    while sender.pending() > 0 {
        if interrupt::requested() {
            return Err(Failure::Interrupted);
        }
        sender.tend(&chain.latest()?)?;
        std::thread::sleep(poll.min(Duration::from_secs(1)));
    }
    Ok(())
}
