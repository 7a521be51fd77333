//! Inputs for precompiles: what they accept, and some that they refuse.

use std::sync::LazyLock;

use alloy_primitives::{B256, Bytes, hex, keccak256};

use crate::blob::versioned_hash;
use crate::keys::Signer;

/// G1's generator on bn254 and, x first, its negative.
const BN_G1: [u8; 64] = hex!(
    "0000000000000000000000000000000000000000000000000000000000000001"
    "0000000000000000000000000000000000000000000000000000000000000002"
);
const BN_G1_NEGATIVE: [u8; 64] = hex!(
    "0000000000000000000000000000000000000000000000000000000000000001"
    "30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd45"
);
const BN_G2: [u8; 128] = hex!(
    "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
    "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
    "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
    "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"
);
/// G1's generator on BLS12-381, each coordinate in 64 bytes.
const BLS_G1: [u8; 128] = hex!(
    "0000000000000000000000000000000017f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
    "0000000000000000000000000000000008b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1"
);

/// Precompiles by their number, each with an input.
pub(crate) static PRECOMPILES: LazyLock<Vec<(u64, Bytes)>> = LazyLock::new(precompiles);

fn precompiles() -> Vec<(u64, Bytes)> {
    let mut calls: Vec<(u64, Vec<u8>)> = vec![
        (0x01, recover()),
        (0x01, vec![0xff; 128]),
        (0x02, b"sha256".to_vec()),
        (0x05, modexp()),
        (0x06, [BN_G1, BN_G1].concat()),
        (0x07, [&BN_G1[..], keccak256("scalar").as_slice()].concat()),
        (0x08, [&BN_G1[..], &BN_G2, &BN_G1_NEGATIVE, &BN_G2].concat()),
        (0x08, Vec::new()),
        (0x08, vec![1; 192]),
        (0x09, blake2()),
        (0x0a, point_evaluation()),
        (0x0a, vec![1; 192]),
        (0x0b, [BLS_G1, BLS_G1].concat()),
        (0x0b, vec![9; 256]),
        (
            0x0c,
            [&BLS_G1[..], B256::with_last_byte(7).as_slice()].concat(),
        ),
        (0x0d, vec![0; 512]),
        (0x0e, vec![0; 288]),
        (0x0f, vec![0; 384]),
        (0x10, vec![0; 64]),
        (0x11, vec![0; 128]),
        (0x100, vec![3; 160]),
    ];
    // More than the limit from Granite on, which fails before the work is done.
    calls.push((0x08, vec![0; 192 * 590]));
    calls
        .into_iter()
        .map(|(precompile, input)| (precompile, input.into()))
        .collect()
}

fn recover() -> Vec<u8> {
    let hash = keccak256("a message");
    let signature = Signer::named("user 0").sign_hash(hash);
    let mut input = hash.to_vec();
    input.extend_from_slice(B256::with_last_byte(27 + u8::from(signature.v())).as_slice());
    input.extend_from_slice(&signature.r().to_be_bytes::<32>());
    input.extend_from_slice(&signature.s().to_be_bytes::<32>());
    input
}

fn modexp() -> Vec<u8> {
    let mut input = Vec::new();
    for length in [32, 32, 32] {
        input.extend_from_slice(B256::with_last_byte(length).as_slice());
    }
    for name in ["base", "exponent", "modulus"] {
        input.extend_from_slice(keccak256(name).as_slice());
    }
    input
}

fn blake2() -> Vec<u8> {
    let mut input = 12u32.to_be_bytes().to_vec();
    input.extend((0..64 + 128 + 16).map(|i| i as u8));
    input.push(1);
    input
}

/// The polynomial that is 1 everywhere: its commitment is G1's generator, its proof the point at
/// infinity.
fn point_evaluation() -> Vec<u8> {
    let commitment = hex!(
        "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
    );
    let mut infinity = [0; 48];
    infinity[0] = 0xc0;
    [
        versioned_hash(&commitment).as_slice(),
        &[0x12; 32],
        B256::with_last_byte(1).as_slice(),
        &commitment,
        &infinity,
    ]
    .concat()
}
