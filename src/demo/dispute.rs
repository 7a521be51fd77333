//! `demo dispute`: a lie caught end to end on a local EVM chain. The same agent plays for both
//! sides; the liar's has a trace that is wrong from one instruction on.

mod contest;
mod ground;

use crate::cli::{DemoDispute, Liar};
use crate::failure::Outcome;
use crate::log::Logger;
use crate::say;
use anyhow::{Context, Result, bail};
use carronade_challenger::Anvil;
use carronade_dispute::GameStatus;
use contest::{Contest, Played};
use ground::Ground;
use std::time::Instant;

/// Depth of the standard game.
const STANDARD_DEPTH: u64 = 73;

/// Runs the command.
///
/// # Errors
/// When a game does not end as it must; then the product is broken.
pub fn run(args: &DemoDispute, logger: &Logger) -> Outcome {
    let binary = Anvil::find(args.anvil.as_deref())?;
    if let Some(folder) = &args.html {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let ground = Ground::new(args, &binary, logger)?;
    say!("{}", ground.about());
    let liars: &[Liar] = match args.liar {
        Liar::Both => &[Liar::Proposer, Liar::Challenger],
        Liar::Proposer => &[Liar::Proposer],
        Liar::Challenger => &[Liar::Challenger],
    };
    for liar in liars {
        play(args, &ground, *liar, logger)?;
    }
    Ok(())
}

fn play(args: &DemoDispute, ground: &Ground, liar: Liar, logger: &Logger) -> Outcome {
    let is_proposer = liar == Liar::Proposer;
    let usual = STANDARD_DEPTH + u64::from(is_proposer);
    let max_depth = args.max_depth.unwrap_or(usual);
    say!("");
    match is_proposer {
        true => say!("A dishonest proposer, an honest challenger, depth {max_depth}:"),
        false => say!("An honest proposer, a dishonest challenger, depth {max_depth}:"),
    }
    let parameters = ground.parameters(max_depth);
    let deployment = ground.deployer()?.deploy(&parameters)?;
    say!(
        "  contracts deployed, the factory at {}",
        deployment.factory
    );
    let began = Instant::now();
    let contest = Contest::new(ground, &deployment, is_proposer, args.instruction, logger)?;
    let played = contest.play()?;
    tell(&played, began)?;
    if let Some(folder) = &args.html {
        let name = match is_proposer {
            true => "dishonest-proposer.html",
            false => "dishonest-challenger.html",
        };
        let file = folder.join(name);
        std::fs::write(&file, &played.page)
            .with_context(|| format!("cannot write {}", file.display()))?;
        say!("  drawn in {}", file.display());
    }
    Ok(check(&played, is_proposer, max_depth)?)
}

fn tell(played: &Played, began: Instant) -> Outcome {
    say!(
        "  {} claims down to depth {}; the game ends {:?}",
        played.claims,
        played.deepest,
        played.status
    );
    say!(
        "  bonds of {} ETH paid in; the honest side has {:+.4} ETH, gas included, the liar {:+.4}",
        played.bonds,
        played.honest_gain,
        played.liar_gain
    );
    say!("  {:.1} s of wall time", began.elapsed().as_secs_f64());
    Ok(())
}

/// That the honest side has won, by a step where it had the last move.
fn check(played: &Played, liar_proposes: bool, max_depth: u64) -> Result<()> {
    let expected = match liar_proposes {
        true => GameStatus::ChallengerWins,
        false => GameStatus::DefenderWins,
    };
    if played.status != expected {
        bail!("the liar has won");
    }
    if u64::from(played.deepest) != max_depth {
        bail!("the game was not played to the bottom");
    }
    // Claims at odd depths are the challenger's, and steps are made against them.
    let honest_steps = max_depth.is_multiple_of(2) == liar_proposes;
    if honest_steps && !played.stepped {
        bail!("no step was proven on chain");
    }
    if played.honest_gain <= 0.0 {
        bail!("the honest side has lost money");
    }
    if played.left_in_game != 0 {
        bail!("{} wei of bonds are still in the game", played.left_in_game);
    }
    Ok(())
}
