//! Merkle Patricia tries whose nodes are pre-images.

use alloc::vec::Vec;

use alloy_consensus::EMPTY_ROOT_HASH;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_rlp::{Decodable, EMPTY_STRING_CODE, Encodable, Header};
use alloy_trie::nodes::encode_path_leaf;
use carronade_program::key::PreimageKey;
use kona_mpt::{OrderedListWalker, TrieHinter, TrieNode, TrieProvider};
use op_alloy_rpc_types_engine::OpPayloadAttributes;

use crate::error::Error;
use crate::hint::Hint;
use crate::preimages::Preimages;

impl TrieProvider for Preimages {
    type Error = Error;

    fn trie_node_by_hash(&self, hash: B256) -> Result<TrieNode, Error> {
        if hash == EMPTY_ROOT_HASH {
            return Ok(TrieNode::Empty);
        }
        let data = self.keccak(hash)?;
        TrieNode::decode(&mut &data[..])
            .map_err(|e| self.malformed(PreimageKey::keccak256(hash.0), e))
    }
}

/// Hints wait until a node is asked for that is not known.
impl TrieHinter for Preimages {
    type Error = Error;

    fn hint_trie_node(&self, hash: B256) -> Result<(), Error> {
        self.expect(Hint::L2StateNode(hash));
        Ok(())
    }

    fn hint_account_proof(&self, address: Address, block: u64) -> Result<(), Error> {
        self.expect(Hint::L2AccountProof { block, address });
        Ok(())
    }

    fn hint_storage_proof(&self, address: Address, slot: U256, block: u64) -> Result<(), Error> {
        self.expect(Hint::L2AccountStorageProof {
            block,
            address,
            slot,
        });
        Ok(())
    }

    fn hint_execution_witness(
        &self,
        parent: B256,
        attributes: &OpPayloadAttributes,
    ) -> Result<(), Error> {
        let attributes = serde_json::to_vec(attributes).unwrap_or_default();
        self.hint(&Hint::L2PayloadWitness { parent, attributes })
    }
}

/// The items of the ordered list with this root: transactions or receipts.
pub(crate) fn list(preimages: &Preimages, root: B256) -> Result<Vec<Bytes>, Error> {
    let walker = OrderedListWalker::try_new_hydrated(root, preimages)
        .map_err(|e| preimages.malformed(PreimageKey::keccak256(root.0), e))?;
    Ok(walker.map(|(_, item)| item).collect())
}

/// The root of the trie below `node`. Each node is encoded once, from the leaves up.
pub(crate) fn root(node: &TrieNode) -> B256 {
    match node {
        TrieNode::Empty => EMPTY_ROOT_HASH,
        TrieNode::Blinded { commitment } => *commitment,
        _ => keccak256(encode(node)),
    }
}

/// The encoding of an opened node.
fn encode(node: &TrieNode) -> Vec<u8> {
    let mut payload = Vec::with_capacity(544);
    match node {
        TrieNode::Branch { stack } => stack.iter().for_each(|child| refer(child, &mut payload)),
        TrieNode::Extension { prefix, node } => {
            encode_path_leaf(prefix, false)
                .as_slice()
                .encode(&mut payload);
            refer(node, &mut payload);
        }
        TrieNode::Leaf { prefix, value } => {
            encode_path_leaf(prefix, true)
                .as_slice()
                .encode(&mut payload);
            value.encode(&mut payload);
        }
        TrieNode::Empty | TrieNode::Blinded { .. } => {
            refer(node, &mut payload);
            return payload;
        }
    }
    let header = Header {
        list: true,
        payload_length: payload.len(),
    };
    let mut encoded = Vec::with_capacity(payload.len() + header.length());
    header.encode(&mut encoded);
    encoded.extend_from_slice(&payload);
    encoded
}

/// Writes `node` as its parent has it: itself if it is shorter than a digest, or else its digest.
fn refer(node: &TrieNode, out: &mut Vec<u8>) {
    match node {
        TrieNode::Empty => out.push(EMPTY_STRING_CODE),
        TrieNode::Blinded { commitment } => commitment.encode(out),
        _ => {
            let encoded = encode(node);
            if encoded.len() < B256::len_bytes() {
                out.extend_from_slice(&encoded);
            } else {
                keccak256(encoded).encode(out);
            }
        }
    }
}
