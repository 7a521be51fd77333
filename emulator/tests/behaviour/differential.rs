//! Random programs: all ways agree, and changing ways at random changes nothing.

use crate::harness::{CODE, End, Start, numbers};
use carronade_emulator::isa::generate::{BASES, generate_program};
use carronade_emulator::state::{Thread, reservation};
use carronade_emulator::step::SCHED_QUANTUM;

const PROGRAMS: u64 = 400;
const LENGTH: usize = 48;
const STEPS: u64 = 200;

/// Numbers of which many are edges, and many are addresses around the code.
fn value(random: &mut impl FnMut() -> u64) -> u64 {
    let edges = [0, 1, u64::MAX, 1 << 31, (1 << 31) - 1, 1 << 63, (1 << 63) - 1, !0 << 31];
    match random() % 4 {
        0 => edges[(random() % 8) as usize],
        1 => CODE + random() % (4 * LENGTH as u64),
        2 => random() >> (random() % 64),
        _ => random(),
    }
}

/// Where loads and stores go: the code itself, its page, borders, anywhere.
fn base(random: &mut impl FnMut() -> u64) -> u64 {
    let borders = [0, 2 << 40, 16 << 40, 18 << 40, 1 << 47, 1 << 63, (1 << 47) - (64 << 30)];
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
    // Half of the system calls are ones that write memory or switch threads.
    let calls = [5222, 5313, 5023, 5055, 5194, 5058, 5038, 5001];
    registers[2] = calls[(random() % 8) as usize];
    let (hi, lo) = (value(random), value(random));
    Thread { id, pc, next_pc: pc.wrapping_add(4), hi, lo, registers, ..Thread::default() }
}

/// A random machine: one or two threads at random code near the end of a page or not.
fn start(seed: u64) -> Start {
    let random = &mut numbers(seed);
    let code = [CODE, CODE + 0x1000 - 64, 0u64.wrapping_sub(64), 18 << 40][(random() % 4) as usize];
    let mut start = Start::at(code, "");
    let words = generate_program(LENGTH, random);
    start.writes.push((code, words.iter().flat_map(|word| word.to_be_bytes()).collect()));
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
    start
}

#[test]
fn random_programs_agree_on_every_way() {
    let mut executed = 0;
    for seed in 0..PROGRAMS {
        let start = start(seed);
        let end = std::panic::catch_unwind(|| start.run(STEPS));
        let end = end.unwrap_or_else(|_| panic!("the ways differ for seed {seed}"));
        executed += end.state.step;
        changing_ways(seed, &start, &end);
    }
    // Most programs fault at some time, but not at once.
    assert!(executed > PROGRAMS * 25, "{executed} steps are too few to tell anything");
}

fn changing_ways(seed: u64, start: &Start, end: &End) {
    let mut random = numbers(!seed);
    let mixed = start.run_mixed(STEPS, || random() % 12);
    mixed.same_as(end, &format!("mixed ways for seed {seed}"));
}
