//! Plays random games of the simulator again on the contracts until one differs:
//! `replay [GAMES] [SEED]`, with the seeds from SEED on.

use carronade_contracts::replay::play_again;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let mut next = |otherwise| match numbers.next() {
        Some(number) => number.unwrap_or_else(|error| {
            eprintln!("replay [GAMES] [SEED]: {error}");
            std::process::exit(1)
        }),
        None => otherwise,
    };
    let (games, seed) = (next(1_000), next(0));
    match play_again(seed..seed.saturating_add(games)) {
        Ok(tally) => {
            println!("{} games agree, with {} claims", tally.games, tally.claims);
            println!("depths: {:?}", tally.depths);
            println!("accepted: {:?}", tally.accepted);
            println!("refused: {:?}", tally.refused);
        }
        Err((seed, difference)) => {
            eprintln!("game {seed}: {difference}");
            std::process::exit(1);
        }
    }
}
