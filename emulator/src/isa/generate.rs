//! Random instructions and short programs for tests and fuzz targets. The same random
//! numbers give the same words.

use super::disassemble::field_mask;
use super::{Opcode, ROWS, Row};
use std::ops::Range;

/// The registers that [`generate_program`] uses as addresses of data and, but for random
/// words, never writes: `$s0` to `$s7`.
pub const BASES: Range<u8> = 16..24;

/// A random encoding of a random row: fields and ignored bits are random too.
pub fn generate(random: &mut impl FnMut() -> u64) -> u32 {
    encoding(pick(ROWS, random), random)
}

/// A random program of `length` words, to be run from its start.
///
/// Most of it is straight code; loads and stores are near the [`BASES`], branches lead to
/// some place within the program and have a delay slot that does not branch. One word in
/// 32 is any row at all, system calls and jumps to nowhere among them.
pub fn generate_program(length: usize, random: &mut impl FnMut() -> u64) -> Vec<u32> {
    let mut words = Vec::with_capacity(length + 1);
    while words.len() < length {
        match random() % 32 {
            0 => words.push(generate(random)),
            1..5 => {
                let to = (random() % length as u64) as usize;
                words.push(branch(words.len(), to, random));
                words.push(straight(random));
            }
            _ => words.push(straight(random)),
        }
    }
    words.truncate(length);
    words
}

fn pick<'a>(rows: &'a [Row], random: &mut impl FnMut() -> u64) -> &'a Row {
    &rows[(random() % rows.len() as u64) as usize]
}

fn encoding(row: &Row, random: &mut impl FnMut() -> u64) -> u32 {
    row.bits | random() as u32 & !row.mask
}

/// A branch from one place of a program to another.
fn branch(from: usize, to: usize, random: &mut impl FnMut() -> u64) -> u32 {
    let row = loop {
        let row = pick(ROWS, random);
        if row.operands.ends_with('b') {
            break row;
        }
    };
    let distance = to as i64 - from as i64 - 1;
    encoding(row, random) & !0xffff | u32::from(distance as u16)
}

/// An instruction after which the next one follows. It may fault.
fn straight(random: &mut impl FnMut() -> u64) -> u32 {
    let row = loop {
        let row = pick(ROWS, random);
        let goes_on = !row.opcode.ends_run() || reserves(row.opcode);
        if goes_on {
            break row;
        }
    };
    let word = encoding(row, random);
    if row.operands.ends_with("(s)") {
        near_base(spare_bases(row, word, b't'), random)
    } else if field_mask(row, b'd') != 0 {
        spare_bases(row, word, b'd')
    } else {
        spare_bases(row, word, b't')
    }
}

const fn reserves(opcode: Opcode) -> bool {
    matches!(opcode, Opcode::ll | Opcode::lld | Opcode::sc | Opcode::scd)
}

/// Takes another register in a field if it names one of [`BASES`]. Of the fields that
/// hold destinations, none is used otherwise by a row that also has the other one.
fn spare_bases(row: &Row, word: u32, letter: u8) -> u32 {
    let mask = field_mask(row, letter);
    if mask == 0 {
        return word;
    }
    let register = (word & mask) >> mask.trailing_zeros();
    if BASES.contains(&(register as u8)) {
        word & !mask | (register - 8) << mask.trailing_zeros()
    } else {
        word
    }
}

/// Gives a load or store a base and an offset within 64 bytes of it, mostly within 8, so
/// that accesses meet.
fn near_base(word: u32, random: &mut impl FnMut() -> u64) -> u32 {
    let bases = u64::from(BASES.end - BASES.start);
    let base = u64::from(BASES.start) + random() % bases;
    let reach = if random().is_multiple_of(4) { 128 } else { 16 };
    let offset = (random() % reach) as i16 - (reach / 2) as i16;
    word & 0xfc1f_0000 | (base as u32) << 21 | u32::from(offset as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Instruction;

    fn numbers(mut seed: u64) -> impl FnMut() -> u64 {
        move || {
            seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (seed ^ seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed ^ mixed >> 31
        }
    }

    #[test]
    fn every_row_comes_up_and_only_rows() {
        let (mut random, mut seen) = (numbers(1), vec![false; ROWS.len()]);
        for _ in 0..10_000 {
            let word = generate(&mut random);
            let row = ROWS.iter().position(|row| row.matches(word)).unwrap();
            seen[row] = true;
        }
        assert!(seen.iter().all(|seen| *seen));
    }

    #[test]
    fn programs_are_repeatable_and_have_the_length() {
        for length in [1, 2, 50] {
            let program = generate_program(length, &mut numbers(7));
            assert_eq!(program.len(), length);
            assert_eq!(program, generate_program(length, &mut numbers(7)));
        }
        assert_eq!(generate_program(0, &mut numbers(7)), []);
    }

    #[test]
    fn straight_code_leaves_the_bases_alone() {
        let mut random = numbers(3);
        for _ in 0..10_000 {
            let i = Instruction::decode(straight(&mut random));
            let row = ROWS.iter().find(|row| row.matches(i.bits())).unwrap();
            let destination = if field_mask(row, b'd') != 0 {
                i.rd()
            } else {
                i.rt()
            };
            assert!(!BASES.contains(&destination), "{i:?}");
        }
    }
}
