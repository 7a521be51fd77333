//! The programs that this binary carries: packed ELF files, as `scripts/build-guests.sh` made
//! them from `program/guests`.

use anyhow::{Context, Result, anyhow};
use carronade_emulator::hash::Hash;
use carronade_emulator::image::load_elf;
use carronade_emulator::memory::Memory;
use carronade_emulator::state::{State, StateVersion, state_hash};
use flate2::read::GzDecoder;
use std::io::Read;

/// A program that the VM runs.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// By this name it is asked for.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    packed: &'static [u8],
}

/// All of them, the one that is taken by default first.
pub const PROGRAMS: [Program; 2] = [
    Program {
        name: "fault-proof",
        about: "derives the L2 chain from L1 and checks a claimed output root",
        packed: include_bytes!("../program/elf/fault-proof.elf.gz"),
    },
    Program {
        name: "stateless",
        about: "executes one L2 block and checks its hash",
        packed: include_bytes!("../program/elf/stateless.elf.gz"),
    },
];

/// The program that games are about, of those that this binary carries; the verifier too, which
/// is there for demonstrations.
///
/// # Errors
/// When there is none.
pub fn elf_of_game(name: &str) -> Result<Vec<u8>> {
    match name {
        "verifier" => Ok(include_bytes!("../program/elf/verifier.elf").to_vec()),
        _ => by_name(name)?.elf(),
    }
}

/// The program with a name.
///
/// # Errors
/// When there is none.
pub fn by_name(name: &str) -> Result<Program> {
    let found = PROGRAMS.into_iter().find(|program| program.name == name);
    found.ok_or_else(|| {
        let names = PROGRAMS.map(|program| program.name).join(" and ");
        anyhow!("unknown program {name:?}: there are {names}")
    })
}

impl Program {
    /// The ELF file.
    ///
    /// # Errors
    /// Only if this binary is damaged.
    pub fn elf(&self) -> Result<Vec<u8>> {
        let mut elf = Vec::new();
        GzDecoder::new(self.packed)
            .read_to_end(&mut elf)
            .with_context(|| format!("the program {} does not unpack", self.name))?;
        Ok(elf)
    }

    /// The state in which a run of it begins, and that state's hash: the absolute prestate of
    /// its dispute games.
    ///
    /// # Errors
    /// Only if this binary is damaged.
    pub fn prestate(&self, version: StateVersion) -> Result<(State, Memory, Hash)> {
        let (state, mut memory) = load_elf(version, &self.elf()?)
            .with_context(|| format!("cannot load the program {}", self.name))?;
        let hash = state_hash(&state.witness(&memory.root()));
        Ok((state, memory, hash))
    }
}
