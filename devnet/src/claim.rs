//! What is proven: claims, and the store of pre-images for it.

use std::collections::BTreeMap;

use alloy_primitives::{B256, Bytes, keccak256};
use carronade_host::{Store, StoreError};
use carronade_program::key::PreimageKey;
use sha2::{Digest as _, Sha256};

use crate::blob::FIELD_ELEMENTS;
use crate::devnet::Devnet;
use crate::spec::L2_CHAIN_ID;
use crate::trie::Trie;

/// A claim: that derivation and execution from the agreed output on, with L1 up to its head,
/// give the claimed output at the claimed block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The hash of the L1 block up to which data counts.
    pub l1_head: B256,
    /// The hash of the L2 block that both sides agree on.
    pub agreed_l2_head_hash: B256,
    /// That block's output root.
    pub agreed_l2_output_root: B256,
    /// The output root that is claimed.
    pub claimed_l2_output_root: B256,
    /// The number of the L2 block that it is claimed of.
    pub claimed_l2_block_number: u64,
    /// The chain id of L2.
    pub l2_chain_id: u64,
}

/// Pre-images by their keys.
pub type Preimages = BTreeMap<PreimageKey, Vec<u8>>;

impl Devnet {
    /// The right claim for block `claimed`, from block `agreed` on, with all of L1.
    ///
    /// # Panics
    /// When there is no such block; [`Self::l2`] has them all.
    #[must_use]
    pub fn claim(&self, agreed: u64, claimed: u64) -> Claim {
        let agreed = &self.l2[agreed as usize];
        let output = self.l2[claimed as usize].output;
        Claim {
            l1_head: self.l1[self.l1.len() - 1].header.hash(),
            agreed_l2_head_hash: agreed.header.hash(),
            agreed_l2_output_root: agreed.output.hash(),
            claimed_l2_output_root: output.hash(),
            claimed_l2_block_number: claimed,
            l2_chain_id: L2_CHAIN_ID,
        }
    }

    /// The number of the newest L2 block.
    #[must_use]
    pub fn l2_head(&self) -> u64 {
        self.l2.len() as u64 - 1
    }

    /// The local pre-images 1 to 6 of a claim; those of the devnet are its rollup configuration.
    #[must_use]
    pub fn locals(&self, claim: &Claim) -> Preimages {
        let config = serde_json::to_vec(&self.config).expect("the configuration is plain data");
        let values = [
            claim.l1_head.to_vec(),
            claim.agreed_l2_output_root.to_vec(),
            claim.claimed_l2_output_root.to_vec(),
            claim.claimed_l2_block_number.to_be_bytes().to_vec(),
            claim.l2_chain_id.to_be_bytes().to_vec(),
            config,
        ];
        (1..).map(PreimageKey::local).zip(values).collect()
    }

    /// Everything that a run may ask for except local keys.
    #[must_use]
    pub fn preimages(&self) -> Preimages {
        let mut images = Preimages::new();
        for block in &self.l1 {
            insert(&mut images, &alloy_rlp::encode(block.header.inner()));
            insert_list(&mut images, &block.raw_transactions());
            insert_list(&mut images, &block.raw_receipts());
            for blob in &block.blobs {
                insert_blob(&mut images, blob);
            }
        }
        for block in &self.l2 {
            insert(&mut images, &alloy_rlp::encode(block.header.inner()));
            insert_list(&mut images, block.raw_transactions());
            insert_list(&mut images, &block.encoded_receipts);
            insert(&mut images, &block.output.encode());
        }
        for image in self.nodes.values().chain(self.codes.values()) {
            insert(&mut images, image);
        }
        for (call, result) in &self.precompiles {
            insert(&mut images, call);
            let key = PreimageKey::precompile(keccak256(call).0);
            images.insert(key, result.clone());
        }
        images
    }

    /// Writes all pre-images and the local ones of `claim` to a store, and beside the elements of
    /// each blob its KZG proof, as hosts do that fetch blobs.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn write(&self, store: &dyn Store, claim: &Claim) -> Result<(), StoreError> {
        let mut images = self.preimages();
        for blob in self.l1.iter().flat_map(|block| &block.blobs) {
            insert_proof(&mut images, blob);
        }
        let images = images.into_iter().chain(self.locals(claim));
        let pairs: Vec<_> = images
            .map(|(key, value)| (*key.as_bytes(), value))
            .collect();
        store.put_all(&pairs)
    }
}

/// Puts data under its keccak256 key.
fn insert(images: &mut Preimages, data: &[u8]) {
    images.insert(PreimageKey::keccak256(keccak256(data).0), data.to_vec());
}

/// Puts the nodes of a list's trie under their keys.
fn insert_list(images: &mut Preimages, items: &[Bytes]) {
    for node in Trie::ordered(items).nodes {
        insert(images, &node);
    }
}

/// Puts a blob's commitment and field elements under their keys.
fn insert_blob(images: &mut Preimages, blob: &crate::blob::Blob) {
    let key = PreimageKey::sha256(Sha256::digest(blob.commitment).into());
    images.insert(key, blob.commitment.to_vec());
    for (point, element) in blob.elements() {
        insert_element(images, blob, &point, element);
    }
}

/// Puts a blob's element, and what its key is the hash of, under their keys.
fn insert_element(
    images: &mut Preimages,
    blob: &crate::blob::Blob,
    point: &[u8; 32],
    element: &[u8],
) {
    let place = [blob.commitment.as_slice(), point].concat();
    insert(images, &place);
    images.insert(PreimageKey::blob(keccak256(&place).0), element.to_vec());
}

/// Puts a blob's proof where hosts put it: at the last element's point, which has the number of
/// elements in its last eight bytes. Nobody needs it.
fn insert_proof(images: &mut Preimages, blob: &crate::blob::Blob) {
    let (Ok(proof), Some((mut point, _))) = (blob.proof(), blob.elements().last()) else {
        return;
    };
    point[24..].copy_from_slice(&(FIELD_ELEMENTS as u64).to_be_bytes());
    insert_element(images, blob, &point, &proof);
}
