//! `--pprof.cpu`: a profile of the guest, in the format of `go tool pprof`.
//!
//! The reference profiles its own process here. What users want to know is where the
//! guest spends its steps, so the samples are guest program counters, taken at least every
//! so many steps and weighed by the steps since the last; the file has the same name and is read by the same tools.

use crate::failure::Outcome;
use crate::files;
use carronade_emulator::image::Metadata;
use carronade_emulator::machine::Machine;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

/// Steps between samples: a prime, so that loops do not fall into step with it.
const INTERVAL: u64 = 10_007;

/// Samples by program counter.
#[derive(Debug, Default)]
pub struct Profile {
    /// Steps by program counter.
    samples: BTreeMap<u64, u64>,
    last_step: Option<u64>,
}

impl Profile {
    /// Steps between samples.
    pub fn interval(&self) -> u64 {
        INTERVAL
    }

    /// Counts the steps since the last sample as spent where the machine is now. The first
    /// call only says where counting begins.
    pub fn sample(&mut self, machine: &Machine) {
        let step = machine.state().step;
        let since = step - self.last_step.replace(step).unwrap_or(step);
        if let Ok(thread) = machine.state().thread()
            && since > 0
        {
            *self.samples.entry(thread.pc).or_default() += since;
        }
    }

    /// Writes the profile.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path, metadata: &Metadata) -> Outcome {
        let profile = self.encode(metadata);
        files::write_atomically(path, |out| {
            let mut packed = GzEncoder::new(out, Compression::default());
            packed.write_all(&profile)?;
            packed.finish().map(drop)
        })
    }

    /// The protocol buffer `perftools.profiles.Profile` (`profile.proto` of pprof).
    fn encode(&self, metadata: &Metadata) -> Vec<u8> {
        let mut strings = Strings::default();
        let mut functions: BTreeMap<&str, u64> = BTreeMap::new();
        let mut out = Vec::new();
        let kind = [(1, strings.id("steps")), (2, strings.id("count"))]
            .map(number)
            .concat();
        message(&mut out, 1, &kind);
        for (location, (pc, steps)) in (1..).zip(&self.samples) {
            let value = *steps;
            message(
                &mut out,
                2,
                &[(1, location), (2, value)].map(number).concat(),
            );
            let next = functions.len() as u64 + 1;
            let function = *functions.entry(metadata.lookup(*pc)).or_insert(next);
            let mut body = [(1, location), (3, *pc)].map(number).concat();
            message(&mut body, 4, &number((1, function)));
            message(&mut out, 4, &body);
        }
        for (name, id) in functions {
            let name = strings.id(name);
            message(
                &mut out,
                5,
                &[(1, id), (2, name), (3, name)].map(number).concat(),
            );
        }
        for text in &strings.list {
            message(&mut out, 6, text.as_bytes());
        }
        message(&mut out, 11, &kind);
        out.extend(number((12, INTERVAL)));
        out
    }
}

/// The string table; entry 0 is empty.
struct Strings {
    list: Vec<String>,
    ids: HashMap<String, u64>,
}

impl Default for Strings {
    fn default() -> Self {
        Self {
            list: vec![String::new()],
            ids: HashMap::new(),
        }
    }
}

impl Strings {
    fn id(&mut self, text: &str) -> u64 {
        let next = self.list.len() as u64;
        *self.ids.entry(text.into()).or_insert_with(|| {
            self.list.push(text.into());
            next
        })
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn number((field, value): (u64, u64)) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, field << 3);
    varint(&mut out, value);
    out
}

fn message(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
