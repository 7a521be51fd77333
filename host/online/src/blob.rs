//! Blobs as pre-images.

use std::sync::LazyLock;

use alloy_primitives::{B256, U256, keccak256, uint};
use c_kzg::{Blob, Bytes32, Bytes48, KzgSettings, ethereum_kzg_settings};
use carronade_host::Store;
use carronade_program::key::PreimageKey;
use sha2::{Digest as _, Sha256};

use crate::Pair;

/// Field elements of a blob (EIP-4844).
pub(crate) const ELEMENTS: usize = 4096;

/// Bytes of a blob.
pub(crate) const BYTES: usize = 32 * ELEMENTS;

/// The order of BLS12-381's scalar field.
const MODULUS: U256 =
    uint!(0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001_U256);

/// The points at which a blob's polynomial has its elements as values: the 4,096th roots of unity
/// in bit-reversed order, 32 bytes big-endian each.
pub(crate) static POINTS: LazyLock<Vec<[u8; 32]>> = LazyLock::new(|| {
    // 7 generates the multiplicative group of the field.
    let exponent = (MODULUS - U256::ONE) / U256::from(ELEMENTS);
    let root = U256::from(7).pow_mod(exponent, MODULUS);
    let mut power = U256::ONE;
    let mut points = vec![[0; 32]; ELEMENTS];
    for index in 0..ELEMENTS as u16 {
        points[usize::from(index.reverse_bits() >> 4)] = power.to_be_bytes();
        power = power.mul_mod(root, MODULUS);
    }
    points
});

/// In place of a point for the proof: the last point with the number 4,096 in its last eight bytes.
static PROOF_POINT: LazyLock<[u8; 32]> = LazyLock::new(|| {
    let mut point = POINTS[ELEMENTS - 1];
    point[24..].copy_from_slice(&(ELEMENTS as u64).to_be_bytes());
    point
});

/// The setup of the ceremony, which is part of the library.
fn settings() -> &'static KzgSettings {
    ethereum_kzg_settings(0)
}

/// The versioned hash of a commitment (EIP-4844).
pub(crate) fn versioned_hash(commitment: &[u8]) -> B256 {
    let mut hash: [u8; 32] = Sha256::digest(commitment).into();
    hash[0] = 1;
    hash.into()
}

/// Which of the pre-images of a blob one is.
pub(crate) enum Element {
    /// A field element, from 0 to 4,095.
    Number(usize),
    /// The KZG proof.
    Proof,
}

/// What is at a point; `None` if hosts have nothing there.
pub(crate) fn element(point: &[u8]) -> Option<Element> {
    if point == &PROOF_POINT[..] {
        return Some(Element::Proof);
    }
    let number = POINTS.iter().position(|other| other == point);
    number.map(Element::Number)
}

/// The keys of a blob's field elements, in their order.
pub(crate) fn keys(commitment: &[u8; 48]) -> impl Iterator<Item = PreimageKey> {
    POINTS.iter().map(|point| key(commitment, point))
}

/// The KZG commitment of a blob's bytes; tells what is wrong if they are no blob.
pub(crate) fn commit(bytes: &[u8]) -> Result<[u8; 48], String> {
    let blob = Blob::from_bytes(bytes).map_err(|error| error.to_string())?;
    let commitment = settings().blob_to_kzg_commitment(&blob);
    let commitment = commitment.map_err(|error| format!("it has no commitment: {error:?}"))?;
    Ok(commitment.to_bytes().into_inner())
}

/// Where a blob's KZG proof is.
pub(crate) fn proof_key(commitment: &[u8; 48]) -> PreimageKey {
    key(commitment, &PROOF_POINT)
}

/// Where the element at a point is.
fn key(commitment: &[u8], point: &[u8; 32]) -> PreimageKey {
    PreimageKey::blob(keccak256([commitment, point].concat()).0)
}

/// A blob's commitment and its pre-images, of which the last is the commitment. Tells what is wrong if the bytes are no
/// blob or not the one with this versioned hash.
///
/// The key of an element is that of the 80 bytes commitment and point, which are a pre-image as
/// well (specification, `fault-proof/index.md`, "Type 5"). Like today's hosts, this adds the
/// blob's KZG proof as the element after the last.
pub(crate) fn images(bytes: &[u8], hash: B256) -> Result<([u8; 48], Vec<Pair>), String> {
    let blob = Blob::from_bytes(bytes).map_err(|error| error.to_string())?;
    let commitment = commit(bytes)?;
    let found = versioned_hash(&commitment);
    if found != hash {
        return Err(format!("its versioned hash is {found}, not {hash}"));
    }
    let mut images = Vec::with_capacity(2 * ELEMENTS + 3);
    let mut add = |point: &[u8; 32], element: &[u8]| {
        let place = [&commitment[..], point].concat();
        let hash = keccak256(&place).0;
        images.push((PreimageKey::keccak256(hash).into(), place));
        images.push((PreimageKey::blob(hash).into(), element.to_vec()));
    };
    for (point, element) in POINTS.iter().zip(bytes.chunks_exact(32)) {
        add(point, element);
    }
    let proof = settings()
        .compute_blob_kzg_proof(&blob, &commitment.into())
        .map_err(|error| format!("it has no proof: {error:?}"))?
        .to_bytes();
    add(&PROOF_POINT, proof.as_slice());
    images.push((PreimageKey::sha256(hash.0).into(), commitment.to_vec()));
    Ok((commitment, images))
}

/// The value of a blob's polynomial at a point, and the 48 bytes of its KZG proof, which the
/// point evaluation precompile takes (EIP-4844). The blob's elements are taken from a store,
/// where the host puts them all at once.
///
/// # Errors
/// When not all are there, or they are not those of the commitment: why, in one line.
pub fn prove_blob(
    store: &dyn Store,
    commitment: &[u8],
    point: &[u8; 32],
) -> Result<([u8; 32], [u8; 48]), String> {
    let bytes = elements(store, commitment)?;
    let blob = Blob::from_bytes(&bytes).map_err(|error| error.to_string())?;
    let of = Bytes48::from_bytes(commitment).map_err(|error| error.to_string())?;
    let point = Bytes32::from(*point);
    let no_proof = |error| format!("the blob has no proof: {error:?}");
    let (proof, value) = settings()
        .compute_kzg_proof(&blob, &point)
        .map_err(no_proof)?;
    let proof = proof.to_bytes();
    let holds = settings().verify_kzg_proof(&of, &point, &value, &proof);
    match holds.map_err(no_proof)? {
        true => Ok((*value, proof.into_inner())),
        false => Err(format!(
            "the stored elements of the blob are not those of its commitment {}",
            const_hex::encode_prefixed(commitment)
        )),
    }
}

/// The bytes of a blob, element by element.
fn elements(store: &dyn Store, commitment: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(ELEMENTS * 32);
    for (index, point) in POINTS.iter().enumerate() {
        let element = store.get(key(commitment, point).as_bytes());
        let element = element.map_err(|error| error.to_string())?;
        let what = || format!("blob {}", const_hex::encode_prefixed(commitment));
        match element {
            Some(element) if element.len() == 32 => bytes.extend(element),
            Some(_) => return Err(format!("element {index} of {} is damaged", what())),
            None => return Err(format!("element {index} of {} is not stored", what())),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use carronade_host::MemoryStore;

    /// A blob of some elements, and its versioned hash.
    fn some_blob() -> (Vec<u8>, B256) {
        let mut bytes = vec![0; ELEMENTS * 32];
        for (index, element) in bytes.chunks_exact_mut(32).enumerate() {
            element[1..9].copy_from_slice(&(index as u64 * 0x9e37_79b9_7f4a_7c15).to_be_bytes());
        }
        let blob = Blob::from_bytes(&bytes).unwrap();
        let commitment = settings().blob_to_kzg_commitment(&blob).unwrap();
        let hash = versioned_hash(commitment.to_bytes().as_slice());
        (bytes, hash)
    }

    #[test]
    fn the_elements_are_the_values_at_their_points() {
        let (bytes, hash) = some_blob();
        let (_, images) = images(&bytes, hash).unwrap();
        assert_eq!(images.len(), 2 * 4097 + 1);
        let blob = Blob::from_bytes(&bytes).unwrap();
        for index in [0, 1, 2, 3, 2047, 2048, 4095] {
            let (place, element) = (&images[2 * index].1, &images[2 * index + 1].1);
            let point = Bytes32::from_bytes(&place[48..]).unwrap();
            let (_, value) = settings().compute_kzg_proof(&blob, &point).unwrap();
            assert_eq!(value.as_slice(), &element[..], "element {index}");
        }
        let (key, commitment) = images.last().unwrap();
        assert_eq!((key[0], &key[1..]), (4, &hash[1..]));
        assert_eq!(commitment.len(), 48);
        for (key, value) in &images {
            carronade_host::check(key, value).unwrap();
        }
        // The pseudo element: the last point but for its last eight bytes, and the proof.
        let (last, pseudo) = (&images[2 * 4095].1, &images[2 * 4096].1);
        assert_eq!(pseudo[..72], last[..72]);
        assert_eq!(pseudo[72..], 4096_u64.to_be_bytes());
        assert_eq!(images[2 * 4096 + 1].1.len(), 48);
    }

    #[test]
    fn an_element_is_proven_from_the_store() {
        let (bytes, hash) = some_blob();
        let (commitment, images) = images(&bytes, hash).unwrap();
        let (key, element) = images[2 * 77 + 1].clone();
        let store: MemoryStore = images.into_iter().collect();
        let (value, proof) = prove_blob(&store, &commitment, &POINTS[77]).unwrap();
        assert_eq!(value, element[..]);
        let of = Bytes48::from_bytes(&commitment).unwrap();
        let verify = |value: [u8; 32]| {
            let (point, proof) = (Bytes32::from(POINTS[77]), Bytes48::from(proof));
            settings().verify_kzg_proof(&of, &point, &value.into(), &proof)
        };
        assert!(verify(value).unwrap());
        let mut other = value;
        other[31] ^= 1;
        assert!(!verify(other).unwrap());

        store.put(&key, &other).unwrap();
        let error = prove_blob(&store, &commitment, &POINTS[77]).unwrap_err();
        assert!(error.contains("not those of its commitment"), "{error}");
        store.put(&key, &other[1..]).unwrap();
        let error = prove_blob(&store, &commitment, &POINTS[77]).unwrap_err();
        assert!(error.contains("element 77"), "{error}");
        let error = prove_blob(&MemoryStore::new(), &commitment, &POINTS[77]).unwrap_err();
        assert!(error.contains("element 0"), "{error}");
        let short = prove_blob(&store, &commitment[1..], &POINTS[77]);
        assert!(short.is_err());
    }

    #[test]
    fn another_blob_is_refused() {
        let (mut bytes, hash) = some_blob();
        bytes[40] ^= 1;
        let error = images(&bytes, hash).unwrap_err();
        assert!(error.contains(&hash.to_string()), "{error}");
        assert!(images(&bytes[1..], hash).is_err());
        bytes[..32].fill(0xff);
        assert!(images(&bytes, hash).is_err());
    }
}
