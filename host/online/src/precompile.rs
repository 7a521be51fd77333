//! Precompiled contracts whose results the program takes from its host.

use alloy_primitives::{Address, keccak256};
use carronade_program::key::PreimageKey;
use revm::precompile::{PrecompileSpecId, Precompiles};

use crate::Pair;
use crate::fault::Fault;

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
    Ok(match contract(input, u64::from_be_bytes(*gas)) {
        Ok(output) if !output.reverted => [&[1], &output.bytes[..]].concat(),
        _ => vec![0],
    })
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
