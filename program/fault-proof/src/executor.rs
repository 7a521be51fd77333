//! The driver's executor: builds blocks one after the other.

use alloc::boxed::Box;
use alloc::vec::Vec;

use alloy_consensus::{Header, Sealed};
use alloy_primitives::{B256, Bytes};
use async_trait::async_trait;
use kona_executor::BlockBuildingOutcome;
use kona_protocol::{OutputRoot, Predeploys};
use op_alloy_rpc_types_engine::OpPayloadAttributes;

use crate::block::{self, Built, Refusal};
use crate::error::Error;
use crate::l2::L2Chain;
use crate::preimages::Preimages;
use crate::rules::Rules;

/// Builds blocks on the safe head and appends them to the chain.
#[derive(Debug)]
pub(crate) struct Executor {
    preimages: Preimages,
    rules: Rules,
    chain: L2Chain,
    parent: Option<Sealed<Header>>,
    last: Option<Built>,
}

impl Executor {
    pub(crate) const fn new(preimages: Preimages, rules: Rules, chain: L2Chain) -> Self {
        Self {
            preimages,
            rules,
            chain,
            parent: None,
            last: None,
        }
    }

    fn execute(
        &mut self,
        attributes: OpPayloadAttributes,
    ) -> Result<BlockBuildingOutcome, Refusal> {
        let parent = self
            .parent
            .take()
            .ok_or_else(|| no_parent(&self.preimages))?;
        let built = block::build(&self.preimages, &self.rules, &parent, &attributes)?;
        let transactions: Vec<Bytes> = attributes.transactions.unwrap_or_default();
        self.chain.append(built.header.clone(), &transactions)?;
        let (header, execution_result) = (built.header.clone(), built.result.clone());
        self.last = Some(built);
        Ok(BlockBuildingOutcome {
            header,
            execution_result,
        })
    }
}

/// The driver names the parent before each block.
fn no_parent(preimages: &Preimages) -> Error {
    preimages.fail(Error::Derivation("a block without a parent".into()))
}

#[async_trait]
impl kona_driver::Executor for Executor {
    type Error = Refusal;

    async fn wait_until_ready(&mut self) {}

    fn update_safe_head(&mut self, header: Sealed<Header>) {
        self.parent = Some(header);
    }

    async fn execute_payload(
        &mut self,
        attributes: OpPayloadAttributes,
    ) -> Result<BlockBuildingOutcome, Refusal> {
        self.execute(attributes)
    }

    fn compute_output_root(&mut self) -> Result<B256, Refusal> {
        let mut last = self.last.take().ok_or_else(|| no_parent(&self.preimages))?;
        let passer = last
            .state
            .storage_root(Predeploys::L2_TO_L1_MESSAGE_PASSER)?;
        let hash = last.header.seal();
        Ok(OutputRoot::from_parts(last.header.state_root, passer, hash).hash())
    }
}
