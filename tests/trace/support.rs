//! Traces of the golden guests.

use carronade_checkpoint::{Hash, Store, TraceStore};
use carronade_emulator::image::load_elf;
use carronade_emulator::machine::{Machine, Watch};
use carronade_emulator::memory::Memory;
use carronade_emulator::oracle::{MapOracle, NoOracle, PreimageOracle};
use carronade_emulator::state::{State, StateVersion};
use carronade_emulator::step::NoOutput;
use carronade_trace::{Engine, Options, Trace, TraceError};
use carronade_translator::Translator;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

fn read(path: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    std::fs::read(folder.join(path)).unwrap()
}

/// The first state of a golden guest.
pub fn start(guest: &str) -> (State, Memory) {
    let (packed, mut elf) = (read(&format!("guests/{guest}.elf.gz")), Vec::new());
    let mut reader = flate2::read::MultiGzDecoder::new(&packed[..]);
    reader.read_to_end(&mut elf).unwrap();
    load_elf(StateVersion::V8, &elf).unwrap()
}

/// The host of the guest `oracle`.
pub fn oracle() -> MapOracle {
    let mut oracle = MapOracle::default();
    let images = read("golden/oracle.images.json");
    let images: serde_json::Value = serde_json::from_slice(&images).unwrap();
    for (key, value) in images.as_object().unwrap() {
        let key = const_hex::decode_to_array(key).unwrap();
        let value = const_hex::decode(value.as_str().unwrap()).unwrap();
        oracle.images.insert(key, value);
    }
    oracle
}

pub fn translator() -> Engine {
    Arc::new(|_| {
        let options = carronade_translator::Options::default();
        Ok(Some(Box::new(Translator::new(options)?)))
    })
}

pub fn interpreter() -> Engine {
    Arc::new(|_| Ok(None))
}

/// Checkpoints so close together that small guests have many.
pub fn small() -> Options {
    Options {
        interval_shift: 16,
        paced: false,
        asked_gap: 1 << 10,
        gain: 1 << 10,
        checkpoints: 300,
        ..Options::default()
    }
}

pub fn store(folder: &Path, guest: &str) -> TraceStore {
    let (state, mut memory) = start(guest);
    let witness = state.witness(&memory.root());
    let prestate = carronade_emulator::state::state_hash(&witness);
    let store = Store::open(folder.to_str().unwrap(), &Default::default()).unwrap();
    store.trace(prestate, [0; 32])
}

pub fn open(
    guest: &str,
    folder: &Path,
    engine: Engine,
    host: impl PreimageOracle + Send + 'static,
) -> Result<Trace, TraceError> {
    open_with(guest, folder, engine, host, small())
}

pub fn open_with(
    guest: &str,
    folder: &Path,
    engine: Engine,
    host: impl PreimageOracle + Send + 'static,
    options: Options,
) -> Result<Trace, TraceError> {
    let store = store(folder, guest);
    let output = Box::new(NoOutput);
    Trace::open(start(guest), Box::new(host), output, store, engine, options)
}

pub fn no_host() -> NoOracle {
    NoOracle
}

/// The state hashes that the interpreter comes to without any store, in the order of the
/// steps; after the end the last one.
pub fn interpreted(guest: &str, steps: &[u64]) -> Vec<Hash> {
    let (state, memory) = start(guest);
    let mut machine = Machine::new(state, memory, Box::new(oracle()), Box::new(NoOutput));
    let hash = |step: &u64| {
        machine.run(*step, Watch::Nothing).unwrap();
        machine.witness().unwrap().1
    };
    steps.iter().map(hash).collect()
}

/// How many steps a guest makes.
pub fn length(guest: &str) -> u64 {
    let (state, memory) = start(guest);
    let mut machine = Machine::new(state, memory, Box::new(oracle()), Box::new(NoOutput));
    machine.run(u64::MAX, Watch::Nothing).unwrap();
    machine.state().step
}

/// Numbers that look random, the same in every run.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    pub fn steps(&mut self, count: usize, limit: u64) -> Vec<u64> {
        (0..count).map(|_| self.below(limit)).collect()
    }
}
