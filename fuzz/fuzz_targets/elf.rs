//! Programs of any content: no panic, and what loads is a state that can be hashed.

#![no_main]

use carronade_emulator::image::{Metadata, load_elf};
use carronade_emulator::state::StateVersion;
use libfuzzer_sys::fuzz_target;

/// The loader takes 4 GiB of zeros as it should; hashing or even mapping so much in each
/// run would leave no time to fuzz.
const MAX_PROGRAM: u64 = 1 << 20;

fuzz_target!(|data: &[u8]| {
    if let Ok(metadata) = Metadata::of_elf(data) {
        assert!(metadata.symbols.is_sorted_by_key(|symbol| symbol.start));
        for symbol in &metadata.symbols {
            assert_ne!(metadata.lookup(symbol.start), "!start");
        }
        let _ = metadata.lookup(u64::MAX);
    }
    if claimed_size(data) > MAX_PROGRAM {
        return;
    }
    if let Ok((state, mut memory)) = load_elf(StateVersion::V8, data) {
        let thread = state.thread().expect("a loaded program has a thread");
        assert_eq!(thread.next_pc, thread.pc.wrapping_add(4));
        assert!(memory.page_count() >= 5, "the stack is there");
        memory.root();
    }
});

/// The memory that the program headers ask for, of a file with headers of the usual size.
fn claimed_size(elf: &[u8]) -> u64 {
    let number = |at: usize| {
        elf.get(at..)?
            .first_chunk()
            .map(|bytes| u64::from_be_bytes(*bytes))
    };
    let offset = number(32).unwrap_or(u64::MAX) as usize;
    let headers = elf.get(offset..).unwrap_or_default().len() / 56;
    let size = |n: usize| number(offset + n * 56 + 40).unwrap_or_default();
    (0..headers.min(1 << 16)).fold(0, |sum: u64, n| sum.saturating_add(size(n)))
}
