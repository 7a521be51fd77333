//! Contracts of the genesis state: an upgradeable proxy for the predeploys, and contracts that
//! exercise what a block executor can get wrong.

use alloy_primitives::{Address, Bytes, U256, address, b256};

use crate::asm::{Asm, op};

/// Where a proxy keeps the address of its implementation (EIP-1967).
pub(crate) const IMPLEMENTATION_SLOT: U256 = U256::from_be_bytes(
    b256!("0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc").0,
);

/// Writes `count` slots from `start`: calldata is start, count, value (a word each).
pub(crate) const STORAGE: Address = address!("0x00000000000000000000000000000000c0de0001");
/// Calls the precompile at calldata's first word with the rest, keeps what came of it.
pub(crate) const PRECOMPILES: Address = address!("0x00000000000000000000000000000000c0de0002");
/// Creates a contract from calldata by `CREATE`.
pub(crate) const FACTORY: Address = address!("0x00000000000000000000000000000000c0de0003");
/// Creates a contract from calldata by `CREATE2`, salt from storage.
pub(crate) const FACTORY2: Address = address!("0x00000000000000000000000000000000c0de0004");
/// Emits logs with zero to four topics.
pub(crate) const LOGS: Address = address!("0x00000000000000000000000000000000c0de0005");
/// Reverts with calldata after writing.
pub(crate) const REVERTS: Address = address!("0x00000000000000000000000000000000c0de0006");
/// Runs until the gas is gone.
pub(crate) const ENDLESS: Address = address!("0x00000000000000000000000000000000c0de0007");
/// Keeps what it sees of the block, of other accounts and of earlier blocks.
pub(crate) const ENVIRONMENT: Address = address!("0x00000000000000000000000000000000c0de0008");
/// Sends its balance to the caller and is gone, as far as the fork lets it.
pub(crate) const DESTRUCTIBLE: Address = address!("0x00000000000000000000000000000000c0de0009");

/// All contracts that have no storage at genesis, with their code.
pub(crate) fn all() -> Vec<(Address, Bytes)> {
    vec![
        (STORAGE, storage()),
        (PRECOMPILES, precompiles()),
        (FACTORY, factory(false)),
        (FACTORY2, factory(true)),
        (LOGS, logs()),
        (REVERTS, reverts()),
        (ENDLESS, endless()),
        (ENVIRONMENT, environment()),
        (DESTRUCTIBLE, destructible()),
    ]
}

/// `upgradeTo` when the zero address calls with a selector and one word, as network upgrade
/// transactions do; otherwise a delegate call to the implementation.
pub(crate) fn proxy() -> Bytes {
    let mut asm = Asm::new();
    let (forward, ok) = (asm.label(), asm.label());
    asm.ops(&[op::CALLER])
        .push_label(forward)
        .ops(&[op::JUMPI])
        .push(4)
        .ops(&[op::CALLDATALOAD])
        .push(IMPLEMENTATION_SLOT)
        .ops(&[op::SSTORE, op::STOP])
        .place(forward)
        .ops(&[op::CALLDATASIZE])
        .push(0)
        .push(0)
        .ops(&[op::CALLDATACOPY])
        .push(0)
        .push(0)
        .ops(&[op::CALLDATASIZE])
        .push(0)
        .push(IMPLEMENTATION_SLOT)
        .ops(&[op::SLOAD, op::GAS, op::DELEGATECALL, op::RETURNDATASIZE])
        .push(0)
        .push(0)
        .ops(&[op::RETURNDATACOPY])
        .push_label(ok)
        .ops(&[op::JUMPI, op::RETURNDATASIZE])
        .push(0)
        .ops(&[op::REVERT])
        .place(ok)
        .ops(&[op::RETURNDATASIZE])
        .push(0)
        .ops(&[op::RETURN])
        .build()
}

/// The message passer: marks keccak256(calldata) as sent and logs it.
pub(crate) fn message_passer() -> Bytes {
    calldata_to_memory()
        .push(1)
        .ops(&[op::CALLDATASIZE])
        .push(0)
        .ops(&[op::KECCAK256, op::DUP1])
        .push(0)
        .ops(&[op::MSTORE, op::SSTORE])
        .push(32)
        .push(0)
        .ops(&[op::LOG0, op::STOP])
        .build()
}

fn calldata_to_memory() -> Asm {
    Asm::new()
        .ops(&[op::CALLDATASIZE])
        .push(0)
        .push(0)
        .ops(&[op::CALLDATACOPY])
}

fn storage() -> Bytes {
    let mut asm = Asm::new();
    let (again, clear, next, done) = (asm.label(), asm.label(), asm.label(), asm.label());
    // The counter is the only thing on the stack between rounds.
    asm.push(0)
        .place(again)
        .ops(&[op::DUP1])
        .push(32)
        .ops(&[op::CALLDATALOAD, op::EQ])
        .push_label(done)
        .ops(&[op::JUMPI])
        .push(64)
        .ops(&[op::CALLDATALOAD, op::ISZERO])
        .push_label(clear)
        .ops(&[op::JUMPI, op::DUP1])
        .push(64)
        .ops(&[op::CALLDATALOAD, op::ADD, op::DUP2])
        .push(0)
        .ops(&[op::CALLDATALOAD, op::ADD, op::SSTORE])
        .push_label(next)
        .ops(&[op::JUMP])
        .place(clear)
        .push(0)
        .ops(&[op::DUP2])
        .push(0)
        .ops(&[op::CALLDATALOAD, op::ADD, op::SSTORE])
        .place(next)
        .push(1)
        .ops(&[op::ADD])
        .push_label(again)
        .ops(&[op::JUMP])
        .place(done)
        .ops(&[op::STOP])
        .build()
}

fn precompiles() -> Bytes {
    // Memory: the input from 0. The input is all of calldata after the first word.
    Asm::new()
        .push(32)
        .ops(&[op::CALLDATASIZE, op::SUB])
        .push(32)
        .push(0)
        .ops(&[op::CALLDATACOPY])
        .push(0)
        .push(0)
        .push(32)
        .ops(&[op::CALLDATASIZE, op::SUB])
        .push(0)
        .push(0)
        .ops(&[op::CALLDATALOAD, op::GAS, op::STATICCALL])
        // Slot of the precompile's number: whether the call went well, plus one.
        .push(1)
        .ops(&[op::ADD])
        .push(0)
        .ops(&[op::CALLDATALOAD, op::SSTORE, op::RETURNDATASIZE])
        .push(0)
        .push(0)
        .ops(&[op::RETURNDATACOPY, op::RETURNDATASIZE])
        .push(0)
        .ops(&[op::KECCAK256])
        // And 2^16 further on the hash of what it returned.
        .push(0)
        .ops(&[op::CALLDATALOAD])
        .push(0x10000)
        .ops(&[op::ADD, op::SSTORE, op::STOP])
        .build()
}

fn factory(create2: bool) -> Bytes {
    let asm = calldata_to_memory();
    let asm = if create2 {
        // The salt counts up, so that the same code can be created again.
        asm.push(1)
            .push(0)
            .ops(&[op::SLOAD, op::ADD, op::DUP1])
            .push(0)
            .ops(&[op::SSTORE, op::CALLDATASIZE])
            .push(0)
            .ops(&[op::CALLVALUE, op::CREATE2])
    } else {
        asm.ops(&[op::CALLDATASIZE])
            .push(0)
            .ops(&[op::CALLVALUE, op::CREATE])
    };
    asm.push(1).ops(&[op::SSTORE, op::STOP]).build()
}

fn logs() -> Bytes {
    let mut asm = calldata_to_memory();
    for topics in 0..=4u8 {
        for topic in 0..topics {
            asm = asm.push(u64::from(topic) + 0x70);
        }
        asm = asm
            .ops(&[op::CALLDATASIZE])
            .push(0)
            .ops(&[op::LOG0 + topics]);
    }
    asm.ops(&[op::STOP]).build()
}

fn reverts() -> Bytes {
    calldata_to_memory()
        .push(1)
        .push(0)
        .ops(&[op::SSTORE, op::CALLDATASIZE])
        .push(0)
        .ops(&[op::REVERT])
        .build()
}

fn endless() -> Bytes {
    let mut asm = Asm::new();
    let again = asm.label();
    asm.place(again).push_label(again).ops(&[op::JUMP]).build()
}

fn environment() -> Bytes {
    let single = [
        op::COINBASE,
        op::TIMESTAMP,
        op::NUMBER,
        op::PREVRANDAO,
        op::GASLIMIT,
        op::CHAINID,
        op::BASEFEE,
        op::CALLVALUE,
    ];
    let mut asm = Asm::new();
    for (slot, code) in single.into_iter().enumerate() {
        asm = asm.ops(&[code]).push(slot as u64).ops(&[op::SSTORE]);
    }
    // The hashes of the three blocks before this one, where there are that many.
    for back in 1..=3u64 {
        let skip = asm.label();
        asm = asm
            .push(back)
            .ops(&[op::NUMBER, op::LT])
            .push_label(skip)
            .ops(&[op::JUMPI])
            .push(back)
            .ops(&[op::NUMBER, op::SUB, op::BLOCKHASH])
            .push(0x20 + back)
            .ops(&[op::SSTORE])
            .place(skip);
    }
    // An account named by calldata, which may be there or not.
    asm.push(0)
        .ops(&[op::CALLDATALOAD, op::BALANCE])
        .push(0x30)
        .ops(&[op::SSTORE])
        .push(0)
        .ops(&[op::CALLDATALOAD, op::EXTCODEHASH])
        .push(0x31)
        .ops(&[op::SSTORE, op::STOP])
        .build()
}

/// Code that sends its balance to whoever calls.
pub(crate) fn destructible() -> Bytes {
    Asm::new().ops(&[op::CALLER, op::SELFDESTRUCT]).build()
}

/// Creation code that destroys the contract in the transaction that creates it.
pub(crate) fn short_lived() -> Bytes {
    Asm::new()
        .push(1)
        .push(1)
        .ops(&[op::SSTORE, op::CALLER, op::SELFDESTRUCT])
        .build()
}
