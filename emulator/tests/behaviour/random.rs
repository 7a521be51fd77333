//! Random machines, for the differential test and the fuzz targets.

use crate::harness::{CODE, Start, preimage_keys};
use carronade_emulator::isa::generate::{BASES, generate_program};
use carronade_emulator::state::{Thread, reservation};
use carronade_emulator::step::SCHED_QUANTUM;

/// Instructions of a random program.
pub const LENGTH: usize = 48;

/// Numbers of which many are edges, and many are addresses around the code.
fn value(random: &mut impl FnMut() -> u64) -> u64 {
    let edges = [
        0,
        1,
        u64::MAX,
        1 << 31,
        (1 << 31) - 1,
        1 << 63,
        (1 << 63) - 1,
        !0 << 31,
    ];
    match random() % 4 {
        0 => edges[(random() % 8) as usize],
        1 => CODE + random() % (4 * LENGTH as u64),
        2 => random() >> (random() % 64),
        _ => random(),
    }
}

/// Where loads and stores go: the code itself, its page, borders, anywhere.
fn base(random: &mut impl FnMut() -> u64) -> u64 {
    let borders = [
        0,
        2 << 40,
        16 << 40,
        18 << 40,
        1 << 47,
        1 << 63,
        (1 << 47) - (64 << 30),
    ];
    match random() % 4 {
        0 => CODE + random() % (4 * LENGTH as u64),
        1 => (CODE & !0xfff) + random() % 0x2000,
        2 => borders[(random() % 7) as usize],
        _ => 0x10_0000 + random() % 64,
    }
}

fn thread(id: u64, pc: u64, random: &mut impl FnMut() -> u64) -> Thread {
    let mut registers = std::array::from_fn(|_| value(random));
    registers[0] = 0;
    BASES.for_each(|register| registers[usize::from(register)] = base(random));
    // System calls that do something, with arguments that mean something to them.
    let calls = [5222, 5313, 5023, 5055, 5194, 5058, 5000, 5001];
    registers[2] = calls[(random() % 8) as usize];
    registers[4] = [1, 3, 4, 5, 5, 6, 0x50f00, base(random)][(random() % 8) as usize];
    registers[5] = [128, 129, base(random), base(random)][(random() % 4) as usize];
    registers[6] = random() % 64;
    let (hi, lo) = (value(random), value(random));
    Thread {
        id,
        pc,
        next_pc: pc.wrapping_add(4),
        hi,
        lo,
        registers,
        ..Thread::default()
    }
}

/// A random machine: one or two threads at random code, near the end of a page or not.
pub fn start(random: &mut impl FnMut() -> u64) -> Start {
    let code = [CODE, CODE + 0x1000 - 64, 0u64.wrapping_sub(64), 18 << 40][(random() % 4) as usize];
    let mut start = Start::at(code, "");
    let words = generate_program(LENGTH, random);
    start.writes.push((
        code,
        words.iter().flat_map(|word| word.to_be_bytes()).collect(),
    ));
    *start.thread() = thread(0, code, random);
    if random().is_multiple_of(2) {
        let place = code.wrapping_add(4 * (random() % LENGTH as u64));
        start.state.left.threads.insert(0, thread(1, place, random));
        start.state.next_thread_id = 2;
    }
    if random().is_multiple_of(4) {
        start.state.steps_since_context_switch = SCHED_QUANTUM - random() % 64;
    }
    start.state.reservation.status = [0, reservation::WORD, 2][(random() % 3) as usize];
    start.state.reservation.address = base(random);
    start.state.preimage_key = preimage_keys()[(random() % 3) as usize];
    start.state.preimage_offset = random() % 16;
    start
}
