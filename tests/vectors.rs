//! Runs golden vectors of single steps, made by the reference implementation: each is
//! executed by the run loop and by the recording stepper, and the recorded proof is
//! verified; all must lead to the reference's state, or refuse where it refuses.
//!
//! `CARRONADE_VECTORS` names another folder of the same form: `insn-*.jsonl.gz` and
//! `sysc-*.jsonl.gz`, directly or in a folder `insn`.

#[path = "translator/vectors.rs"]
mod translated;

use carronade_emulator::codec::{Packing, read_state, write_state};
use carronade_emulator::cpu::Width;
use carronade_emulator::machine::{Cause, Machine, VmError, Watch};
use carronade_emulator::memory::Memory;
use carronade_emulator::oracle::{MapOracle, OracleError, PreimageOracle};
use carronade_emulator::preimage::PreimageError;
use carronade_emulator::state::{Reservation, State, StateVersion, state_hash};
use carronade_emulator::step::{GuestOutput, Stream};
use carronade_emulator::witness::verify;
use rayon::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

fn folder() -> PathBuf {
    let given = std::env::var_os("CARRONADE_VECTORS").map(PathBuf::from);
    let folder =
        given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"));
    let inner = folder.join("insn");
    if inner.is_dir() { inner } else { folder }
}

/// The files of vectors in the folder, packed or not; there must be some.
fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| {
        let name = name(path);
        let is_kind = KINDS.iter().any(|kind| name.starts_with(kind));
        is_kind && (name.ends_with(".jsonl.gz") || name.ends_with(".jsonl"))
    });
    files.sort();
    assert!(!files.is_empty(), "no vectors in {}", folder().display());
    files
}

const KINDS: [&str; 2] = ["insn-", "sysc-"];

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// The vectors of one kind; another folder than the project's may have only the other.
fn vectors(kind: &str) -> Vec<(String, Value)> {
    let mut vectors = Vec::new();
    for path in files().iter().filter(|path| name(path).starts_with(kind)) {
        let (mut text, name) = (String::new(), name(path));
        let file = std::fs::File::open(path).unwrap();
        let mut reader: Box<dyn Read> = match name.ends_with(".gz") {
            true => Box::new(flate2::read::MultiGzDecoder::new(file)),
            false => Box::new(file),
        };
        reader.read_to_string(&mut text).unwrap();
        for (n, line) in text.lines().enumerate() {
            let vector = serde_json::from_str(line).unwrap();
            vectors.push((format!("{name}:{}", n + 1), vector));
        }
    }
    let own = std::env::var_os("CARRONADE_VECTORS").is_none();
    assert!(
        !(own && vectors.is_empty()),
        "the project's vectors {kind}* are missing"
    );
    vectors
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} is missing"))
}

fn hex_number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap(), 16).unwrap()
}

fn bytes(text: &str) -> Vec<u8> {
    const_hex::decode(text).unwrap()
}

fn hash(value: &Value, key: &str) -> [u8; 32] {
    bytes(text(value, key)).try_into().unwrap()
}

/// The state that an instruction vector describes: one thread, on the left stack.
fn insn_state(of: &Value) -> State {
    let mut state = State::new(StateVersion::V8, 0, hex_number(&of["heap"]));
    let thread = state.thread_mut().unwrap();
    thread.pc = hex_number(&of["pc"]);
    thread.next_pc = hex_number(&of["npc"]);
    (thread.lo, thread.hi) = (hex_number(&of["lo"]), hex_number(&of["hi"]));
    for (number, value) in of["r"].as_object().unwrap() {
        thread.registers[number.parse::<usize>().unwrap()] = hex_number(value);
    }
    state.reservation = Reservation {
        status: of["ll_status"].as_u64().unwrap() as u8,
        address: hex_number(&of["ll_addr"]),
        owner: of["ll_owner"].as_u64().unwrap(),
    };
    state.step = of["step"].as_u64().unwrap();
    state.steps_since_context_switch = of["steps_since_ctx_switch"].as_u64().unwrap();
    state.exited = of["exited"].as_bool().unwrap();
    state
}

fn insn_memory(of: &Value) -> Memory {
    let mut memory = Memory::new();
    for (address, word) in of.as_object().unwrap() {
        let address = u64::from_str_radix(address, 16).unwrap();
        let _ = memory.store(address, Width::Double, hex_number(word));
    }
    memory
}

#[derive(Clone, Default)]
struct Collected(Arc<Mutex<Outside>>);

#[derive(Default)]
struct Outside {
    oracle: MapOracle,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl PreimageOracle for Collected {
    fn hint(&mut self, hint: &[u8]) -> Result<(), OracleError> {
        self.0.lock().unwrap().oracle.hint(hint)
    }

    fn preimage(&mut self, key: [u8; 32]) -> Result<Vec<u8>, OracleError> {
        self.0.lock().unwrap().oracle.preimage(key)
    }
}

impl GuestOutput for Collected {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let mut outside = self.0.lock().unwrap();
        match stream {
            Stream::Stdout => outside.stdout.extend_from_slice(bytes),
            Stream::Stderr => outside.stderr.extend_from_slice(bytes),
        }
    }
}

/// A machine that has just tried one step in one of the two ways, and how that went.
struct Tried {
    machine: Machine,
    outside: Collected,
    result: Result<(), VmError>,
    proof: Option<carronade_emulator::witness::StepWitness>,
}

fn images(vector: &Value) -> MapOracle {
    let mut oracle = MapOracle::default();
    for (key, value) in vector["images"].as_object().into_iter().flatten() {
        oracle.images.insert(
            bytes(key).try_into().unwrap(),
            bytes(value.as_str().unwrap()),
        );
    }
    oracle
}

fn try_step(state: &State, memory: Memory, oracle: &MapOracle, prove: bool) -> Tried {
    let outside = Collected::default();
    outside.0.lock().unwrap().oracle = oracle.clone();
    let step = state.step;
    let mut machine = Machine::new(
        state.clone(),
        memory,
        Box::new(outside.clone()),
        Box::new(outside.clone()),
    );
    let (result, proof) = if prove {
        match machine.prove() {
            Ok(proof) => (Ok(()), Some(proof)),
            Err(error) => (Err(error), None),
        }
    } else {
        (machine.run(step + 1, Watch::Nothing).map(drop), None)
    };
    Tried {
        machine,
        outside,
        result,
        proof,
    }
}

/// Whether a failure is the one that the reference reports.
fn same_fault(error: &VmError, panic: &str) -> bool {
    let words = error.cause.to_string();
    let known = [
        ("invalid instruction", "invalid instruction"),
        ("delay slot", "delay slot"),
        ("divide by zero", "division by zero"),
        ("unaligned instruction fetch", "unaligned instruction fetch"),
        ("unrecognized syscall", "unrecognized syscall"),
        (
            "active thread stack is empty",
            "active thread stack is empty",
        ),
        ("Preimage offset out-of-bounds", "out of bounds"),
    ];
    match known
        .iter()
        .find(|(theirs, _)| panic.to_lowercase().contains(&theirs.to_lowercase()))
    {
        Some((_, ours)) => words.contains(ours),
        // A kind of refusal that is not known here; that the step is refused is what counts.
        None => true,
    }
}

fn check_common(tried: &mut Tried, vector: &Value) -> Result<(), String> {
    match (&tried.result, vector["panic"].as_str()) {
        (Err(error), Some(panic)) if same_fault(error, panic) => return Ok(()),
        (Ok(()), None) => {}
        (result, panic) => return Err(format!("{result:?}, reference: {panic:?}")),
    }
    let want = hash(vector, "post_hash");
    let (_, post) = tried.machine.witness().unwrap();
    if post != want {
        return Err(format!("post {}", const_hex::encode(post)));
    }
    if let Some(proof) = &tried.proof {
        if (proof.pre, proof.post) != (hash(vector, "pre_hash"), want) {
            return Err("the proof's hashes differ".into());
        }
        let verified = verify(tried.machine.state().version, proof);
        if verified != Ok(want) {
            return Err(format!("not verified: {verified:?}"));
        }
    }
    Ok(())
}

fn check_insn(vector: &Value) -> Result<(), String> {
    let state = insn_state(&vector["pre"]);
    let pre = state_hash(&state.witness(&insn_memory(&vector["mem"]).root()));
    if pre != hash(vector, "pre_hash") {
        return Err("the state before differs".into());
    }
    for prove in [false, true] {
        let mut tried = try_step(
            &state,
            insn_memory(&vector["mem"]),
            &MapOracle::default(),
            prove,
        );
        if tried.result.is_err() && tried.machine.state() != &state {
            return Err("a refused step changed the state".into());
        }
        check_common(&mut tried, vector)?;
        if tried.result.is_ok() {
            check_insn_details(&tried, vector)?;
        }
    }
    Ok(())
}

fn check_insn_details(tried: &Tried, vector: &Value) -> Result<(), String> {
    if tried.machine.state() != &insn_state(&vector["post"]) {
        return Err(format!("state {:?}", tried.machine.state().thread()));
    }
    let mut memory = vector["mem"].as_object().unwrap().clone();
    memory.extend(vector["mem_out"].as_object().cloned().unwrap_or_default());
    for (address, word) in memory {
        let at = u64::from_str_radix(&address, 16).unwrap();
        let got = tried.machine.memory().load(at, Width::Double);
        if got != hex_number(&word) {
            return Err(format!("memory at {address} is {got:x}"));
        }
    }
    Ok(())
}

/// The one deliberate difference: the reference's VM passes on what a lying host says,
/// while this one refuses a pre-image that does not hash to its key.
fn is_lie(tried: &Tried) -> bool {
    matches!(&tried.result, Err(VmError { cause: Cause::Preimage(error), .. })
        if matches!(**error, PreimageError::Mismatch { .. }))
}

fn check_sysc(vector: &Value) -> Result<(), String> {
    let packed = base64(text(vector, "pre_state_gz_b64"));
    for prove in [false, true] {
        let (state, memory) = read_state(&packed[..], Packing::Gzip).map_err(|e| e.to_string())?;
        let mut tried = try_step(&state, memory, &images(vector), prove);
        if is_lie(&tried) {
            return Err("an image does not hash to its key".into());
        }
        check_common(&mut tried, vector)?;
        if tried.result.is_ok() {
            check_sysc_details(&mut tried, vector)?;
        }
    }
    Ok(())
}

fn check_sysc_details(tried: &mut Tried, vector: &Value) -> Result<(), String> {
    let (witness, _) = tried.machine.witness().unwrap();
    if witness[..] != bytes(text(vector, "post_witness")) {
        return Err("the witness differs".into());
    }
    let mut file = Vec::new();
    write_state(
        &mut file,
        Packing::Plain,
        tried.machine.state(),
        tried.machine.memory(),
    )
    .unwrap();
    if const_hex::encode(Sha256::digest(&file)) != text(vector, "post_state_bin_sha256") {
        return Err("the state file differs".into());
    }
    check_outside(&tried.outside, vector)?;
    match &tried.proof {
        Some(proof) => check_proof(proof, vector),
        None => Ok(()),
    }
}

fn check_outside(outside: &Collected, vector: &Value) -> Result<(), String> {
    let outside = outside.0.lock().unwrap();
    for (what, got) in [("stdout", &outside.stdout), ("stderr", &outside.stderr)] {
        let want = vector[what].as_str().map(bytes).unwrap_or_default();
        if *got != want {
            return Err(format!("{what} is {}", const_hex::encode(got)));
        }
    }
    let hints: Vec<_> = outside
        .oracle
        .hints
        .iter()
        .map(const_hex::encode_prefixed)
        .collect();
    let want: Vec<String> = vector["hints"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|h| h.as_str().unwrap().into())
        .collect();
    if hints == want {
        Ok(())
    } else {
        Err(format!("hints are {hints:?}"))
    }
}

fn check_proof(
    proof: &carronade_emulator::witness::StepWitness,
    vector: &Value,
) -> Result<(), String> {
    if let Some(want) = vector["proof-data"].as_str()
        && bytes(want) != proof.proof_data
    {
        return Err("proof-data differs".into());
    }
    let oracle = proof.oracle.as_ref();
    if let Some(key) = vector["oracle-key"].as_str() {
        let got = oracle.ok_or("the proof has no pre-image")?;
        let offset = vector["oracle-offset"].as_u64().unwrap_or(0);
        if (got.key.to_vec(), &got.value, got.offset)
            != (bytes(key), &bytes(text(vector, "oracle-value")), offset)
        {
            return Err("the proof's pre-image differs".into());
        }
    } else if oracle.is_some() {
        return Err("the proof has a pre-image".into());
    }
    Ok(())
}

fn base64(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => panic!("not base64"),
    };
    let mut out = Vec::new();
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = group
            .iter()
            .fold(0u32, |bits, c| bits << 6 | u32::from(digit(*c)));
        let bits = bits << (6 * (4 - group.len()) + 8);
        out.extend_from_slice(&bits.to_be_bytes()[..group.len() - 1]);
    }
    out
}

fn run(prefix: &str, check: fn(&Value) -> Result<(), String>) {
    let vectors = vectors(prefix);
    let failures: Vec<String> = vectors
        .par_iter()
        .filter_map(|(place, vector)| {
            let failure = check(vector).err()?;
            Some(format!("{place} {}: {failure}", vector["cat"]))
        })
        .collect();
    println!(
        "{prefix}*: {} vectors, {} differ",
        vectors.len(),
        failures.len()
    );
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures[..failures.len().min(20)].join("\n")
    );
}

#[test]
fn instruction_vectors() {
    run("insn-", check_insn);
}

#[test]
fn system_call_vectors() {
    run("sysc-", check_sysc);
}
