//! The cases of `tests/isa/*.txt`: single instructions with what they are given and what
//! is expected, one a line:
//!
//! ```text
//! instruction | given | expected
//! ```
//!
//! Given and expected are `name=value` pairs: registers, `hi`, `lo`, `pc`, `next` (the
//! second program counter), `[address]` for an 8-byte word of memory, and
//! `ll=kind:address:owner` for the reservation. What is not expected to change must stay
//! as it was, but for the program counters and the counters of steps. Instead of pairs,
//! `fault` and its words are expected where the machine refuses the instruction.

use crate::harness::{CODE, Start, register};
use carronade_emulator::cpu::Width;
use carronade_emulator::isa::ROWS;
use carronade_emulator::memory::Memory;
use carronade_emulator::state::Reservation;

const FILES: [(&str, &str); 4] = [
    ("integer", include_str!("../isa/integer.txt")),
    ("branch", include_str!("../isa/branch.txt")),
    ("memory", include_str!("../isa/memory.txt")),
    ("unaligned", include_str!("../isa/unaligned.txt")),
];

struct Case<'a> {
    name: String,
    text: &'a str,
    given: Vec<(&'a str, &'a str)>,
    expected: Vec<(&'a str, &'a str)>,
    fault: Option<&'a str>,
}

fn cases() -> Vec<Case<'static>> {
    let lines = FILES.iter().flat_map(|(file, text)| {
        text.lines()
            .enumerate()
            .map(move |(n, line)| (format!("{file}.txt:{}", n + 1), line.trim()))
    });
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(case)
        .collect()
}

fn case((place, line): (String, &str)) -> Case<'_> {
    let parts: Vec<&str> = line.split('|').map(str::trim).collect();
    let [text, given, expected] = parts[..] else {
        panic!("{place}: a case has three parts")
    };
    let fault = expected.strip_prefix("fault ");
    let expected = if fault.is_some() {
        Vec::new()
    } else {
        pairs(expected)
    };
    Case {
        name: format!("{place}: {line}"),
        text,
        given: pairs(given),
        expected,
        fault,
    }
}

fn pairs(text: &str) -> Vec<(&str, &str)> {
    let pair = |word| str::split_once(word, '=').unwrap_or_else(|| panic!("`{word}` is no pair"));
    text.split_whitespace().map(pair).collect()
}

fn number(text: &str) -> u64 {
    let digits = text.replace('_', "");
    let (digits, negative) = digits
        .strip_prefix('-')
        .map_or((&digits[..], false), |d| (d, true));
    let value = match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    let value = value.unwrap_or_else(|_| panic!("`{text}` is not a number"));
    if negative {
        value.wrapping_neg()
    } else {
        value
    }
}

/// Applies pairs to a start.
fn apply(mut start: Start, pairs: &[(&str, &str)]) -> Start {
    for (name, value) in pairs {
        match *name {
            "hi" => start.thread().hi = number(value),
            "lo" => start.thread().lo = number(value),
            "pc" => start.thread().pc = number(value),
            "next" => start.thread().next_pc = number(value),
            "ll" => start.state.reservation = reservation(value),
            name if name.starts_with('[') => {
                let address = name.trim_matches(['[', ']']);
                start = start.word(number(address), number(value));
            }
            name => start.thread().registers[register(name)] = number(value),
        }
    }
    start
}

fn reservation(text: &str) -> Reservation {
    let parts: Vec<u64> = text.split(':').map(number).collect();
    Reservation {
        status: parts[0] as u8,
        address: parts[1],
        owner: parts[2],
    }
}

fn given(case: &Case) -> Start {
    let pc = case
        .given
        .iter()
        .find(|(name, _)| *name == "pc")
        .map_or(CODE, |(_, pc)| number(pc));
    // Code is where its fetch would look for it, also for a pc that is refused.
    let mut start = Start::at(pc & !3, case.text);
    start.thread().pc = pc;
    start.thread().next_pc = pc.wrapping_add(4);
    apply(start, &case.given)
}

fn check(case: &Case) {
    let start = given(case);
    let end = start.run(1);
    assert_eq!(end.fault(), case.fault.unwrap_or_default());
    let mut wanted = start;
    if case.fault.is_none() {
        let thread = wanted.thread();
        (thread.pc, thread.next_pc) = (thread.next_pc, thread.next_pc.wrapping_add(4));
        (wanted.state.step, wanted.state.steps_since_context_switch) = (1, 1);
        wanted = apply(wanted, &case.expected);
    }
    let mut memory = Memory::new();
    wanted
        .writes
        .iter()
        .for_each(|(address, bytes)| memory.write(*address, bytes));
    assert_eq!(end.state, wanted.state);
    for (address, _) in &wanted.writes {
        assert_eq!(
            end.word(*address),
            memory.load(*address, Width::Double),
            "at 0x{address:x}"
        );
    }
    assert_eq!(end.root, memory.root());
}

#[test]
fn instructions_do_what_the_contract_says() {
    let mut failed = Vec::new();
    for case in cases() {
        if std::panic::catch_unwind(|| check(&case)).is_err() {
            failed.push(case.name);
        }
    }
    assert!(
        failed.is_empty(),
        "{} cases failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

#[test]
fn every_row_has_a_case() {
    let words: Vec<u32> = cases()
        .iter()
        .map(|case| first_word(&given(case)))
        .collect();
    for row in ROWS {
        let pattern = String::from_utf8_lossy(&row.pattern);
        assert!(
            words.iter().any(|word| row.matches(*word)),
            "{} {pattern}",
            row.mnemonic
        );
    }
}

fn first_word(start: &Start) -> u32 {
    let bytes = start.writes[0]
        .1
        .first_chunk()
        .expect("a case has an instruction");
    u32::from_be_bytes(*bytes)
}
