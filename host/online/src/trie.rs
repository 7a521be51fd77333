//! Lists as tries, and proofs against tries.

use alloy_primitives::{B256, Bytes, U256, keccak256};
use alloy_rlp::Encodable as _;
use alloy_trie::proof::{ProofRetainer, verify_proof};
use alloy_trie::root::adjust_index_for_rlp;
use alloy_trie::{EMPTY_ROOT_HASH, HashBuilder, Nibbles, TrieAccount};
use serde::Deserialize;

/// The root of the trie that maps the RLP of 0, 1, … to `items`, and its nodes: the root always,
/// others if they have 32 bytes or more, since shorter ones are part of their parents. The root
/// is the last.
pub(crate) fn ordered_trie(items: &[Bytes]) -> (B256, Vec<Bytes>) {
    if items.is_empty() {
        return (EMPTY_ROOT_HASH, vec![Bytes::from_static(&[0x80])]);
    }
    let keys: Vec<_> = (0..items.len())
        .map(|position| adjust_index_for_rlp(position, items.len()))
        .map(|index| (index, Nibbles::unpack(alloy_rlp::encode_fixed_size(&index))))
        .collect();
    let paths = keys.iter().map(|(_, path)| *path).collect();
    let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::new(paths));
    for (index, path) in &keys {
        builder.add_leaf(*path, &items[*index]);
    }
    let root = builder.root();
    let nodes = builder.take_proof_nodes().into_nodes_sorted();
    let mut nodes: Vec<_> = nodes
        .into_iter()
        .filter(|(path, node)| path.is_empty() || node.len() >= 32)
        .map(|(_, node)| node)
        .collect();
    // The root's path is empty, so it was the first.
    nodes.reverse();
    (root, nodes)
}

/// The answer to `eth_getProof` (EIP-1186).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Proof {
    /// The nodes that lead to the account.
    pub(crate) account_proof: Vec<Bytes>,
    /// In wei.
    pub(crate) balance: U256,
    pub(crate) code_hash: B256,
    pub(crate) nonce: U256,
    /// The root of the account's storage.
    pub(crate) storage_hash: B256,
    /// For each slot asked for.
    #[serde(default)]
    pub(crate) storage_proof: Vec<SlotProof>,
}

/// One slot of a [`Proof`].
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SlotProof {
    pub(crate) value: U256,
    /// The nodes that lead to the slot.
    pub(crate) proof: Vec<Bytes>,
}

impl Proof {
    /// Checks the account against the state's root, and the slot, if there is one, against the
    /// account; tells what is wrong.
    pub(crate) fn verify(
        &self,
        state: B256,
        account: &[u8],
        slot: Option<&B256>,
    ) -> Result<(), String> {
        let path = Nibbles::unpack(keccak256(account));
        let there = TrieAccount {
            nonce: u64::try_from(self.nonce).unwrap_or(u64::MAX),
            balance: self.balance,
            storage_root: self.storage_hash,
            code_hash: self.code_hash,
        };
        let there = alloy_rlp::encode(there);
        verify_proof(state, path, Some(there), &self.account_proof)
            .or_else(|error| {
                // An account that does not exist has an empty storage, and the proof says so.
                match verify_proof(state, path, None, &self.account_proof) {
                    Ok(()) if self.is_empty() => Ok(()),
                    _ => Err(error),
                }
            })
            .map_err(|error| format!("the account's proof: {error}"))?;
        let Some(slot) = slot else { return Ok(()) };
        let [of_slot] = &self.storage_proof[..] else {
            let count = self.storage_proof.len();
            return Err(format!("{count} proofs of slots where one was asked for"));
        };
        let mut value = Vec::new();
        of_slot.value.encode(&mut value);
        let value = (!of_slot.value.is_zero()).then_some(value);
        let path = Nibbles::unpack(keccak256(slot));
        verify_proof(self.storage_root(), path, value, &of_slot.proof)
            .map_err(|error| format!("the slot's proof: {error}"))
    }

    fn is_empty(&self) -> bool {
        self.nonce.is_zero() && self.balance.is_zero() && self.storage_root() == EMPTY_ROOT_HASH
    }

    /// The storage's root; some nodes write zero for none.
    fn storage_root(&self) -> B256 {
        if self.storage_hash.is_zero() {
            EMPTY_ROOT_HASH
        } else {
            self.storage_hash
        }
    }

    /// All nodes, children first.
    pub(crate) fn nodes(self) -> impl Iterator<Item = Bytes> {
        let slots = self.storage_proof.into_iter();
        let slots = slots.flat_map(|slot| slot.proof.into_iter().rev());
        slots.chain(self.account_proof.into_iter().rev())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_trie::root::ordered_trie_root_encoded;

    #[test]
    fn every_item_is_found_from_the_root() {
        for count in [0, 1, 2, 3, 16, 17, 127, 128, 129, 300] {
            let items: Vec<_> = (0..count)
                .map(|index: usize| Bytes::from(vec![index as u8; 1 + index % 90]))
                .collect();
            let (root, nodes) = ordered_trie(&items);
            assert_eq!(root, ordered_trie_root_encoded(&items));
            assert_eq!(keccak256(nodes.last().unwrap()), root);
            // Every branch is there: a proof of each item can be put together from the nodes.
            for (index, item) in items.iter().enumerate() {
                let path = Nibbles::unpack(alloy_rlp::encode_fixed_size(&index));
                assert_eq!(
                    walk(root, &path, &nodes).as_ref(),
                    Some(item),
                    "{index} of {count}"
                );
            }
        }
    }

    /// The value at `path`, reading only nodes whose hashes are referred to.
    fn walk(root: B256, path: &Nibbles, nodes: &[Bytes]) -> Option<Bytes> {
        use alloy_rlp::Decodable as _;
        use alloy_trie::nodes::{RlpNode, TrieNode};
        let find = |hash: B256| nodes.iter().find(|node| keccak256(node) == hash).cloned();
        let (mut node, mut path) = (find(root)?, *path);
        let follow = |next: &RlpNode| match next.as_hash() {
            Some(hash) => find(hash),
            None => Some(Bytes::copy_from_slice(next.as_slice())),
        };
        loop {
            match TrieNode::decode(&mut node.as_ref()).ok()? {
                TrieNode::EmptyRoot => return None,
                TrieNode::Leaf(leaf) => return (leaf.key == path).then(|| leaf.value.into()),
                TrieNode::Extension(extension) => {
                    if !path.starts_with(&extension.key) {
                        return None;
                    }
                    path = path.slice(extension.key.len()..);
                    node = follow(&extension.child)?;
                }
                TrieNode::Branch(branch) => {
                    let nibble = path.first()?;
                    let before = (0..nibble).filter(|bit| branch.state_mask.is_bit_set(*bit));
                    let child = branch.stack.get(before.count())?.clone();
                    path = path.slice(1..);
                    node = follow(&child)?;
                }
            }
        }
    }
}
