//! Precompiled contracts that are too expensive for the VM: the oracle has their results. What
//! they cost, and whether they can be called at all, is decided here, as the EVM decides it.
//!
//! The key of a result is keccak256(address ‖ gas ‖ input) with the type of precompile keys;
//! the result is a status byte (0: the call fails) and the data returned.

use alloc::vec::Vec;

use alloy_evm::precompiles::{DynPrecompile, PrecompilesMap};
use alloy_primitives::{Address, Bytes, keccak256};
use carronade_program::key::PreimageKey;
use op_revm::OpSpecId;
use op_revm::precompiles::{bls12_381 as op_bls, bn128_pair};
use revm::precompile::bls12_381_const::{
    DISCOUNT_TABLE_G1_MSM, DISCOUNT_TABLE_G2_MSM, G1_ADD_ADDRESS, G1_ADD_BASE_GAS_FEE,
    G1_ADD_INPUT_LENGTH, G1_MSM_ADDRESS, G1_MSM_BASE_GAS_FEE, G1_MSM_INPUT_LENGTH, G2_ADD_ADDRESS,
    G2_ADD_BASE_GAS_FEE, G2_ADD_INPUT_LENGTH, G2_MSM_ADDRESS, G2_MSM_BASE_GAS_FEE,
    G2_MSM_INPUT_LENGTH, MAP_FP_TO_G1_ADDRESS, MAP_FP_TO_G1_BASE_GAS_FEE, MAP_FP2_TO_G2_ADDRESS,
    MAP_FP2_TO_G2_BASE_GAS_FEE, PADDED_FP_LENGTH, PADDED_FP2_LENGTH, PADDED_G1_LENGTH,
    PADDED_G2_LENGTH, PAIRING_ADDRESS, PAIRING_INPUT_LENGTH, PAIRING_MULTIPLIER_BASE,
    PAIRING_OFFSET_BASE,
};
use revm::precompile::bls12_381_utils::msm_required_gas;
use revm::precompile::bn128::{PAIR_ELEMENT_LEN, pair};
use revm::precompile::{PrecompileError, PrecompileOutput, PrecompileResult, u64_to_address};

use crate::error::Error;
use crate::hint::Hint;
use crate::preimages::Preimages;

const ECRECOVER: Address = u64_to_address(1);
const ECRECOVER_GAS: u64 = 3000;
/// Bytes of its input that `ecrecover` looks at.
const ECRECOVER_INPUT: usize = 128;

const KZG_POINT_EVALUATION: Address = u64_to_address(0x0a);
const KZG_POINT_EVALUATION_GAS: u64 = 50_000;
const KZG_POINT_EVALUATION_INPUT: usize = 192;

/// What a call costs, or why it fails before anything is computed.
type Price = fn(&[u8]) -> Result<u64, PrecompileError>;

/// A precompile that the oracle runs.
#[derive(Clone, Copy)]
struct Remote {
    address: Address,
    /// The first fork that has it.
    since: OpSpecId,
    price: Price,
    /// Lengths of what it can return.
    returns: &'static [usize],
}

const fn remote(
    address: Address,
    since: OpSpecId,
    price: Price,
    returns: &'static [usize],
) -> Remote {
    Remote {
        address,
        since,
        price,
        returns,
    }
}

/// Later entries replace earlier ones of the same address.
const REMOTE: [Remote; 11] = {
    use OpSpecId::{BEDROCK, ECOTONE, GRANITE, ISTHMUS};
    let (g1, g2) = (&[PADDED_G1_LENGTH], &[PADDED_G2_LENGTH]);
    [
        remote(ECRECOVER, BEDROCK, |_| Ok(ECRECOVER_GAS), &[0, 32]),
        remote(pair::ADDRESS, BEDROCK, bn128_price, &[32]),
        remote(pair::ADDRESS, GRANITE, bn128_price_granite, &[32]),
        remote(KZG_POINT_EVALUATION, ECOTONE, kzg_price, &[64]),
        remote(G1_ADD_ADDRESS, ISTHMUS, g1_add_price, g1),
        remote(G1_MSM_ADDRESS, ISTHMUS, g1_msm_price, g1),
        remote(G2_ADD_ADDRESS, ISTHMUS, g2_add_price, g2),
        remote(G2_MSM_ADDRESS, ISTHMUS, g2_msm_price, g2),
        remote(PAIRING_ADDRESS, ISTHMUS, bls_pairing_price, &[32]),
        remote(MAP_FP_TO_G1_ADDRESS, ISTHMUS, map_fp_price, g1),
        remote(MAP_FP2_TO_G2_ADDRESS, ISTHMUS, map_fp2_price, g2),
    ]
};

/// Has the oracle run the expensive ones among `precompiles`, which are those of `spec`.
pub(crate) fn accelerate(precompiles: &mut PrecompilesMap, spec: OpSpecId, preimages: &Preimages) {
    for remote in REMOTE
        .iter()
        .filter(|remote| spec.is_enabled_in(remote.since))
    {
        let preimages = preimages.clone();
        let call = DynPrecompile::new(move |input| run(remote, input.data, input.gas, &preimages));
        precompiles.apply_precompile(&remote.address, |_| Some(call));
    }
}

fn run(remote: &Remote, input: &[u8], limit: u64, preimages: &Preimages) -> PrecompileResult {
    let gas = (remote.price)(input)?;
    if gas > limit {
        return Err(PrecompileError::OutOfGas);
    }
    let input = match remote.address {
        ECRECOVER => &input[..input.len().min(ECRECOVER_INPUT)],
        _ => input,
    };
    match result(preimages, remote, gas, input) {
        Ok(Some(output)) => Ok(PrecompileOutput::new(gas, output)),
        Ok(None) => Err(PrecompileError::other("refused by the precompile")),
        Err(error) => Err(PrecompileError::Fatal(alloc::format!("{error}"))),
    }
}

/// What the precompile returns, or that the call fails.
fn result(
    preimages: &Preimages,
    remote: &Remote,
    gas: u64,
    input: &[u8],
) -> Result<Option<Bytes>, Error> {
    let call: Vec<u8> = [&remote.address[..], &gas.to_be_bytes(), input].concat();
    let key = PreimageKey::precompile(keccak256(&call).0);
    preimages.hint(&Hint::L1Precompile(call.into()))?;
    let mut result = preimages.unchecked(key)?;
    match result.first() {
        Some(0) => Ok(None),
        Some(1) if remote.returns.contains(&(result.len() - 1)) => {
            result.remove(0);
            Ok(Some(result.into()))
        }
        _ => Err(preimages.malformed(key, "not a result of this precompile")),
    }
}

fn refuse<T>() -> Result<T, PrecompileError> {
    Err(PrecompileError::other("input length"))
}

/// The number of items of `size` bytes that are exactly `input`.
fn items(input: &[u8], size: usize) -> Result<usize, PrecompileError> {
    match input.len() % size {
        0 => Ok(input.len() / size),
        _ => refuse(),
    }
}

/// `gas` for an input of exactly `size` bytes.
fn fixed(input: &[u8], size: usize, gas: u64) -> Result<u64, PrecompileError> {
    if input.len() == size {
        Ok(gas)
    } else {
        refuse()
    }
}

/// Refuses an input longer than `limit`.
fn at_most(input: &[u8], limit: usize) -> Result<(), PrecompileError> {
    if input.len() <= limit {
        Ok(())
    } else {
        refuse()
    }
}

/// As [`items`], at least one.
fn some_items(input: &[u8], size: usize) -> Result<usize, PrecompileError> {
    items(input, size).and_then(|n| if n == 0 { refuse() } else { Ok(n) })
}

fn bn128_price(input: &[u8]) -> Result<u64, PrecompileError> {
    let pairs = items(input, PAIR_ELEMENT_LEN)? as u64;
    Ok(pair::ISTANBUL_PAIR_BASE + pairs * pair::ISTANBUL_PAIR_PER_POINT)
}

fn bn128_price_granite(input: &[u8]) -> Result<u64, PrecompileError> {
    at_most(input, bn128_pair::GRANITE_MAX_INPUT_SIZE)?;
    bn128_price(input)
}

fn kzg_price(input: &[u8]) -> Result<u64, PrecompileError> {
    fixed(input, KZG_POINT_EVALUATION_INPUT, KZG_POINT_EVALUATION_GAS)
}

fn g1_add_price(input: &[u8]) -> Result<u64, PrecompileError> {
    fixed(input, G1_ADD_INPUT_LENGTH, G1_ADD_BASE_GAS_FEE)
}

fn g2_add_price(input: &[u8]) -> Result<u64, PrecompileError> {
    fixed(input, G2_ADD_INPUT_LENGTH, G2_ADD_BASE_GAS_FEE)
}

fn map_fp_price(input: &[u8]) -> Result<u64, PrecompileError> {
    fixed(input, PADDED_FP_LENGTH, MAP_FP_TO_G1_BASE_GAS_FEE)
}

fn map_fp2_price(input: &[u8]) -> Result<u64, PrecompileError> {
    fixed(input, PADDED_FP2_LENGTH, MAP_FP2_TO_G2_BASE_GAS_FEE)
}

fn g1_msm_price(input: &[u8]) -> Result<u64, PrecompileError> {
    at_most(input, op_bls::ISTHMUS_G1_MSM_MAX_INPUT_SIZE)?;
    let terms = some_items(input, G1_MSM_INPUT_LENGTH)?;
    Ok(msm_required_gas(
        terms,
        &DISCOUNT_TABLE_G1_MSM,
        G1_MSM_BASE_GAS_FEE,
    ))
}

fn g2_msm_price(input: &[u8]) -> Result<u64, PrecompileError> {
    at_most(input, op_bls::ISTHMUS_G2_MSM_MAX_INPUT_SIZE)?;
    let terms = some_items(input, G2_MSM_INPUT_LENGTH)?;
    Ok(msm_required_gas(
        terms,
        &DISCOUNT_TABLE_G2_MSM,
        G2_MSM_BASE_GAS_FEE,
    ))
}

fn bls_pairing_price(input: &[u8]) -> Result<u64, PrecompileError> {
    at_most(input, op_bls::ISTHMUS_PAIRING_MAX_INPUT_SIZE)?;
    let pairs = some_items(input, PAIRING_INPUT_LENGTH)? as u64;
    Ok(PAIRING_OFFSET_BASE + pairs * PAIRING_MULTIPLIER_BASE)
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;
    use alloc::vec;

    use op_revm::precompiles::OpPrecompiles;

    use super::*;
    use crate::memory::MemoryOracle;
    use crate::oracle::{Oracle, OracleError};

    const SPECS: [OpSpecId; 4] = [
        OpSpecId::CANYON,
        OpSpecId::ECOTONE,
        OpSpecId::GRANITE,
        OpSpecId::ISTHMUS,
    ];

    /// The precompile that is in force, if there is one.
    fn remote_at(address: &Address, spec: OpSpecId) -> Option<&'static Remote> {
        let mut all = REMOTE.iter().rev();
        all.find(|r| r.address == *address && spec.is_enabled_in(r.since))
    }

    /// Results are the EVM's for inputs of many lengths, with all zeros or all ones, and with
    /// just enough gas or one less.
    #[test]
    fn results_and_gas_are_the_evms() {
        let preimages = Preimages::new(Arc::new(MemoryOracle::default()));
        let lengths = [
            0, 1, 63, 64, 128, 160, 192, 256, 288, 320, 384, 512, 576, 768, 112_896,
        ];
        let addresses = [1, 8].into_iter().chain(0x0b..=0x11).map(u64_to_address);
        for (spec, address) in addresses.flat_map(|a| SPECS.map(|spec| (spec, a))) {
            let evm = OpPrecompiles::new_with_spec(spec)
                .precompiles()
                .get(&address);
            let remote = remote_at(&address, spec);
            assert_eq!(evm.is_some(), remote.is_some(), "{address} at {spec:?}");
            let Some((evm, remote)) = evm.zip(remote) else {
                continue;
            };
            for (length, byte) in lengths.into_iter().flat_map(|l| [(l, 0), (l, 1)]) {
                let input = vec![byte; length];
                let gas = (remote.price)(&input).unwrap_or(1_000_000);
                for limit in [gas - 1, gas, gas + 1] {
                    let (ours, theirs) =
                        (run(remote, &input, limit, &preimages), evm(&input, limit));
                    match (&ours, &theirs) {
                        (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs),
                        (Err(_), Err(_)) => {}
                        _ => panic!("{address} at {spec:?}, {length} bytes: {ours:?}, {theirs:?}"),
                    }
                }
            }
        }
        assert_eq!(preimages.failure(), None);
    }

    #[test]
    fn keys_have_address_gas_and_input() {
        let oracle = Arc::new(MemoryOracle::default());
        let preimages = Preimages::new(oracle.clone());
        let remote = remote_at(&ECRECOVER, OpSpecId::BEDROCK).unwrap();
        run(remote, &[7; 200], 5000, &preimages).unwrap();
        let call = [&[0; 19][..], &[1], &3000_u64.to_be_bytes(), &[7; 128]].concat();
        let hex = alloy_primitives::hex::encode(&call);
        assert_eq!(oracle.hints(), [alloc::format!("l1-precompile-v2 0x{hex}")]);
        let key = PreimageKey::precompile(keccak256(&call).0);
        assert_eq!(oracle.get(key), Ok(vec![1]));
        // What no run of the precompile can give is no result.
        for wrong in [vec![], vec![2], vec![1, 0], vec![1; 34]] {
            let oracle = Liar(wrong);
            let preimages = Preimages::new(Arc::new(oracle));
            let error = run(remote, &[7; 200], 5000, &preimages).unwrap_err();
            assert!(matches!(error, PrecompileError::Fatal(_)), "{error:?}");
            assert!(
                matches!(preimages.failure(), Some(Error::Malformed { key: k, .. }) if k == key)
            );
        }
    }

    /// Answers everything with the same bytes.
    struct Liar(Vec<u8>);

    impl Oracle for Liar {
        fn get(&self, _: PreimageKey) -> Result<Vec<u8>, OracleError> {
            Ok(self.0.clone())
        }

        fn hint(&self, _: &str) -> Result<(), OracleError> {
            Ok(())
        }
    }
}
