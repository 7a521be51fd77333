//! Hints: what they say, and which keys they may lead to.

use alloy_primitives::{Address, B256, keccak256};
use carronade_program::key::PreimageKey;

use crate::fault::Fault;

/// The chain that a block hint is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The chain that the data is on.
    L1,
    /// The chain that is proven.
    L2,
}

/// A block of the L2 chain, as the hints of proofs name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockId {
    /// By number.
    Number(u64),
    /// By hash.
    Hash(B256),
}

/// A hint, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// A block's header, by its hash.
    Header(Layer, B256),
    /// The transactions of the block of this hash.
    Transactions(Layer, B256),
    /// The receipts of the block of this hash.
    Receipts(Layer, B256),
    /// A blob by its versioned hash, in the block of this timestamp in seconds.
    Blob(B256, u64),
    /// A call of a precompile: address, gas (`u64` big-endian) and input.
    Precompile(Vec<u8>),
    /// A contract's code, by its hash.
    Code(B256),
    /// The output proposal that the run starts from, by the output root.
    Output(B256),
    /// A node of a trie of the state, by its hash.
    StateNode(B256),
    /// The trie nodes that lead to an account.
    Account(BlockId, Address),
    /// The trie nodes that lead to an account and a slot of its storage.
    Slot(BlockId, Address, B256),
    /// All that executing a payload reads: the parent's hash, and the attributes in JSON.
    Payload(B256, Vec<u8>),
}

/// Whether a hint may lead to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leads {
    /// It does not.
    No,
    /// It brings many pre-images whose keys show only when they are there.
    Perhaps,
    /// It is this pre-image's.
    Surely,
}

impl Hint {
    /// Reads `<type> 0x<hex>` (specification, `fault-proof/index.md`, "Hinting"; the types are
    /// kona's and op-program's). `None` for a type that is not known here.
    ///
    /// # Errors
    /// [`Fault::Hint`] if the payload does not fit the type.
    pub fn parse(text: &[u8]) -> Result<Option<Self>, Fault> {
        let bad = |why: &str| {
            Fault::Hint(format!(
                "the hint `{}` makes no sense: {why}",
                carronade_host::show_hint(text)
            ))
        };
        let words = std::str::from_utf8(text).map_err(|_| bad("it is not text"))?;
        let (name, payload) = words.split_once(' ').unwrap_or((words, ""));
        let data = const_hex::decode(payload).map_err(|_| bad("its payload is not hex"))?;
        Self::of(name, &data).map_err(|length| bad(&format!("its payload has {length} bytes")))
    }

    /// The hint of this type with this payload; the payload's length if that is wrong.
    fn of(name: &str, data: &[u8]) -> Result<Option<Self>, usize> {
        let length = data.len();
        let hash = || B256::try_from(data).map_err(|_| length);
        Ok(Some(match name {
            "l1-block-header" => Self::Header(Layer::L1, hash()?),
            "l1-transactions" => Self::Transactions(Layer::L1, hash()?),
            "l1-receipts" => Self::Receipts(Layer::L1, hash()?),
            "l2-block-header" => Self::Header(Layer::L2, hash()?),
            "l2-transactions" => Self::Transactions(Layer::L2, hash()?),
            "l2-receipts" => Self::Receipts(Layer::L2, hash()?),
            "l2-code" => Self::Code(hash()?),
            "starting-l2-output" | "l2-output" => Self::Output(hash()?),
            "l2-state-node" => Self::StateNode(hash()?),
            "l1-blob" if [40, 48].contains(&length) => {
                let (hash, timestamp) = (&data[..32], &data[length - 8..]);
                Self::Blob(B256::from_slice(hash), number(timestamp))
            }
            "l1-precompile" | "l1-precompile-v2" if length >= 28 => Self::Precompile(data.to_vec()),
            "l2-account-proof" => {
                let (block, rest) = split(data, &[20])?;
                Self::Account(block, Address::from_slice(rest))
            }
            "l2-account-storage-proof" => {
                let (block, rest) = split(data, &[20, 32])?;
                let slot = B256::from_slice(&rest[20..]);
                Self::Slot(block, Address::from_slice(&rest[..20]), slot)
            }
            "l2-payload-witness" if length > 32 => {
                Self::Payload(B256::from_slice(&data[..32]), data[32..].to_vec())
            }
            "l1-blob" | "l1-precompile" | "l1-precompile-v2" | "l2-payload-witness" => {
                return Err(length);
            }
            _ => return Ok(None),
        }))
    }

    /// Whether what this hint brings may be the pre-image of `key`.
    #[must_use]
    pub fn leads_to(&self, key: &PreimageKey) -> Leads {
        let keccak = |hash: &B256| PreimageKey::keccak256(hash.0) == *key;
        let surely = match self {
            Self::Header(_, hash)
            | Self::Code(hash)
            | Self::Output(hash)
            | Self::StateNode(hash) => keccak(hash),
            Self::Precompile(call) => {
                let hash = keccak256(call);
                keccak(&hash) || PreimageKey::precompile(hash.0) == *key
            }
            Self::Blob(hash, _) => PreimageKey::sha256(hash.0) == *key,
            _ => false,
        };
        match (surely, self, key.as_bytes()[0]) {
            (true, ..) => Leads::Surely,
            (_, Self::Blob(..), 2 | 5) => Leads::Perhaps,
            (_, many, 2) if many.brings_many() => Leads::Perhaps,
            _ => Leads::No,
        }
    }

    /// Whether it brings keccak pre-images that its text does not name.
    const fn brings_many(&self) -> bool {
        matches!(
            self,
            Self::Transactions(..)
                | Self::Receipts(..)
                | Self::Account(..)
                | Self::Slot(..)
                | Self::Payload(..)
        )
    }

    /// Whether it should be looked after before anybody asks. What a payload's witness may bring
    /// as well, a single node's hint, waits until it is seen to be missing.
    #[must_use]
    pub const fn is_worth_an_early_start(&self) -> bool {
        !matches!(
            self,
            Self::Code(_) | Self::StateNode(_) | Self::Account(..) | Self::Slot(..)
        )
    }

    /// Whether what it brings is part of the L2 state, which a payload's witness brings too.
    #[must_use]
    pub const fn is_state(&self) -> bool {
        !self.is_worth_an_early_start()
    }
}

/// Eight bytes, big-endian.
fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// A block's number (8 bytes) or hash (32 bytes), and the rest, whose parts are this long.
fn split<'a>(data: &'a [u8], parts: &[usize]) -> Result<(BlockId, &'a [u8]), usize> {
    let rest: usize = parts.iter().sum();
    let block = data.len().checked_sub(rest);
    let (block, rest) = data.split_at(block.ok_or(data.len())?);
    match block.len() {
        8 => Ok((BlockId::Number(number(block)), rest)),
        32 => Ok((BlockId::Hash(B256::from_slice(block)), rest)),
        _ => Err(data.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Hint> {
        Hint::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn every_hint_is_read() {
        let hash = B256::repeat_byte(0xab);
        let hex = const_hex::encode(hash);
        let header = parse(&format!("l1-block-header 0x{hex}"));
        assert_eq!(header, Some(Hint::Header(Layer::L1, hash)));
        let blob = Some(Hint::Blob(hash, 7));
        assert_eq!(parse(&format!("l1-blob 0x{hex}{:016x}{:016x}", 3, 7)), blob);
        assert_eq!(parse(&format!("l1-blob 0x{hex}{:016x}", 7)), blob);
        let address = Address::repeat_byte(0x11);
        let account = format!("{:016x}{}", 9, const_hex::encode(address));
        assert_eq!(
            parse(&format!("l2-account-proof 0x{account}")),
            Some(Hint::Account(BlockId::Number(9), address))
        );
        assert_eq!(
            parse(&format!("l2-account-proof 0x{hex}{}", &account[16..])),
            Some(Hint::Account(BlockId::Hash(hash), address))
        );
        assert_eq!(
            parse(&format!("l2-account-storage-proof 0x{account}{hex}")),
            Some(Hint::Slot(BlockId::Number(9), address, hash))
        );
        assert_eq!(
            parse(&format!("l2-payload-witness 0x{hex}7b7d")),
            Some(Hint::Payload(hash, b"{}".to_vec()))
        );
        assert_eq!(parse("something-new 0x12"), None);
    }

    #[test]
    fn hints_that_make_no_sense_are_refused() {
        for text in [
            "l1-block-header",
            "l1-block-header 0x12",
            "l1-block-header zz",
            "l1-blob 0x1234",
            "l1-precompile-v2 0x00",
            "l2-account-proof 0x00",
            "l2-payload-witness 0x00",
        ] {
            let error = Hint::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
        assert!(Hint::parse(&[0xff]).is_err());
    }

    #[test]
    fn a_hint_leads_to_its_keys() {
        let hash = B256::repeat_byte(0x17);
        let keccak = PreimageKey::keccak256(hash.0);
        let other = PreimageKey::keccak256([0x18; 32]);
        let header = Hint::Header(Layer::L1, hash);
        assert_eq!(header.leads_to(&keccak), Leads::Surely);
        assert_eq!(header.leads_to(&other), Leads::No);
        let blob = Hint::Blob(hash, 0);
        assert_eq!(blob.leads_to(&PreimageKey::sha256(hash.0)), Leads::Surely);
        assert_eq!(blob.leads_to(&PreimageKey::blob([1; 32])), Leads::Perhaps);
        assert_eq!(blob.leads_to(&PreimageKey::precompile([1; 32])), Leads::No);
        let receipts = Hint::Receipts(Layer::L1, hash);
        assert_eq!(receipts.leads_to(&other), Leads::Perhaps);
        let call = vec![1; 30];
        let key = PreimageKey::precompile(keccak256(&call).0);
        assert_eq!(Hint::Precompile(call).leads_to(&key), Leads::Surely);
    }
}
