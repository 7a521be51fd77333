//! What the contracts on L1 emit: deposits and configuration updates.

use alloy_primitives::{Address, B256, Bytes, Log, LogData, U256, keccak256};
use kona_protocol::DEPOSIT_EVENT_ABI_HASH;

use crate::spec::{DEPOSIT_CONTRACT, SYSTEM_CONFIG};

/// A deposit of a user.
#[derive(Clone, Debug)]
pub(crate) struct Deposit {
    pub(crate) from: Address,
    /// The recipient; none for a contract creation.
    pub(crate) to: Option<Address>,
    pub(crate) mint: u128,
    pub(crate) value: U256,
    pub(crate) gas_limit: u64,
    pub(crate) input: Bytes,
}

impl Deposit {
    /// `TransactionDeposited(address,address,uint256,bytes)`, version 0.
    pub(crate) fn log(&self) -> Log {
        let mut opaque = Vec::new();
        opaque.extend_from_slice(&U256::from(self.mint).to_be_bytes::<32>());
        opaque.extend_from_slice(&self.value.to_be_bytes::<32>());
        opaque.extend_from_slice(&self.gas_limit.to_be_bytes());
        opaque.push(u8::from(self.to.is_none()));
        opaque.extend_from_slice(&self.input);
        let topics = vec![
            DEPOSIT_EVENT_ABI_HASH,
            self.from.into_word(),
            self.to.unwrap_or_default().into_word(),
            B256::ZERO,
        ];
        log(DEPOSIT_CONTRACT, topics, &opaque)
    }
}

/// A change of the system configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Update {
    Batcher(Address),
    Fees {
        overhead: U256,
        scalar: U256,
    },
    GasLimit(u64),
    /// Has no effect on derivation.
    UnsafeSigner(Address),
    /// From Holocene on.
    Eip1559 {
        denominator: u32,
        elasticity: u32,
    },
    /// From Isthmus on.
    OperatorFee {
        scalar: u32,
        constant: u64,
    },
}

impl Update {
    /// `ConfigUpdate(uint256,uint8,bytes)`, version 0.
    pub(crate) fn log(&self) -> Log {
        let word = |value: U256| value.to_be_bytes::<32>().to_vec();
        let (kind, data) = match *self {
            Self::Batcher(address) => (0, address.into_word().to_vec()),
            Self::Fees { overhead, scalar } => (1, [word(overhead), word(scalar)].concat()),
            Self::GasLimit(limit) => (2, word(U256::from(limit))),
            Self::UnsafeSigner(address) => (3, address.into_word().to_vec()),
            Self::Eip1559 {
                denominator,
                elasticity,
            } => {
                let packed = u64::from(denominator) << 32 | u64::from(elasticity);
                (4, word(U256::from(packed)))
            }
            Self::OperatorFee { scalar, constant } => {
                let packed = U256::from(scalar) << 64 | U256::from(constant);
                (5, word(packed))
            }
        };
        let topics = vec![
            keccak256("ConfigUpdate(uint256,uint8,bytes)"),
            B256::ZERO,
            B256::with_last_byte(kind),
        ];
        log(SYSTEM_CONFIG, topics, &data)
    }
}

/// A log with `data` as ABI-encoded `bytes`.
fn log(address: Address, topics: Vec<B256>, data: &[u8]) -> Log {
    let mut encoded = U256::from(32).to_be_bytes::<32>().to_vec();
    encoded.extend_from_slice(&U256::from(data.len()).to_be_bytes::<32>());
    encoded.extend_from_slice(data);
    encoded.resize(64 + data.len().next_multiple_of(32), 0);
    Log {
        address,
        data: LogData::new_unchecked(topics, encoded.into()),
    }
}
