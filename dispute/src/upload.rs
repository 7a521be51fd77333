//! Pre-images that a step reads, and how they come into the contract's oracle.

pub mod large;

use crate::game::LocalIdent;
use alloy_primitives::{Address, B256, keccak256};

/// The pre-image that a step reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OracleData {
    /// Its key, as the program asked for it.
    pub key: B256,
    /// The pre-image with its 8-byte length before it.
    pub value: Vec<u8>,
    /// Where the step reads, counted from the start of the length.
    pub offset: u32,
}

/// The smallest pre-image that is uploaded in parts, in bytes without the length
/// (`PreimageOracle.minProposalSize` of the standard configuration).
pub const MIN_LARGE_PREIMAGE: usize = 126_000;

/// How a pre-image comes into the oracle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upload {
    /// `FaultDisputeGame.addLocalData`: of the game itself.
    Local {
        /// Which datum.
        ident: LocalIdent,
        /// Where the step reads.
        part_offset: u32,
    },
    /// `PreimageOracle.loadKeccak256PreimagePart`.
    Keccak256 {
        /// Where the step reads.
        part_offset: u32,
        /// The pre-image without its length.
        preimage: Vec<u8>,
    },
    /// `PreimageOracle.loadSha256PreimagePart`.
    Sha256 {
        /// Where the step reads.
        part_offset: u32,
        /// The pre-image without its length.
        preimage: Vec<u8>,
    },
    /// `PreimageOracle.loadBlobPreimagePart`.
    Blob {
        /// Where the step reads.
        part_offset: u32,
        /// The point at which the blob's polynomial is evaluated.
        z: B256,
        /// Its value there.
        y: B256,
        /// The blob's commitment, 48 bytes.
        commitment: Vec<u8>,
        /// The proof of the value, 48 bytes.
        proof: Vec<u8>,
    },
    /// `PreimageOracle.loadPrecompilePreimagePart`: the contract calls the precompile.
    Precompile {
        /// Where the step reads.
        part_offset: u32,
        /// The precompile.
        address: Address,
        /// Gas that the call must have.
        required_gas: u64,
        /// What it is called with.
        input: Vec<u8>,
    },
    /// In parts, over several transactions and a challenge period.
    Large(large::LargePreimage),
}

/// Why it is not known how a pre-image comes into the oracle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// A key of no kind that the oracle knows.
    #[error("no pre-image has a key like {0}")]
    Kind(B256),
    /// The value has no length before it.
    #[error("the pre-image of {0} is too short to have a length")]
    NoLength(B256),
    /// What the key is the hash of has another form than it should.
    #[error("the inputs of {key} are {bytes} bytes long")]
    Inputs {
        /// The key.
        key: B256,
        /// Their length.
        bytes: usize,
    },
    /// What the key is the hash of could not be had, or no proof of the blob.
    #[error("{0}")]
    Source(String),
    /// The proof is of another value than the program was told.
    #[error("the blob's value under {0} is not what the program was told")]
    Blob(B256),
}

/// Where more than the step says comes from: the store of the host that ran the program.
pub trait PreimageSource {
    /// A pre-image by its key, without its length.
    ///
    /// # Errors
    /// When there is none: why.
    fn preimage(&mut self, key: B256) -> Result<Vec<u8>, String>;

    /// The value of a blob's polynomial at a point, and its proof.
    ///
    /// # Errors
    /// When the blob cannot be had: why.
    fn prove_blob(&mut self, commitment: &[u8], z: B256) -> Result<(B256, Vec<u8>), String>;
}

impl<S: PreimageSource + ?Sized> PreimageSource for Box<S> {
    fn preimage(&mut self, key: B256) -> Result<Vec<u8>, String> {
        (**self).preimage(key)
    }

    fn prove_blob(&mut self, commitment: &[u8], z: B256) -> Result<(B256, Vec<u8>), String> {
        (**self).prove_blob(commitment, z)
    }
}

/// Bytes of a blob's commitment.
const COMMITMENT: usize = 48;
/// Bytes of a precompile's address and gas before its input.
const PRECOMPILE_HEAD: usize = 28;

/// How the pre-image that a step reads comes into the oracle, if those with `min_large`
/// bytes or more are uploaded in parts (only keccak256 ones can be).
///
/// # Errors
/// [`UploadError`].
pub fn upload(
    data: &OracleData,
    source: &mut impl PreimageSource,
    min_large: usize,
) -> Result<Upload, UploadError> {
    let (key, part_offset) = (data.key, data.offset);
    let preimage = data.value.get(8..).ok_or(UploadError::NoLength(key))?;
    match key[0] {
        1 => local(data),
        2 if preimage.len() >= min_large => Ok(Upload::Large(large::LargePreimage {
            part_offset,
            preimage: preimage.to_vec(),
        })),
        2 => Ok(Upload::Keccak256 {
            part_offset,
            preimage: preimage.to_vec(),
        }),
        4 => Ok(Upload::Sha256 {
            part_offset,
            preimage: preimage.to_vec(),
        }),
        5 => blob(data, preimage, source),
        6 => precompile(data, source),
        _ => Err(UploadError::Kind(key)),
    }
}

fn local(data: &OracleData) -> Result<Upload, UploadError> {
    let kind = UploadError::Kind(data.key);
    if data.key[1..24].iter().any(|&byte| byte != 0) {
        return Err(kind);
    }
    let number = data.key[24..]
        .iter()
        .fold(0, |sum, &byte| sum << 8 | u64::from(byte));
    Ok(Upload::Local {
        ident: LocalIdent::from_number(number).map_err(|_| kind)?,
        part_offset: data.offset,
    })
}

/// What a key of a blob or a precompile is the hash of: hosts keep it under a keccak key.
fn inputs(
    key: B256,
    source: &mut impl PreimageSource,
    fits: impl Fn(usize) -> bool,
) -> Result<Vec<u8>, UploadError> {
    let mut of = key;
    of[0] = 2;
    let inputs = source.preimage(of).map_err(UploadError::Source)?;
    let bytes = inputs.len();
    if !fits(bytes) || keccak256(&inputs)[1..] != key[1..] {
        return Err(UploadError::Inputs { key, bytes });
    }
    Ok(inputs)
}

fn blob(
    data: &OracleData,
    told: &[u8],
    source: &mut impl PreimageSource,
) -> Result<Upload, UploadError> {
    let inputs = inputs(data.key, source, |bytes| bytes == COMMITMENT + 32)?;
    let (commitment, z) = inputs.split_at(COMMITMENT);
    let z = B256::from_slice(z);
    let (y, proof) = source
        .prove_blob(commitment, z)
        .map_err(UploadError::Source)?;
    if y.as_slice() != told {
        return Err(UploadError::Blob(data.key));
    }
    Ok(Upload::Blob {
        part_offset: data.offset,
        z,
        y,
        commitment: commitment.to_vec(),
        proof,
    })
}

fn precompile(data: &OracleData, source: &mut impl PreimageSource) -> Result<Upload, UploadError> {
    let inputs = inputs(data.key, source, |bytes| bytes >= PRECOMPILE_HEAD)?;
    let (address, rest) = inputs.split_at(20);
    let (gas, input) = rest.split_at(8);
    Ok(Upload::Precompile {
        part_offset: data.offset,
        address: Address::from_slice(address),
        required_gas: gas.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)),
        input: input.to_vec(),
    })
}
