//! Building an L2 block from its payload attributes.
//!
//! Source: Optimism specification, `protocol/exec-engine.md` and the forks' `exec-engine.md`.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use alloy_consensus::proofs::ordered_trie_root_with_encoder;
use alloy_consensus::transaction::{Recovered, SignerRecoverable};
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH, Header, Sealed};
use alloy_eips::eip1559::BaseFeeParams;
use alloy_eips::eip2718::{Decodable2718, WithEncoded};
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_evm::block::{BlockExecutionError, BlockExecutionResult, BlockExecutor};
use alloy_evm::{Evm, EvmEnv, EvmFactory};
use alloy_op_evm::block::OpAlloyReceiptBuilder;
use alloy_op_evm::{OpBlockExecutionCtx, OpBlockExecutor, OpEvmFactory};
use alloy_primitives::{B64, B256, Bytes, Sealable, U256, logs_bloom};
use kona_executor::compute_receipts_root;
use kona_genesis::RollupConfig;
use kona_mpt::TrieHinter;
use kona_protocol::Predeploys;
use op_alloy_consensus::{OpReceiptEnvelope, OpTxEnvelope};
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use op_revm::OpSpecId;
use revm::context::{BlockEnv, CfgEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::database::{BundleState, State, states::bundle_state::BundleRetention};
use revm::primitives::eip4844::BLOB_BASE_FEE_UPDATE_FRACTION_CANCUN;

use crate::error::Error;
use crate::precompiles;
use crate::preimages::Preimages;
use crate::rules::Rules;
use crate::state::L2State;

/// A block that was built.
#[derive(Debug)]
pub(crate) struct Built {
    /// Its header.
    pub header: Sealed<Header>,
    /// What its execution gave.
    pub result: BlockExecutionResult<OpReceiptEnvelope>,
    /// The state after it.
    pub state: L2State,
}

/// Why a block was not built.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The attributes make no valid block: derivation knows what to do.
    #[error("{0}")]
    Invalid(alloc::string::String),
    /// Something else; there will be no verdict.
    #[error(transparent)]
    Failed(#[from] Error),
}

type Transaction = WithEncoded<Recovered<OpTxEnvelope>>;

/// Builds the block with `attributes` on `parent`.
pub(crate) fn build(
    preimages: &Preimages,
    rules: &Rules,
    parent: &Sealed<Header>,
    attributes: &OpPayloadAttributes,
) -> Result<Built, Refusal> {
    let time = attributes.payload_attributes.timestamp;
    rules.check_l2(time).map_err(|e| preimages.fail(e))?;
    let builder = Builder {
        preimages,
        config: &rules.config,
        parent,
        attributes,
        raw: attributes.transactions.as_deref().unwrap_or_default(),
    };
    builder.build()
}

struct Builder<'a> {
    preimages: &'a Preimages,
    config: &'a RollupConfig,
    parent: &'a Sealed<Header>,
    attributes: &'a OpPayloadAttributes,
    raw: &'a [Bytes],
}

impl Builder<'_> {
    fn build(&self) -> Result<Built, Refusal> {
        let transactions = self
            .raw
            .iter()
            .map(recovered)
            .collect::<Result<Vec<_>, _>>()?;
        let env = self.block_env()?;
        self.preimages
            .hint_execution_witness(self.parent.seal(), self.attributes)?;
        let mut state = L2State::new(self.preimages.clone(), self.parent.clone());
        let (result, changes) = self.execute(&mut state, &env, &transactions)?;
        let state_root = state.apply(&changes)?;
        let withdrawals_root = self.withdrawals_root(&mut state)?;
        let header = Header {
            state_root,
            withdrawals_root,
            ..self.header(&env, &result)?
        };
        Ok(Built {
            header: header.seal_slow(),
            result,
            state,
        })
    }

    /// Since Isthmus the message passer's storage root, before that of an empty list.
    fn withdrawals_root(&self, state: &mut L2State) -> Result<Option<B256>, Error> {
        if self.config.is_isthmus_active(self.time()) {
            return state
                .storage_root(Predeploys::L2_TO_L1_MESSAGE_PASSER)
                .map(Some);
        }
        let canyon = self.config.is_canyon_active(self.time());
        Ok(canyon.then_some(EMPTY_ROOT_HASH))
    }

    fn execute(
        &self,
        database: &mut L2State,
        env: &BlockEnv,
        transactions: &[Transaction],
    ) -> Result<(BlockExecutionResult<OpReceiptEnvelope>, BundleState), Refusal> {
        let spec = self.spec();
        let mut state = State::builder()
            .with_database(database)
            .with_bundle_update()
            .without_state_clear()
            .build();
        let cfg = CfgEnv::new()
            .with_chain_id(self.config.l2_chain_id.id())
            .with_spec(spec);
        let env = EvmEnv::new(cfg, env.clone());
        let mut evm = OpEvmFactory::default().create_evm(&mut state, env);
        precompiles::accelerate(evm.precompiles_mut(), spec, self.preimages);
        let ctx = OpBlockExecutionCtx {
            parent_hash: self.parent.seal(),
            parent_beacon_block_root: self.attributes.payload_attributes.parent_beacon_block_root,
            extra_data: Bytes::new(),
        };
        let receipts = OpAlloyReceiptBuilder::default();
        let executor = OpBlockExecutor::new(evm, ctx, self.config, receipts);
        let result = executor
            .execute_block(transactions)
            .map_err(|e| self.refusal(e))?;
        state.merge_transitions(BundleRetention::PlainState);
        Ok((result, state.take_bundle()))
    }

    /// Tells the block's errors from the program's.
    fn refusal(&self, error: BlockExecutionError) -> Refusal {
        if let Some(failure) = self.preimages.failure() {
            return failure.into();
        }
        match error {
            BlockExecutionError::Validation(e) => Refusal::Invalid(e.to_string()),
            BlockExecutionError::Internal(e) => self.error(e).into(),
        }
    }

    /// The rule set by the EVM's name. `RollupConfig::spec_id` knows no Granite.
    fn spec(&self) -> OpSpecId {
        let time = self.time();
        match self.config.spec_id(time) {
            OpSpecId::FJORD if self.config.is_granite_active(time) => OpSpecId::GRANITE,
            spec => spec,
        }
    }

    fn time(&self) -> u64 {
        self.attributes.payload_attributes.timestamp
    }

    fn block_env(&self) -> Result<BlockEnv, Refusal> {
        let attributes = &self.attributes.payload_attributes;
        let gas_limit = self.attributes.gas_limit;
        let base_fee = self.parent.next_block_base_fee(self.base_fee_params()?);
        // No L2 block has blobs, so there is never an excess.
        let blob_fee = BlobExcessGasAndPrice::new(0, BLOB_BASE_FEE_UPDATE_FRACTION_CANCUN);
        let has_blob_fee = self.config.is_ecotone_active(self.time());
        Ok(BlockEnv {
            number: U256::from(self.parent.number + 1),
            beneficiary: attributes.suggested_fee_recipient,
            timestamp: U256::from(attributes.timestamp),
            gas_limit: gas_limit.ok_or_else(|| self.error("the attributes have no gas limit"))?,
            basefee: base_fee.unwrap_or_default(),
            prevrandao: Some(attributes.prev_randao),
            blob_excess_gas_and_price: has_blob_fee.then_some(blob_fee),
            ..BlockEnv::default()
        })
    }

    /// Parameters of the base fee: since Holocene the parent's header has them.
    fn base_fee_params(&self) -> Result<BaseFeeParams, Error> {
        let defaults = &self.config.chain_op_config;
        if self.config.is_holocene_active(self.parent.timestamp) {
            let extra = &self.parent.extra_data;
            return holocene_params(extra).ok_or_else(|| self.error("the parent's extra data"));
        }
        Ok(if self.config.is_canyon_active(self.time()) {
            defaults.as_canyon_base_fee_params()
        } else {
            defaults.as_base_fee_params()
        })
    }

    /// All of the header but what the state says.
    fn header(
        &self,
        env: &BlockEnv,
        result: &BlockExecutionResult<OpReceiptEnvelope>,
    ) -> Result<Header, Error> {
        let (config, time) = (self.config, self.time());
        let attributes = &self.attributes.payload_attributes;
        let isthmus = config.is_isthmus_active(time);
        let no_blobs = config.is_ecotone_active(time).then_some(0);
        let logs = result.receipts.iter().flat_map(OpReceiptEnvelope::logs);
        Ok(Header {
            parent_hash: self.parent.seal(),
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: env.beneficiary,
            transactions_root: list_root(self.raw),
            receipts_root: compute_receipts_root(&result.receipts, config, time),
            requests_hash: isthmus.then_some(EMPTY_REQUESTS_HASH),
            logs_bloom: logs_bloom(logs),
            number: self.parent.number + 1,
            gas_limit: env.gas_limit,
            gas_used: result.gas_used,
            timestamp: time,
            mix_hash: attributes.prev_randao,
            base_fee_per_gas: Some(env.basefee),
            blob_gas_used: no_blobs,
            excess_blob_gas: no_blobs,
            parent_beacon_block_root: attributes.parent_beacon_block_root,
            extra_data: self.extra_data()?,
            ..Header::default()
        })
    }

    /// Since Holocene: version 0 ‖ denominator ‖ elasticity, Canyon's if the attributes say 0.
    fn extra_data(&self) -> Result<Bytes, Error> {
        if !self.config.is_holocene_active(self.time()) {
            return Ok(Bytes::new());
        }
        let params = self.attributes.eip_1559_params;
        let mut params = params
            .ok_or_else(|| self.error("the attributes have no parameters of the base fee"))?;
        if params.is_zero() {
            let canyon = self.config.chain_op_config.as_canyon_base_fee_params();
            let [denominator, elasticity] =
                [canyon.max_change_denominator, canyon.elasticity_multiplier].map(|n| n as u32);
            params = B64::from(u64::from(denominator) << 32 | u64::from(elasticity));
        }
        Ok([&[0], &params[..]].concat().into())
    }

    /// Keeps and gives back an error that is not the block's fault.
    fn error(&self, reason: impl ToString) -> Error {
        let (number, reason) = (self.parent.number + 1, reason.to_string());
        self.preimages.fail(Error::Execution { number, reason })
    }
}

fn recovered(raw: &Bytes) -> Result<Transaction, Refusal> {
    let invalid = |e: Box<dyn core::error::Error>| Refusal::Invalid(e.to_string());
    let transaction = OpTxEnvelope::decode_2718_exact(raw).map_err(|e| invalid(e.into()))?;
    let signer = transaction
        .recover_signer()
        .map_err(|e| invalid(e.into()))?;
    let transaction = Recovered::new_unchecked(transaction, signer);
    Ok(WithEncoded::new(raw.clone(), transaction))
}

fn holocene_params(extra_data: &[u8]) -> Option<BaseFeeParams> {
    let &[0, a, b, c, d, e, f, g, h] = extra_data else {
        return None;
    };
    let [denominator, elasticity] = [[a, b, c, d], [e, f, g, h]].map(u32::from_be_bytes);
    (denominator != 0).then(|| BaseFeeParams::new(denominator.into(), elasticity.into()))
}

fn list_root(items: &[Bytes]) -> B256 {
    ordered_trie_root_with_encoder(items, |item, out| out.extend_from_slice(item))
}
