//! Proofs of any content: no panic, and a state has one successor whatever the proof.

#![no_main]

use carronade_emulator::hash::keccak256;
use carronade_emulator::memory::{Memory, PROOF_BYTES, fold_branch};
use carronade_emulator::state::{
    StateVersion, THREAD_BYTES, Thread, ThreadStack, WITNESS_BYTES, state_hash,
};
use carronade_emulator::witness::{OracleData, PROOF_DATA_BYTES, Refusal, StepWitness, verify};
use carronade_fuzz::{numbers, random};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| match data.split_first() {
    Some((kind, rest)) if kind % 2 == 0 => arbitrary(kind / 2, rest),
    Some((_, rest)) => mutated(rest),
    None => {}
});

/// Verifies whatever `post` the proof should have: what the step leads to.
fn successor(proof: &mut StepWitness) -> Result<[u8; 32], Refusal> {
    match verify(StateVersion::V8, proof) {
        Err(Refusal::PostState(post)) => {
            proof.post = post;
            assert_eq!(verify(StateVersion::V8, proof), Ok(post));
            Ok(post)
        }
        other => other,
    }
}

/// A proof out of the fuzzer's bytes, its hashes mended so that the step is executed.
fn arbitrary(mend: u8, data: &[u8]) {
    let mut bytes = data.iter().copied();
    let mut take = |count| -> Vec<u8> { bytes.by_ref().take(count).collect() };
    let length = |wanted: usize, mut bytes: Vec<u8>| {
        bytes.resize(wanted, 0);
        bytes
    };
    let key = length(32, take(32));
    let oracle = OracleData {
        key: *key.first_chunk().expect("it has the length"),
        offset: u64::from(take(1).first().copied().unwrap_or(0)),
        value: take(40),
    };
    let mut proof = StepWitness {
        step: 0,
        pre: [0; 32],
        post: [0; 32],
        state_data: length(WITNESS_BYTES, take(WITNESS_BYTES)),
        proof_data: length(PROOF_DATA_BYTES, take(PROOF_DATA_BYTES)),
        oracle: (mend & 1 != 0).then_some(oracle),
    };
    if mend & 2 != 0 {
        proof.state_data[98] &= 1;
        mend_thread(&mut proof);
        mend_memory(&mut proof, mend);
    }
    if mend & 4 != 0 {
        let cut = usize::from(mend >> 3) * 200;
        proof.proof_data.truncate(cut);
    }
    let state_data = proof.state_data.first_chunk().expect("it has the length");
    proof.pre = state_hash(state_data);
    let step = proof.state_data[99..]
        .first_chunk()
        .expect("it has the length");
    proof.step = u64::from_be_bytes(*step);
    let _ = successor(&mut proof);
}

/// Makes the active stack's root that of the proof's thread.
fn mend_thread(proof: &mut StepWitness) {
    let thread = Thread::decode(proof.proof_data.first_chunk().expect("it has the length"));
    let base = *proof.proof_data[THREAD_BYTES..]
        .first_chunk()
        .expect("it has the length");
    let root = ThreadStack {
        base,
        threads: vec![thread],
    }
    .root();
    let at = if proof.state_data[115] == 0 { 116 } else { 148 };
    proof.state_data[at..at + 32].copy_from_slice(&root);
}

/// Makes the memory root that of one branch: with one bit all three are those of a memory
/// with just the instruction in it, with zeros where that is not.
fn mend_memory(proof: &mut StepWitness, mend: u8) {
    let thread = Thread::decode(proof.proof_data.first_chunk().expect("it has the length"));
    let at = THREAD_BYTES + 32;
    let branch: [u8; PROOF_BYTES] = *proof.proof_data[at..]
        .first_chunk()
        .expect("it has the length");
    let leaf = branch.first_chunk().expect("it has the length");
    let root = if mend & 8 == 0 {
        fold_branch(thread.pc, leaf, &branch)
    } else {
        let mut memory = Memory::new();
        memory.write(thread.pc & !31, leaf);
        // Where most instructions look; others are refused for their branch.
        let address = thread.registers[4] & !7;
        let branches = [thread.pc, address, address.wrapping_add(8)];
        for (n, address) in branches.into_iter().enumerate() {
            let to = at + n * PROOF_BYTES;
            proof.proof_data[to..to + PROOF_BYTES].copy_from_slice(&memory.proof(address)[..]);
        }
        memory.root()
    };
    proof.state_data[..32].copy_from_slice(&root);
}

/// A valid proof of a random machine, some step into its program, then changed: if the
/// state before is still the same, so is the state after.
fn mutated(data: &[u8]) {
    let (changes, rest) = data.split_at(data.len().min(24));
    let mut next = numbers(changes);
    let mut machine = random::start(&mut numbers(rest)).machine(Memory::new());
    for _ in 0..next() % 8 {
        if machine.prove().is_err() {
            return;
        }
    }
    let Ok(proof) = machine.prove() else { return };
    assert_eq!(verify(StateVersion::V8, &proof), Ok(proof.post));
    let mut changed = proof.clone();
    for _ in 0..1 + next() % 3 {
        change(&mut changed, &mut next);
    }
    let end = successor(&mut changed);
    if let (Ok(post), true) = (end, changed.pre == proof.pre && pinned(&changed)) {
        assert_eq!(post, proof.post, "one state has two successors");
    }
}

/// Whether the pre-image is one that its key determines.
fn pinned(proof: &StepWitness) -> bool {
    let hashed = |oracle: &OracleData| {
        let mut key = keccak256(oracle.value.get(8..).unwrap_or_default());
        key[0] = 2;
        key == oracle.key
    };
    proof.oracle.as_ref().is_none_or(hashed)
}

fn change(proof: &mut StepWitness, next: &mut impl FnMut() -> u64) {
    let (place, value) = (next() as usize, next());
    match value >> 56 & 7 {
        0 => flip(&mut proof.state_data, place, value),
        1 => proof.proof_data.truncate(place % (PROOF_DATA_BYTES + 1)),
        2 => proof.oracle = None,
        3 => {
            if let Some(oracle) = &mut proof.oracle {
                flip(&mut oracle.value, place, value);
                flip(&mut oracle.key, place >> 8, value >> 8);
                oracle.offset = oracle.offset.wrapping_add(value >> 16 & 3);
            }
        }
        // A branch in the place of another.
        4 => {
            let at = |n: usize| THREAD_BYTES + 32 + n % 3 * PROOF_BYTES;
            if proof.proof_data.len() == PROOF_DATA_BYTES {
                let (from, to) = (at(place), at(place >> 8));
                proof.proof_data.copy_within(from..from + PROOF_BYTES, to);
            }
        }
        _ => flip(&mut proof.proof_data, place, value),
    }
    if value >> 60 & 1 != 0
        && let Some(state_data) = proof.state_data.first_chunk()
    {
        proof.pre = state_hash(state_data);
    }
}

fn flip(bytes: &mut [u8], place: usize, value: u64) {
    let length = bytes.len().max(1);
    if let Some(byte) = bytes.get_mut(place % length) {
        *byte ^= (value as u8).max(1);
    }
}
