//! The golden guests as native code runs them, against the reference's states at all marks.

use carronade_emulator::image::load_elf;
use carronade_emulator::machine::{Machine, Watch};
use carronade_emulator::oracle::MapOracle;
use carronade_emulator::state::StateVersion;
use carronade_emulator::step::NoOutput;
use carronade_translator::{Options, Translator};
use serde_json::Value;
use std::any::Any;
use std::io::Read;
use std::path::Path;

fn read(path: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    std::fs::read(folder.join(path)).unwrap()
}

fn json(path: &str) -> Value {
    serde_json::from_slice(&read(path)).unwrap()
}

fn elf(guest: &str) -> Vec<u8> {
    let (packed, mut elf) = (read(&format!("guests/{guest}.elf.gz")), Vec::new());
    let mut reader = flate2::read::MultiGzDecoder::new(&packed[..]);
    reader.read_to_end(&mut elf).unwrap();
    elf
}

fn oracle() -> MapOracle {
    let mut oracle = MapOracle::default();
    for (key, value) in json("golden/oracle.images.json").as_object().unwrap() {
        let key = const_hex::decode_to_array(key).unwrap();
        let value = const_hex::decode(value.as_str().unwrap()).unwrap();
        oracle.images.insert(key, value);
    }
    oracle
}

/// Runs a guest from mark to mark; the share of its steps that ran natively, in percent.
fn check(guest: &str, options: Options) -> u64 {
    let golden = json(&format!("golden/{guest}.json"));
    let (state, memory) = load_elf(StateVersion::V8, &elf(guest)).unwrap();
    let translator = Translator::new(options).unwrap();
    let machine = Machine::new(state, memory, Box::new(oracle()), Box::new(NoOutput));
    let mut machine = machine.with_accelerator(Box::new(translator));
    for mark in golden["marks"].as_array().unwrap() {
        let step = mark["step"].as_u64().unwrap();
        machine.run(step, Watch::Nothing).unwrap();
        let (witness, hash) = machine.witness().unwrap();
        let got = [
            const_hex::encode_prefixed(witness),
            const_hex::encode_prefixed(hash),
        ];
        let want = [&mark["witness"], &mark["state_hash"]].map(|text| text.as_str().unwrap());
        assert_eq!(got, want, "{guest} at step {step}");
        assert_eq!(
            mark["exited"],
            machine.state().exited,
            "{guest} at step {step}"
        );
    }
    assert!(
        machine.state().exited,
        "the last mark of {guest} is its end"
    );
    let accelerator: &dyn Any = machine.accelerator().unwrap();
    let translator: &Translator = accelerator.downcast_ref().unwrap();
    translator.statistics().native_steps * 100 / machine.state().step
}

fn hot(hot: u16) -> Options {
    Options {
        hot,
        ..Options::default()
    }
}

#[test]
fn golden_guests_translated() {
    for guest in ["sortmap", "oracle", "goroutines", "keccakloop"] {
        let native = check(guest, Options::default());
        assert!(native > 40, "{guest}: {native} % ran natively");
    }
    for guest in ["hello", "exit7", "panic2"] {
        check(guest, Options::default());
    }
}

#[test]
fn golden_guests_translated_at_once() {
    for guest in ["hello", "goroutines", "oracle"] {
        let native = check(guest, hot(1));
        assert!(native > 80, "{guest}: {native} % ran natively");
    }
}

#[test]
fn golden_guests_translated_in_little_memory() {
    // All code is given up again and again.
    for guest in ["hello", "goroutines"] {
        check(
            guest,
            Options {
                arena: 1 << 20,
                ..hot(20)
            },
        );
    }
}
