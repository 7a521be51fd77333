//! Execution of L2 blocks with op-revm, and their headers.
//!
//! Sources: OP Stack specification, `protocol/exec-engine.md` and the execution engine changes
//! of each fork.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH, Header, Sealable, Sealed};
use alloy_eips::eip1559::BaseFeeParams;
use alloy_eips::eip2718::Encodable2718;
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_evm::block::{BlockExecutor, BlockExecutorFactory};
use alloy_evm::{Evm, EvmEnv, EvmFactory};
use alloy_op_evm::block::OpAlloyReceiptBuilder;
use alloy_op_evm::{OpBlockExecutionCtx, OpBlockExecutorFactory, OpEvmFactory};
use alloy_primitives::{B64, B256, Bytes, U256, logs_bloom};
use kona_genesis::RollupConfig;
use kona_protocol::{OutputRoot, Predeploys};
use op_alloy_consensus::{OpReceiptEnvelope, OpTxEnvelope};
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use op_revm::OpSpecId;
use revm::context::{BlockEnv, CfgEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::database::states::bundle_state::BundleRetention;
use revm::database::{State, WrapDatabaseRef};
use revm::primitives::eip4844::{
    BLOB_BASE_FEE_UPDATE_FRACTION_CANCUN, BLOB_BASE_FEE_UPDATE_FRACTION_PRAGUE,
};

use crate::DevnetError;
use crate::precompile::{self, PrecompileResults};
use crate::trie::Trie;
use crate::world::World;

/// An executed block.
#[derive(Clone, Debug)]
pub(crate) struct Executed {
    pub(crate) header: Sealed<Header>,
    pub(crate) transactions: Vec<OpTxEnvelope>,
    pub(crate) receipts: Vec<OpReceiptEnvelope>,
    /// The receipts as they are in the receipt trie.
    pub(crate) encoded_receipts: Vec<Bytes>,
}

/// A block of the L2 chain.
#[derive(Clone, Debug)]
pub struct L2Block {
    /// The header with its hash.
    pub header: Sealed<Header>,
    /// What derivation makes the block of; none for genesis.
    pub attributes: Option<OpPayloadAttributes>,
    /// All transactions, deposits first.
    pub transactions: Vec<OpTxEnvelope>,
    /// Receipts, one for each transaction.
    pub receipts: Vec<OpReceiptEnvelope>,
    /// The receipts as they are in the receipt trie.
    pub(crate) encoded_receipts: Vec<Bytes>,
    /// The number of the L1 origin.
    pub origin: u64,
    /// The block's place among those of its L1 origin, from 0.
    pub sequence_number: u64,
    /// The number of the L1 block with which derivation yields this block: that of the last frame
    /// of its channel, or the one at which the sequencing window of its origin runs out.
    pub safe_from: u64,
    /// What the output root commits to.
    pub output: OutputRoot,
}

impl L2Block {
    /// The transactions as they are in the transaction trie.
    #[must_use]
    pub fn raw_transactions(&self) -> &[Bytes] {
        let attributes = self.attributes.as_ref();
        attributes
            .and_then(|attributes| attributes.transactions.as_deref())
            .unwrap_or_default()
    }
}

/// Executes L2 blocks, keeping what execution needed on the way.
pub(crate) struct Executor<'a> {
    pub(crate) config: &'a RollupConfig,
    pub(crate) world: &'a mut World,
    pub(crate) nodes: &'a mut BTreeMap<B256, Bytes>,
    pub(crate) precompiles: &'a mut PrecompileResults,
}

impl Executor<'_> {
    /// Executes the block of `attributes` on `parent`. The world is then that after the block.
    ///
    /// # Errors
    /// When a transaction cannot be part of the block.
    pub(crate) fn execute(
        &mut self,
        parent: &Sealed<Header>,
        attributes: &OpPayloadAttributes,
    ) -> Result<Executed, DevnetError> {
        let timestamp = attributes.payload_attributes.timestamp;
        let env = environment(self.config, parent, attributes);
        let base_fee = env.block_env.basefee;
        let transactions = attributes
            .recovered_transactions_with_encoded()
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| DevnetError::Execution(error.to_string()))?;

        let called = Arc::new(Mutex::new(PrecompileResults::new()));
        let mut state = State::builder()
            .with_database(WrapDatabaseRef(&*self.world))
            .with_bundle_update()
            .build();
        let factory = OpBlockExecutorFactory::new(
            OpAlloyReceiptBuilder::default(),
            self.config.clone(),
            OpEvmFactory::default(),
        );
        let mut evm = factory.evm_factory().create_evm(&mut state, env);
        precompile::record(evm.precompiles_mut(), &called);
        let context = OpBlockExecutionCtx {
            parent_hash: parent.hash(),
            parent_beacon_block_root: attributes.payload_attributes.parent_beacon_block_root,
            extra_data: Bytes::new(),
        };
        let result = factory
            .create_executor(evm, context)
            .execute_block(transactions.iter())
            .map_err(|error| DevnetError::Execution(error.to_string()))?;
        state.merge_transitions(BundleRetention::PlainState);
        let bundle = state.take_bundle();
        self.world.apply(bundle);
        let mut called = called.lock().unwrap_or_else(|error| error.into_inner());
        self.precompiles.append(&mut called);

        let state_root = self.world.state_root(self.nodes);
        let encoded_receipts = self.encode_receipts(&result.receipts, timestamp);
        let raw = attributes.transactions.as_deref().unwrap_or_default();
        let header = Header {
            parent_hash: parent.hash(),
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: attributes.payload_attributes.suggested_fee_recipient,
            state_root,
            transactions_root: Trie::ordered(raw).root,
            receipts_root: Trie::ordered(&encoded_receipts).root,
            withdrawals_root: self.withdrawals_root(timestamp),
            logs_bloom: logs_bloom(result.receipts.iter().flat_map(|receipt| receipt.logs())),
            number: parent.number + 1,
            gas_limit: attributes.gas_limit.unwrap_or_default(),
            gas_used: result.gas_used,
            timestamp,
            extra_data: extra_data(self.config, attributes),
            mix_hash: attributes.payload_attributes.prev_randao,
            base_fee_per_gas: Some(base_fee),
            ..block_format(self.config, timestamp)
        };
        let header = Header {
            parent_beacon_block_root: attributes.payload_attributes.parent_beacon_block_root,
            ..header
        }
        .seal_slow();
        self.world.block_hashes.push(header.hash());
        Ok(Executed {
            header,
            transactions: transactions
                .into_iter()
                .map(|tx| tx.into_value().into_inner())
                .collect(),
            receipts: result.receipts,
            encoded_receipts,
        })
    }

    /// Regolith's receipt trie leaves out the nonces of deposits (a bug that became the rule).
    fn encode_receipts(&self, receipts: &[OpReceiptEnvelope], timestamp: u64) -> Vec<Bytes> {
        let strip = !self.config.is_canyon_active(timestamp);
        receipts
            .iter()
            .cloned()
            .map(|mut receipt| {
                if let (true, OpReceiptEnvelope::Deposit(deposit)) = (strip, &mut receipt) {
                    deposit.receipt.deposit_nonce = None;
                }
                receipt.encoded_2718().into()
            })
            .collect()
    }

    fn withdrawals_root(&self, timestamp: u64) -> Option<B256> {
        if self.config.is_isthmus_active(timestamp) {
            self.world
                .storage_root(&Predeploys::L2_TO_L1_MESSAGE_PASSER)
        } else {
            self.config
                .is_canyon_active(timestamp)
                .then_some(EMPTY_ROOT_HASH)
        }
    }
}

/// A header with those fields set whose presence depends on the fork alone.
pub(crate) fn block_format(config: &RollupConfig, timestamp: u64) -> Header {
    let ecotone = config.is_ecotone_active(timestamp);
    Header {
        blob_gas_used: ecotone.then_some(0),
        excess_blob_gas: ecotone.then_some(0),
        requests_hash: config
            .is_isthmus_active(timestamp)
            .then_some(EMPTY_REQUESTS_HASH),
        difficulty: U256::ZERO,
        ..Default::default()
    }
}

/// The fee parameters from Holocene on: version 0, denominator, elasticity (u32 BE each).
///
/// Parameters of zero stand for those of Canyon.
pub(crate) fn extra_data(config: &RollupConfig, attributes: &OpPayloadAttributes) -> Bytes {
    if !config.is_holocene_active(attributes.payload_attributes.timestamp) {
        return Bytes::new();
    }
    let params = attributes.eip_1559_params.unwrap_or_default();
    let params = if params == B64::ZERO {
        let canyon = config.chain_op_config.as_canyon_base_fee_params();
        let denominator = (canyon.max_change_denominator as u32).to_be_bytes();
        let elasticity = (canyon.elasticity_multiplier as u32).to_be_bytes();
        [denominator, elasticity].concat()
    } else {
        params.to_vec()
    };
    [&[0], params.as_slice()].concat().into()
}

/// The parameters by which the base fee of the block after `parent` is found.
fn base_fee_params(config: &RollupConfig, parent: &Header, timestamp: u64) -> BaseFeeParams {
    if config.is_holocene_active(parent.timestamp) {
        let word = |at: usize| {
            let bytes = parent.extra_data[at..at + 4].try_into();
            u128::from(u32::from_be_bytes(bytes.expect("four bytes")))
        };
        BaseFeeParams::new(word(1), word(5))
    } else if config.is_canyon_active(timestamp) {
        config.chain_op_config.as_canyon_base_fee_params()
    } else {
        config.chain_op_config.as_base_fee_params()
    }
}

/// What the EVM sees of the block.
pub(crate) fn environment(
    config: &RollupConfig,
    parent: &Header,
    attributes: &OpPayloadAttributes,
) -> EvmEnv<OpSpecId> {
    let timestamp = attributes.payload_attributes.timestamp;
    let spec = spec_id(config, timestamp);
    let fraction = if spec.is_enabled_in(OpSpecId::ISTHMUS) {
        BLOB_BASE_FEE_UPDATE_FRACTION_PRAGUE
    } else {
        BLOB_BASE_FEE_UPDATE_FRACTION_CANCUN
    };
    let params = base_fee_params(config, parent, timestamp);
    let block = BlockEnv {
        number: U256::from(parent.number + 1),
        beneficiary: attributes.payload_attributes.suggested_fee_recipient,
        timestamp: U256::from(timestamp),
        gas_limit: attributes.gas_limit.unwrap_or_default(),
        basefee: parent.next_block_base_fee(params).unwrap_or_default(),
        prevrandao: Some(attributes.payload_attributes.prev_randao),
        blob_excess_gas_and_price: spec
            .is_enabled_in(OpSpecId::ECOTONE)
            .then(|| BlobExcessGasAndPrice::new(0, fraction)),
        ..Default::default()
    };
    let cfg = CfgEnv::new()
        .with_chain_id(config.l2_chain_id.id())
        .with_spec(spec);
    EvmEnv::new(cfg, block)
}

/// Whether a fork is active at a time.
type IsActive = fn(&RollupConfig, u64) -> bool;

/// The EVM's rules at a time.
fn spec_id(config: &RollupConfig, timestamp: u64) -> OpSpecId {
    // The newest first. Delta changes nothing for the EVM.
    let rules: [(IsActive, OpSpecId); 8] = [
        (RollupConfig::is_isthmus_active, OpSpecId::ISTHMUS),
        (RollupConfig::is_holocene_active, OpSpecId::HOLOCENE),
        (RollupConfig::is_granite_active, OpSpecId::GRANITE),
        (RollupConfig::is_fjord_active, OpSpecId::FJORD),
        (RollupConfig::is_ecotone_active, OpSpecId::ECOTONE),
        (RollupConfig::is_canyon_active, OpSpecId::CANYON),
        (RollupConfig::is_regolith_active, OpSpecId::REGOLITH),
        (|_, _| true, OpSpecId::BEDROCK),
    ];
    let active = rules
        .into_iter()
        .find(|(active, _)| active(config, timestamp));
    active.map_or(OpSpecId::BEDROCK, |(_, spec)| spec)
}
