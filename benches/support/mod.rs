//! What the benches share: CPU time as the measure, and the golden guests.

#![allow(dead_code, reason = "every bench uses a part")]

use carronade_emulator::image::load_elf;
use carronade_emulator::machine::Machine;
use carronade_emulator::memory::Memory;
use carronade_emulator::oracle::NoOracle;
use carronade_emulator::state::{State, StateVersion};
use carronade_emulator::step::NoOutput;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use flate2::read::GzDecoder;
use nix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// CPU time of this process, which a busy machine disturbs less than wall time.
pub struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        let now = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("every Linux has it");
        now.into()
    }

    fn end(&self, start: Duration) -> Duration {
        self.start() - start
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// The ELF file of a golden guest.
pub fn elf(guest: &str) -> Vec<u8> {
    unpack("tests/vectors/guests", guest)
}

/// The ELF file of a benchmark guest.
pub fn bench_elf(guest: &str) -> Vec<u8> {
    unpack("benches/guests/elf", guest)
}

/// The ELF file of the fault proof program.
pub fn program_elf() -> Vec<u8> {
    unpack("program/elf", "fault-proof")
}

fn unpack(folder: &str, guest: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let file = File::open(folder.join(format!("{guest}.elf.gz"))).expect("the guest is there");
    let mut bytes = Vec::new();
    GzDecoder::new(file)
        .read_to_end(&mut bytes)
        .expect("the guest unpacks");
    bytes
}

/// State and memory before the first step of a guest.
pub fn image(elf: &[u8]) -> (State, Memory) {
    load_elf(StateVersion::V8, elf).expect("the guest loads")
}

/// A machine before the first step of a guest.
pub fn machine(elf: &[u8]) -> Machine {
    let (state, memory) = image(elf);
    Machine::new(state, memory, Box::new(NoOracle), Box::new(NoOutput))
}
