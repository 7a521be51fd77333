//! Who answers for the true trace of a game.

use carronade_dispute::upload::PreimageSource;
use carronade_dispute::{Game, TraceAccessor};

/// The trace of one game.
pub type GameTrace = Box<dyn TraceAccessor<Error = String> + Send>;

/// Opens the traces of games: output roots from a rollup node, executions by a machine.
pub trait Traces: Send + Sync {
    /// The trace of a game, which is known by what it was created with.
    ///
    /// # Errors
    /// When it cannot be opened now: why, in one line.
    fn open(&self, game: &Game) -> Result<GameTrace, String>;

    /// Where pre-images are that steps read.
    fn preimages(&self) -> Box<dyn PreimageSource + Send>;
}
