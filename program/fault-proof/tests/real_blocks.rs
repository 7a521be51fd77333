//! Real OP Sepolia blocks, executed natively.

mod common;

use std::sync::Arc;

use alloy_primitives::B256;
use carronade_fault_proof::memory::MemoryOracle;
use carronade_fault_proof::stateless::{EXPECTED_HASH, Executed, run};
use carronade_fault_proof::{Error, Oracle, OracleError};
use carronade_program::key::{KeyType, PreimageKey};
use common::real_blocks;

/// Remembers the last trie node, code or header that was asked for.
struct Spy {
    memory: MemoryOracle,
    last: spin::Mutex<Option<PreimageKey>>,
}

impl Oracle for Spy {
    fn get(&self, key: PreimageKey) -> Result<Vec<u8>, OracleError> {
        if key.key_type() == KeyType::Keccak256 {
            *self.last.lock() = Some(key);
        }
        self.memory.get(key)
    }

    fn hint(&self, hint: &str) -> Result<(), OracleError> {
        self.memory.hint(hint)
    }
}

#[test]
fn real_blocks_have_the_hashes_they_have() {
    for block in real_blocks() {
        let oracle = Arc::new(MemoryOracle::new(block.preimages));
        let executed = run(oracle.clone());
        let (expected, found) = (block.hash, block.hash);
        assert_eq!(executed, Ok(Executed { expected, found }), "{}", block.name);
        let hints = oracle.hints();
        assert!(hints.iter().any(|h| h.starts_with("l2-payload-witness ")));
    }
}

#[test]
fn another_hash_is_not_theirs() {
    for block in real_blocks().into_iter().take(1) {
        let oracle = MemoryOracle::new(block.preimages);
        oracle.insert(PreimageKey::local(EXPECTED_HASH), vec![7; 32]);
        let executed = run(Arc::new(oracle)).unwrap();
        assert_eq!(executed.expected, B256::repeat_byte(7));
        assert_eq!(executed.found, block.hash);
        assert_eq!(executed.exit_code(), 1);
    }
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    for block in real_blocks().into_iter().take(1) {
        let spy = Arc::new(Spy {
            memory: MemoryOracle::new(block.preimages),
            last: spin::Mutex::new(None),
        });
        run(spy.clone()).unwrap();
        let key = spy.last.lock().take().unwrap();
        let data = spy.memory.remove(&key).unwrap();
        let reason = OracleError("not in memory".into());
        assert_eq!(run(spy.clone()), Err(Error::Missing { key, reason }));
        let mut wrong = data;
        *wrong.last_mut().unwrap() ^= 1;
        spy.memory.insert(key, wrong);
        assert_eq!(run(spy.clone()), Err(Error::NotThePreimage { key }));
    }
}
