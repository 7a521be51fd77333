//! Precompiles whose results a program asks of its oracle.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use alloy_evm::precompiles::{DynPrecompile, Precompile as _, PrecompileInput, PrecompilesMap};
use alloy_primitives::Address;
use revm::precompile::bls12_381_const as bls;
use revm::precompile::bls12_381_utils::msm_required_gas;

/// Results by address ‖ gas that the call needs (u64 BE) ‖ input: `1 ‖ output`, or `0` for a
/// call that fails.
pub(crate) type PrecompileResults = BTreeMap<Vec<u8>, Vec<u8>>;

/// The gas that a call needs, for the precompiles that a program does not run itself.
fn required_gas(address: &Address, input: &[u8]) -> Option<u64> {
    let (zeros, number) = address.split_at(19);
    if zeros.iter().any(|byte| *byte != 0) {
        return None;
    }
    let items = |size: usize| input.len() / size;
    Some(match number[0] {
        0x01 => 3_000,
        0x08 => 45_000 + 34_000 * items(192) as u64,
        0x0a => 50_000,
        0x0b => bls::G1_ADD_BASE_GAS_FEE,
        0x0c => msm_required_gas(
            items(bls::G1_MSM_INPUT_LENGTH),
            &bls::DISCOUNT_TABLE_G1_MSM,
            bls::G1_MSM_BASE_GAS_FEE,
        ),
        0x0d => bls::G2_ADD_BASE_GAS_FEE,
        0x0e => msm_required_gas(
            items(bls::G2_MSM_INPUT_LENGTH),
            &bls::DISCOUNT_TABLE_G2_MSM,
            bls::G2_MSM_BASE_GAS_FEE,
        ),
        0x0f => 37_700 + 32_600 * items(bls::PAIRING_INPUT_LENGTH) as u64,
        0x10 => bls::MAP_FP_TO_G1_BASE_GAS_FEE,
        0x11 => bls::MAP_FP2_TO_G2_BASE_GAS_FEE,
        _ => return None,
    })
}

/// Makes those precompiles write down their results. Calls with too little gas are left out: a
/// program sees that before it asks.
pub(crate) fn record(precompiles: &mut PrecompilesMap, results: &Arc<Mutex<PrecompileResults>>) {
    precompiles.map_precompiles(|address, inner| {
        if required_gas(address, &[]).is_none() {
            return inner;
        }
        let (address, results) = (*address, results.clone());
        DynPrecompile::new(move |call: PrecompileInput<'_>| {
            let (input, limit) = (call.data.to_vec(), call.gas);
            let result = inner.call(call);
            let gas = required_gas(&address, &input).unwrap_or_default();
            let value = match &result {
                Ok(output) => [&[1], output.bytes.as_ref()].concat(),
                Err(_) => vec![0],
            };
            if gas <= limit {
                let key = [address.as_slice(), &gas.to_be_bytes(), &input].concat();
                let mut results = results.lock().unwrap_or_else(|error| error.into_inner());
                results.insert(key, value);
            }
            result
        })
    });
}
