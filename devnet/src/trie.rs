//! Merkle Patricia tries with all their nodes.

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_trie::proof::ProofRetainer;
use alloy_trie::root::adjust_index_for_rlp;
use alloy_trie::{EMPTY_ROOT_HASH, HashBuilder, Nibbles};

/// A trie's root and its nodes.
#[derive(Clone, Debug)]
pub(crate) struct Trie {
    /// keccak256 of the root node.
    pub(crate) root: B256,
    /// Every node that a hash refers to (32 bytes and more, and the root), in no special order.
    pub(crate) nodes: Vec<Bytes>,
}

impl Trie {
    /// The trie of `leaves`, which are in the order of their keys.
    fn new(leaves: &[(Nibbles, Vec<u8>)]) -> Self {
        if leaves.is_empty() {
            // The program asks for the empty trie's only node like for any other.
            return Self {
                root: EMPTY_ROOT_HASH,
                nodes: vec![Bytes::from_static(&[alloy_rlp::EMPTY_STRING_CODE])],
            };
        }
        let keys = leaves.iter().map(|(key, _)| *key).collect();
        let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::new(keys));
        for (key, value) in leaves {
            builder.add_leaf(*key, value);
        }
        let root = builder.root();
        let nodes = builder
            .take_proof_nodes()
            .into_nodes_sorted()
            .into_iter()
            .filter(|(path, node)| path.is_empty() || node.len() >= 32)
            .map(|(_, node)| node)
            .collect();
        Self { root, nodes }
    }

    /// The trie of a list: keys are the RLP of the indices (transactions, receipts).
    pub(crate) fn ordered<T: AsRef<[u8]>>(items: &[T]) -> Self {
        let leaves: Vec<_> = (0..items.len())
            .map(|i| {
                let index = adjust_index_for_rlp(i, items.len());
                let key = Nibbles::unpack(alloy_rlp::encode_fixed_size(&index));
                (key, items[index].as_ref().to_vec())
            })
            .collect();
        Self::new(&leaves)
    }

    /// The trie of a map whose keys are hashed (state, storage).
    pub(crate) fn secure<K: AsRef<[u8]>>(items: impl IntoIterator<Item = (K, Vec<u8>)>) -> Self {
        let mut leaves: Vec<_> = items
            .into_iter()
            .map(|(key, value)| (Nibbles::unpack(keccak256(key)), value))
            .collect();
        leaves.sort_unstable_by_key(|(key, _)| *key);
        Self::new(&leaves)
    }
}
