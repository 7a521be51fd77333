//! A chain as a node tells of it: blocks, and what contracts answer at one.

use alloy_primitives::{Address, B256, Bytes, U64, U256};
use alloy_sol_types::SolCall;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::rpc::{BATCH, Rpc, RpcError};

/// How blocks are asked for.
const BLOCK: &str = "eth_getBlockByNumber";

/// A block, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Its time, in seconds.
    pub timestamp: u64,
    /// Its base fee, in wei per unit of gas.
    pub base_fee: u128,
    /// The hashes of its transactions.
    pub transactions: Vec<B256>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RpcBlock {
    number: U64,
    hash: B256,
    timestamp: U64,
    #[serde(default)]
    base_fee_per_gas: U256,
    transactions: Vec<B256>,
}

/// A chain behind a node.
#[derive(Clone)]
pub struct Chain {
    rpc: Rpc,
}

impl Chain {
    /// The chain that a node is of.
    #[must_use]
    pub fn new(rpc: Rpc) -> Self {
        Self { rpc }
    }

    /// The node.
    #[must_use]
    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// Its id.
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn id(&self) -> Result<u64, RpcError> {
        let id: U64 = self.rpc.ask("eth_chainId", ())?;
        Ok(id.to())
    }

    /// The newest block.
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn latest(&self) -> Result<Block, RpcError> {
        let latest = self.find(json!("latest"))?;
        latest.ok_or_else(|| self.rpc.wrong(BLOCK, "there is no newest block"))
    }

    /// The block with a number, if there is one.
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn block(&self, number: u64) -> Result<Option<Block>, RpcError> {
        self.find(json!(U64::from(number)))
    }

    fn find(&self, which: Value) -> Result<Option<Block>, RpcError> {
        let found: Option<RpcBlock> = self.rpc.ask(BLOCK, (which, false))?;
        Ok(found.map(|block| Block {
            number: block.number.to(),
            hash: block.hash,
            timestamp: block.timestamp.to(),
            base_fee: block.base_fee_per_gas.saturating_to(),
            transactions: block.transactions,
        }))
    }

    /// How many transactions an account has sent, up to a block.
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn nonce(&self, account: Address, at: &Block) -> Result<u64, RpcError> {
        let nonce: U64 = self
            .rpc
            .ask("eth_getTransactionCount", (account, by_hash(at.hash)))?;
        Ok(nonce.to())
    }

    /// The balance of an account in wei, at a block.
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn balance(&self, account: Address, at: &Block) -> Result<U256, RpcError> {
        self.rpc.ask("eth_getBalance", (account, by_hash(at.hash)))
    }

    /// Whether there is a contract at an address, at a block.
    ///
    /// # Errors
    /// [`RpcError`].
    pub fn has_code(&self, address: Address, at: &Block) -> Result<bool, RpcError> {
        let code: Bytes = self.rpc.ask("eth_getCode", (address, by_hash(at.hash)))?;
        Ok(!code.is_empty())
    }

    /// What a contract answers at a block.
    ///
    /// # Errors
    /// [`RpcError`], also when the contract reverts.
    pub fn view<C: SolCall>(
        &self,
        at: &Block,
        to: Address,
        call: &C,
    ) -> Result<C::Return, RpcError> {
        let answer: Bytes = self.rpc.ask("eth_call", params(at, to, call))?;
        self.read::<C>(to, &answer)
    }

    /// What a contract answers to many calls at a block, in their order.
    ///
    /// # Errors
    /// [`RpcError`], also when the contract reverts on one.
    pub fn view_all<C: SolCall>(
        &self,
        at: &Block,
        to: Address,
        calls: impl Iterator<Item = C>,
    ) -> Result<Vec<C::Return>, RpcError> {
        let mut calls = calls.map(|call| params(at, to, &call));
        let mut all = Vec::new();
        loop {
            // However many there are said to be: the node must answer these before more are made.
            let params: Vec<Value> = calls.by_ref().take(BATCH).collect();
            if params.is_empty() {
                return Ok(all);
            }
            let answers: Vec<Bytes> = self.rpc.ask_all("eth_call", &params)?;
            for answer in answers {
                all.push(self.read::<C>(to, &answer)?);
            }
        }
    }

    fn read<C: SolCall>(&self, to: Address, answer: &[u8]) -> Result<C::Return, RpcError> {
        C::abi_decode_returns(answer).map_err(|_| {
            let words = format!("{to} is no contract that has {}", C::SIGNATURE);
            self.rpc.wrong("eth_call", words)
        })
    }
}

/// Whether what has been so since a block is buried at a height: so many blocks have it, that one
/// included.
pub(crate) fn is_buried(since: u64, height: u64, confirmations: u64) -> bool {
    height >= since.saturating_add(confirmations.max(1) - 1)
}

/// A block by its hash, which must be on the chain still (EIP-1898).
fn by_hash(hash: B256) -> Value {
    json!({ "blockHash": hash, "requireCanonical": true })
}

fn params<C: SolCall>(at: &Block, to: Address, call: &C) -> Value {
    let data = Bytes::from(call.abi_encode());
    json!([{ "to": to, "data": data }, by_hash(at.hash)])
}
