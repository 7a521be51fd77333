//! `create-game`: claims an output root on chain.

use crate::failure::Outcome;
use crate::log::Logger;
use crate::settlement::{Desk, bury};
use crate::{cli, say};
use alloy_primitives::Address;
use anyhow::{Context, anyhow};
use carronade_challenger::{Chain, Factory, Sender, Submission};
use carronade_dispute::Proposal;
use std::time::Duration;

/// Runs the command.
///
/// # Errors
/// When the game cannot be created.
pub fn run(args: &cli::CreateGame, logger: &Logger) -> Outcome {
    let desk = Desk::new(&args.sending, "create-game", logger)?;
    let claimed = Proposal {
        root: args.output_root,
        l2_block: args.l2_block_num,
    };
    let (chain, factory) = (&desk.chain, &desk.factory);
    let game = create(
        chain,
        factory,
        &desk.sender,
        args.game_type,
        claimed,
        desk.poll,
    )?;
    if let Some(game) = game {
        say!("{game}");
    }
    Ok(())
}

/// Creates a game about an output root and waits until the chain has it: none in a dry run.
///
/// # Errors
/// When there is such a game, the factory refuses it, or a signal comes.
pub fn create(
    chain: &Chain,
    factory: &Factory,
    sender: &Sender,
    game_type: u32,
    claimed: Proposal,
    poll: Duration,
) -> Outcome<Option<Address>> {
    let (root, block) = (claimed.root, claimed.l2_block);
    let find = |head| factory.find(head, game_type, root, block);
    let head = chain.latest()?;
    let request = factory.create(&head, game_type, root, block)?;
    let submitted = match find(&head)? {
        // After a restart in the middle of it.
        Some(_) if sender.pending() > 0 => Submission::Pending,
        Some(game) => return Err(anyhow!("there is such a game: {game}").into()),
        None => sender.submit(request)?,
    };
    if submitted == Submission::Dry {
        return Ok(None);
    }
    bury(sender, poll)?;
    let game = find(&chain.latest()?)?;
    Ok(Some(game.context("the transaction made no game")?))
}
