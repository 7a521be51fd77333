//! Blobs: the OP Stack's encoding and the KZG commitments.
//!
//! Source: OP Stack specification, `protocol/ecotone/derivation.md`, "Blob encoding".

use alloy_primitives::{B256, U256};
use c_kzg::ethereum_kzg_settings;
use sha2::{Digest as _, Sha256};

use crate::DevnetError;

/// Bytes of a blob: 4,096 field elements of 32 bytes.
pub(crate) const BLOB_BYTES: usize = 131_072;
/// Field elements of a blob.
pub(crate) const FIELD_ELEMENTS: usize = 4096;
/// Bytes of data that a blob can carry.
pub(crate) const MAX_DATA: usize = (4 * 31 + 3) * 1024 - 4;

/// A blob with its commitment.
#[derive(Clone, Debug)]
pub struct Blob {
    /// 4,096 field elements of 32 bytes, big-endian.
    pub data: Box<[u8; BLOB_BYTES]>,
    /// The KZG commitment.
    pub commitment: [u8; 48],
}

impl Blob {
    /// Encodes data of at most 130,044 bytes.
    pub(crate) fn encode(data: &[u8]) -> Result<Self, DevnetError> {
        if data.len() > MAX_DATA {
            return Err(DevnetError::Spec("a frame is too large for a blob"));
        }
        Self::new(encode(data))
    }

    /// Commits to a blob.
    fn new(data: Box<[u8; BLOB_BYTES]>) -> Result<Self, DevnetError> {
        let blob = kzg_blob(data.as_slice())?;
        let commitment = ethereum_kzg_settings(0)
            .blob_to_kzg_commitment(&blob)
            .map_err(kzg_error)?;
        Ok(Self {
            data,
            commitment: commitment.to_bytes().into_inner(),
        })
    }

    /// The KZG proof of the blob against its commitment.
    ///
    /// # Errors
    /// When the fields do not belong together.
    pub fn proof(&self) -> Result<[u8; 48], DevnetError> {
        let proof = ethereum_kzg_settings(0)
            .compute_blob_kzg_proof(&kzg_blob(self.data.as_slice())?, &self.commitment.into())
            .map_err(kzg_error)?;
        Ok(proof.to_bytes().into_inner())
    }

    /// The hash by which transactions name the blob (EIP-4844).
    #[must_use]
    pub fn versioned_hash(&self) -> B256 {
        versioned_hash(&self.commitment)
    }

    /// The field elements with the points at which the blob's polynomial takes them.
    pub(crate) fn elements(&self) -> impl Iterator<Item = ([u8; 32], &[u8])> {
        roots_of_unity().into_iter().zip(self.data.chunks_exact(32))
    }
}

/// SHA-256 of the commitment with the first byte 1 (EIP-4844).
pub(crate) fn versioned_hash(commitment: &[u8; 48]) -> B256 {
    let mut hash: [u8; 32] = Sha256::digest(commitment).into();
    hash[0] = 1;
    hash.into()
}

fn kzg_blob(data: &[u8]) -> Result<c_kzg::Blob, DevnetError> {
    c_kzg::Blob::from_bytes(data).map_err(kzg_error)
}

fn kzg_error(error: c_kzg::Error) -> DevnetError {
    DevnetError::Kzg(format!("{error:?}"))
}

/// Spreads data over field elements: 31 bytes in each, and 6 bits in its first byte.
fn encode(data: &[u8]) -> Box<[u8; BLOB_BYTES]> {
    let mut stream = vec![0];
    stream.extend_from_slice(&(data.len() as u32).to_be_bytes()[1..]);
    stream.extend_from_slice(data);
    stream.resize(MAX_DATA + 4, 0);

    let mut blob: Box<[u8; BLOB_BYTES]> = vec![0; BLOB_BYTES]
        .into_boxed_slice()
        .try_into()
        .expect("the length is right");
    for (input, output) in stream.chunks_exact(127).zip(blob.chunks_exact_mut(128)) {
        for element in 0..4 {
            output[element * 32 + 1..][..31].copy_from_slice(&input[element * 32..][..31]);
        }
        let (x, y, z) = (input[31], input[63], input[95]);
        output[0] = x & 0x3f;
        output[32] = (y & 0x0f) | ((x & 0xc0) >> 2);
        output[64] = z & 0x3f;
        output[96] = ((z & 0xc0) >> 2) | (y >> 4);
    }
    blob
}

/// The 4,096th roots of unity of the BLS12-381 scalar field in bit-reversed order, big-endian.
pub(crate) fn roots_of_unity() -> Vec<[u8; 32]> {
    let modulus = U256::from_str_radix(
        "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001",
        16,
    )
    .expect("a number in hex");
    let exponent = (modulus - U256::from(1)) / U256::from(FIELD_ELEMENTS);
    let root = U256::from(7).pow_mod(exponent, modulus);
    let mut powers = Vec::with_capacity(FIELD_ELEMENTS);
    let mut power = U256::from(1);
    for _ in 0..FIELD_ELEMENTS {
        powers.push(power.to_be_bytes());
        power = power.mul_mod(root, modulus);
    }
    let bits = FIELD_ELEMENTS.trailing_zeros();
    (0..FIELD_ELEMENTS)
        .map(|i| powers[i.reverse_bits() >> (usize::BITS - bits)])
        .collect()
}
