//! Real OP Sepolia blocks in the VM: interpreter and native code go through the same states.

#[expect(dead_code, reason = "here the guest compares the hashes")]
#[path = "../program/fault-proof/tests/common/mod.rs"]
mod common;

use std::collections::HashMap;
use std::io::Read;

use alloy_primitives::hex;
use carronade_emulator::image::load_elf;
use carronade_emulator::machine::{Machine, Watch};
use carronade_emulator::oracle::{OracleError, PreimageOracle};
use carronade_emulator::state::StateVersion;
use carronade_emulator::step::NoOutput;
use carronade_fault_proof::memory::precompile;
use carronade_translator::{Options, Translator};
use common::{RealBlock, real_blocks};

/// How many states are compared on the way to the end.
const STOPS: u64 = 100;

/// Serves a block's pre-images, and runs precompiles when they are hinted at.
struct Host(HashMap<[u8; 32], Vec<u8>>);

impl PreimageOracle for Host {
    fn hint(&mut self, hint: &[u8]) -> Result<(), OracleError> {
        if let Some(call) = hint.strip_prefix(b"l1-precompile-v2 ") {
            let results = precompile(&hex::decode(call)?).into_iter().flatten();
            self.0
                .extend(results.map(|(key, data)| (*key.as_bytes(), data)));
        }
        Ok(())
    }

    fn preimage(&mut self, key: [u8; 32]) -> Result<Vec<u8>, OracleError> {
        self.0
            .get(&key)
            .cloned()
            .ok_or_else(|| "not in the fixture".into())
    }
}

fn guest() -> Vec<u8> {
    let packed = include_bytes!("../program/elf/stateless.elf.gz");
    let mut elf = Vec::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_end(&mut elf)
        .unwrap();
    elf
}

fn machine(block: &RealBlock) -> Machine {
    let (state, memory) = load_elf(StateVersion::V8, &guest()).unwrap();
    let preimages = block.preimages.iter();
    let host = Host(
        preimages
            .map(|(key, data)| (*key.as_bytes(), data.clone()))
            .collect(),
    );
    Machine::new(state, memory, Box::new(host), Box::new(NoOutput))
}

fn translated(block: &RealBlock) -> Machine {
    let translator = Translator::new(Options::default()).unwrap();
    machine(block).with_accelerator(Box::new(translator))
}

/// Steps in `0..end` in ascending order, always the same ones.
fn stops(end: u64) -> Vec<u64> {
    let mut random = end;
    let mut next = || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((u128::from(random) * u128::from(end)) >> 64) as u64
    };
    let mut stops: Vec<_> = (0..STOPS).map(|_| next()).collect();
    stops.sort_unstable();
    stops
}

fn check(block: &RealBlock) {
    let mut whole = translated(block);
    whole.run(u64::MAX, Watch::Nothing).unwrap();
    let (end, hash) = (whole.state().step, whole.witness().unwrap().1);
    assert!(
        whole.state().exited && whole.state().exit_code == 0,
        "{}",
        block.name
    );
    let (mut slow, mut fast) = (machine(block), translated(block));
    for stop in stops(end) {
        slow.run(stop, Watch::Nothing).unwrap();
        fast.run(stop, Watch::Nothing).unwrap();
        let (slow, fast) = (slow.witness().unwrap().1, fast.witness().unwrap().1);
        assert_eq!(slow, fast, "{} at step {stop}", block.name);
    }
    for machine in [&mut slow, &mut fast] {
        machine.run(u64::MAX, Watch::Nothing).unwrap();
        assert_eq!(machine.state().step, end, "{}", block.name);
        assert_eq!(machine.witness().unwrap().1, hash, "{}", block.name);
    }
    eprintln!("{}: {end} steps", block.name);
}

#[test]
fn real_blocks_take_the_same_steps_on_both_engines() {
    real_blocks().iter().for_each(check);
}
