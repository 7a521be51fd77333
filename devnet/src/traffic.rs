//! What users do on L2: transactions and deposits of every kind.

use alloy_consensus::{TxEip1559, TxEip2930, TxEip7702, TxLegacy};
use alloy_eips::eip2718::Encodable2718;
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_eips::eip7702::Authorization;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use kona_protocol::Predeploys;
use op_alloy_consensus::OpTxEnvelope;
use rand::Rng;
use rand::rngs::SmallRng;

use crate::asm::deployer;
use crate::calls;
use crate::contracts;
use crate::events::Deposit;
use crate::keys::Signer;
use crate::spec::L2_CHAIN_ID;

/// How many accounts send transactions.
const USERS: usize = 8;

/// The accounts that send transactions: `user 0` to `user 7`.
pub(crate) fn users() -> impl Iterator<Item = Signer> {
    (0..USERS).map(|i| Signer::named(&format!("user {i}")))
}

/// The rules that bear on what may be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) isthmus: bool,
}

/// Users and what they have done so far.
pub(crate) struct Traffic {
    rng: SmallRng,
    users: Vec<(Signer, u64)>,
    /// Contracts that users created, to be called later.
    created: Vec<Address>,
    authorities: u64,
}

/// A call or a creation, without what the sender adds.
struct Action {
    to: TxKind,
    value: U256,
    input: Bytes,
    gas_limit: u64,
}

impl Action {
    fn call(to: Address, input: impl Into<Bytes>) -> Self {
        let input = input.into();
        Self {
            to: TxKind::Call(to),
            value: U256::ZERO,
            // Enough for what calldata costs, too, as only zeros come in large numbers.
            gas_limit: 1_000_000 + 12 * input.len() as u64,
            input,
        }
    }
}

impl Traffic {
    pub(crate) fn new(rng: SmallRng) -> Self {
        Self {
            rng,
            users: users().map(|user| (user, 0)).collect(),
            created: Vec::new(),
            authorities: 0,
        }
    }

    /// Up to `limit` signed transactions for the next block; all of them are valid, some fail.
    pub(crate) fn transactions(&mut self, limit: u64, rules: Rules) -> Vec<Bytes> {
        let count = self.rng.random_range(0..=limit);
        (0..count).map(|_| self.transaction(rules)).collect()
    }

    fn transaction(&mut self, rules: Rules) -> Bytes {
        if rules.isthmus && self.rng.random_ratio(1, 8) {
            return self.delegation();
        }
        let action = self.action();
        let user = self.rng.random_range(0..USERS);
        let (signer, nonce) = &mut self.users[user];
        if action.to.is_create() {
            self.created.push(signer.address().create(*nonce));
        }
        let envelope = match self.rng.random_range(0..4) {
            0 => sign_legacy(signer, *nonce, action),
            1 => sign_access_list(signer, *nonce, action),
            _ => sign_dynamic_fee(signer, *nonce, action, self.rng.random_range(0..1_000_000)),
        };
        *nonce += 1;
        envelope.encoded_2718().into()
    }

    /// A signed transaction that cannot be part of a block: with a nonce from far ahead, or from
    /// an account without ether.
    pub(crate) fn impossible(&mut self) -> Bytes {
        let action = Action::call(Address::repeat_byte(1), Bytes::new());
        let (name, nonce) = if self.rng.random() {
            ("user 0", 1_000_000)
        } else {
            ("pauper", 0)
        };
        sign_legacy(&Signer::named(name), nonce, action)
            .encoded_2718()
            .into()
    }

    /// Hands the code of a contract to a fresh account and calls it (EIP-7702).
    fn delegation(&mut self) -> Bytes {
        self.authorities += 1;
        let authority = Signer::named(&format!("authority {}", self.authorities));
        let authorization = Authorization {
            chain_id: U256::from(L2_CHAIN_ID),
            address: contracts::STORAGE,
            nonce: 0,
        };
        let signature = authority.sign_hash(authorization.signature_hash());
        let user = self.rng.random_range(0..USERS);
        let (signer, nonce) = &mut self.users[user];
        let transaction = TxEip7702 {
            chain_id: L2_CHAIN_ID,
            nonce: *nonce,
            gas_limit: 500_000,
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: 1,
            to: authority.address(),
            value: U256::ZERO,
            access_list: AccessList::default(),
            authorization_list: vec![authorization.into_signed(signature)],
            input: words(&[U256::from(3), U256::from(4), U256::from(5)]),
        };
        *nonce += 1;
        let envelope: OpTxEnvelope = signer.sign(transaction).into();
        envelope.encoded_2718().into()
    }

    fn action(&mut self) -> Action {
        let rng = &mut self.rng;
        match rng.random_range(0..15) {
            0 | 1 => {
                // Some to accounts that are there, some to new ones.
                let to = if rng.random() {
                    Signer::named(&format!("user {}", rng.random_range(0..USERS))).address()
                } else {
                    Address::from(rng.random::<[u8; 20]>())
                };
                let value = U256::from(rng.random_range(0..1_000_000_000u64));
                Action {
                    value,
                    ..Action::call(to, Bytes::new())
                }
            }
            2 | 3 => {
                let start = rng.random_range(0..90u64);
                let count = rng.random_range(1..20u64);
                // Zero clears the slots.
                let value = rng.random_range(0..3u64) * rng.random::<u32>() as u64;
                let input = words(&[start, count, value].map(U256::from));
                Action::call(contracts::STORAGE, input)
            }
            4..=6 => {
                let (precompile, input) = pick(rng, &calls::PRECOMPILES);
                let input = [words(&[U256::from(*precompile)]).as_ref(), input].concat();
                Action::call(contracts::PRECOMPILES, input)
            }
            7 => Action {
                to: TxKind::Create,
                value: U256::from(rng.random_range(0..2u64)),
                ..Action::call(Address::ZERO, deployer(&contracts::destructible()))
            },
            8 => {
                let init = if rng.random() {
                    deployer(&contracts::destructible())
                } else {
                    contracts::short_lived()
                };
                let factory = if rng.random() {
                    contracts::FACTORY
                } else {
                    contracts::FACTORY2
                };
                Action::call(factory, init)
            }
            9 => {
                let created = self.created.pop();
                Action::call(created.unwrap_or(contracts::DESTRUCTIBLE), Bytes::new())
            }
            10 => {
                let length = rng.random_range(0..100);
                Action::call(contracts::LOGS, random_bytes(rng, length))
            }
            11 => Action::call(contracts::REVERTS, random_bytes(rng, 40)),
            12 => Action {
                gas_limit: 100_000,
                ..Action::call(contracts::ENDLESS, Bytes::new())
            },
            13 => {
                let account = Address::from(rng.random::<[u8; 20]>());
                let input = words(&[account.into_word().into()]);
                Action::call(contracts::ENVIRONMENT, input)
            }
            _ => {
                let message = random_bytes(rng, 50);
                Action::call(Predeploys::L2_TO_L1_MESSAGE_PASSER, message)
            }
        }
    }

    /// A deposit from L1. Its sender is no user, whose nonces would change otherwise.
    pub(crate) fn deposit(&mut self) -> Deposit {
        let rng = &mut self.rng;
        let ether = 1_000_000_000_000_000_000u128;
        let mut deposit = Deposit {
            from: Address::from(rng.random::<[u8; 20]>()),
            to: Some(Address::from(rng.random::<[u8; 20]>())),
            mint: ether * rng.random_range(0..3),
            value: U256::ZERO,
            gas_limit: rng.random_range(100_000..600_000),
            input: Bytes::new(),
        };
        match rng.random_range(0..6) {
            // Worth more than there is, now and then.
            0 => deposit.value = U256::from(ether),
            1 => {
                deposit.to = Some(contracts::STORAGE);
                deposit.input = words(&[U256::from(rng.random_range(0..99u64)); 3]);
            }
            2 => {
                deposit.to = None;
                deposit.input = deployer(&contracts::destructible());
            }
            3 => {
                deposit.to = Some(contracts::REVERTS);
                deposit.input = random_bytes(rng, 10);
            }
            // Not enough for anything.
            4 => deposit.gas_limit = 20_000,
            _ => {
                let (precompile, input) = pick(rng, &calls::PRECOMPILES);
                deposit.to = Some(contracts::PRECOMPILES);
                deposit.input = [words(&[U256::from(*precompile)]).as_ref(), input]
                    .concat()
                    .into();
            }
        }
        deposit
    }
}

/// More than any base fee here, in wei.
const MAX_FEE: u128 = 100_000_000_000;

fn words(words: &[U256]) -> Bytes {
    let bytes = words.iter().flat_map(|word| word.to_be_bytes::<32>());
    bytes.collect()
}

/// One of several, by chance.
fn pick<'a, T>(rng: &mut SmallRng, items: &'a [T]) -> &'a T {
    &items[rng.random_range(0..items.len())]
}

fn random_bytes(rng: &mut SmallRng, length: usize) -> Bytes {
    (0..length).map(|_| rng.random::<u8>()).collect()
}

fn sign_legacy(signer: &Signer, nonce: u64, action: Action) -> OpTxEnvelope {
    signer
        .sign(TxLegacy {
            chain_id: Some(L2_CHAIN_ID),
            nonce,
            gas_price: MAX_FEE,
            gas_limit: action.gas_limit,
            to: action.to,
            value: action.value,
            input: action.input,
        })
        .into()
}

fn sign_access_list(signer: &Signer, nonce: u64, action: Action) -> OpTxEnvelope {
    let item = AccessListItem {
        address: contracts::STORAGE,
        storage_keys: vec![B256::ZERO, B256::with_last_byte(9)],
    };
    signer
        .sign(TxEip2930 {
            chain_id: L2_CHAIN_ID,
            nonce,
            gas_price: MAX_FEE,
            gas_limit: action.gas_limit,
            to: action.to,
            value: action.value,
            access_list: AccessList(vec![item]),
            input: action.input,
        })
        .into()
}

fn sign_dynamic_fee(signer: &Signer, nonce: u64, action: Action, tip: u128) -> OpTxEnvelope {
    signer
        .sign(TxEip1559 {
            chain_id: L2_CHAIN_ID,
            nonce,
            gas_limit: action.gas_limit,
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: tip,
            to: action.to,
            value: action.value,
            access_list: AccessList::default(),
            input: action.input,
        })
        .into()
}
