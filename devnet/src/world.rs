//! The L2 state: accounts, codes and block hashes, as a database for the EVM.

use std::collections::BTreeMap;
use std::convert::Infallible;

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use alloy_trie::TrieAccount;
use revm::bytecode::Bytecode;
use revm::database::BundleState;
use revm::database_interface::DatabaseRef;
use revm::state::AccountInfo;

use crate::trie::Trie;

/// One account.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) nonce: u64,
    pub(crate) balance: U256,
    pub(crate) code_hash: B256,
    pub(crate) storage: BTreeMap<U256, U256>,
    /// The storage's root, as long as nothing was written since it was computed.
    storage_root: Option<B256>,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            nonce: 0,
            balance: U256::ZERO,
            code_hash: KECCAK256_EMPTY,
            storage: BTreeMap::new(),
            storage_root: None,
        }
    }
}

/// The whole state after some block.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) accounts: BTreeMap<Address, Account>,
    pub(crate) codes: BTreeMap<B256, Bytes>,
    /// The hash of every block so far, by number.
    pub(crate) block_hashes: Vec<B256>,
}

impl World {
    /// Gives an account code, making the account if need be.
    pub(crate) fn set_code(&mut self, address: Address, code: Bytes) {
        let hash = keccak256(&code);
        self.codes.insert(hash, code);
        let account = self.accounts.entry(address).or_default();
        account.code_hash = hash;
        account.nonce = 1;
    }

    /// Gives an account ether, making the account if need be.
    pub(crate) fn set_balance(&mut self, address: Address, balance: U256) {
        self.accounts.entry(address).or_default().balance = balance;
    }

    /// Writes one slot of an account, making the account if need be.
    pub(crate) fn set_slot(&mut self, address: Address, slot: U256, value: U256) {
        let account = self.accounts.entry(address).or_default();
        account.storage.insert(slot, value);
        account.storage_root = None;
    }

    /// Empties an account's storage, if there is such an account.
    pub(crate) fn clear_storage(&mut self, address: Address) {
        if let Some(account) = self.accounts.get_mut(&address) {
            account.storage.clear();
            account.storage_root = None;
        }
    }

    /// Makes the next [`Self::state_root`] compute all storage roots, and so give all nodes.
    pub(crate) fn forget_roots(&mut self) {
        for account in self.accounts.values_mut() {
            account.storage_root = None;
        }
    }

    /// Takes over what a block changed.
    pub(crate) fn apply(&mut self, bundle: BundleState) {
        for (hash, code) in bundle.contracts {
            self.codes.insert(hash, code.original_bytes());
        }
        for (address, change) in bundle.state {
            let Some(info) = &change.info else {
                self.accounts.remove(&address);
                continue;
            };
            let account = self.accounts.entry(address).or_default();
            if change.was_destroyed() {
                account.storage.clear();
                account.storage_root = None;
            }
            account.nonce = info.nonce;
            account.balance = info.balance;
            account.code_hash = info.code_hash;
            for (slot, value) in change.storage {
                account.storage_root = None;
                if value.present_value.is_zero() {
                    account.storage.remove(&slot);
                } else {
                    account.storage.insert(slot, value.present_value);
                }
            }
        }
    }

    /// The state root; nodes not seen before go to `nodes` by their hash.
    pub(crate) fn state_root(&mut self, nodes: &mut BTreeMap<B256, Bytes>) -> B256 {
        let mut leaves = Vec::with_capacity(self.accounts.len());
        for (address, account) in &mut self.accounts {
            let leaf = TrieAccount {
                nonce: account.nonce,
                balance: account.balance,
                storage_root: storage_root(account, nodes),
                code_hash: account.code_hash,
            };
            leaves.push((*address, alloy_rlp::encode(leaf)));
        }
        insert_nodes(Trie::secure(leaves), nodes)
    }

    /// The storage root of an account after [`Self::state_root`].
    pub(crate) fn storage_root(&self, address: &Address) -> Option<B256> {
        self.accounts.get(address)?.storage_root
    }
}

/// Puts the trie's nodes among `nodes` and returns the root.
fn insert_nodes(trie: Trie, nodes: &mut BTreeMap<B256, Bytes>) -> B256 {
    for node in trie.nodes {
        nodes.insert(keccak256(&node), node);
    }
    trie.root
}

fn storage_root(account: &mut Account, nodes: &mut BTreeMap<B256, Bytes>) -> B256 {
    *account.storage_root.get_or_insert_with(|| {
        let leaves = account
            .storage
            .iter()
            .map(|(slot, value)| (B256::from(*slot), alloy_rlp::encode(value)));
        insert_nodes(Trie::secure(leaves), nodes)
    })
}

impl DatabaseRef for World {
    type Error = Infallible;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.accounts.get(&address).map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            code: None,
        }))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, Infallible> {
        let code = self.codes.get(&code_hash).cloned().unwrap_or_default();
        Ok(Bytecode::new_raw(code))
    }

    fn storage_ref(&self, address: Address, index: U256) -> Result<U256, Infallible> {
        let account = self.accounts.get(&address);
        Ok(account
            .and_then(|account| account.storage.get(&index).copied())
            .unwrap_or_default())
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Infallible> {
        let hash = self.block_hashes.get(number as usize);
        Ok(hash.copied().unwrap_or_default())
    }
}
