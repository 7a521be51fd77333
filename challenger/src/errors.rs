//! What contracts revert with, in words.

use alloy_primitives::Bytes;
use alloy_sol_types::{GenericContractError, SolInterface};
use carronade_contracts::abi::{
    CannonVM::CannonVMErrors as Vm, DisputeGameFactory::DisputeGameFactoryErrors as Factory,
    FaultDisputeGame::FaultDisputeGameErrors as Game,
    PreimageOracle::PreimageOracleErrors as Oracle,
};

/// The name of the error that a call reverted with, with its arguments; the data itself if it is
/// none that is known.
#[must_use]
pub fn reason(data: &Bytes) -> String {
    let data: &[u8] = data;
    if data.is_empty() {
        return "no reason given".to_owned();
    }
    let named = name(Game::abi_decode(data))
        .or_else(|| name(Factory::abi_decode(data)))
        .or_else(|| name(Oracle::abi_decode(data)))
        .or_else(|| name(Vm::abi_decode(data)));
    named.unwrap_or_else(|| match GenericContractError::abi_decode(data) {
        Ok(error) => error.to_string(),
        Err(_) => const_hex::encode_prefixed(data),
    })
}

/// `Variant(Arguments)` without the type's name, which says the same again.
fn name<E: std::fmt::Debug>(error: alloy_sol_types::Result<E>) -> Option<String> {
    let words = format!("{:?}", error.ok()?);
    let (variant, rest) = words.split_once('(')?;
    let arguments = rest.strip_suffix(')')?.strip_prefix(variant)?;
    Some(format!("{variant}{arguments}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::B256;
    use alloy_sol_types::{SolError, SolValue};
    use carronade_contracts::abi::{CannonVM, FaultDisputeGame};

    #[test]
    fn errors_have_their_names() {
        let of = |data: Vec<u8>| reason(&data.into());
        assert_eq!(of(FaultDisputeGame::ValidStep {}.abi_encode()), "ValidStep");
        let root_claim = FaultDisputeGame::UnexpectedRootClaim {
            rootClaim: B256::ZERO,
        };
        let words = of(root_claim.abi_encode());
        assert!(
            words.starts_with("UnexpectedRootClaim { rootClaim: 0x00"),
            "{words}"
        );
        let vm = CannonVM::UnknownSyscall { number: 7 }.abi_encode();
        assert_eq!(of(vm), "UnknownSyscall { number: 7 }");
        assert_eq!(of(Vec::new()), "no reason given");
        assert_eq!(of(vec![1, 2, 3, 4]), "0x01020304");
        let text = [&[0x08, 0xc3, 0x79, 0xa0][..], &"words".abi_encode()].concat();
        assert!(of(text).contains("words"));
    }
}
