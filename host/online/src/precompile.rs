//! Precompiled contracts whose results the program takes from its host.

use alloy_primitives::{Address, keccak256};
use carronade_program::key::PreimageKey;
use revm::precompile::kzg_point_evaluation::{self, GAS_COST, RETURN_VALUE};
use revm::precompile::{PrecompileSpecId, Precompiles};

use crate::Pair;
use crate::blob::versioned_hash;
use crate::fault::Fault;
use crate::kzg;

/// `ecrecover`, the pairing of alt_bn128, the point evaluation of KZG, and BLS12-381
/// (specification, `fault-proof/index.md`, "Precompile accelerators").
fn is_accelerated(address: &Address) -> bool {
    let (zeros, last) = (&address[..19], address[19]);
    zeros.iter().all(|byte| *byte == 0) && matches!(last, 0x01 | 0x08 | 0x0a | 0x0b..=0x11)
}

/// Executes a call (address, gas as `u64` big-endian, input): a status byte, 1 for success, and
/// what it returns.
///
/// # Errors
/// [`Fault::Hint`] if the call is no call or the contract none of those.
pub fn execute(call: &[u8]) -> Result<Vec<u8>, Fault> {
    let refused = |why: &str| Fault::Hint(format!("the precompile call is refused: {why}"));
    let Some((address, rest)) = call.split_first_chunk::<20>() else {
        return Err(refused("it has no address"));
    };
    let Some((gas, input)) = rest.split_first_chunk::<8>() else {
        return Err(refused("it has no gas"));
    };
    let address = Address::from(*address);
    let contract = Precompiles::new(PrecompileSpecId::PRAGUE).get(&address);
    let Some(contract) = contract.filter(|_| is_accelerated(&address)) else {
        return Err(refused(&format!("{address} is no accelerated precompile")));
    };
    let gas = u64::from_be_bytes(*gas);
    if address == kzg_point_evaluation::ADDRESS {
        return Ok(match evaluates(input, gas) {
            true => [&[1], &RETURN_VALUE[..]].concat(),
            false => vec![0],
        });
    }
    Ok(match contract(input, gas) {
        Ok(output) if !output.reverted => [&[1], &output.bytes[..]].concat(),
        _ => vec![0],
    })
}

/// What the point evaluation precompile asks (EIP-4844): versioned hash, point and value of 32
/// bytes, commitment and proof of 48. Its own implementation would load the ceremony's setup.
fn evaluates(input: &[u8], gas: u64) -> bool {
    let Ok(input) = <&[u8; 192]>::try_from(input) else {
        return false;
    };
    let (commitment, proof) = (part(input, 96), part(input, 144));
    gas >= GAS_COST
        && versioned_hash(commitment) == input[..32]
        && kzg::verify(commitment, part(input, 32), part(input, 64), proof)
}

fn part<const N: usize>(input: &[u8; 192], at: usize) -> &[u8; N] {
    input[at..].first_chunk().expect("the input is longer")
}

/// The pre-images of a call: the call itself, and its result.
pub(crate) fn images(call: &[u8]) -> Result<[Pair; 2], Fault> {
    let hash = keccak256(call).0;
    let result = execute(call)?;
    Ok([
        (PreimageKey::keccak256(hash).into(), call.to_vec()),
        (PreimageKey::precompile(hash).into(), result),
    ])
}
