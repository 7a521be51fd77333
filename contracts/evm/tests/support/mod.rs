//! The golden vectors of the reference, as step proofs, and a game.

#![allow(dead_code, reason = "every test uses a part of it")]

pub mod calls;
pub mod game;

use carronade_emulator::codec::{Packing, read_state};
use carronade_emulator::cpu::Width;
use carronade_emulator::hash::Hash;
use carronade_emulator::machine::Machine;
use carronade_emulator::memory::Memory;
use carronade_emulator::oracle::MapOracle;
use carronade_emulator::state::{Reservation, State, StateVersion};
use carronade_emulator::step::NoOutput;
use carronade_emulator::witness::{OracleData, StepWitness};
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What the reference makes of a step.
pub struct Vector {
    /// Where it is from.
    pub name: String,
    /// The proof.
    pub witness: StepWitness,
    /// The reference's state after it.
    pub post: Hash,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors")
}

/// The step proofs that the reference wrote along seven guests.
pub fn proofs_of_guests() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for entry in std::fs::read_dir(folder().join("golden")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".proofs.jsonl.gz") {
            vectors.extend(lines(&path).iter().map(|value| proof(&name, value)));
        } else if name.ends_with(".json") && !name.ends_with(".images.json") {
            let all: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let proofs = all["proofs"].as_array().unwrap();
            vectors.extend(proofs.iter().map(|value| proof(&name, value)));
        }
    }
    assert!(vectors.len() > 300, "only {} proofs", vectors.len());
    vectors
}

/// The reference's single instructions, proved here; those it refuses are left out, since
/// nobody has a proof of them.
pub fn instructions() -> Vec<Vector> {
    let done = |(n, value): (usize, &Value)| {
        value.get("post_hash")?;
        let memory = memory(&value["mem"]);
        let witness = prove(state(&value["pre"]), memory, MapOracle::default());
        Some(vector(format!("insn-1:{}", n + 1), witness, value))
    };
    let all = lines(&folder().join("insn/insn-1.jsonl.gz"));
    all.iter().enumerate().filter_map(done).collect()
}

/// The reference's system calls and acts of its scheduler, proved here or, where the file has
/// them, by the reference.
pub fn system_calls() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for file in ["sysc-1.jsonl.gz", "sysc-2-with-proofs.jsonl.gz"] {
        for (n, value) in lines(&folder().join("insn").join(file)).iter().enumerate() {
            if value.get("post_hash").is_none() {
                continue;
            }
            let packed = base64(value["pre_state_gz_b64"].as_str().unwrap());
            let (state, memory) = read_state(&packed[..], Packing::Gzip).unwrap();
            let mut witness = prove(state, memory, images(value));
            if let Some(proof) = value.get("proof-data") {
                witness.proof_data = bytes(proof);
            }
            vectors.push(vector(format!("{file}:{}", n + 1), witness, value));
        }
    }
    vectors
}

fn vector(name: String, witness: StepWitness, value: &Value) -> Vector {
    let post = bytes(&value["post_hash"]).try_into().unwrap();
    Vector {
        name,
        witness,
        post,
    }
}

fn prove(state: State, memory: Memory, oracle: MapOracle) -> StepWitness {
    let mut machine = Machine::new(state, memory, Box::new(oracle), Box::new(NoOutput));
    machine.prove().unwrap()
}

fn lines(path: &Path) -> Vec<Value> {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    let mut unpacked = flate2::read::MultiGzDecoder::new(file);
    unpacked.read_to_string(&mut text).unwrap();
    let parse = |line| serde_json::from_str(line).unwrap();
    text.lines().map(parse).collect()
}

fn proof(file: &str, value: &Value) -> Vector {
    let hash = |key: &str| bytes(&value[key]).try_into().unwrap();
    let step = value["step"].as_u64().unwrap();
    let oracle = value.get("oracle-key").map(|_| OracleData {
        key: hash("oracle-key"),
        value: bytes(&value["oracle-value"]),
        offset: value["oracle-offset"].as_u64().unwrap_or(0),
    });
    let witness = StepWitness {
        step,
        pre: hash("pre"),
        post: hash("post"),
        state_data: bytes(&value["state-data"]),
        proof_data: bytes(&value["proof-data"]),
        oracle,
    };
    Vector {
        name: format!("{file} step {step}"),
        post: witness.post,
        witness,
    }
}

fn state(of: &Value) -> State {
    let mut state = State::new(StateVersion::V8, 0, number(&of["heap"]));
    let thread = state.thread_mut().unwrap();
    (thread.pc, thread.next_pc) = (number(&of["pc"]), number(&of["npc"]));
    (thread.lo, thread.hi) = (number(&of["lo"]), number(&of["hi"]));
    for (register, value) in of["r"].as_object().unwrap() {
        thread.registers[register.parse::<usize>().unwrap()] = number(value);
    }
    state.reservation = Reservation {
        status: of["ll_status"].as_u64().unwrap() as u8,
        address: number(&of["ll_addr"]),
        owner: of["ll_owner"].as_u64().unwrap(),
    };
    state.step = of["step"].as_u64().unwrap();
    state.steps_since_context_switch = of["steps_since_ctx_switch"].as_u64().unwrap();
    state.exited = of["exited"].as_bool().unwrap();
    state
}

fn memory(words: &Value) -> Memory {
    let mut memory = Memory::without_reservation();
    for (address, word) in words.as_object().unwrap() {
        let address = u64::from_str_radix(address, 16).unwrap();
        let _ = memory.store(address, Width::Double, number(word));
    }
    memory
}

fn images(value: &Value) -> MapOracle {
    let mut oracle = MapOracle::default();
    for (key, image) in value["images"].as_object().into_iter().flatten() {
        let key = const_hex::decode(key).unwrap().try_into().unwrap();
        oracle.images.insert(key, bytes(image));
    }
    oracle
}

fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap(), 16).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    const_hex::decode(value.as_str().unwrap()).unwrap()
}

fn base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let (mut out, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        (bits, held) = (bits << 6 | u32::from(digit(byte)), held + 6);
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    out
}
