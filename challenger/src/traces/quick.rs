//! Games about a small chain, with the verifier as their program.

use std::sync::Arc;

use carronade_dispute::Game;
use carronade_dispute::provider::Split;
use carronade_dispute::upload::PreimageSource;

use super::{GameTrace, Told, Traces, check_program, executions, line};
use crate::executions::Program;
use crate::preimages::StoredPreimages;
use crate::quick::QuickChain;

/// The traces of games about a small chain.
pub struct QuickTraces {
    chain: QuickChain,
    program: Program,
}

impl QuickTraces {
    /// The traces of games about a chain, executed by a program that is the verifier. It asks no
    /// nodes: all that it needs is with the chain.
    #[must_use]
    pub fn new(chain: QuickChain, program: Program) -> Self {
        let program = Program {
            preimages: chain.preimages(),
            nodes: None,
            ..program
        };
        Self { chain, program }
    }
}

impl Traces for QuickTraces {
    fn open(&self, game: &Game) -> Result<GameTrace, String> {
        check_program(&self.program, game)?;
        Ok(Box::new(Told(Split {
            outputs: self.chain.clone(),
            executions: executions(&self.program),
        })))
    }

    fn prune(&self) -> Result<usize, String> {
        self.program.prune().map_err(line)
    }

    fn preimages(&self) -> Box<dyn PreimageSource + Send> {
        Box::new(StoredPreimages::new(Arc::clone(&self.program.preimages)))
    }
}
