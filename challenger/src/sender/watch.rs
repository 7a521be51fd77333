//! What becomes of a transaction.

use alloy_primitives::{Address, B256, Bytes, U64};
use serde::Deserialize;
use serde_json::Value;

use super::fees::Fees;
use super::{Queue, SendError, Sender, now};
use crate::Severity;
use crate::chain::{Block, is_buried};
use crate::journal::{Mined, Sent};
use crate::metrics::count;
use crate::rpc::RpcError;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    transaction_hash: B256,
    block_hash: B256,
    block_number: U64,
    status: U64,
    from: Address,
}

impl Sender {
    pub(super) fn tend_one(
        &self,
        queue: &mut Queue,
        nonce: u64,
        head: &Block,
    ) -> Result<(), SendError> {
        let Some(sent) = queue.sent.get(&nonce).cloned() else {
            return Ok(());
        };
        match sent.mined {
            Some(mined) => self.tend_mined(queue, nonce, sent, mined, head),
            None => self.tend_unmined(queue, nonce, sent, head),
        }
    }

    /// One that is in a block: is the block still there, and deep enough?
    fn tend_mined(
        &self,
        queue: &mut Queue,
        nonce: u64,
        mut sent: Sent,
        mined: Mined,
        head: &Block,
    ) -> Result<(), SendError> {
        let Some(block) = self.chain.block(mined.number)? else {
            // A node that lags behind does not have it yet.
            return Ok(());
        };
        if block.hash != mined.hash {
            count(&self.metrics.transactions_reorganised);
            let words = "a reorganisation took it out of block";
            let words = format!("{}: {words} {}", sent.purpose, mined.number);
            self.notice.warn(&words);
            sent.mined = None;
            self.broadcast(queue, &sent);
            return self.keep(queue, nonce, sent);
        }
        if !is_buried(mined.number, head.number, self.options.confirmations) {
            return Ok(());
        }
        let counter = match mined.success {
            true => &self.metrics.transactions_confirmed,
            false => &self.metrics.transactions_reverted,
        };
        count(counter);
        self.forget(queue, nonce)
    }

    /// One that is in no block yet, as far as is known.
    fn tend_unmined(
        &self,
        queue: &mut Queue,
        nonce: u64,
        mut sent: Sent,
        head: &Block,
    ) -> Result<(), SendError> {
        let used = self.chain.nonce(self.account(), head)?;
        if let Some(mined) = self.receipt(used > nonce, &sent)? {
            let (severity, how) = match mined.success {
                true => (Severity::Info, "done"),
                false => (Severity::Warn, "reverted"),
            };
            let words = format!("{}: {how} in block {}", sent.purpose, mined.number);
            self.notice.tell(severity, &words);
            sent.mined = Some(mined);
            sent.lost_since = None;
            return self.keep(queue, nonce, sent);
        }
        if used > nonce {
            let why = format!("another transaction of the account took its nonce {nonce}");
            return self.tend_lost(queue, nonce, sent, head, &why);
        }
        if queue.first_unmined().is_some_and(|first| first > used) {
            let why = format!("its nonce {nonce} is after {used}, which nothing has; given up");
            return self.tend_lost(queue, nonce, sent, head, &why);
        }
        sent.lost_since = None;
        let newest = sent.attempts.last().cloned();
        let Some(newest) = newest else {
            return self.forget(queue, nonce);
        };
        // Those after it wait for it, however much they would pay.
        let is_next = queue.first_unmined() == Some(nonce);
        if is_next && now().saturating_sub(newest.at) >= self.options.resubmit.as_secs() {
            return self.bump(queue, nonce, sent, head);
        }
        let known: Option<Value> = self
            .chain
            .rpc()
            .ask("eth_getTransactionByHash", (newest.hash,))?;
        if known.is_none() {
            self.broadcast(queue, &sent);
        }
        self.keep(queue, nonce, sent)
    }

    /// One that no block can take any more, or so it seems: the node may lag behind, or have told of
    /// a wrong nonce. After as many blocks as bury a transaction it is given up, and made anew if it
    /// is still due.
    fn tend_lost(
        &self,
        queue: &mut Queue,
        nonce: u64,
        mut sent: Sent,
        head: &Block,
        why: &str,
    ) -> Result<(), SendError> {
        let since = *sent.lost_since.get_or_insert(head.number);
        if head.number < since.saturating_add(self.options.confirmations) {
            return self.keep(queue, nonce, sent);
        }
        count(&self.metrics.transactions_lost);
        self.notice.warn(&format!("{}: {why}", sent.purpose));
        self.forget(queue, nonce)
    }

    /// Signs it again with a higher fee, if that is within the limit.
    fn bump(
        &self,
        queue: &mut Queue,
        nonce: u64,
        mut sent: Sent,
        head: &Block,
    ) -> Result<(), SendError> {
        let Some(newest) = sent.attempts.last() else {
            return Ok(());
        };
        let older = Fees {
            max_fee: newest.max_fee,
            tip: newest.tip,
        };
        let suggested = Fees::suggested(&self.chain, head)?;
        let Some(fees) = suggested.in_place_of(older, self.options.max_fee) else {
            let words = "no block takes it, and a higher fee would be too much";
            let words = format!("{}: {words}", sent.purpose);
            self.tell_once(queue, Severity::Warn, words);
            self.broadcast(queue, &sent);
            return Ok(());
        };
        let attempt = self.sign(nonce, &sent, fees)?;
        count(&self.metrics.transactions_bumped);
        self.notice.info(&format!(
            "{}: no block takes it; again with a higher fee: transaction {}",
            sent.purpose, attempt.hash
        ));
        // Only the newest is sent; of the others a block may have taken one, by its hash.
        for older in &mut sent.attempts {
            older.raw = Bytes::new();
        }
        sent.attempts.push(attempt);
        // In the journal before it is sent, as the first one.
        self.journal.keep(nonce, &sent)?;
        self.broadcast(queue, &sent);
        queue.sent.insert(nonce, sent);
        Ok(())
    }

    /// The receipt of any form of a transaction, if what it says is so: its block is on the chain
    /// and has the transaction, and the account's nonce is used up. (Not there but now: nodes have
    /// forgotten states of some time ago.)
    fn receipt(&self, is_used: bool, sent: &Sent) -> Result<Option<Mined>, RpcError> {
        for attempt in sent.attempts.iter().rev() {
            let receipt: Option<Receipt> = self
                .chain
                .rpc()
                .ask("eth_getTransactionReceipt", (attempt.hash,))?;
            let Some(receipt) = receipt else { continue };
            match self.doubt(is_used, attempt.hash, &receipt)? {
                None => {
                    return Ok(Some(Mined {
                        number: receipt.block_number.to(),
                        hash: receipt.block_hash,
                        success: receipt.status == U64::ONE,
                    }));
                }
                Some(why) => {
                    count(&self.metrics.wrong_answers);
                    let wrong = self.chain.rpc().wrong("eth_getTransactionReceipt", why);
                    self.notice.warn(&format!("{}: {wrong}", sent.purpose));
                }
            }
        }
        Ok(None)
    }

    fn doubt(
        &self,
        is_used: bool,
        hash: B256,
        receipt: &Receipt,
    ) -> Result<Option<&'static str>, RpcError> {
        if receipt.transaction_hash != hash || receipt.from != self.account() {
            return Ok(Some("it is of another transaction"));
        }
        let block = self.chain.block(receipt.block_number.to())?;
        let Some(block) = block.filter(|block| block.hash == receipt.block_hash) else {
            return Ok(Some("its block is not on the chain"));
        };
        if !block.transactions.contains(&hash) {
            return Ok(Some("its block does not have the transaction"));
        }
        if !is_used {
            return Ok(Some("the account's nonce is not used up"));
        }
        Ok(None)
    }

    fn keep(&self, queue: &mut Queue, nonce: u64, sent: Sent) -> Result<(), SendError> {
        if queue.sent.get(&nonce) != Some(&sent) {
            self.journal.keep(nonce, &sent)?;
            queue.sent.insert(nonce, sent);
        }
        Ok(())
    }

    fn forget(&self, queue: &mut Queue, nonce: u64) -> Result<(), SendError> {
        self.journal.forget(nonce)?;
        queue.sent.remove(&nonce);
        Ok(())
    }
}
