//! Brings a pre-image into the oracle, call by call: what is done is read from the chain, so that
//! it goes on wherever it was.

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::SolValue;
use carronade_contracts::abi::{FaultDisputeGame, PreimageOracle as Abi, StateMatrix};
use carronade_dispute::upload::large::LargePreimage;
use carronade_dispute::upload::{OracleData, PreimageSource, Upload, UploadError, upload};
use carronade_dispute::{Game, GameError};

use crate::chain::{Block, Chain};
use crate::large::{Progress, leaf};
use crate::reader::Facts;
use crate::rpc::RpcError;
use crate::sender::Request;

/// Why it is not known what to send.
#[derive(Debug, thiserror::Error)]
pub enum UploadFault {
    /// The node.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The pre-image cannot be uploaded.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// The game has no such claim.
    #[error(transparent)]
    Game(#[from] GameError),
    /// Somebody has shown it to be wrong.
    #[error("the large pre-image {0} was countered, so its state commitments were wrong")]
    Countered(U256),
    /// It is of one block only, which is not large.
    #[error("the oracle takes {0} bytes for large, but they are one block")]
    Small(usize),
}

/// What there is to do.
#[derive(Debug)]
pub enum Next {
    /// Nothing: the part that the step reads is there.
    Ready,
    /// A call.
    Call(Request),
    /// The challenge period must pass, until a time in seconds.
    Wait(u64),
}

/// A pre-image that a step against a claim reads.
pub struct Uploader<'a> {
    /// The chain.
    pub chain: &'a Chain,
    /// The newest block.
    pub head: &'a Block,
    /// The game.
    pub facts: &'a Facts,
    /// Who sends.
    pub account: Address,
}

impl Uploader<'_> {
    /// What to do next so that a step against a claim finds what it reads.
    ///
    /// # Errors
    /// [`UploadFault`].
    pub fn next(
        &self,
        game: &Game,
        claim: usize,
        data: &OracleData,
        mut source: impl PreimageSource,
    ) -> Result<Next, UploadFault> {
        let key = self.oracle_key(game, claim, data.key)?;
        let loaded = Abi::preimagePartOkCall {
            key,
            offset: U256::from(data.offset),
        };
        if self.view(&loaded)? {
            return Ok(Next::Ready);
        }
        let min_large = self.facts.min_large_preimage;
        let upload = upload(data, &mut source, min_large)?;
        self.call_for(claim, data, upload)
    }

    fn view<C: alloy_sol_types::SolCall>(&self, call: &C) -> Result<C::Return, RpcError> {
        self.chain.view(self.head, self.facts.oracle, call)
    }

    /// The key under which the machine's contract asks: local keys are kept apart by game and
    /// trace (`PreimageKeyLib.localize`).
    fn oracle_key(&self, game: &Game, claim: usize, key: B256) -> Result<B256, GameError> {
        if key[0] != 1 {
            return Ok(key);
        }
        let context = game.disputed_outputs(claim)?.local_context();
        let mut localized = keccak256((key, self.facts.address, context).abi_encode());
        localized[0] = 1;
        Ok(localized)
    }

    fn call_for(
        &self,
        claim: usize,
        data: &OracleData,
        upload: Upload,
    ) -> Result<Next, UploadFault> {
        let purpose = format!(
            "game {}: upload pre-image {} at {} for claim {claim}",
            self.facts.address, data.key, data.offset
        );
        let offset = U256::from(data.offset);
        let oracle = self.facts.oracle;
        let request = match upload {
            Upload::Local { ident, .. } => {
                let call = FaultDisputeGame::addLocalDataCall {
                    ident: U256::from(ident as u8),
                    execLeafIdx: U256::from(claim),
                    partOffset: offset,
                };
                Request::new(purpose, self.facts.address, &call, U256::ZERO)
            }
            Upload::Keccak256 { preimage, .. } => {
                let call = Abi::loadKeccak256PreimagePartCall {
                    partOffset: offset,
                    preimage: preimage.into(),
                };
                Request::new(purpose, oracle, &call, U256::ZERO)
            }
            Upload::Sha256 { preimage, .. } => {
                let call = Abi::loadSha256PreimagePartCall {
                    partOffset: offset,
                    preimage: preimage.into(),
                };
                Request::new(purpose, oracle, &call, U256::ZERO)
            }
            Upload::Blob {
                z,
                y,
                commitment,
                proof,
                ..
            } => {
                let call = Abi::loadBlobPreimagePartCall {
                    z: z.into(),
                    y: y.into(),
                    commitment: commitment.into(),
                    proof: proof.into(),
                    partOffset: offset,
                };
                Request::new(purpose, oracle, &call, U256::ZERO)
            }
            Upload::Precompile {
                address,
                required_gas,
                input,
                ..
            } => {
                let call = Abi::loadPrecompilePreimagePartCall {
                    partOffset: offset,
                    precompile: address,
                    requiredGas: required_gas,
                    input: input.into(),
                };
                Request::new(purpose, oracle, &call, U256::ZERO)
            }
            Upload::Large(preimage) => return self.large(&preimage),
        };
        Ok(Next::Call(request))
    }

    /// The next call of a large pre-image proposal.
    fn large(&self, preimage: &LargePreimage) -> Result<Next, UploadFault> {
        let uuid = preimage.uuid(self.account);
        let progress = self.view(&Abi::proposalMetadataCall {
            claimant: self.account,
            uuid,
        })?;
        let progress = Progress::from(progress);
        if progress.countered {
            return Err(UploadFault::Countered(uuid));
        }
        let size = preimage.claimed_size();
        let call = |what: &str| format!("large pre-image {uuid}: {what}");
        if progress.claimed_size == 0 {
            let bond = self.view(&Abi::MIN_BOND_SIZECall {})?;
            let init = Abi::initLPPCall {
                uuid,
                partOffset: preimage.part_offset,
                claimedSize: u32::try_from(size).unwrap_or(u32::MAX),
            };
            return Ok(self.call(call("begin"), &init, bond));
        }
        if progress.timestamp == 0 {
            let blocks = progress.blocks_processed as usize;
            if let Some(add) = preimage.calls(blocks).into_iter().next() {
                let what = format!("add blocks from {blocks} on");
                let add = Abi::addLeavesLPPCall {
                    uuid,
                    inputStartBlock: U256::from(add.start_block),
                    input: add.input.into(),
                    stateCommitments: add.state_commitments,
                    finalize: add.finalize,
                };
                return Ok(self.call(call(&what), &add, U256::ZERO));
            }
        }
        let until = progress
            .timestamp
            .saturating_add(self.facts.parameters.challenge_period);
        if self.head.timestamp <= until {
            return Ok(Next::Wait(until));
        }
        let squeeze = preimage.squeeze().ok_or(UploadFault::Small(size))?;
        let (pre_proof, pre) = leaf(&squeeze.pre);
        let (post_proof, post) = leaf(&squeeze.post);
        let squeeze = Abi::squeezeLPPCall {
            claimant: self.account,
            uuid,
            stateMatrix: StateMatrix {
                state: squeeze.state_matrix,
            },
            preState: pre,
            preStateProof: pre_proof,
            postState: post,
            postStateProof: post_proof,
        };
        Ok(self.call(call("finish"), &squeeze, U256::ZERO))
    }

    fn call<C: alloy_sol_types::SolCall>(&self, purpose: String, call: &C, value: U256) -> Next {
        Next::Call(Request::new(purpose, self.facts.oracle, call, value))
    }
}
