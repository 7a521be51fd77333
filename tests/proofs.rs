//! Golden step proofs of the reference: each verifies to the reference's state after the
//! step, and no longer does once any byte of it that matters is changed.

use carronade::proof::Proof;
use carronade_emulator::state::StateVersion;
use carronade_emulator::witness::{StepWitness, verify};
use rayon::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

const THREAD_PROOF: usize = 330;
const BRANCH: usize = 1920;

struct Golden {
    witness: StepWitness,
    category: String,
    /// Which of the three branches the step uses.
    used: [bool; 3],
}

fn golden(value: Value) -> Golden {
    let flag = |key: &str| value[key].as_bool().unwrap_or(false);
    let category = value["x-category"].as_str().unwrap_or("plain").to_owned();
    // A step that the scheduler takes does not even fetch an instruction.
    let fetches = category != "forced-preempt";
    let used = [fetches, flag("x-memproof1-used"), flag("x-memproof2-used")];
    let proof: Proof = serde_json::from_value(value).unwrap();
    Golden {
        witness: proof.into_witness().unwrap(),
        category,
        used,
    }
}

fn all() -> Vec<Golden> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/golden");
    let mut proofs = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".proofs.jsonl.gz") {
            let mut text = String::new();
            let file = std::fs::File::open(&path).unwrap();
            flate2::read::MultiGzDecoder::new(file)
                .read_to_string(&mut text)
                .unwrap();
            proofs.extend(
                text.lines()
                    .map(|line| golden(serde_json::from_str(line).unwrap())),
            );
        } else if name.ends_with(".json") && !name.ends_with(".images.json") {
            let mut all: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            proofs.extend(all["proofs"].as_array_mut().unwrap().drain(..).map(golden));
        }
    }
    assert!(proofs.len() > 300, "only {} golden proofs", proofs.len());
    proofs
}

fn refused(witness: &StepWitness) -> bool {
    verify(StateVersion::V8, witness).is_err()
}

#[test]
fn golden_proofs_verify() {
    for proof in all() {
        let witness = &proof.witness;
        let verified = verify(StateVersion::V8, witness);
        assert_eq!(
            verified,
            Ok(witness.post),
            "step {} {}",
            witness.step,
            proof.category
        );
    }
}

/// The bytes of the proof data that the step uses.
fn used_ranges(proof: &Golden) -> Vec<Range<usize>> {
    let branches = (0..3).filter(|branch| proof.used[*branch]);
    let branch = |number| THREAD_PROOF + number * BRANCH..THREAD_PROOF + (number + 1) * BRANCH;
    std::iter::once(0..THREAD_PROOF)
        .chain(branches.map(branch))
        .collect()
}

/// Every way to change one byte of a proof: what was changed, and the changed proof.
fn tampered(proof: &Golden) -> Vec<(String, StepWitness)> {
    let mut all = Vec::new();
    let mut change = |what: String, edit: &dyn Fn(&mut StepWitness)| {
        let mut witness = proof.witness.clone();
        edit(&mut witness);
        all.push((what, witness));
    };
    for bit in 0..64 {
        change(format!("step bit {bit}"), &|w| w.step ^= 1 << bit);
    }
    for n in 0..32 {
        change(format!("pre[{n}]"), &|w| w.pre[n] ^= 1 << (n % 8));
        change(format!("post[{n}]"), &|w| w.post[n] ^= 1 << (n % 8));
    }
    for n in 0..188 {
        change(format!("state-data[{n}]"), &|w| {
            w.state_data[n] ^= 1 << (n % 8)
        });
    }
    for n in used_ranges(proof).into_iter().flatten() {
        change(format!("proof-data[{n}]"), &|w| {
            w.proof_data[n] ^= 1 << (n % 8)
        });
    }
    for cut in used_ranges(proof).iter().map(|range| range.start) {
        change(format!("proof-data cut at {cut}"), &|w| {
            w.proof_data.truncate(cut)
        });
    }
    change("state-data longer".into(), &|w| w.state_data.push(0));
    change("state-data shorter".into(), &|w| {
        w.state_data.pop();
    });
    tamper_oracle(proof, &mut change);
    all
}

fn tamper_oracle(proof: &Golden, change: &mut impl FnMut(String, &dyn Fn(&mut StepWitness))) {
    let Some(data) = &proof.witness.oracle else {
        let extra = carronade_emulator::witness::OracleData {
            key: [2; 32],
            value: vec![0; 8],
            offset: 0,
        };
        change("oracle added".into(), &|w| w.oracle = Some(extra.clone()));
        return;
    };
    change("oracle removed".into(), &|w| w.oracle = None);
    for n in 0..32 {
        change(format!("oracle-key[{n}]"), &|w| {
            w.oracle.as_mut().unwrap().key[n] ^= 1
        });
    }
    // Of local data nobody but the chain knows the truth; there only what is read counts.
    let hashed = data.key[0] != 1;
    for n in (0..data.value.len()).filter(|n| hashed || *n < 8) {
        change(format!("oracle-value[{n}]"), &|w| {
            w.oracle.as_mut().unwrap().value[n] ^= 1
        });
    }
    for bit in 0..64 {
        change(format!("oracle-offset bit {bit}"), &|w| {
            w.oracle.as_mut().unwrap().offset ^= 1 << bit
        });
    }
}

/// At most this many proofs of each category are tampered with.
const PER_CATEGORY: usize = 1;

#[test]
fn every_tampered_byte_is_refused() {
    let mut by_category: BTreeMap<String, Vec<Golden>> = BTreeMap::new();
    for proof in all() {
        let proofs = by_category.entry(proof.category.clone()).or_default();
        if proofs.len() < PER_CATEGORY {
            proofs.push(proof);
        }
    }
    let proofs: Vec<Golden> = by_category.into_values().flatten().collect();
    let changes: usize = proofs
        .par_iter()
        .map(|proof| {
            let changes = tampered(proof);
            for (what, witness) in &changes {
                assert!(
                    refused(witness),
                    "step {} ({}) verifies with {what} changed",
                    witness.step,
                    proof.category
                );
            }
            changes.len()
        })
        .sum();
    println!("{} proofs, {changes} changes, all refused", proofs.len());
}
