//! From instruction words to text, by the table's operand syntax alone.

use super::{Instruction, Opcode, ROWS, Row, register_name};
use std::fmt::Write;

/// The text of an instruction word at a program counter.
///
/// Registers have their n64 names, shift amounts and signed immediates are decimal, what
/// is zero-extended is hexadecimal, and branches and jumps name the absolute address that
/// they lead to. Word 0 is `nop`; what the machine refuses is `.word 0x…`.
///
/// Some instructions have a destination that other machines do not give them: `mult`,
/// `mthi` and their like write 0 to rd, and `sync` copies rs to rd. These operands are
/// shown only where their fields are not zero, so that `mult $a0, $a1` looks as usual.
#[must_use]
pub fn disassemble(word: u32, pc: u64) -> String {
    disassemble_with(word, pc, |_| None)
}

/// Like [`disassemble`], with ` <name>` after a branch or jump target that has a name.
pub fn disassemble_with(word: u32, pc: u64, symbol: impl Fn(u64) -> Option<String>) -> String {
    let Some(row) = row_of(word) else {
        return format!(".word 0x{word:08x}");
    };
    if word == 0 {
        return "nop".into();
    }
    let operands: Vec<&str> = operands(row).collect();
    let shown = if word & optional_mask(row) == 0 {
        required(row)
    } else {
        operands.len()
    };
    let (mut text, instruction) = (row.mnemonic.to_string(), Instruction::decode(word));
    for (n, operand) in operands.into_iter().take(shown).enumerate() {
        text.push_str(if n == 0 { " " } else { ", " });
        write_operand(&mut text, operand, instruction, pc);
        let target = target(operand, instruction, pc);
        if let Some(name) = target.and_then(&symbol) {
            text.extend([" <", &name, ">"]);
        }
    }
    text
}

fn write_operand(text: &mut String, operand: &str, i: Instruction, pc: u64) {
    let done = match operand {
        "s" => write!(text, "${}", register_name(i.rs())),
        "t" => write!(text, "${}", register_name(i.rt())),
        "d" => write!(text, "${}", register_name(i.rd())),
        "a" => write!(text, "{}", i.shift()),
        "i" => write!(text, "{}", i.immediate() as i64),
        "u" => write!(text, "0x{:x}", i.unsigned()),
        "i(s)" => write!(text, "{}(${})", i.immediate() as i64, register_name(i.rs())),
        _ => write!(text, "0x{:x}", target(operand, i, pc).unwrap_or_default()),
    };
    debug_assert!(done.is_ok(), "writing to a string does not fail");
}

/// The address that an operand leads to, if it is a branch or jump target.
fn target(operand: &str, i: Instruction, pc: u64) -> Option<u64> {
    match operand {
        "b" => Some(i.branch_target(pc)),
        "j" => Some(i.jump_target(pc)),
        _ => None,
    }
}

/// The row that a word is an encoding of.
pub(super) fn row_of(word: u32) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.matches(word))
}

/// The operands of a row, one by one; none for an empty syntax.
pub(super) fn operands(row: &Row) -> impl Iterator<Item = &'static str> {
    row.operands
        .split(',')
        .filter(|operand| !operand.is_empty())
}

/// How many operands must be written. Those after them are written where one of their
/// fields is not zero.
pub(super) fn required(row: &Row) -> usize {
    let all = operands(row).count();
    match row.opcode {
        Opcode::sync => 0,
        _ if row.operands.ends_with(",d") => all - 1,
        _ => all,
    }
}

fn optional_mask(row: &Row) -> u32 {
    let optional = operands(row).skip(required(row));
    optional
        .flat_map(|operand| operand.bytes())
        .fold(0, |mask, l| mask | field_mask(row, l))
}

/// The bits that hold the field of an operand letter, or none.
pub(super) fn field_mask(row: &Row, letter: u8) -> u32 {
    let letter = match letter {
        b'u' | b'b' => b'i',
        other => other,
    };
    row.pattern
        .iter()
        .fold(0, |mask, of| mask << 1 | u32::from(*of == letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_as_usual() {
        for (word, text) in [
            (0x0000_0000, "nop"),
            (0x0085_0018, "mult $a0, $a1"),
            (0x0085_1018, "mult $a0, $a1, $v0"),
            (0x0000_000f, "sync"),
            (0x0080_000f, "sync $zero, $a0"),
            (0x0080_100f, "sync $v0, $a0"),
            (0x0080_0011, "mthi $a0"),
            (0x0000_1010, "mfhi $v0"),
            (0x0120_f809, "jalr $ra, $a5"),
            (0x27bd_fff0, "addiu $sp, $sp, -16"),
            (0x3c04_ffff, "lui $a0, 0xffff"),
            (0xffbf_0008, "sd $ra, 8($sp)"),
            (0x1000_ffff, "beq $zero, $zero, 0x10000ffc"),
            (0x0c00_0001, "jal 0x10000004"),
            (0x0002_1fc2, "srl $v1, $v0, 31"),
            (0x0000_000d, ".word 0x0000000d"),
        ] {
            assert_eq!(disassemble(word, 0x1000_0ffc), text);
        }
    }

    #[test]
    fn targets_have_names() {
        let name = |address| (address == 0x2000).then(|| "main".to_string());
        assert_eq!(
            disassemble_with(0x0800_0800, 0x1000, name),
            "j 0x2000 <main>"
        );
        assert_eq!(disassemble_with(0x0800_0801, 0x1000, name), "j 0x2004");
    }

    #[test]
    fn targets_wrap_around_the_address_space() {
        assert_eq!(
            disassemble(0x1000_0000, u64::MAX - 3),
            "beq $zero, $zero, 0x0"
        );
        assert_eq!(
            disassemble(0x1000_ffff, u64::MAX - 3),
            "beq $zero, $zero, 0xfffffffffffffffc"
        );
        // The jump's delay slot lies in the next region.
        assert_eq!(disassemble(0x0800_0000, 0x0fff_fffc), "j 0x10000000");
    }
}
