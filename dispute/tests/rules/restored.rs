//! Games that are read from a chain.

use crate::table::{PARAMETERS, word};
use carronade_dispute::game::{Broken, Snapshot};
use carronade_dispute::sim::play;
use carronade_dispute::{Game, GameError, GameStatus, Position};

fn snapshot(game: &Game) -> Snapshot {
    Snapshot {
        claims: game.claims().to_vec(),
        resolved: (0..game.claims().len())
            .map(|i| game.is_resolved(i))
            .collect(),
        status: game.status(),
        resolved_at: game.resolved_at(),
        block_number_challenger: game.block_number_challenger(),
    }
}

#[test]
fn the_same_game() {
    for seed in 0..50 {
        let game = play(seed).game;
        let again = Game::restore(*game.parameters(), game.creation().clone(), snapshot(&game));
        let again = again.expect("a game");
        assert_eq!(again.claims(), game.claims());
        assert_eq!(again.status(), game.status());
        for index in 0..game.claims().len() {
            assert_eq!(again.children(index), game.children(index));
        }
        for who in game.participants() {
            assert_eq!(again.bonds_paid(who), game.bonds_paid(who));
            assert_eq!(again.credit(who), game.credit(who), "seed {seed}");
        }
    }
}

#[test]
fn lies_are_found() {
    let game = (0..)
        .map(|seed| play(seed).game)
        .find(|game| game.claims().len() > 5);
    let game = game.expect("there is one");
    let restore = |change: &dyn Fn(&mut Snapshot)| {
        let mut told = snapshot(&game);
        change(&mut told);
        Game::restore(*game.parameters(), game.creation().clone(), told).map(|_| ())
    };
    assert_eq!(restore(&|_| ()), Ok(()));
    assert_eq!(
        restore(&|told| told.claims[0].value = word(5)),
        Err(Broken::Root)
    );
    let all = game.claims().len();
    let short = Broken::Resolved {
        claims: all,
        resolved: all - 1,
    };
    assert_eq!(restore(&|told| told.resolved.truncate(all - 1)), Err(short));
    assert_eq!(
        restore(&|told| told.claims[3].parent = Some(3)),
        Err(Broken::Claim(3))
    );
    assert_eq!(
        restore(&|told| told.claims[3].parent = None),
        Err(Broken::Claim(3))
    );
    let nowhere = Position::new(1, 1).expect("a position");
    assert_eq!(
        restore(&|told| told.claims[1].position = nowhere),
        Err(Broken::Claim(1))
    );
    assert_eq!(
        restore(&|told| told.claims[2] = told.claims[1]),
        Err(Broken::Claim(2))
    );
    let mut parameters = PARAMETERS;
    parameters.split_depth = 1;
    let refused = Game::restore(parameters, game.creation().clone(), snapshot(&game));
    let why = Broken::Creation(GameError::InvalidSplitDepth);
    assert_eq!(
        refused.map(|game| game.status()),
        Err(why) as Result<GameStatus, _>
    );
}
