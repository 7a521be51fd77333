//! Decoder, disassembler and assembler read the table alike; no text panics.

#![no_main]

use carronade_emulator::isa::assemble::assemble;
use carronade_emulator::isa::disassemble::disassemble;
use carronade_emulator::isa::{Instruction, Opcode, ROWS};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((pc, rest)) = data.split_first_chunk() else {
        return;
    };
    let pc = u64::from_be_bytes(*pc) & !3;
    for word in rest.as_chunks().0 {
        check(u32::from_be_bytes(*word), pc);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = assemble(text, pc);
    }
});

fn check(word: u32, pc: u64) {
    let text = disassemble(word, pc);
    let words = assemble(&text, pc).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(words, [canonical(word)], "{text}");
    let again = disassemble(words[0], pc);
    assert!(again == text || again == "nop", "{text} became {again}");
    let opcode = |word| Instruction::decode(word).opcode();
    assert_eq!(opcode(words[0]), opcode(word), "{text}");
}

/// The word without the bits that its row ignores, in the first row of its instruction.
fn canonical(word: u32) -> u32 {
    let Some(row) = ROWS.iter().find(|row| row.matches(word)) else {
        assert_eq!(Instruction::decode(word).opcode(), Opcode::invalid);
        return word;
    };
    let is_field = |bit: u8| u32::from(bit.is_ascii_lowercase());
    let fields = row
        .pattern
        .iter()
        .fold(0, |mask, bit| mask << 1 | is_field(*bit));
    let first = ROWS.iter().find(|first| first.opcode == row.opcode);
    first.map_or(word, |first| first.bits | word & fields)
}
