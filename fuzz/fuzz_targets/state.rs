//! State files of any content: no panic, no memory beyond what is there; what can be read
//! is written back as it was, and reads the same from gzip.

#![no_main]

use carronade_emulator::codec::{Packing, read_state, read_version, write_state};
use carronade_emulator::memory::{Memory, PAGE_SIZE};
use carronade_emulator::state::{State, THREAD_BYTES};
use flate2::{Compression, read::GzEncoder};
use libfuzzer_sys::fuzz_target;
use std::io::Read;

fuzz_target!(|data: &[u8]| {
    let _ = read_version(data, Packing::Plain);
    let _ = read_version(data, Packing::Gzip);
    if let Ok((state, memory)) = read_state(data, Packing::Gzip) {
        let again = read_state(&written(&state, &memory, Packing::Gzip)[..], Packing::Gzip);
        assert_eq!(again.expect("what was written can be read").0, state);
    }
    let plain = read_state(data, Packing::Plain);
    let mut packed = Vec::new();
    let packing = GzEncoder::new(data, Compression::fast()).read_to_end(&mut packed);
    packing.expect("packing from memory to memory");
    match (plain, read_state(&packed[..], Packing::Gzip)) {
        (Ok((state, memory)), Ok((unpacked, _))) => {
            assert_eq!(state, unpacked);
            let again = written(&state, &memory, Packing::Plain);
            assert!(
                again == data || again == normal(data),
                "other bytes were written"
            );
        }
        (Err(plain), Err(unpacked)) => assert_eq!(plain.to_string(), unpacked.to_string()),
        (plain, unpacked) => {
            let [plain, unpacked] = [plain, unpacked].map(|read| read.err());
            panic!("plain and packed differ: {plain:?} {unpacked:?}");
        }
    }
});

fn written(state: &State, memory: &Memory, packing: Packing) -> Vec<u8> {
    let mut bytes = Vec::new();
    let done = write_state(&mut bytes, packing, state, memory);
    done.expect("writing to memory");
    bytes
}

/// A readable state as a writer would have written it: pages ascending, and 1 for every
/// exited byte of a thread that is not 0.
fn normal(data: &[u8]) -> Vec<u8> {
    let number = |at: usize| {
        let bytes = data[at..].first_chunk().expect("the state can be read");
        u64::from_be_bytes(*bytes) as usize
    };
    let pages_end = 9 + number(1) * (8 + PAGE_SIZE);
    let mut pages: Vec<&[u8]> = data[9..pages_end].chunks(8 + PAGE_SIZE).collect();
    pages.sort();
    let mut normal = [&data[..9], &pages.concat(), &data[pages_end..]].concat();
    // The fields between memory and threads.
    let mut at = pages_end + 32 + 8 + 8 + 17 + 2 + 8 + 8 + 1 + 8;
    for _ in 0..2 {
        let count = number(at);
        for thread in 0..count {
            let exited = &mut normal[at + 8 + thread * THREAD_BYTES + 9];
            *exited = u8::from(*exited != 0);
        }
        at += 8 + count * THREAD_BYTES;
    }
    normal
}
