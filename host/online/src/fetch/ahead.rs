//! What is fetched before anybody asks: a program walks back over thousands of L1 headers, one
//! after the other by their parents' hashes, and then forward over their receipts and
//! transactions.

use std::sync::PoisonError;

use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes, U64, keccak256};
use alloy_rlp::Decodable as _;
use futures::future::join_all;

use super::Fetcher;
use super::blocks::{RAW_HEADER, image};
use crate::fault::Fault;
use crate::hint::{Hint, Layer};

/// Headers read at once on the way back.
const HEADERS: u64 = 32;

/// Blocks whose receipts and transactions are fetched on the way forward.
const BLOCKS: usize = 4;

impl Fetcher {
    /// Notes which block follows which.
    pub(super) fn follows(&self, parent: B256, child: B256) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        next.insert(parent, child);
    }

    fn child(&self, hash: B256) -> Option<B256> {
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        next.get(&hash).copied()
    }

    /// Hints that will probably follow this one.
    pub(crate) fn expected_after(&self, hint: &Hint) -> Vec<Hint> {
        let (Hint::Receipts(Layer::L1, hash) | Hint::Transactions(Layer::L1, hash)) = hint else {
            return Vec::new();
        };
        let blocks = std::iter::successors(Some(*hash), |hash| self.child(*hash));
        let both = |hash| {
            [
                Hint::Receipts(Layer::L1, hash),
                Hint::Transactions(Layer::L1, hash),
            ]
        };
        let hints = blocks.take(BLOCKS).flat_map(both);
        hints.filter(|expected| expected != hint).collect()
    }

    /// Reads the headers before this one by their numbers, all at once, if it is the third in
    /// a row that is asked for backwards. Those that continue the chain of hashes are stored;
    /// others are nobody's fault, since the node's chain may have changed.
    ///
    /// # Errors
    /// When the header itself cannot be had, or the store fails.
    pub(crate) async fn read_back(&self, hint: &Hint) -> Result<(), Fault> {
        let &Hint::Header(Layer::L1, hash) = hint else {
            return Ok(());
        };
        let Some(child) = self.child(hash) else {
            return Ok(());
        };
        let walks_back = self.child(child).is_some();
        let Some(child) = self.known_header(child)?.filter(|_| walks_back) else {
            return Ok(());
        };
        if let Some(header) = self.known_header(hash)?
            && self.known_header(header.parent_hash)?.is_some()
        {
            return Ok(());
        }
        let last = child.number.saturating_sub(1);
        let numbers = (last.saturating_sub(HEADERS)..last).rev();
        let calls = numbers.map(|number| self.l1.find::<Bytes>(RAW_HEADER, [U64::from(number)]));
        let (headers, newest) = futures::join!(join_all(calls), self.header(Layer::L1, hash));
        let (mut expected, mut follower) = (newest?.parent_hash, hash);
        let mut images = Vec::new();
        for rlp in headers {
            let Ok(rlp) = rlp else { break };
            let header = Header::decode(&mut &rlp[..]);
            let Some(header) = header.ok().filter(|_| keccak256(&rlp) == expected) else {
                break;
            };
            images.push(image(&rlp));
            self.follows(expected, follower);
            (expected, follower) = (header.parent_hash, expected);
        }
        self.save(images)
    }
}
