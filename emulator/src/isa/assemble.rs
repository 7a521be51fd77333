//! From text to instruction words, for tests: one instruction a line, by the table's
//! operand syntax.
//!
//! ```text
//! start:  addiu $t0, $zero, 3    # registers by n64 name or number
//! loop:   bne $8, $0, loop       # targets by label or address
//!         daddiu $t0, $t0, -1
//!         .word 0x0000000d
//! ```
//!
//! Nothing is expanded but `nop`, and `li64 $register, value-or-label`, which is always
//! six instructions. Delay slots are the author's.

use super::disassemble::{field_mask, operands, required};
use super::jump_region;
use super::{ROWS, Row, register_name};
use std::collections::HashMap;
use std::fmt;

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssembleError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for AssembleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for AssembleError {}

type Labels<'a> = HashMap<&'a str, u64>;

/// The words of a text whose first instruction is at `base`.
///
/// # Errors
/// The first line that is not an instruction, a label or a comment, or that does not fit.
pub fn assemble(text: &str, base: u64) -> Result<Vec<u32>, AssembleError> {
    assemble_with_labels(text, base).map(|(words, _)| words)
}

/// Like [`assemble`], with the addresses of the labels.
///
/// # Errors
/// As [`assemble`].
pub fn assemble_with_labels(
    text: &str,
    base: u64,
) -> Result<(Vec<u32>, HashMap<&str, u64>), AssembleError> {
    let (mut labels, mut statements, mut pc) = (Labels::new(), Vec::new(), base);
    for (n, line) in text.lines().enumerate() {
        let at = |message| AssembleError {
            line: n + 1,
            message,
        };
        let mut rest = line.split('#').next().unwrap_or_default().trim();
        while let Some((label, after)) = rest.split_once(':') {
            let label = label.trim();
            if !is_label(label) {
                return Err(at(format!("`{label}` is not a label")));
            }
            if labels.insert(label, pc).is_some() {
                return Err(at(format!("label `{label}` appears twice")));
            }
            rest = after.trim();
        }
        if !rest.is_empty() {
            statements.push((n + 1, pc, rest));
            pc = pc.wrapping_add(if rest.starts_with("li64 ") { 24 } else { 4 });
        }
    }
    let mut words = Vec::with_capacity(statements.len());
    for (line, pc, statement) in statements {
        let encoded = encode(statement, pc, &labels, &mut words);
        encoded.map_err(|message| AssembleError { line, message })?;
    }
    Ok((words, labels))
}

fn is_label(text: &str) -> bool {
    let word = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte));
    word && text.starts_with(|first: char| !first.is_ascii_digit())
}

fn encode(text: &str, pc: u64, labels: &Labels, words: &mut Vec<u32>) -> Result<(), String> {
    let (mnemonic, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let given: Vec<&str> = rest
        .split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty())
        .collect();
    match (mnemonic, &given[..]) {
        ("nop", []) => words.push(0),
        (".word", [value]) => words.push(ranged(number(value)?, 0, u64::from(u32::MAX))? as u32),
        ("li64", [to, value]) => load_immediate(to, address(value, labels)?, words)?,
        _ => {
            let row = ROWS.iter().find(|row| row.mnemonic == mnemonic);
            let row = row.ok_or_else(|| format!("there is no instruction `{mnemonic}`"))?;
            words.push(encode_row(row, &given, pc, labels)?);
        }
    }
    Ok(())
}

fn encode_row(row: &Row, given: &[&str], pc: u64, labels: &Labels) -> Result<u32, String> {
    let wanted: Vec<&str> = operands(row).collect();
    if given.len() != wanted.len() && given.len() != required(row) {
        let (mnemonic, syntax) = (row.mnemonic, row.operands);
        return Err(format!("`{mnemonic}` takes the operands `{syntax}`"));
    }
    let mut word = row.bits;
    for (operand, text) in wanted.into_iter().zip(given) {
        if operand == "i(s)" {
            let inner = text.strip_suffix(')').and_then(|text| text.split_once('('));
            let (offset, base) = inner.ok_or_else(|| format!("`{text}` is not `offset(base)`"))?;
            let offset = if offset.is_empty() { "0" } else { offset };
            put(&mut word, row, b'i', value(b'i', offset, pc, labels)?);
            put(&mut word, row, b's', value(b's', base.trim(), pc, labels)?);
        } else {
            let letter = operand.as_bytes()[0];
            put(&mut word, row, letter, value(letter, text, pc, labels)?);
        }
    }
    Ok(word)
}

fn put(word: &mut u32, row: &Row, letter: u8, value: u32) {
    let mask = field_mask(row, letter);
    *word |= value << mask.trailing_zeros() & mask;
}

/// The field value of one operand.
fn value(letter: u8, text: &str, pc: u64, labels: &Labels) -> Result<u32, String> {
    match letter {
        b's' | b't' | b'd' => register(text),
        b'a' => ranged(number(text)?, 0, 31).map(|amount| amount as u32),
        b'u' => ranged(number(text)?, 0, 0xffff).map(|value| value as u32),
        b'i' => signed(number(text)?).map(u32::from),
        b'b' => {
            let distance = address(text, labels)?.wrapping_sub(pc.wrapping_add(4));
            signed(words_between(text, distance)?).map(u32::from)
        }
        _ => {
            let target = address(text, labels)?;
            if jump_region(pc) != target & !0x0fff_ffff {
                return Err(format!("`{text}` is out of the region of the jump"));
            }
            Ok(words_between(text, target)? as u32 & 0x03ff_ffff)
        }
    }
}

fn words_between(text: &str, bytes: u64) -> Result<u64, String> {
    if bytes & 3 == 0 {
        Ok((bytes as i64 >> 2) as u64)
    } else {
        Err(format!("`{text}` is not aligned"))
    }
}

fn signed(value: u64) -> Result<u16, String> {
    ranged(value.wrapping_add(0x8000), 0, 0xffff)
        .map(|_| value as u16)
        .map_err(|_| format!("{} does not fit into 16 bits", value as i64))
}

fn ranged(value: u64, first: u64, last: u64) -> Result<u64, String> {
    if (first..=last).contains(&value) {
        Ok(value)
    } else {
        Err(format!(
            "{} is not between {first} and {last}",
            value as i64
        ))
    }
}

fn register(text: &str) -> Result<u32, String> {
    let name = text.strip_prefix('$').unwrap_or_default();
    let by_name = (0..32).find(|number| register_name(*number) == name);
    let number = by_name.or_else(|| name.parse().ok().filter(|number| *number < 32));
    number
        .map(u32::from)
        .ok_or_else(|| format!("`{text}` is not a register"))
}

/// A label's address, or a number.
fn address(text: &str, labels: &Labels) -> Result<u64, String> {
    match labels.get(text) {
        Some(address) => Ok(*address),
        None if is_label(text) => Err(format!("there is no label `{text}`")),
        None => number(text),
    }
}

/// A decimal or hexadecimal number; a negative one modulo 2^64.
fn number(text: &str) -> Result<u64, String> {
    let (digits, negative) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    let value = match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    let value = value.map_err(|_| format!("`{text}` is not a number"))?;
    Ok(if negative {
        value.wrapping_neg()
    } else {
        value
    })
}

/// Puts 64 bits into a register, 16 at a time from the top.
fn load_immediate(to: &str, value: u64, words: &mut Vec<u32>) -> Result<(), String> {
    let [top, high, low, bottom] = [48, 32, 16, 0].map(|shift| value >> shift & 0xffff);
    let nothing = Labels::new();
    for line in [
        format!("lui {to}, {top}"),
        format!("ori {to}, {to}, {high}"),
        format!("dsll {to}, {to}, 16"),
        format!("ori {to}, {to}, {low}"),
        format!("dsll {to}, {to}, 16"),
        format!("ori {to}, {to}, {bottom}"),
    ] {
        encode(&line, 0, &nothing, words)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::disassemble::{disassemble, row_of};
    use crate::isa::generate::generate;

    fn numbers(mut seed: u64) -> impl FnMut() -> u64 {
        move || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963);
            seed.rotate_left(29)
        }
    }

    /// The word without the bits that its row ignores, in the first row of its mnemonic.
    fn canonical(word: u32) -> u32 {
        let Some(row) = row_of(word) else { return word };
        let fields: u32 = b"stdaij"
            .iter()
            .fold(0, |mask, letter| mask | field_mask(row, *letter));
        let first = ROWS
            .iter()
            .find(|first| first.opcode == row.opcode)
            .unwrap();
        first.bits | word & fields
    }

    #[test]
    fn text_and_words_lead_to_each_other() {
        let mut random = numbers(1);
        for n in 0..200_000u64 {
            let word = if n % 4 == 0 {
                random() as u32
            } else {
                generate(&mut random)
            };
            let pc = random() & !3 & u64::MAX << (random() % 64);
            let text = disassemble(word, pc);
            let words = assemble(&text, pc).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(words, [canonical(word)], "{text}");
            assert_eq!(
                disassemble(words[0], pc),
                text.replace("sll $zero, $zero, 0", "nop")
            );
        }
    }

    #[test]
    fn labels_and_targets() {
        let text = "
            start: beq $a0, $5, end   # forward
            nop
            a: b: j start
            jal 0x1004
            bgez $t0, a
        end:
            lb $1, -1($sp)
            lb $1, ($sp)
            .word 0xdeadbeef";
        let words = assemble(text, 0x1000).unwrap();
        let wanted = [
            0x1085_0004,
            0,
            0x0800_0400,
            0x0c00_0401,
            0x0581_fffd,
            0x83a1_ffff,
            0x83a1_0000,
            0xdead_beef,
        ];
        assert_eq!(words, wanted);
        let (_, labels) = assemble_with_labels(text, 0x1000).unwrap();
        assert_eq!(labels["end"], 0x1014);
    }

    #[test]
    fn a_wide_constant_is_six_instructions() {
        let words = assemble("li64 $t0, 0x123456789abcdef0", 0).unwrap();
        assert_eq!(words.len(), 6);
        assert_eq!(words[0], 0x3c0c_1234);
        let after = assemble("li64 $t0, here\nhere: nop", 0x100).unwrap();
        assert_eq!(after[5] & 0xffff, 0x118);
    }

    #[test]
    fn errors_name_the_line() {
        for (text, line, words) in [
            ("nop\nfoo $t0", 2, "no instruction `foo`"),
            ("addu $t0, $t1", 1, "takes the operands `d,s,t`"),
            ("\n\naddu $t0, $t1, $x", 3, "`$x` is not a register"),
            ("addu $t0, $t1, $32", 1, "not a register"),
            ("beq $t0, $t1, away", 1, "no label `away`"),
            ("a:\na:", 2, "appears twice"),
            ("1a: nop", 1, "is not a label"),
            ("addiu $t0, $t0, 32768", 1, "32768 does not fit"),
            ("addiu $t0, $t0, -32769", 1, "-32769 does not fit"),
            ("ori $t0, $t0, -1", 1, "-1 is not between 0 and 65535"),
            ("sll $t0, $t0, 32", 1, "32 is not between 0 and 31"),
            ("beq $t0, $t0, 0x40000", 1, "does not fit"),
            ("beq $t0, $t0, 2", 1, "not aligned"),
            ("j 0x10000000", 1, "out of the region"),
            ("lw $t0, $t1", 1, "is not `offset(base)`"),
            (".word 0x100000000", 1, "is not between"),
            ("addiu $t0, $t0, 12z", 1, "`12z` is not a number"),
        ] {
            let error = assemble(text, 0).unwrap_err();
            assert_eq!(error.line, line, "{text}: {error}");
            assert!(error.to_string().contains(words), "{text}: {error}");
        }
    }
}
