//! The L2 state before a block, opened as far as the block needs it, and the root after it.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use alloy_consensus::{Header, Sealed};
use alloy_primitives::map::AddressMap;
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, keccak256};
use alloy_rlp::Decodable;
use alloy_trie::{Nibbles, TrieAccount};
use carronade_program::key::PreimageKey;
use kona_mpt::{TrieHinter, TrieNode};
use revm::Database;
use revm::database::{BundleAccount, BundleState};
use revm::primitives::BLOCK_HASH_HISTORY;
use revm::state::{AccountInfo, Bytecode};

use crate::boot::l2_header;
use crate::error::Error;
use crate::hint::Hint;
use crate::preimages::Preimages;
use crate::trie;

/// The state after block `parent`. Accounts and slots come from the oracle as they are read.
#[derive(Debug)]
pub(crate) struct L2State {
    preimages: Preimages,
    parent: Sealed<Header>,
    accounts: TrieNode,
    /// Storage of the accounts that were read.
    storage: AddressMap<TrieNode>,
}

/// Errors of this type are the program's, not the block's.
impl revm::database_interface::DBErrorMarker for Error {}

impl L2State {
    /// The state after `parent`.
    pub(crate) fn new(preimages: Preimages, parent: Sealed<Header>) -> Self {
        Self {
            preimages,
            accounts: TrieNode::new_blinded(parent.state_root),
            parent,
            storage: AddressMap::default(),
        }
    }

    /// Storage root of an account, which must exist.
    pub(crate) fn storage_root(&mut self, address: Address) -> Result<B256, Error> {
        let account = self.account(address)?;
        let missing = || self.trie_error(format!("there is no account {address}"));
        account
            .map(|account| account.storage_root)
            .ok_or_else(missing)
    }

    /// Applies the changes of a block, and gives the state root after it.
    pub(crate) fn apply(&mut self, changes: &BundleState) -> Result<B256, Error> {
        let changes = changes.state().iter();
        let mut changes: Vec<_> = changes
            .filter(|(_, account)| !account.status.is_not_modified())
            .map(|(address, account)| (keccak256(address), *address, account))
            .collect();
        // An order that does not depend on the map, so that every run is the same.
        changes.sort_unstable_by_key(|(hash, ..)| *hash);
        for (hash, address, account) in changes {
            self.change(&Nibbles::unpack(hash), address, account)?;
        }
        Ok(trie::root(&self.accounts))
    }

    /// Applies the changes of one account. One that was destroyed may exist again: it begins
    /// with empty storage.
    fn change(
        &mut self,
        path: &Nibbles,
        address: Address,
        change: &BundleAccount,
    ) -> Result<(), Error> {
        if change.was_destroyed() {
            self.storage.insert(address, TrieNode::Empty);
        }
        let Some(info) = change.account_info() else {
            return self.remove(path);
        };
        let account = TrieAccount {
            nonce: info.nonce,
            balance: info.balance,
            code_hash: info.code_hash,
            storage_root: self.change_storage(address, change)?,
        };
        let encoded = alloy_rlp::encode(account);
        let inserted = self.accounts.insert(path, encoded.into(), &self.preimages);
        inserted.map_err(|e| self.trie_error(e))
    }

    /// Applies the changed slots of an account, and gives its storage root after them.
    fn change_storage(&mut self, address: Address, change: &BundleAccount) -> Result<B256, Error> {
        let slots = change.storage.iter();
        let mut slots: Vec<_> = slots
            .filter(|(_, slot)| slot.is_changed() || change.was_destroyed())
            .map(|(key, slot)| (keccak256(key.to_be_bytes::<32>()), slot.present_value))
            .collect();
        slots.sort_unstable_by_key(|(hash, _)| *hash);
        let storage = self.storage.entry(address).or_insert(TrieNode::Empty);
        for (hash, value) in slots {
            let path = Nibbles::unpack(hash);
            let changed = if value.is_zero() {
                remove(storage, &path, &self.preimages)
            } else {
                let value = alloy_rlp::encode(value);
                storage.insert(&path, value.into(), &self.preimages)
            };
            changed.map_err(|e| trie_error(&self.preimages, &self.parent, e))?;
        }
        Ok(trie::root(storage))
    }

    fn remove(&mut self, path: &Nibbles) -> Result<(), Error> {
        let removed = remove(&mut self.accounts, path, &self.preimages);
        removed.map_err(|e| self.trie_error(e))
    }

    fn account(&mut self, address: Address) -> Result<Option<TrieAccount>, Error> {
        self.preimages
            .hint_account_proof(address, self.parent.number)?;
        let path = Nibbles::unpack(keccak256(address));
        let found = self.accounts.open(&path, &self.preimages);
        let found = found.map_err(|e| trie_error(&self.preimages, &self.parent, e))?;
        let account = found.map(|encoded| TrieAccount::decode(&mut &encoded[..]));
        account.transpose().map_err(|e| self.trie_error(e))
    }

    fn trie_error(&self, reason: impl ToString) -> Error {
        trie_error(&self.preimages, &self.parent, reason)
    }
}

/// Removes what is at `path`, if anything is.
fn remove(
    trie: &mut TrieNode,
    path: &Nibbles,
    preimages: &Preimages,
) -> kona_mpt::TrieNodeResult<()> {
    match trie.open(path, preimages)? {
        Some(_) => trie.delete(path, preimages, preimages),
        None => Ok(()),
    }
}

/// Keeps the error, unless it comes from the oracle and is kept already.
fn trie_error(preimages: &Preimages, parent: &Header, reason: impl ToString) -> Error {
    let (number, reason) = (parent.number + 1, reason.to_string());
    preimages.fail(Error::Execution { number, reason })
}

impl Database for L2State {
    type Error = Error;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, Error> {
        let Some(account) = self.account(address)? else {
            return Ok(None);
        };
        let storage = TrieNode::new_blinded(account.storage_root);
        self.storage.insert(address, storage);
        Ok(Some(AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            code: None,
        }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, Error> {
        if hash == KECCAK256_EMPTY {
            return Ok(Bytecode::default());
        }
        let code = self.preimages.keccak_hinted(hash, Hint::L2Code(hash))?;
        Bytecode::new_raw_checked(code)
            .map_err(|e| self.preimages.malformed(PreimageKey::keccak256(hash.0), e))
    }

    /// The EVM reads slots of accounts that it has read before.
    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, Error> {
        let Some(storage) = self.storage.get_mut(&address) else {
            return Ok(U256::ZERO);
        };
        self.preimages
            .hint_storage_proof(address, slot, self.parent.number)?;
        let path = Nibbles::unpack(keccak256(slot.to_be_bytes::<32>()));
        let found = storage.open(&path, &self.preimages);
        let found = found.map_err(|e| trie_error(&self.preimages, &self.parent, e))?;
        let value = found.map(|encoded| U256::decode(&mut &encoded[..]));
        let value = value.transpose().map_err(|e| self.trie_error(e))?;
        Ok(value.unwrap_or_default())
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, Error> {
        let newest = self.parent.number;
        if number > newest || newest - number >= BLOCK_HASH_HISTORY {
            return Ok(B256::ZERO);
        }
        let mut hash = self.parent.seal();
        for _ in number..newest {
            hash = l2_header(&self.preimages, hash)?.parent_hash;
        }
        Ok(hash)
    }
}
