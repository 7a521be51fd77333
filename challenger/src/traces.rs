//! Who answers for the true trace of a game.

mod nodes;
mod quick;

pub use nodes::NodeTraces;
pub use quick::QuickTraces;

use alloy_primitives::B256;
use carronade_dispute::provider::{
    BlockNumberProof, ExecutionSource, ExecutionTrace, Machines, StepData,
};
use carronade_dispute::upload::PreimageSource;
use carronade_dispute::{Game, Position, TraceAccessor};
use carronade_trace::TraceError;

use crate::executions::Program;

/// The trace of one game.
pub type GameTrace = Box<dyn TraceAccessor<Error = String> + Send>;

/// Opens the traces of games: output roots from a rollup node, executions by a machine.
pub trait Traces: Send + Sync {
    /// The trace of a game, which is known by what it was created with.
    ///
    /// # Errors
    /// When it cannot be opened now: why, in one line.
    fn open(&self, game: &Game) -> Result<GameTrace, String>;

    /// Removes what executions of long ago have left behind, which costs only their steps if
    /// somebody still asks: how many there were.
    ///
    /// # Errors
    /// When it cannot be removed: why, in one line.
    fn prune(&self) -> Result<usize, String> {
        Ok(0)
    }

    /// Where pre-images are that steps read.
    fn preimages(&self) -> Box<dyn PreimageSource + Send>;
}

/// Executions of a game that are kept at hand; each has a machine with its memory.
const KEPT: usize = 2;

/// The executions of a program for one game.
fn executions(program: &Program) -> impl ExecutionSource<Error = TraceError> + Send + 'static {
    let program = program.clone();
    Machines::new(KEPT, move |of: &ExecutionTrace| program.open(of))
}

/// Whether a game is played with a program.
fn check_program(program: &Program, game: &Game) -> Result<(), String> {
    let (own, asked) = (program.prestate, game.creation().absolute_prestate);
    match own == asked {
        true => Ok(()),
        false => Err(format!(
            "the game is played with the program {asked}, and the one here is {own}"
        )),
    }
}

/// A trace whose errors are told in one line.
struct Told<T>(T);

/// One line of an error's words.
fn line(error: impl ToString) -> String {
    error.to_string().replace(char::is_control, " ")
}

impl<T: TraceAccessor<Error: ToString>> TraceAccessor for Told<T> {
    type Error = String;

    fn claim_at(
        &mut self,
        game: &Game,
        reference: usize,
        position: Position,
    ) -> Result<B256, String> {
        self.0.claim_at(game, reference, position).map_err(line)
    }

    fn step_data(
        &mut self,
        game: &Game,
        reference: usize,
        position: Position,
    ) -> Result<StepData, String> {
        self.0.step_data(game, reference, position).map_err(line)
    }

    fn block_number_challenge(&mut self, game: &Game) -> Result<Option<BlockNumberProof>, String> {
        self.0.block_number_challenge(game).map_err(line)
    }

    fn rest(&mut self) {
        self.0.rest();
    }
}
