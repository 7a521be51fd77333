//! Blobs, field element by field element.
//!
//! A blob of 4,096 field elements is a polynomial by its values at the 4,096th roots of unity,
//! in bit-reversed order; the oracle knows each value by commitment and root. On chain it is
//! proven with KZG before it is served.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use alloy_eips::eip4844::{BLS_MODULUS, Blob, IndexedBlobHash};
use alloy_primitives::{B256, U256, keccak256};
use ark_bls12_381::Fr;
use ark_ff::{BigInteger, FftField, Field, PrimeField};
use async_trait::async_trait;
use carronade_program::key::PreimageKey;
use kona_derive::BlobProvider;
use kona_protocol::BlockInfo;

use crate::error::Error;
use crate::hint::Hint;
use crate::preimages::Preimages;

/// Field elements in a blob.
const ELEMENTS: usize = 4096;

/// Fetches blobs.
#[derive(Clone, Debug)]
pub struct Blobs {
    preimages: Preimages,
    /// Evaluation points, made when the first blob is needed.
    points: Option<Arc<[B256]>>,
}

impl Blobs {
    /// Blobs out of these pre-images.
    pub const fn new(preimages: Preimages) -> Self {
        let points = None;
        Self { preimages, points }
    }

    fn fetch(&mut self, block: &BlockInfo, blob: &IndexedBlobHash) -> Result<Box<Blob>, Error> {
        let &IndexedBlobHash { hash, index } = blob;
        let timestamp = block.timestamp;
        self.preimages.hint(&Hint::L1Blob {
            hash,
            index,
            timestamp,
        })?;
        let commitment = self.preimages.sha256(hash)?;
        if commitment.len() != 48 {
            let key = PreimageKey::sha256(hash.0);
            return Err(self.preimages.malformed(key, "a commitment has 48 bytes"));
        }
        let mut name = [0; 80];
        name[..48].copy_from_slice(&commitment);
        let mut blob = Box::new(Blob::ZERO);
        let points = self.points.get_or_insert_with(evaluation_points);
        for (element, point) in blob.chunks_exact_mut(32).zip(points.iter()) {
            name[48..].copy_from_slice(&point[..]);
            element.copy_from_slice(&field_element(&self.preimages, &name)?);
        }
        Ok(skipped_if_zero(blob))
    }
}

/// The field element with this name, commitment ‖ point.
fn field_element(preimages: &Preimages, name: &[u8; 80]) -> Result<[u8; 32], Error> {
    let key = PreimageKey::blob(keccak256(name).0);
    let data = preimages.unchecked(key)?;
    let element = <[u8; 32]>::try_from(data.as_slice());
    match element {
        Ok(element) if U256::from_be_bytes(element) < BLS_MODULUS => Ok(element),
        _ => Err(preimages.malformed(key, "not a field element")),
    }
}

/// A blob of nothing but zeros has no data, and so no frames. The derivation takes one for a
/// blob that is missing and gives up; of an unknown encoding it says what it should say here.
fn skipped_if_zero(mut blob: Box<Blob>) -> Box<Blob> {
    const ENCODING_VERSION: usize = 1;
    if blob.is_zero() {
        blob[ENCODING_VERSION] = u8::MAX;
    }
    blob
}

/// The 4,096th roots of unity in bit-reversed order, big-endian.
pub fn evaluation_points() -> Arc<[B256]> {
    let root = Fr::get_root_of_unity(ELEMENTS as u64).expect("a root of this order exists");
    let mut points = alloc::vec![B256::ZERO; ELEMENTS];
    let mut power = Fr::ONE;
    for n in 0..ELEMENTS {
        let place = n.reverse_bits() >> (usize::BITS - ELEMENTS.ilog2());
        points[place] = B256::from_slice(&power.into_bigint().to_bytes_be());
        power *= root;
    }
    points.into()
}

#[async_trait]
impl BlobProvider for Blobs {
    type Error = Error;

    async fn get_blobs(
        &mut self,
        block: &BlockInfo,
        blobs: &[IndexedBlobHash],
    ) -> Result<Vec<Box<Blob>>, Error> {
        blobs.iter().map(|blob| self.fetch(block, blob)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_the_trusted_setups() {
        let points = evaluation_points();
        // 1, -1, and a square root of -1: the order in which the consensus specification's
        // trusted setup has them.
        assert_eq!(U256::from_be_bytes(points[0].0), U256::from(1));
        assert_eq!(
            U256::from_be_bytes(points[1].0),
            BLS_MODULUS - U256::from(1)
        );
        let third = U256::from_be_bytes(points[2].0);
        let minus_one = BLS_MODULUS - U256::from(1);
        assert_eq!(third.mul_mod(third, BLS_MODULUS), minus_one);
        let last = U256::from_be_bytes(points[4095].0);
        assert_eq!(last.pow_mod(U256::from(4096), BLS_MODULUS), U256::from(1));
        assert_ne!(last.pow_mod(U256::from(2048), BLS_MODULUS), U256::from(1));
    }
}
