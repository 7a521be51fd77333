//! A chain in memory: accounts, contracts and a clock, but no blocks.

use revm::context::result::{ExecutionResult, Output};
use revm::context::{BlockEnv, TxEnv};
use revm::database::{CacheDB, EmptyDB};
use revm::handler::MainnetContext;
use revm::precompile::{
    PrecompileError, PrecompileFn, PrecompileOutput, PrecompileWithAddress, Precompiles,
};
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, B256, Bytes, Log, TxKind, U256, hex, keccak256};
use revm::state::AccountInfo;
use revm::{Context, ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext, MainnetEvm};

/// Gas of a transaction; contracts of this project need far less.
const GAS_LIMIT: u64 = 1 << 32;

/// The precompile that evaluates blobs.
const POINT_EVALUATION: Address = Address::with_last_byte(0x0a);
/// What it costs.
const POINT_EVALUATION_GAS: u64 = 50_000;
/// What it returns when a proof is right: the elements of a blob, and the modulus of the field.
const POINT_EVALUATED: [u8; 64] = hex!(
    "0000000000000000000000000000000000000000000000000000000000001000"
    "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001"
);

/// What became of a transaction.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// What was returned, or the data of the revert; nothing if gas ran out or code is invalid.
    pub output: Result<Bytes, Bytes>,
    /// Gas used by the transaction, what it costs to send it included.
    pub gas: u64,
    /// Logs, in order.
    pub logs: Vec<Log>,
    /// The contract that was created, if one was.
    pub created: Option<Address>,
}

/// A chain in memory.
pub struct Chain {
    evm: MainnetEvm<MainnetContext<CacheDB<EmptyDB>>>,
}

impl Default for Chain {
    fn default() -> Self {
        Self::new()
    }
}

impl Chain {
    /// An empty chain, at time 1, with the rules of Cancun.
    #[must_use]
    pub fn new() -> Self {
        let context = Context::mainnet()
            .with_db(CacheDB::new(EmptyDB::default()))
            .modify_cfg_chained(|config| {
                config.spec = SpecId::CANCUN;
                config.disable_nonce_check = true;
                config.tx_gas_limit_cap = Some(u64::MAX);
            })
            .with_block(BlockEnv {
                number: U256::from(1),
                timestamp: U256::from(1),
                gas_limit: u64::MAX,
                ..BlockEnv::default()
            });
        Self {
            evm: context.build_mainnet(),
        }
    }

    /// Moves the clock on, and begins a new block.
    pub fn pass(&mut self, seconds: u64) {
        self.evm.ctx.modify_block(|block| {
            block.timestamp += U256::from(seconds);
            block.number += U256::from(1);
        });
    }

    /// Sets the clock, and begins a new block.
    pub fn warp(&mut self, timestamp: u64) {
        self.evm.ctx.modify_block(|block| {
            block.timestamp = U256::from(timestamp);
            block.number += U256::from(1);
        });
    }

    /// Says what the hash of the block before this one is.
    pub fn set_parent_hash(&mut self, hash: B256) {
        let parent = self.evm.ctx.block.number - U256::from(1);
        self.database().cache.block_hashes.insert(parent, hash);
    }

    /// Takes every proof of a blob's element for right, for the gas of a real check (EIP-4844),
    /// which takes C and is not there otherwise: a call that comes to it panics. For measuring,
    /// once something has been deployed.
    pub fn trust_blob_proofs(&mut self) {
        let accepts: PrecompileFn = |_, gas| match gas < POINT_EVALUATION_GAS {
            true => Err(PrecompileError::OutOfGas),
            false => Ok(PrecompileOutput::new(
                POINT_EVALUATION_GAS,
                POINT_EVALUATED.into(),
            )),
        };
        let mut precompiles = Precompiles::cancun().clone();
        precompiles.extend([PrecompileWithAddress(POINT_EVALUATION, accepts)]);
        // The EVM wants them for ever.
        self.evm.precompiles.precompiles = Box::leak(Box::new(precompiles));
    }

    /// The time, in seconds.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.evm.ctx.block.timestamp.saturating_to()
    }

    /// Gives an account a balance.
    pub fn fund(&mut self, account: Address, balance: U256) {
        let info = AccountInfo::from_balance(balance);
        self.database().insert_account_info(account, info);
    }

    /// The balance of an account.
    #[must_use]
    pub fn balance(&mut self, account: Address) -> U256 {
        let info = self.database().load_account(account);
        info.map_or(U256::ZERO, |account| account.info.balance)
    }

    /// Writes a word of a contract's storage, past its code.
    pub fn set_storage(&mut self, contract: Address, slot: B256, value: U256) {
        let written = self
            .database()
            .insert_account_storage(contract, slot.into(), value);
        match written {
            Ok(()) => {}
            Err(never) => match never {},
        }
    }

    /// Deploys a contract.
    ///
    /// # Panics
    /// If its constructor reverts.
    pub fn deploy(&mut self, from: Address, bytecode: &[u8], arguments: &[u8]) -> Address {
        let code = [bytecode, arguments].concat();
        let receipt = self.send(from, TxKind::Create, code, U256::ZERO);
        receipt
            .created
            .unwrap_or_else(|| panic!("not deployed: {receipt:?}"))
    }

    /// Sends a transaction; its effects stay.
    pub fn call(&mut self, from: Address, to: Address, data: Vec<u8>, value: U256) -> Receipt {
        self.send(from, TxKind::Call(to), data, value)
    }

    /// Executes a transaction without effects.
    pub fn view(&mut self, from: Address, to: Address, data: Vec<u8>) -> Receipt {
        let transaction = transaction(from, TxKind::Call(to), data, U256::ZERO);
        let done = self.evm.transact(transaction);
        receipt(done.expect("nothing but code decides").result)
    }

    fn send(&mut self, from: Address, to: TxKind, data: Vec<u8>, value: U256) -> Receipt {
        let transaction = transaction(from, to, data, value);
        let done = self.evm.transact_commit(transaction);
        receipt(done.expect("nothing but code decides"))
    }

    fn database(&mut self) -> &mut CacheDB<EmptyDB> {
        &mut self.evm.ctx.journaled_state.database
    }
}

fn transaction(from: Address, to: TxKind, data: Vec<u8>, value: U256) -> TxEnv {
    TxEnv {
        caller: from,
        kind: to,
        data: data.into(),
        value,
        gas_limit: GAS_LIMIT,
        gas_price: 0,
        ..TxEnv::default()
    }
}

fn receipt(result: ExecutionResult) -> Receipt {
    let gas = result.gas_used();
    let (output, logs, created) = match result {
        ExecutionResult::Success { output, logs, .. } => {
            let created = match output {
                Output::Create(_, address) => address,
                Output::Call(_) => None,
            };
            (Ok(output.into_data()), logs, created)
        }
        ExecutionResult::Revert { output, .. } => (Err(output), Vec::new(), None),
        ExecutionResult::Halt { .. } => (Err(Bytes::new()), Vec::new(), None),
    };
    Receipt {
        output,
        gas,
        logs,
        created,
    }
}

/// Gas that a transaction costs before anything is executed (EIP-2028).
#[must_use]
pub fn intrinsic_gas(data: &[u8]) -> u64 {
    let zeros = data.iter().filter(|byte| **byte == 0).count() as u64;
    21_000 + 4 * zeros + 16 * (data.len() as u64 - zeros)
}

/// The slot of an entry of a mapping that is in a slot.
#[must_use]
pub fn mapping_slot(key: B256, mapping: B256) -> B256 {
    keccak256([key, mapping].concat())
}
