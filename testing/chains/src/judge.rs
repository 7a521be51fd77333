//! The program, natively and in the VM, over a map of pre-images.

use carronade_devnet::Preimages;
use carronade_emulator::hash::Hash;
use carronade_emulator::image::load_elf;
use carronade_emulator::machine::{Machine, Watch};
use carronade_emulator::oracle::{OracleError, PreimageOracle};
use carronade_emulator::state::{StateVersion, state_hash};
use carronade_emulator::step::{GuestOutput, Stream};
use carronade_fault_proof::Oracle;
use carronade_program::key::PreimageKey;
use carronade_translator::{Options, Translator};
use flate2::read::GzDecoder;
use std::io::Read;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// The program's ELF file.
static PROGRAM: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let packed = include_bytes!("../../../program/elf/fault-proof.elf.gz");
    let mut elf = Vec::new();
    let unpacked = GzDecoder::new(&packed[..]).read_to_end(&mut elf);
    unpacked.expect("the committed program unpacks");
    elf
});

/// A map as the program's oracle and the VM's.
#[derive(Clone)]
struct Map(Arc<Preimages>);

impl Oracle for Map {
    fn get(&self, key: PreimageKey) -> Result<Vec<u8>, carronade_fault_proof::OracleError> {
        let found = self.0.get(&key).cloned();
        found.ok_or_else(|| carronade_fault_proof::OracleError("there is none".into()))
    }

    fn hint(&self, _: &str) -> Result<(), carronade_fault_proof::OracleError> {
        Ok(())
    }
}

impl PreimageOracle for Map {
    fn hint(&mut self, _: &[u8]) -> Result<(), OracleError> {
        Ok(())
    }

    fn preimage(&mut self, key: [u8; 32]) -> Result<Vec<u8>, OracleError> {
        let key = PreimageKey::try_from(key)?;
        Oracle::get(self, key).map_err(Into::into)
    }
}

/// Runs the program natively: its exit code, and its words.
#[must_use]
pub fn native(images: &Preimages) -> (u8, String) {
    match carronade_fault_proof::run(Arc::new(Map(Arc::new(images.clone())))) {
        Ok(verdict) => (verdict.exit_code() as u8, verdict.to_string()),
        Err(error) => (2, error.to_string()),
    }
}

/// How a run in the VM ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The exit code; 2 also where the VM cannot go on, as for a pre-image that is missing.
    pub exit_code: u8,
    /// The number of steps.
    pub steps: u64,
    /// The last state's hash.
    pub state_hash: Hash,
    /// What the program has written, or why the VM cannot go on.
    pub words: String,
}

/// Keeps what the guest writes.
#[derive(Clone, Default)]
struct Words(Arc<Mutex<Vec<u8>>>);

impl GuestOutput for Words {
    fn write(&mut self, _: Stream, bytes: &[u8]) {
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        words.extend_from_slice(bytes);
    }
}

/// Runs the program in the VM, translated.
///
/// # Panics
/// When native code cannot be made here.
#[must_use]
pub fn in_vm(images: &Preimages) -> End {
    let (state, mut memory) = load_elf(StateVersion::V8, &PROGRAM).expect("the program loads");
    let cache = std::env::temp_dir().join("carronade-chains-cache");
    let options = Options {
        cache: Some(cache),
        ..Options::default()
    };
    memory.flat().expect("there is room for a flat reservation");
    let translator = Translator::new(options).expect("native code can be made here");
    let (oracle, words) = (Map(Arc::new(images.clone())), Words::default());
    let mut machine = Machine::new(state, memory, Box::new(oracle), Box::new(words.clone()))
        .with_accelerator(Box::new(translator));
    let failure = machine.run(u64::MAX, Watch::Nothing).err();
    let (state, mut memory) = machine.into_parts();
    let said = words.0.lock().unwrap_or_else(PoisonError::into_inner);
    End {
        exit_code: match failure {
            Some(_) => 2,
            None => state.exit_code,
        },
        steps: state.step,
        state_hash: state_hash(&state.witness(&memory.root())),
        words: failure.map_or_else(
            || String::from_utf8_lossy(&said).trim_end().to_owned(),
            |failure| failure.to_string(),
        ),
    }
}
