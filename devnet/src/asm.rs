//! A small assembler for the contracts of the genesis state.
//!
//! Only what those contracts need; every push avoids `PUSH0`, which Regolith does not have.

use alloy_primitives::{Bytes, U256};

/// Opcodes that the contracts use.
#[allow(missing_docs, reason = "the names are those of the yellow paper")]
pub(crate) mod op {
    pub(crate) const STOP: u8 = 0x00;
    pub(crate) const ADD: u8 = 0x01;
    pub(crate) const SUB: u8 = 0x03;
    pub(crate) const LT: u8 = 0x10;
    pub(crate) const EQ: u8 = 0x14;
    pub(crate) const ISZERO: u8 = 0x15;
    pub(crate) const KECCAK256: u8 = 0x20;
    pub(crate) const BALANCE: u8 = 0x31;
    pub(crate) const CALLER: u8 = 0x33;
    pub(crate) const CALLVALUE: u8 = 0x34;
    pub(crate) const CALLDATALOAD: u8 = 0x35;
    pub(crate) const CALLDATASIZE: u8 = 0x36;
    pub(crate) const CALLDATACOPY: u8 = 0x37;
    pub(crate) const EXTCODEHASH: u8 = 0x3f;
    pub(crate) const RETURNDATASIZE: u8 = 0x3d;
    pub(crate) const RETURNDATACOPY: u8 = 0x3e;
    pub(crate) const BLOCKHASH: u8 = 0x40;
    pub(crate) const COINBASE: u8 = 0x41;
    pub(crate) const TIMESTAMP: u8 = 0x42;
    pub(crate) const NUMBER: u8 = 0x43;
    pub(crate) const PREVRANDAO: u8 = 0x44;
    pub(crate) const GASLIMIT: u8 = 0x45;
    pub(crate) const CHAINID: u8 = 0x46;
    pub(crate) const BASEFEE: u8 = 0x48;
    pub(crate) const MSTORE: u8 = 0x52;
    pub(crate) const SLOAD: u8 = 0x54;
    pub(crate) const SSTORE: u8 = 0x55;
    pub(crate) const JUMP: u8 = 0x56;
    pub(crate) const JUMPI: u8 = 0x57;
    pub(crate) const GAS: u8 = 0x5a;
    pub(crate) const JUMPDEST: u8 = 0x5b;
    pub(crate) const PUSH2: u8 = 0x61;
    pub(crate) const DUP1: u8 = 0x80;
    pub(crate) const DUP2: u8 = 0x81;
    pub(crate) const LOG0: u8 = 0xa0;
    pub(crate) const CREATE: u8 = 0xf0;
    pub(crate) const RETURN: u8 = 0xf3;
    pub(crate) const DELEGATECALL: u8 = 0xf4;
    pub(crate) const CREATE2: u8 = 0xf5;
    pub(crate) const STATICCALL: u8 = 0xfa;
    pub(crate) const REVERT: u8 = 0xfd;
    pub(crate) const SELFDESTRUCT: u8 = 0xff;
}

/// A place in the code to jump to.
#[derive(Clone, Copy)]
pub(crate) struct Label(usize);

/// Code being written.
#[derive(Default)]
pub(crate) struct Asm {
    code: Vec<u8>,
    labels: Vec<Option<usize>>,
    jumps: Vec<(usize, Label)>,
}

impl Asm {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Plain opcodes.
    pub(crate) fn ops(mut self, ops: &[u8]) -> Self {
        self.code.extend_from_slice(ops);
        self
    }

    /// Pushes a number in as few bytes as it takes, at least one.
    pub(crate) fn push(mut self, value: impl TryInto<U256>) -> Self {
        let value: U256 = value.try_into().unwrap_or_default();
        let bytes = value.to_be_bytes_trimmed_vec();
        let bytes = if bytes.is_empty() { vec![0] } else { bytes };
        self.code.push(0x5f + bytes.len() as u8);
        self.code.extend_from_slice(&bytes);
        self
    }

    /// A label to be placed later.
    pub(crate) fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// Puts the label here.
    pub(crate) fn place(mut self, label: Label) -> Self {
        self.labels[label.0] = Some(self.code.len());
        self.ops(&[op::JUMPDEST])
    }

    /// Pushes where the label is.
    pub(crate) fn push_label(mut self, label: Label) -> Self {
        self.jumps.push((self.code.len() + 1, label));
        self.ops(&[op::PUSH2, 0, 0])
    }

    /// The code, labels resolved.
    pub(crate) fn build(mut self) -> Bytes {
        for (position, label) in self.jumps {
            let target = self.labels[label.0].expect("a label that is jumped to is placed");
            let target = u16::try_from(target).expect("contracts here are short");
            self.code[position..position + 2].copy_from_slice(&target.to_be_bytes());
        }
        self.code.into()
    }
}

/// Creation code that installs `code`.
pub(crate) fn deployer(code: &[u8]) -> Bytes {
    // PUSH2 length, DUP1, PUSH1 offset, PUSH1 0, CODECOPY, PUSH1 0, RETURN: 13 bytes.
    let length = u16::try_from(code.len()).expect("contracts here are short");
    let mut init = vec![op::PUSH2];
    init.extend_from_slice(&length.to_be_bytes());
    init.extend_from_slice(&[op::DUP1, 0x60, 13, 0x60, 0, 0x39, 0x60, 0, op::RETURN]);
    init.push(op::STOP);
    init.extend_from_slice(code);
    init.into()
}
