//! What needs no derivation: local keys, the agreed output, claims that do not move.

use std::sync::Arc;

use alloy_consensus::Header;
use alloy_primitives::{B256, keccak256};
use carronade_fault_proof::memory::MemoryOracle;
use carronade_fault_proof::{Error, Output, Verdict, run};
use carronade_program::key::PreimageKey;

const OP_SEPOLIA: u64 = 11_155_420;
const AGREED: u64 = 1000;

/// An oracle for a claim about block `number`, after a change to the agreed output proposal.
fn oracle(number: u64, root: Option<B256>, change: impl Fn(&mut Vec<u8>)) -> Arc<MemoryOracle> {
    let state_root = B256::repeat_byte(5);
    let header = Header {
        number: AGREED,
        state_root,
        ..Header::default()
    };
    let hash = header.hash_slow();
    let parts = [B256::ZERO, state_root, B256::repeat_byte(6), hash];
    let mut proposal: Vec<u8> = parts.iter().flatten().copied().collect();
    change(&mut proposal);
    let agreed = keccak256(&proposal);
    let claimed = root.unwrap_or(agreed);
    let locals = [
        vec![1; 32],
        agreed.to_vec(),
        claimed.to_vec(),
        number.to_be_bytes().to_vec(),
        OP_SEPOLIA.to_be_bytes().to_vec(),
    ];
    let locals = (1..).map(PreimageKey::local).zip(locals);
    let oracle = MemoryOracle::new(locals);
    oracle.insert_keccak(proposal);
    oracle.insert_keccak(alloy_rlp::encode(header));
    Arc::new(oracle)
}

#[test]
fn claims_about_the_agreed_block_or_before_it_need_no_l1() {
    let same = |_: &mut Vec<u8>| ();
    assert!(matches!(
        run(oracle(AGREED, None, same)),
        Ok(Verdict::Valid(_))
    ));
    for (number, root) in [
        (AGREED, Some(B256::repeat_byte(1))),
        (AGREED - 1, None),
        (0, Some(B256::repeat_byte(1))),
    ] {
        let verdict = run(oracle(number, root, same)).unwrap();
        let Verdict::Invalid { claimed, found } = verdict else {
            panic!("{verdict}");
        };
        assert_eq!((claimed.number, found.number), (number, AGREED));
        let Output { number, root } = found;
        assert_eq!(Verdict::of(found, Output { number, root }).exit_code(), 0);
    }
}

#[test]
fn the_agreed_root_one_block_later_is_derived() {
    let result = run(oracle(AGREED + 1, None, |_| ()));
    // The first thing that derivation asks for is the L1 head.
    let key = PreimageKey::keccak256([1; 32]);
    assert!(
        matches!(result, Err(Error::Missing { key: k, .. }) if k == key),
        "{result:?}"
    );
}

/// Does something to a pre-image.
type Change = fn(&mut Vec<u8>);

#[test]
fn an_output_that_is_none_is_named() {
    let changes: [(Change, &str); 3] = [
        (
            |proposal| proposal[31] = 1,
            "an output proposal of an unknown version",
        ),
        (
            |proposal| proposal[40] ^= 1,
            "its state root is not that of its block",
        ),
        (|proposal| proposal.truncate(127), "127 bytes, not 128"),
    ];
    for (change, reason) in changes {
        let error = run(oracle(AGREED, None, change)).unwrap_err().to_string();
        assert!(
            error.starts_with("pre-image 0x02") && error.ends_with(reason),
            "{error}"
        );
    }
}

#[test]
fn local_keys_that_are_wrong_are_named() {
    for ident in 1..=5 {
        let key = PreimageKey::local(ident);
        let oracle = oracle(AGREED, None, |_| ());
        oracle.insert(key, vec![0; 31]);
        let error = run(oracle.clone()).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("pre-image {key}: 31 bytes, not ")),
            "{error}"
        );
        oracle.remove(&key);
        assert!(matches!(run(oracle), Err(Error::Missing { key: k, .. }) if k == key));
    }
}

#[test]
fn a_chain_out_of_the_registry_asks_for_its_configuration() {
    let oracle = oracle(AGREED, None, |_| ());
    oracle.insert(PreimageKey::local(5), 900_901_u64.to_be_bytes().to_vec());
    let key = PreimageKey::local(6);
    assert!(matches!(run(oracle), Err(Error::Missing { key: k, .. }) if k == key));
}

#[test]
fn forks_after_isthmus_are_refused() {
    // OP Sepolia had Jovian from 1763568001 on; blocks take two seconds.
    let genesis = 1_691_802_540;
    let number = (1_763_568_001 - genesis) / 2 + 1;
    let error = run(oracle(number, None, |_| ())).unwrap_err();
    assert!(matches!(error, Error::UnknownFork { fork, .. } if fork == "Jovian"));
}
