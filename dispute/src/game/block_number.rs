//! An output root that is right, but of another block than claimed.

use super::{Game, Message};
use crate::error::GameError;
use alloy_primitives::{B256, U256, keccak256};

/// The index of the number among the items of a block's header.
const NUMBER_ITEM: usize = 8;
/// More items than the contract has room for (`RLPReader.MAX_LIST_LENGTH`).
const MOST_ITEMS: usize = 32;

/// What an output root is the hash of (`Types.OutputRootProof`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OutputRootProof {
    /// The version of the format, zero.
    pub version: B256,
    /// Root of the state.
    pub state_root: B256,
    /// Storage root of the contract with the withdrawals.
    pub message_passer_storage_root: B256,
    /// Hash of the block.
    pub latest_blockhash: B256,
}

impl OutputRootProof {
    /// The output root (`Hashing.hashOutputRootProof`).
    #[must_use]
    pub fn hash(&self) -> B256 {
        let words = [
            self.version,
            self.state_root,
            self.message_passer_storage_root,
            self.latest_blockhash,
        ];
        keccak256(words.concat())
    }
}

impl Game {
    /// Shows that the root claim is of another block than claimed, which wins the game
    /// (`challengeRootL2Block`).
    ///
    /// # Errors
    /// By the first rule broken: `GameNotInProgress`, `L2BlockNumberChallenged`,
    /// `InvalidOutputRootProof`, `InvalidHeaderRLP`, `BlockNumberMatches`.
    pub fn challenge_root_l2_block(
        &mut self,
        message: Message,
        proof: &OutputRootProof,
        header_rlp: &[u8],
    ) -> Result<(), GameError> {
        self.in_progress()?;
        if self.block_number_challenger.is_some() {
            return Err(GameError::L2BlockNumberChallenged);
        }
        if proof.hash() != self.creation.claimed.root {
            return Err(GameError::InvalidOutputRootProof);
        }
        if keccak256(header_rlp) != proof.latest_blockhash {
            return Err(GameError::InvalidHeaderRLP);
        }
        let number = block_number(header_rlp).ok_or(GameError::InvalidHeaderRLP)?;
        if number == U256::from(self.creation.claimed.l2_block) {
            return Err(GameError::BlockNumberMatches);
        }
        self.block_number_challenger = Some(message.sender);
        Ok(())
    }
}

/// The number in a header: like the contract, of any bytes, leading zeros included.
fn block_number(header: &[u8]) -> Option<U256> {
    let Item::List(mut rest) = whole(header)? else {
        return None;
    };
    let mut number = None;
    let mut index = 0;
    // The contract splits the whole list before it looks at the item.
    while !rest.is_empty() {
        let (item, after) = split(rest)?;
        if index == MOST_ITEMS {
            return None;
        }
        if index == NUMBER_ITEM {
            number = Some(item);
        }
        (index, rest) = (index + 1, after);
    }
    match number? {
        Item::Bytes(bytes) if bytes.len() <= 32 => Some(U256::from_be_slice(bytes)),
        _ => None,
    }
}

enum Item<'a> {
    Bytes(&'a [u8]),
    List(&'a [u8]),
}

fn whole(rlp: &[u8]) -> Option<Item<'_>> {
    split(rlp).and_then(|(item, rest)| rest.is_empty().then_some(item))
}

/// The first item of some RLP, and what follows it.
fn split(rlp: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let (&first, rest) = rlp.split_first()?;
    let (is_list, length, rest) = match first {
        0..=0x7f => return Some((Item::Bytes(&rlp[..1]), rest)),
        0x80..=0xb7 => (false, usize::from(first - 0x80), rest),
        0xb8..=0xbf => with_length(usize::from(first - 0xb7), rest).map(|(n, r)| (false, n, r))?,
        0xc0..=0xf7 => (true, usize::from(first - 0xc0), rest),
        0xf8..=0xff => with_length(usize::from(first - 0xf7), rest).map(|(n, r)| (true, n, r))?,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    // A small byte stands for itself (`RLPReader`: "invalid prefix").
    if !is_list && length == 1 && content[0] < 0x80 {
        return None;
    }
    let item = if is_list {
        Item::List(content)
    } else {
        Item::Bytes(content)
    };
    Some((item, rest))
}

/// A length of several bytes: without leading zeros, and more than 55.
fn with_length(bytes: usize, rest: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = rest.split_at_checked(bytes)?;
    if length.first() == Some(&0) {
        return None;
    }
    let length = U256::from_be_slice(length);
    let length = usize::try_from(length).ok().filter(|&length| length > 55)?;
    Some((length, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(items: &[&[u8]]) -> Vec<u8> {
        let content = items.concat();
        let mut rlp = vec![0xf8, u8::try_from(content.len()).unwrap()];
        rlp.extend_from_slice(&content);
        rlp
    }

    #[test]
    fn numbers() {
        let word: &[u8] = &[&[0xa0u8][..], &[7; 32]].concat();
        let empty: &[u8] = &[0x80];
        let small: &[u8] = &[5];
        let large: &[u8] = &[0x83, 1, 2, 3];
        let padded: &[u8] = &[0x82, 0, 9];
        let list: &[u8] = &[0xc1, 0x80];
        let with = |item| {
            block_number(&header(&[
                word, word, empty, empty, empty, empty, empty, empty, item, word,
            ]))
        };
        assert_eq!(with(small), Some(U256::from(5)));
        assert_eq!(with(large), Some(U256::from(0x01_02_03)));
        assert_eq!(with(padded), Some(U256::from(9)));
        assert_eq!(with(empty), Some(U256::ZERO));
        assert_eq!(with(list), None, "a list is no number");
        assert_eq!(with(&[0x81, 5]), None, "not canonical");
        assert_eq!(block_number(&header(&[word, word])), None, "too short");
        assert_eq!(
            block_number(&header(&[&[0x81, 200][..]; 33])),
            None,
            "too long"
        );
        let mut cut = header(&[word, word, word]);
        cut.pop();
        assert_eq!(block_number(&cut), None);
        assert_eq!(block_number(&[]), None);
    }
}
