//! Sends transactions and watches them until they are buried.
//!
//! A transaction is in the journal before it is sent, and stays there until so many blocks are
//! above it that no reorganisation takes it away. Meanwhile nothing else is sent for the same
//! purpose; it is sent again if the node has forgotten it, and with a higher fee if no block takes
//! it. What it has brought about is for others to see on the chain: a receipt only ends the
//! watching.

mod fees;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alloy_consensus::TxEip1559;
use alloy_eips::eip2930::AccessList;
use alloy_primitives::{Address, B256, Bytes, TxKind, U64, U256};
use alloy_sol_types::SolCall;
use fees::Fees;
use serde_json::json;

use crate::agent::pause;
use crate::chain::{Block, Chain};
use crate::journal::{Attempt, Journal, JournalError, Sent};
use crate::lock::lock;
use crate::metrics::Metrics;
use crate::rpc::RpcError;
use crate::wallet::Wallet;
use crate::{Notice, Severity};

/// The most gas that a transaction may have (EIP-7825).
const MOST_GAS: u64 = 1 << 24;

/// Words that are remembered, so that they are told once.
const MOST_TOLD: usize = 1_000;

/// A call to be made on the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it is for, in words that are the same whenever it is the same.
    pub purpose: String,
    /// The contract.
    pub to: Address,
    /// The call.
    pub data: Bytes,
    /// Wei that go along.
    pub value: U256,
}

impl Request {
    /// A call for a purpose, with a value in wei.
    pub fn new<C: SolCall>(purpose: String, to: Address, call: &C, value: U256) -> Self {
        let data = call.abi_encode().into();
        Self {
            purpose,
            to,
            data,
            value,
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submission {
    /// It was sent, as a transaction with this hash.
    Sent(B256),
    /// One for the same purpose is under way.
    Pending,
    /// It would have been sent.
    Dry,
}

/// Why a request was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The node.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The journal: nothing is sent that is not in it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The contract would refuse it.
    #[error("{purpose}: the contract refuses it: {reason}")]
    Reverts {
        /// What it was for.
        purpose: String,
        /// With which error.
        reason: String,
    },
    /// Fees are higher than one is ready to pay.
    #[error("{purpose}: the chain asks for {asked} wei per gas, and the limit is {limit}")]
    Fee {
        /// What it was for.
        purpose: String,
        /// Base fee and tip in wei.
        asked: u128,
        /// The limit in wei.
        limit: u128,
    },
    /// It would need more gas than a transaction may have.
    #[error("{purpose}: it needs {gas} gas, and a transaction has at most {MOST_GAS}")]
    Gas {
        /// What it was for.
        purpose: String,
        /// What the node estimates.
        gas: u64,
    },
    /// It could not be signed.
    #[error("cannot sign: {0}")]
    Signature(String),
}

/// How transactions are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendOptions {
    /// Blocks from a transaction's on, after which it is taken for buried.
    pub confirmations: u64,
    /// How long to wait for a block to take a transaction before its fee is raised.
    pub resubmit: Duration,
    /// The most to pay per unit of gas, in wei.
    pub max_fee: u128,
    /// Whether to send nothing, and tell what would be sent.
    pub dry_run: bool,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self {
            confirmations: 10,
            resubmit: Duration::from_secs(48),
            max_fee: 1_000_000_000_000,
            dry_run: false,
        }
    }
}

/// Sends the transactions of one account. All methods may be called by several threads.
pub struct Sender {
    chain: Chain,
    chain_id: u64,
    wallet: Wallet,
    journal: Journal,
    options: SendOptions,
    metrics: Arc<Metrics>,
    notice: Notice,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    sent: BTreeMap<u64, Sent>,
    /// Purposes told of in a dry run, and words told once.
    told: BTreeSet<String>,
}

impl Queue {
    /// Whether something for a purpose is on its way, or has been done and is not buried.
    fn is_under_way(&self, purpose: &str) -> bool {
        self.sent.values().any(|sent| {
            let has_failed = sent.mined.is_some_and(|mined| !mined.success);
            sent.purpose == purpose && !has_failed
        })
    }

    /// The lowest nonce that neither the chain nor anything under way has used.
    fn free_nonce(&self, used: u64) -> u64 {
        let free = (used..u64::MAX).find(|nonce| !self.sent.contains_key(nonce));
        free.unwrap_or(u64::MAX)
    }

    /// The lowest nonce that is in no block.
    fn first_unmined(&self) -> Option<u64> {
        let unmined = self.sent.iter().find(|(_, sent)| sent.mined.is_none());
        unmined.map(|(nonce, _)| *nonce)
    }
}

impl Sender {
    /// A sender that goes on with what the journal has.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn new(
        chain: Chain,
        chain_id: u64,
        wallet: Wallet,
        journal: Journal,
        options: SendOptions,
        metrics: Arc<Metrics>,
        notice: Notice,
    ) -> Result<Self, JournalError> {
        let sent = journal.all()?.into_iter().collect();
        Ok(Self {
            chain,
            chain_id,
            wallet,
            journal,
            options,
            metrics,
            notice,
            queue: Mutex::new(Queue {
                sent,
                told: BTreeSet::new(),
            }),
        })
    }

    /// Whose transactions they are.
    #[must_use]
    pub fn account(&self) -> Address {
        self.wallet.address()
    }

    /// Blocks after which something is taken for buried.
    #[must_use]
    pub fn confirmations(&self) -> u64 {
        self.options.confirmations
    }

    /// Transactions that are not buried yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.queue().sent.len()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    /// Sends a request, unless one for the same purpose is under way.
    ///
    /// # Errors
    /// [`SendError`]; then nothing was sent.
    pub fn submit(&self, request: Request) -> Result<Submission, SendError> {
        if self.queue().is_under_way(&request.purpose) {
            return Ok(Submission::Pending);
        }
        // Others may send while the node is asked.
        let gas = self.estimate(&request)?;
        if self.options.dry_run {
            let words = format!("dry run: would send: {}", request.purpose);
            self.tell_once(&mut self.queue(), Severity::Info, words);
            return Ok(Submission::Dry);
        }
        let head = self.chain.latest()?;
        let fees = Fees::suggested(&self.chain, &head)?;
        let fees = fees.within(self.options.max_fee).map_err(|asked| {
            let (purpose, limit) = (request.purpose.clone(), self.options.max_fee);
            SendError::Fee {
                purpose,
                asked,
                limit,
            }
        })?;
        let mut queue = self.queue();
        if queue.is_under_way(&request.purpose) {
            return Ok(Submission::Pending);
        }
        let used = self.chain.nonce(self.account(), &head)?;
        let nonce = queue.free_nonce(used);
        let mut sent = Sent {
            purpose: request.purpose,
            to: request.to,
            data: request.data,
            value: request.value,
            gas,
            attempts: Vec::new(),
            mined: None,
            lost_since: None,
        };
        let attempt = self.sign(nonce, &sent, fees)?;
        let hash = attempt.hash;
        sent.attempts.push(attempt);
        self.journal.keep(nonce, &sent)?;
        match self.send(&sent) {
            // It would stand in the way of all that come after it.
            Err(error @ RpcError::Refused { .. }) => {
                self.journal.forget(nonce)?;
                return Err(error.into());
            }
            // Whether the node has it is not known: it is looked after.
            Err(error) => self.notice.warn(&format!("{}: {error}", sent.purpose)),
            Ok(()) => {}
        }
        let words = format!("{}: transaction {hash}", sent.purpose);
        self.notice.info(&words);
        queue.sent.insert(nonce, sent);
        Ok(Submission::Sent(hash))
    }

    fn tell_once(&self, queue: &mut Queue, severity: Severity, words: String) {
        if queue.told.len() >= MOST_TOLD {
            queue.told.clear();
        }
        if queue.told.insert(words.clone()) {
            self.notice.tell(severity, &words);
        }
    }

    /// Gas for a request, with a fifth in reserve: the state that it meets may be another one.
    fn estimate(&self, request: &Request) -> Result<u64, SendError> {
        let call = json!({
            "from": self.account(),
            "to": request.to,
            "data": request.data,
            "value": request.value,
        });
        let gas: Result<U64, RpcError> = self.chain.rpc().ask("eth_estimateGas", (call,));
        match gas {
            Ok(gas) => match gas.saturating_to::<u64>() {
                gas @ 0..=MOST_GAS => Ok((gas * 6 / 5).min(MOST_GAS)),
                gas => Err(SendError::Gas {
                    purpose: request.purpose.clone(),
                    gas,
                }),
            },
            Err(error) => match error.revert_reason() {
                Some(reason) => Err(SendError::Reverts {
                    purpose: request.purpose.clone(),
                    reason,
                }),
                None => Err(error.into()),
            },
        }
    }

    fn sign(&self, nonce: u64, sent: &Sent, fees: Fees) -> Result<Attempt, SendError> {
        let transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce,
            gas_limit: sent.gas,
            max_fee_per_gas: fees.max_fee,
            max_priority_fee_per_gas: fees.tip,
            to: TxKind::Call(sent.to),
            value: sent.value,
            access_list: AccessList::default(),
            input: sent.data.clone(),
        };
        let signed = self.wallet.sign(transaction);
        let signed = signed.map_err(|error| SendError::Signature(error.to_string()))?;
        Ok(Attempt {
            hash: signed.hash,
            raw: signed.raw,
            max_fee: fees.max_fee,
            tip: fees.tip,
            at: now(),
        })
    }

    /// Sends the newest form. A node that has it already, or a block that has, is no error.
    fn send(&self, sent: &Sent) -> Result<(), RpcError> {
        let Some(attempt) = sent.attempts.last() else {
            return Ok(());
        };
        let answer: Result<B256, RpcError> = self
            .chain
            .rpc()
            .ask("eth_sendRawTransaction", (&attempt.raw,));
        match answer {
            Err(error) if !is_known(&error.to_string()) => Err(error),
            _ => Ok(()),
        }
    }

    /// Sends it again. That the node does not take it is told, and no error: it is tried again as
    /// long as it is in the journal.
    fn broadcast(&self, queue: &mut Queue, sent: &Sent) {
        if let Err(error) = self.send(sent) {
            let words = format!("{}: {error}", sent.purpose);
            self.tell_once(queue, Severity::Warn, words);
        }
    }

    /// Looks after everything that is under way, at a new block.
    ///
    /// # Errors
    /// The first failure of the node or the journal; the others are looked at all the same.
    pub fn tend(&self, head: &Block) -> Result<(), SendError> {
        if self.options.dry_run {
            // What is under way from before is left as it is.
            return Ok(());
        }
        let nonces: Vec<u64> = self.queue().sent.keys().copied().collect();
        let mut result = Ok(());
        for nonce in nonces {
            // Those who want to send come in between.
            let tended = self.tend_one(&mut self.queue(), nonce, head);
            result = result.and(tended);
        }
        let pending = self.pending() as u64;
        crate::metrics::set(&self.metrics.transactions_pending, pending);
        result
    }

    /// Looks after everything until it is buried, at intervals; false if it was stopped before. In a
    /// dry run there is nothing to wait for.
    ///
    /// # Errors
    /// As [`Self::tend`].
    pub fn bury(&self, interval: Duration, stop: &AtomicBool) -> Result<bool, SendError> {
        while !self.options.dry_run && self.pending() > 0 {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            self.tend(&self.chain.latest()?)?;
            if self.pending() > 0 {
                pause(interval, stop);
            }
        }
        Ok(true)
    }
}

/// Nodes' words for a transaction that they have, or that a block has.
fn is_known(words: &str) -> bool {
    let words = words.to_lowercase();
    ["already known", "already imported", "nonce too low"]
        .iter()
        .any(|part| words.contains(part))
}

/// Seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
