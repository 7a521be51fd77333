//! Games about a rollup's outputs: a rollup node above, the fault proof program below.

use std::sync::Arc;

use carronade_dispute::Game;
use carronade_dispute::provider::Split;
use carronade_dispute::upload::PreimageSource;

use super::{GameTrace, Told, Traces, check_program, executions, line};
use crate::executions::Program;
use crate::outputs::{OutputNodes, RollupNode};
use crate::preimages::StoredPreimages;

/// The traces of games about a rollup.
pub struct NodeTraces {
    /// Who knows output roots.
    pub outputs: OutputNodes,
    /// What executes the program.
    pub program: Program,
    /// The L2 chain that these are of.
    pub l2_chain_id: u64,
}

impl Traces for NodeTraces {
    fn open(&self, game: &Game) -> Result<GameTrace, String> {
        let creation = game.creation();
        check_program(&self.program, game)?;
        let (own, asked) = (self.l2_chain_id, creation.l2_chain_id);
        if own != asked {
            return Err(format!(
                "the game is about chain {asked}, and the nodes here are of chain {own}"
            ));
        }
        Ok(Box::new(Told(Split {
            outputs: RollupNode::new(self.outputs.clone(), creation.l1_head),
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
