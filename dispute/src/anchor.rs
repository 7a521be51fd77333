//! The anchor: the output root that new games start from.

use crate::game::{Game, GameStatus};
use crate::parameters::Proposal;

/// The latest output root that a game has confirmed (`AnchorStateRegistry`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor(pub Proposal);

impl Anchor {
    /// Moves on to the root of a game that the defender has won, if it is of a later block
    /// (`setAnchorState`). Whether a game counts at all, being final, proper and of the
    /// respected type, is for the registry to say. Gives whether the anchor has moved.
    pub fn advance(&mut self, game: &Game, counts: bool) -> bool {
        let claimed = game.creation().claimed;
        let moves = counts
            && game.status() == GameStatus::DefenderWins
            && claimed.l2_block > self.0.l2_block;
        if moves {
            self.0 = claimed;
        }
        moves
    }
}
