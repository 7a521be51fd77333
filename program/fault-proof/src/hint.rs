//! Hints: what the program tells its host before it asks for pre-images.
//!
//! A hint is text, `<type> 0x<hexadecimal digits>`, with types and data as kona and op-program
//! have them; numbers are big-endian.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

use alloy_primitives::{Address, B256, Bytes, U256, hex};

/// A hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// The L1 block header with this hash.
    L1BlockHeader(B256),
    /// The transactions of the L1 block with this hash.
    L1Transactions(B256),
    /// The receipts of the L1 block with this hash.
    L1Receipts(B256),
    /// A blob.
    L1Blob {
        /// Its versioned hash.
        hash: B256,
        /// Its index among the blobs of its L1 block.
        index: u64,
        /// Timestamp of its L1 block.
        timestamp: u64,
    },
    /// The result of a precompiled contract: address ‖ gas ‖ input.
    L1Precompile(Bytes),
    /// The L2 block header with this hash.
    L2BlockHeader(B256),
    /// The transactions of the L2 block with this hash.
    L2Transactions(B256),
    /// The contract code with this hash.
    L2Code(B256),
    /// The output proposal with this root.
    StartingL2Output(B256),
    /// The node of an L2 state or storage trie with this hash.
    L2StateNode(B256),
    /// The nodes on the way to an account.
    L2AccountProof {
        /// Block of the state.
        block: u64,
        /// The account.
        address: Address,
    },
    /// The nodes on the way to a storage slot.
    L2AccountStorageProof {
        /// Block of the state.
        block: u64,
        /// The account.
        address: Address,
        /// The slot.
        slot: U256,
    },
    /// Everything that the execution of a block will ask for.
    L2PayloadWitness {
        /// Hash of the parent block.
        parent: B256,
        /// The block's payload attributes as JSON.
        attributes: Vec<u8>,
    },
}

impl Hint {
    /// The type, as it stands before the data.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::L1BlockHeader(_) => "l1-block-header",
            Self::L1Transactions(_) => "l1-transactions",
            Self::L1Receipts(_) => "l1-receipts",
            Self::L1Blob { .. } => "l1-blob",
            Self::L1Precompile(_) => "l1-precompile-v2",
            Self::L2BlockHeader(_) => "l2-block-header",
            Self::L2Transactions(_) => "l2-transactions",
            Self::L2Code(_) => "l2-code",
            Self::StartingL2Output(_) => "starting-l2-output",
            Self::L2StateNode(_) => "l2-state-node",
            Self::L2AccountProof { .. } => "l2-account-proof",
            Self::L2AccountStorageProof { .. } => "l2-account-storage-proof",
            Self::L2PayloadWitness { .. } => "l2-payload-witness",
        }
    }

    /// The data behind the type.
    pub fn data(&self) -> Cow<'_, [u8]> {
        match self {
            Self::L1BlockHeader(hash)
            | Self::L1Transactions(hash)
            | Self::L1Receipts(hash)
            | Self::L2BlockHeader(hash)
            | Self::L2Transactions(hash)
            | Self::L2Code(hash)
            | Self::StartingL2Output(hash)
            | Self::L2StateNode(hash) => Cow::Borrowed(hash.as_slice()),
            Self::L1Precompile(call) => Cow::Borrowed(call),
            Self::L1Blob {
                hash,
                index,
                timestamp,
            } => [&hash[..], &index.to_be_bytes(), &timestamp.to_be_bytes()]
                .concat()
                .into(),
            Self::L2AccountProof { block, address } => {
                [&block.to_be_bytes()[..], &address[..]].concat().into()
            }
            Self::L2AccountStorageProof {
                block,
                address,
                slot,
            } => {
                let slot = slot.to_be_bytes::<32>();
                [&block.to_be_bytes()[..], &address[..], &slot]
                    .concat()
                    .into()
            }
            Self::L2PayloadWitness { parent, attributes } => {
                [&parent[..], attributes].concat().into()
            }
        }
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name(), hex::encode_prefixed(self.data()))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn hints_read_as_hosts_expect_them() {
        let hash = B256::repeat_byte(0xab);
        let digits = "ab".repeat(32);
        let address = Address::repeat_byte(0xcd);
        let cases = [
            (
                Hint::L1Receipts(hash),
                alloc::format!("l1-receipts 0x{digits}"),
            ),
            (
                Hint::L1Blob {
                    hash,
                    index: 3,
                    timestamp: 0x0102,
                },
                alloc::format!("l1-blob 0x{digits}00000000000000030000000000000102"),
            ),
            (
                Hint::L2AccountProof { block: 7, address },
                alloc::format!("l2-account-proof 0x0000000000000007{}", "cd".repeat(20)),
            ),
            (
                Hint::L2AccountStorageProof {
                    block: 7,
                    address,
                    slot: U256::from(9),
                },
                alloc::format!(
                    "l2-account-storage-proof 0x0000000000000007{}{:064x}",
                    "cd".repeat(20),
                    9
                ),
            ),
            (
                Hint::L2PayloadWitness {
                    parent: hash,
                    attributes: b"{}".to_vec(),
                },
                alloc::format!("l2-payload-witness 0x{digits}7b7d"),
            ),
            (
                Hint::L1Precompile(Bytes::from_static(&[1, 2])),
                "l1-precompile-v2 0x0102".to_string(),
            ),
        ];
        for (hint, text) in cases {
            assert_eq!(hint.to_string(), text);
        }
    }
}
