//! Verifying KZG proofs (EIP-4844) with one point of the ceremony's setup.
//!
//! Loading the whole setup takes seconds, most of it for what data availability sampling needs.
//! Only who makes commitments and proofs needs more than this.

use std::sync::LazyLock;

use alloy_primitives::hex;
use ark_bls12_381::{Bls12_381, Fr, G1Affine, G2Affine};
use ark_ec::pairing::Pairing as _;
use ark_ec::{AffineRepr as _, CurveGroup as _};
use ark_ff::{BigInteger as _, Field as _, One as _, PrimeField as _, Zero as _, batch_inversion};
use ark_serialize::CanonicalDeserialize as _;
use sha2::{Digest as _, Sha256};

use crate::blob::{BYTES, ELEMENTS, POINTS};

/// The ceremony's secret times the generator of the second group (`g2_monomial[1]` of the setup).
const SECRET: [u8; 96] = hex!(
    "b5bfd7dd8cdeb128843bc287230af38926187075cbfbefa81009a2ce615ac53d2914e5870cb452d2afaaab24f3499f72"
    "185cbfee53492714734429b7b38608e23926c911cceceac9a36851477ba4c60b087041de621000edc98edada20c1def2"
);

static SECRET_POINT: LazyLock<G2Affine> =
    LazyLock::new(|| G2Affine::deserialize_compressed(&SECRET[..]).expect("a point"));

/// [`POINTS`] as field elements.
static ROOTS: LazyLock<Vec<Fr>> =
    LazyLock::new(|| POINTS.iter().map(|point| reduced(point)).collect());

/// Begins what the challenge of a blob's proof is a hash of.
const DOMAIN: &[u8; 16] = b"FSBLOBVERIFY_V1_";

/// Whether a proof shows that the polynomial with a commitment has a value at a point. Scalars are
/// 32 bytes big-endian below the order of the field, points compressed and of the right subgroup;
/// nothing is shown by anything else.
pub(crate) fn verify(
    commitment: &[u8; 48],
    point: &[u8; 32],
    value: &[u8; 32],
    proof: &[u8; 48],
) -> bool {
    match (scalar(point), scalar(value)) {
        (Some(point), Some(value)) => holds(commitment, point, value, proof),
        _ => false,
    }
}

/// Whether a proof shows that a blob's bytes have a commitment.
pub(crate) fn verify_blob(blob: &[u8], commitment: &[u8; 48], proof: &[u8]) -> bool {
    let elements: Option<Vec<Fr>> = blob
        .chunks(32)
        .map(|element| scalar(element.try_into().ok()?))
        .collect();
    let (Some(elements), Ok(proof)) = (elements, proof.try_into()) else {
        return false;
    };
    if blob.len() != BYTES {
        return false;
    }
    let point = challenge(blob, commitment);
    holds(commitment, point, evaluate(&elements, point), proof)
}

/// The pairings of `commitment - value` and of `proof` with `secret - point` are the same.
fn holds(commitment: &[u8; 48], point: Fr, value: Fr, proof: &[u8; 48]) -> bool {
    let read = |bytes: &[u8; 48]| G1Affine::deserialize_compressed(&bytes[..]);
    let (Ok(commitment), Ok(proof)) = (read(commitment), read(proof)) else {
        return false;
    };
    let left = commitment.into_group() - G1Affine::generator() * value;
    let right = SECRET_POINT.into_group() - G2Affine::generator() * point;
    let firsts = [left.into_affine(), -proof];
    let seconds = [G2Affine::generator(), right.into_affine()];
    Bls12_381::multi_pairing(firsts, seconds).is_zero()
}

fn challenge(blob: &[u8], commitment: &[u8; 48]) -> Fr {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    hasher.update((ELEMENTS as u128).to_be_bytes());
    hasher.update(blob);
    hasher.update(commitment);
    reduced(&hasher.finalize())
}

/// The value of the polynomial that has these values at the roots, by the barycentric formula.
fn evaluate(elements: &[Fr], point: Fr) -> Fr {
    if let Some(index) = ROOTS.iter().position(|root| *root == point) {
        return elements[index];
    }
    let mut inverses: Vec<Fr> = ROOTS.iter().map(|root| point - root).collect();
    batch_inversion(&mut inverses);
    let terms = elements.iter().zip(ROOTS.iter()).zip(inverses);
    let sum: Fr = terms
        .map(|((element, root), inverse)| *element * root * inverse)
        .sum();
    let count = Fr::from(ELEMENTS as u64);
    let inverse = count.inverse().expect("it is not zero");
    sum * (point.pow([ELEMENTS as u64]) - Fr::one()) * inverse
}

/// A number below the order.
fn scalar(bytes: &[u8; 32]) -> Option<Fr> {
    let number = reduced(bytes);
    (number.into_bigint().to_bytes_be() == bytes).then_some(number)
}

fn reduced(bytes: &[u8]) -> Fr {
    Fr::from_be_bytes_mod_order(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::Address;
    use c_kzg::{Blob, Bytes32, Bytes48, ethereum_kzg_settings};
    use revm::precompile::kzg_point_evaluation;

    use crate::precompile;

    /// What the ceremony's own library says.
    fn theirs(commitment: &[u8; 48], point: &[u8; 32], value: &[u8; 32], proof: &[u8; 48]) -> bool {
        let (commitment, proof) = (Bytes48::from(*commitment), Bytes48::from(*proof));
        let (point, value) = (Bytes32::from(*point), Bytes32::from(*value));
        let settings = ethereum_kzg_settings(0);
        settings
            .verify_kzg_proof(&commitment, &point, &value, &proof)
            .unwrap_or(false)
    }

    fn both(commitment: &[u8; 48], point: &[u8; 32], value: &[u8; 32], proof: &[u8; 48]) -> bool {
        let ours = verify(commitment, point, value, proof);
        assert_eq!(ours, theirs(commitment, point, value, proof));
        ours
    }

    fn blob(seed: u64) -> Vec<u8> {
        let mut bytes = vec![0; BYTES];
        for (index, element) in bytes.chunks_exact_mut(32).enumerate() {
            let hash = Sha256::digest([seed, index as u64].map(u64::to_be_bytes).concat());
            element[1..].copy_from_slice(&hash[1..]);
        }
        bytes
    }

    fn commit(bytes: &[u8]) -> [u8; 48] {
        crate::blob::commit(bytes).unwrap()
    }

    fn prove(bytes: &[u8], point: &[u8; 32]) -> ([u8; 48], [u8; 32]) {
        let blob = Blob::from_bytes(bytes).unwrap();
        let point = Bytes32::from(*point);
        let proof = ethereum_kzg_settings(0).compute_kzg_proof(&blob, &point);
        let (proof, value) = proof.unwrap();
        (proof.to_bytes().into_inner(), *value)
    }

    fn prove_blob(bytes: &[u8], commitment: [u8; 48]) -> [u8; 48] {
        let blob = Blob::from_bytes(bytes).unwrap();
        let settings = ethereum_kzg_settings(0);
        let proof = settings.compute_blob_kzg_proof(&blob, &commitment.into());
        proof.unwrap().to_bytes().into_inner()
    }

    #[test]
    fn proofs_are_what_the_ceremonys_library_says() {
        let bytes = blob(1);
        let commitment = commit(&bytes);
        for point in [[0; 32], [0x11; 32], POINTS[0], POINTS[4095]] {
            let (proof, value) = prove(&bytes, &point);
            assert!(both(&commitment, &point, &value, &proof));
            // Each byte of each part matters, also where it makes no number or no point.
            for at in 0..48 {
                for bit in [0, 5, 6, 7] {
                    let (mut other, mut wrong) = (commitment, proof);
                    other[at] ^= 1 << bit;
                    wrong[at] ^= 1 << bit;
                    assert!(!both(&other, &point, &value, &proof));
                    assert!(!both(&commitment, &point, &value, &wrong));
                    if at < 32 {
                        let (mut elsewhere, mut another) = (point, value);
                        elsewhere[at] ^= 1 << bit;
                        another[at] ^= 1 << bit;
                        assert!(!both(&commitment, &elsewhere, &value, &proof));
                        assert!(!both(&commitment, &point, &another, &proof));
                    }
                }
            }
        }
    }

    #[test]
    fn odd_points_are_what_the_ceremonys_library_says() {
        let zero = [0; 32];
        let mut infinity = [0; 48];
        infinity[0] = 0xc0;
        // The polynomial that is zero everywhere.
        assert!(both(&infinity, &[3; 32], &zero, &infinity));
        let mut one = zero;
        one[31] = 1;
        assert!(!both(&infinity, &[3; 32], &one, &infinity));
        let mut longer = infinity;
        longer[47] = 1;
        assert!(!both(&longer, &zero, &zero, &infinity));
        // The order itself is no number below it, though it is zero.
        let order: [u8; 32] =
            hex!("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001");
        assert!(!both(&infinity, &order, &zero, &infinity));
        assert!(!both(&infinity, &zero, &order, &infinity));
        // Of points on the curve with a small coordinate, none is in the subgroup.
        for x in 0..40 {
            let mut point = [0; 48];
            (point[0], point[47]) = (0x80, x);
            assert!(!both(&point, &zero, &zero, &infinity));
            assert!(!both(&infinity, &zero, &zero, &point));
        }
    }

    #[test]
    fn blobs_have_their_proofs() {
        let bytes = blob(2);
        let commitment = commit(&bytes);
        let proof = prove_blob(&bytes, commitment);
        assert!(verify_blob(&bytes, &commitment, &proof));
        assert!(!verify_blob(&bytes, &commitment, &proof[1..]));
        assert!(!verify_blob(&bytes[32..], &commitment, &proof));
        assert!(!verify_blob(&bytes[1..], &commitment, &proof));
        assert!(!verify_blob(&[], &commitment, &proof));
        for at in [1, 31, 32 * 100 + 17, BYTES - 1] {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert!(!verify_blob(&other, &commitment, &proof), "byte {at}");
            let own = commit(&other);
            assert!(!verify_blob(&bytes, &own, &prove_blob(&other, own)));
        }
        // No element may be the order or more.
        let mut other = bytes;
        other[..32].fill(0xff);
        assert!(!verify_blob(&other, &commitment, &proof));
        // A blob of zeros has the point at infinity twice.
        let zeros = vec![0; BYTES];
        let commitment = commit(&zeros);
        let proof = prove_blob(&zeros, commitment);
        assert_eq!(commitment, proof);
        assert!(verify_blob(&zeros, &commitment, &proof));
    }

    #[test]
    fn the_value_at_a_root_is_the_element() {
        let elements: Vec<Fr> = (0..ELEMENTS as u64).map(Fr::from).collect();
        for index in [0, 1, 4095] {
            assert_eq!(evaluate(&elements, ROOTS[index]), Fr::from(index as u64));
        }
    }

    #[test]
    fn the_precompile_has_the_results_of_revms() {
        let bytes = blob(3);
        let (commitment, point) = (commit(&bytes), [0x22; 32]);
        let (proof, value) = prove(&bytes, &point);
        let hash = kzg_point_evaluation::kzg_to_versioned_hash(&commitment);
        let input = [&hash[..], &point, &value, &commitment, &proof].concat();
        let same = |input: &[u8], gas: u64| {
            let address: Address = kzg_point_evaluation::ADDRESS;
            let call = [address.as_slice(), &gas.to_be_bytes(), input].concat();
            let ours = precompile::execute(&call).unwrap();
            let theirs = match kzg_point_evaluation::run(input, gas) {
                Ok(output) => [&[1], &output.bytes[..]].concat(),
                Err(_) => vec![0],
            };
            assert_eq!(ours, theirs);
            ours[0] == 1
        };
        assert!(same(&input, 50_000));
        assert!(!same(&input, 49_999));
        assert!(!same(&input[1..], 50_000));
        assert!(!same(&[&input[..], &[0]].concat(), 50_000));
        assert!(!same(&[], 50_000));
        for at in 0..192 {
            let mut other = input.clone();
            other[at] ^= 1;
            assert!(!same(&other, 50_000), "byte {at}");
        }
    }
}
