//! The L2 genesis: accounts with known keys, predeploys, test contracts.

use std::collections::BTreeMap;

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH, Header, Sealable, Sealed};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, U256, address};
use kona_genesis::RollupConfig;
use kona_hardforks::{Ecotone, Fjord, Isthmus};
use kona_protocol::Predeploys;
use op_alloy_consensus::TxDeposit;
use op_alloy_rpc_types_engine::OpPayloadAttributes;

use crate::DevnetError;
use crate::contracts::{self, IMPLEMENTATION_SLOT};
use crate::l2::{Executor, block_format, extra_data};
use crate::precompile::PrecompileResults;
use crate::spec::GENESIS_TIME;
use crate::traffic;
use crate::world::World;

/// Who creates the first implementation of the `L1Block` predeploy.
const DEPLOYER: Address = address!("0x4210000000000000000000000000000000ffffff");
/// Gas limit and base fee (wei) of the genesis block.
const GAS_LIMIT: u64 = 30_000_000;
const BASE_FEE: u64 = 1_000_000_000;

/// The state at genesis and the genesis header.
pub(crate) fn genesis(
    config: &RollupConfig,
    nodes: &mut BTreeMap<B256, Bytes>,
) -> Result<(World, Sealed<Header>), DevnetError> {
    let mut world = allocate();
    deploy(config, &mut world)?;
    let mut payload = OpPayloadAttributes::default();
    payload.payload_attributes.timestamp = GENESIS_TIME;
    let state_root = world.state_root(nodes);
    let withdrawals_root = if config.is_isthmus_active(GENESIS_TIME) {
        world.storage_root(&Predeploys::L2_TO_L1_MESSAGE_PASSER)
    } else {
        config
            .is_canyon_active(GENESIS_TIME)
            .then_some(EMPTY_ROOT_HASH)
    };
    let header = Header {
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        state_root,
        withdrawals_root,
        gas_limit: GAS_LIMIT,
        timestamp: GENESIS_TIME,
        base_fee_per_gas: Some(BASE_FEE),
        extra_data: extra_data(config, &payload),
        parent_beacon_block_root: config.is_ecotone_active(GENESIS_TIME).then_some(B256::ZERO),
        ..block_format(config, GENESIS_TIME)
    }
    .seal_slow();
    world.block_hashes = vec![header.hash()];
    Ok((world, header))
}

/// Accounts that are there whatever the fork.
fn allocate() -> World {
    let mut world = World::default();
    for user in traffic::users() {
        world.set_balance(user.address(), U256::from(1) << 100);
    }
    for predeploy in [
        Predeploys::L1_BLOCK_INFO,
        Predeploys::GAS_PRICE_ORACLE,
        Predeploys::OPERATOR_FEE_VAULT,
    ] {
        world.set_code(predeploy, contracts::proxy());
    }
    world.set_code(
        Predeploys::L2_TO_L1_MESSAGE_PASSER,
        contracts::message_passer(),
    );
    for (address, code) in contracts::all() {
        world.set_code(address, code);
        world.set_balance(address, U256::from(1_000_000));
    }
    // Slots to be read, changed and cleared, enough for a trie of several levels.
    for slot in 0..64u64 {
        world.set_slot(
            contracts::STORAGE,
            U256::from(slot),
            U256::from(slot * slot + 1),
        );
    }
    world
}

/// Brings the predeploys to the genesis fork: by the very transactions that upgraded real chains.
fn deploy(config: &RollupConfig, world: &mut World) -> Result<(), DevnetError> {
    // Ecotone's implementation also serves the forks before it.
    let mut first = Ecotone::deposits().take(1).collect::<Vec<_>>();
    first[0].from = DEPLOYER;
    world.set_slot(
        Predeploys::L1_BLOCK_INFO,
        IMPLEMENTATION_SLOT,
        DEPLOYER.create(0).into_word().into(),
    );
    run(config, world, first)?;
    if config.is_ecotone_active(GENESIS_TIME) {
        run(config, world, Ecotone::deposits().collect())?;
    }
    if config.is_fjord_active(GENESIS_TIME) {
        run(config, world, Fjord::deposits().collect())?;
    }
    if config.is_isthmus_active(GENESIS_TIME) {
        run(config, world, Isthmus::deposits().collect())?;
    }
    Ok(())
}

/// Executes deposits as a block that is then forgotten; only the state stays.
fn run(
    config: &RollupConfig,
    world: &mut World,
    deposits: Vec<TxDeposit>,
) -> Result<(), DevnetError> {
    let encoded = deposits.iter().map(|tx| Bytes::from(tx.encoded_2718()));
    let mut attributes = OpPayloadAttributes {
        transactions: Some(encoded.collect()),
        gas_limit: Some(GAS_LIMIT),
        ..Default::default()
    };
    attributes.payload_attributes.timestamp = GENESIS_TIME;
    attributes.payload_attributes.parent_beacon_block_root =
        config.is_ecotone_active(GENESIS_TIME).then_some(B256::ZERO);
    let parent = Header {
        timestamp: GENESIS_TIME - config.block_time,
        gas_limit: GAS_LIMIT,
        base_fee_per_gas: Some(BASE_FEE),
        extra_data: extra_data(config, &attributes),
        ..Default::default()
    }
    .seal_slow();
    Executor {
        config,
        world,
        nodes: &mut BTreeMap::new(),
        precompiles: &mut PrecompileResults::new(),
    }
    .execute(&parent, &attributes)?;
    world.block_hashes.clear();
    world.forget_roots();
    // The system calls of these blocks are not part of the genesis.
    for contract in [
        alloy_eips::eip4788::BEACON_ROOTS_ADDRESS,
        alloy_eips::eip2935::HISTORY_STORAGE_ADDRESS,
    ] {
        world.clear_storage(contract);
    }
    Ok(())
}
