//! Payload attributes of L2 blocks as derivation makes them, without the transactions of users.
//!
//! Source: OP Stack specification, `protocol/derivation.md`, "Deriving payload attributes".

use alloy_consensus::TxReceipt;
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::Bytes;
use kona_genesis::{RollupConfig, SystemConfig};
use kona_hardforks::{Hardfork, Hardforks};
use kona_protocol::{
    DEPOSIT_EVENT_ABI_HASH, L1BlockInfoTx, Predeploys, decode_deposit, to_system_config,
};
use op_alloy_consensus::OpBlock;
use op_alloy_rpc_types_engine::OpPayloadAttributes;

use crate::DevnetError;
use crate::l1::L1Block;
use crate::l2::L2Block;

/// The attributes of the block after `parent` whose L1 origin is `origin`: the parent's or the
/// one after it.
pub(crate) fn attributes(
    config: &RollupConfig,
    parent: &L2Block,
    origin: &L1Block,
) -> Result<OpPayloadAttributes, DevnetError> {
    let failed = |error: &dyn std::fmt::Display| DevnetError::Attributes(error.to_string());
    let timestamp = parent.header.timestamp + config.block_time;
    let mut system_config = system_config(config, parent)?;
    let mut deposits = Vec::new();
    let sequence_number = if parent.origin == origin.header.number {
        parent.sequence_number + 1
    } else {
        deposits = user_deposits(config, origin).map_err(|error| failed(&error))?;
        let receipts: Vec<_> = origin
            .receipts
            .iter()
            .filter_map(|receipt| receipt.as_receipt().cloned())
            .collect();
        system_config
            .update_with_receipts(
                &receipts,
                config.l1_system_config_address,
                config.is_ecotone_active(origin.header.timestamp),
            )
            .map_err(|error| failed(&error))?;
        0
    };
    let (_, info) = L1BlockInfoTx::try_new_with_deposit_tx(
        config,
        &system_config,
        sequence_number,
        &origin.header,
        timestamp,
    )
    .map_err(|error| failed(&error))?;
    let mut transactions = vec![Bytes::from(info.encoded_2718())];
    transactions.append(&mut deposits);
    transactions.append(&mut upgrades(config, parent.header.timestamp, timestamp));

    let mut attributes = OpPayloadAttributes {
        transactions: Some(transactions),
        no_tx_pool: Some(true),
        gas_limit: Some(system_config.gas_limit),
        eip_1559_params: system_config.eip_1559_params(config, parent.header.timestamp, timestamp),
        ..Default::default()
    };
    let payload = &mut attributes.payload_attributes;
    payload.timestamp = timestamp;
    payload.prev_randao = origin.header.mix_hash;
    payload.suggested_fee_recipient = Predeploys::SEQUENCER_FEE_VAULT;
    payload.withdrawals = config.is_canyon_active(timestamp).then(Vec::new);
    payload.parent_beacon_block_root = config
        .is_ecotone_active(timestamp)
        .then(|| origin.header.parent_beacon_block_root.unwrap_or_default());
    Ok(attributes)
}

/// The system configuration that a block's own transactions record.
fn system_config(config: &RollupConfig, block: &L2Block) -> Result<SystemConfig, DevnetError> {
    let block = OpBlock {
        header: block.header.clone_inner(),
        body: alloy_consensus::BlockBody {
            transactions: block.transactions.clone(),
            ..Default::default()
        },
    };
    to_system_config(&block, config).map_err(|error| DevnetError::Attributes(error.to_string()))
}

/// Deposits of users in an L1 block; logs are counted over all successful receipts.
fn user_deposits(
    config: &RollupConfig,
    block: &L1Block,
) -> Result<Vec<Bytes>, kona_protocol::DepositError> {
    block
        .receipts
        .iter()
        .filter(|receipt| receipt.status())
        .flat_map(|receipt| receipt.logs())
        .enumerate()
        .filter(|(_, log)| {
            log.address == config.deposit_contract_address
                && log.topics().first() == Some(&DEPOSIT_EVENT_ABI_HASH)
        })
        .map(|(index, log)| decode_deposit(block.header.hash(), index, log))
        .collect()
}

/// The transactions of the forks that activate between two blocks.
fn upgrades(config: &RollupConfig, before: u64, now: u64) -> Vec<Bytes> {
    let mut transactions: Vec<Bytes> = Vec::new();
    if config.is_ecotone_active(now) && !config.is_ecotone_active(before) {
        transactions.extend(Hardforks::ECOTONE.txs());
    }
    if config.is_fjord_active(now) && !config.is_fjord_active(before) {
        transactions.extend(Hardforks::FJORD.txs());
    }
    if config.is_isthmus_active(now) && !config.is_isthmus_active(before) {
        transactions.extend(Hardforks::ISTHMUS.txs());
    }
    transactions
}

/// Whether a fork with transactions of its own activates between two blocks.
pub(crate) fn is_upgrade(config: &RollupConfig, before: u64, now: u64) -> bool {
    !upgrades(config, before, now).is_empty()
}
