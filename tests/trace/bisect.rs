//! The first step that a broken engine gets wrong.

use crate::support::*;
use carronade_emulator::accelerator::{Accelerator, Running};
use carronade_emulator::leaders::Leaders;
use carronade_trace::{Engine, Found, bisect};
use carronade_translator::{Options, Translator};
use std::sync::Arc;

/// An engine that sets a bit of a register that the guest does not use, the first time it
/// is called after so many steps.
struct Broken {
    inner: Translator,
    at: u64,
}

impl Accelerator for Broken {
    fn leaders(&mut self) -> &mut Leaders {
        self.inner.leaders()
    }

    fn run(&mut self, running: &mut Running<'_>, budget: u64) -> u64 {
        if running.step >= self.at {
            running.thread.registers[26] |= 1 << 40;
        }
        self.inner.run(running, budget)
    }

    fn forget(&mut self, addresses: &[u64]) {
        self.inner.forget(addresses);
    }

    fn forget_all(&mut self) {
        self.inner.forget_all();
    }
}

pub fn broken(at: u64) -> Engine {
    Arc::new(move |_| {
        let inner = Translator::new(Options::default())?;
        Ok(Some(Box::new(Broken { inner, at })))
    })
}

#[test]
fn a_broken_engine_is_found_out() {
    let guest = "sortmap";
    let length = length(guest);
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut right = open(guest, one.path(), interpreter(), no_host()).unwrap();
    let mut found_out = 0;
    for at in Random(3).steps(12, length) {
        let mut wrong = open(guest, other.path(), broken(at), no_host()).unwrap();
        let mut questions = 0;
        let found = bisect(&mut right, &mut wrong, (0, length), |_, _| questions += 1);
        match found.unwrap() {
            Found::Step { step, pre, posts } => {
                found_out += 1;
                // It is called in every quantum.
                assert!((at..at + 200_000).contains(&step), "{step} for {at}");
                assert_eq!(pre, right.state_hash(step).unwrap());
                assert_eq!(posts[0], right.state_hash(step + 1).unwrap());
                assert_ne!(posts[0], posts[1]);
                let witness = right.witness(step).unwrap().unwrap();
                assert_eq!((witness.pre, witness.post), (pre, posts[0]));
            }
            // The guest had ended before the engine was called again.
            Found::Equal => {}
            Found::Apart { .. } => panic!("they begin alike"),
        }
        assert!(questions <= 2 + 64 - length.leading_zeros());
        drop(wrong);
        std::fs::remove_dir_all(other.path()).unwrap();
    }
    assert!(found_out > 8, "the damage was done {found_out} times of 12");
}
