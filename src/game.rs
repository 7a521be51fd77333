//! `game`: looks at dispute games on a chain.

use crate::failure::Outcome;
use crate::{cli, files, say, settlement};
use alloy_primitives::Address;
use anyhow::{Context, Result};
use carronade_challenger::Reader;
use carronade_dispute::draw::{self, View};

/// Runs the command.
///
/// # Errors
/// When the chain cannot be read, or the page not be written.
pub fn run(command: &cli::Game) -> Outcome {
    match command {
        cli::Game::Show(args) => show(args),
        cli::Game::List(args) => list(args),
    }
}

fn show(args: &cli::ShowGame) -> Outcome {
    let chain = settlement::chain(&args.settlement)?;
    let head = chain.latest()?;
    let address = args.game_address;
    if !chain.has_code(address, &head)? {
        return Err(no_game(address));
    }
    let reader = Reader::new(chain, address, &head)?;
    let seen = reader.read(&head, Address::ZERO)?;
    let view = View {
        now: head.timestamp,
        title: format!("Game {address}, type {}", reader.facts().game_type),
        ..View::default()
    };
    match &args.html {
        Some(file) => write(file, &draw::html(&seen.game, &view))?,
        None => crate::out::print(&draw::text(&seen.game, &view))?,
    }
    Ok(())
}

fn no_game(address: Address) -> crate::failure::Failure {
    anyhow::anyhow!("there is no contract at {address} (--game-address)").into()
}

fn write(file: &std::path::Path, page: &str) -> Result<()> {
    files::check_place(file)?;
    std::fs::write(file, page).with_context(|| format!("cannot write {}", file.display()))
}

fn list(args: &cli::ListGames) -> Outcome {
    let chain = settlement::chain(&args.settlement)?;
    let head = chain.latest()?;
    let factory = settlement::factory(&chain, &head, args.factory.game_factory_address)?;
    let total = factory.count(&head)?;
    for game in factory.games(&head, total.saturating_sub(args.last)..total)? {
        let reader = Reader::new(chain.clone(), game.address, &head);
        let about = match reader.and_then(|reader| reader.read(&head, Address::ZERO)) {
            Ok(seen) => {
                let claimed = seen.game.creation().claimed;
                format!(
                    "block {} root {} {} claims {:?}",
                    claimed.l2_block,
                    claimed.root,
                    seen.game.claims().len(),
                    seen.game.status()
                )
            }
            Err(error) => format!("cannot be read: {error}"),
        };
        let (index, kind) = (game.index, game.game_type);
        say!(
            "{index} {} type {kind} created {} {about}",
            game.address,
            game.created_at
        );
    }
    Ok(())
}
