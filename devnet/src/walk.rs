//! Reading tries out of a map of their nodes.

use std::collections::BTreeMap;

use alloy_primitives::{B256, Bytes};
use alloy_rlp::Decodable as _;
use alloy_trie::nodes::{RlpNode, TrieNode};
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles, TrieAccount};

/// Trie nodes by their hash.
pub(crate) type Nodes = BTreeMap<B256, Bytes>;

/// The proof of a key, present or not: the nodes from the root on, and the value if there is one.
pub(crate) fn proof(nodes: &Nodes, root: B256, key: B256) -> (Vec<Bytes>, Option<Vec<u8>>) {
    let mut proof = Vec::new();
    let mut path = Nibbles::unpack(key);
    let mut next = RlpNode::word_rlp(&root);
    if root == EMPTY_ROOT_HASH {
        return (proof, None);
    }
    loop {
        let Some(node) = resolve(nodes, &next) else {
            return (proof, None);
        };
        if next.is_hash() {
            proof.push(node.clone());
        }
        match TrieNode::decode(&mut node.as_ref()) {
            Ok(TrieNode::Branch(branch)) if !path.is_empty() => {
                let nibble = path.get_unchecked(0);
                let branch = branch.as_ref();
                let child = branch.children().find(|(place, _)| *place == nibble);
                let Some((_, Some(child))) = child else {
                    return (proof, None);
                };
                next = child.clone();
                path = path.slice(1..);
            }
            Ok(TrieNode::Extension(extension)) if path.starts_with(&extension.key) => {
                path = path.slice(extension.key.len()..);
                next = extension.child;
            }
            Ok(TrieNode::Leaf(leaf)) if leaf.key == path => return (proof, Some(leaf.value)),
            _ => return (proof, None),
        }
    }
}

/// All nodes of a state: the account trie's and those of all storage tries.
pub(crate) fn state(nodes: &Nodes, root: B256) -> Vec<Bytes> {
    let mut found = BTreeMap::new();
    let mut roots = vec![root];
    while let Some(root) = roots.pop() {
        collect(nodes, &RlpNode::word_rlp(&root), &mut found, &mut roots);
    }
    found.into_values().collect()
}

/// All nodes under one; storage roots in its leaves go to `roots`.
fn collect(nodes: &Nodes, node: &RlpNode, found: &mut Nodes, roots: &mut Vec<B256>) {
    let Some(rlp) = resolve(nodes, node) else {
        return;
    };
    if let Some(hash) = node.as_hash()
        && found.insert(hash, rlp.clone()).is_some()
    {
        return;
    }
    match TrieNode::decode(&mut rlp.as_ref()) {
        Ok(TrieNode::Branch(branch)) => {
            for child in &branch.stack {
                collect(nodes, child, found, roots);
            }
        }
        Ok(TrieNode::Extension(extension)) => collect(nodes, &extension.child, found, roots),
        Ok(TrieNode::Leaf(leaf)) => {
            // What is in the leaf of a storage trie is shorter than any account.
            if let Ok(account) = TrieAccount::decode(&mut leaf.value.as_ref()) {
                roots.push(account.storage_root);
            }
        }
        _ => {}
    }
}

/// The RLP of a node, which a short node is itself.
fn resolve(nodes: &Nodes, node: &RlpNode) -> Option<Bytes> {
    match node.as_hash() {
        Some(hash) => nodes.get(&hash).cloned(),
        None => Some(Bytes::copy_from_slice(node.as_slice())),
    }
}
