//! Whole programs: code, data, threads, and where they lie.

use crate::dice::Dice;
use crate::statements::{BASES, DEPTH, EDGES, ODD, SCRATCH, STACK, TABLE, Traits, Writer};
use carronade_emulator::hash::{Hash, keccak256};
use carronade_emulator::memory::Memory;
use carronade_emulator::oracle::MapOracle;
use carronade_emulator::state::{Reservation, State, StateVersion, Thread};
use carronade_emulator::step::SCHED_QUANTUM;
use std::ops::Range;

const TIB: u64 = 1 << 40;
const GIB: u64 = 1 << 30;

/// Borders of the windows of memory that engines treat apart.
const BORDERS: [u64; 6] = [
    2 * TIB,
    16 * TIB,
    18 * TIB,
    128 * TIB - 64 * GIB,
    128 * TIB,
    1 << 63,
];

/// Where code is: as linkers put it, across a page, a jump region and 1 GiB, from 128 MiB
/// on (counted apart), from 4 GiB on, in the other windows, between them, at the end.
const CODE_PLACES: [u64; 12] = [
    0x1_0000,
    0x1_0000,
    0x40_0f80,
    0x40_0ffc,
    (1 << 28) - 0x404,
    GIB - 0x800,
    (128 << 20) - 0x100,
    4 * GIB + 0x1000,
    16 * TIB + 0x10_0ff0,
    128 * TIB - 0x20_0000,
    0x4000_0000_0ff0,
    0u64.wrapping_sub(0x8000),
];

/// Where the table of constants is; no other data is near.
const TABLE_PLACES: [u64; 4] = [0x5000_0000, 0x5000_0ff8, 17 * TIB, 3 * TIB + 0x1000];

/// Where stacks begin, downwards.
const STACK_PLACES: [u64; 5] = [
    0x7fff_ffff_f000 - 0x100_0000,
    0x7fff_ffff_f000 - 0x100_0000,
    0x6000_0018,
    16 * TIB + 0x700_0000,
    0x3fff_ffff_f000,
];

/// A machine before its first step.
#[derive(Debug, Clone)]
pub struct Program {
    /// The state.
    pub state: State,
    /// What memory holds, by address.
    pub writes: Vec<(u64, Vec<u8>)>,
    /// Where the code is.
    pub code: Range<u64>,
}

impl Program {
    /// A random program.
    pub fn random(dice: &mut Dice<'_>) -> Self {
        let base = dice.pick(&CODE_PLACES);
        let (table, stack) = (dice.pick(&TABLE_PLACES), dice.pick(&STACK_PLACES));
        let traits = traits(dice);
        let addresses: Vec<u64> = (0..20).map(|_| data_address(dice, base)).collect();
        let mut writer = Writer::new(dice, base, traits, stack, &addresses);
        let [first, outer] = writer
            .program()
            .map(|place| base.wrapping_add(4 * place as u64));
        let (code, constants) = writer.code.finish();
        let end = base.wrapping_add(code.len() as u64);
        let mut state = State::new(
            StateVersion::V8,
            first,
            dice.pick(&[16 * TIB, 18 * TIB - 0x2000]),
        );
        let mut begin = |id, pc, stack| thread(dice, id, pc, [table, stack], &addresses);
        state.left.threads = vec![begin(0, first, stack)];
        if traits.threads == 1 {
            let second = begin(1, outer, stack.wrapping_sub(0x8000));
            state.left.threads.insert(0, second);
            state.next_thread_id = 2;
        }
        vary(dice, &mut state, &addresses);
        Self {
            state,
            writes: vec![(base, code), (table, constants)],
            code: base..end,
        }
    }

    /// The program's memory.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let mut memory = Memory::new();
        for (address, bytes) in &self.writes {
            memory.write(*address, bytes);
        }
        memory
    }
}

fn traits(dice: &mut Dice<'_>) -> Traits {
    Traits {
        threads: dice.pick(&[0, 0, 0, 1, 2, 3]),
        patches: dice.pick(&[None, Some(255), Some(31), Some(3)]),
        faults: dice.pick(&[None, None, Some(255), Some(1023)]),
        calls: dice.pick(&[None, Some(127), Some(15), Some(3)]),
        wild: dice.one_in(6),
    }
}

/// Where data is: at hand, before a page ends, at the borders, anywhere, but not where
/// stores would destroy the code.
fn data_address(dice: &mut Dice<'_>, code: u64) -> u64 {
    loop {
        let address = match dice.below(8) {
            0..2 => (2 << 20) + dice.below(64),
            2 => 0x20_1000 + dice.below(16) - 8,
            3 => 16 * TIB + dice.below(0x3000),
            4 => 128 * TIB - 0x100_2000 + dice.below(128),
            5 => {
                let near = dice.below(24);
                dice.pick(&BORDERS).wrapping_add(near).wrapping_sub(12)
            }
            6 => dice.below(16).wrapping_sub(8),
            _ => dice.any() >> dice.below(40),
        };
        let after_code = address.wrapping_sub(code.wrapping_sub(0x1000));
        if after_code > 0x1_0000 {
            return address;
        }
    }
}

/// A thread with edge values in its registers.
fn thread(dice: &mut Dice<'_>, id: u64, pc: u64, [table, stack]: [u64; 2], data: &[u64]) -> Thread {
    let mut thread = Thread {
        id,
        pc,
        next_pc: pc.wrapping_add(4),
        hi: dice.pick(&EDGES),
        lo: dice.pick(&EDGES),
        ..Thread::default()
    };
    let mut set = |register: u8, value| thread.registers[usize::from(register)] = value;
    SCRATCH.for_each(|register| set(register, dice.pick(&EDGES)));
    BASES.for_each(|register| set(register, dice.pick(data)));
    for (register, value) in [(TABLE, table), (STACK, stack), (DEPTH, 4), (ODD, 7)] {
        set(register, value);
    }
    thread
}

/// What else a state can start with.
fn vary(dice: &mut Dice<'_>, state: &mut State, data: &[u64]) {
    if dice.one_in(4) {
        state.version = StateVersion::V7;
    }
    if dice.one_in(4) {
        state.steps_since_context_switch = SCHED_QUANTUM - dice.below(300);
    }
    if dice.one_in(4) {
        state.step = dice.any() >> dice.between(16, 40);
    }
    if dice.one_in(2) {
        state.reservation = Reservation {
            status: dice.below(3) as u8,
            address: dice.pick(data),
            owner: dice.below(2),
        };
    }
    state.preimage_key = dice.pick(&preimage_keys());
}

/// A pre-image that is longer than what one read gives.
const TEXT: &[u8] = b"a text of more than thirty-two bytes, so it is read in parts";

/// The keys of the pre-images that every program can read: a text, nothing, a local one.
pub(crate) fn preimage_keys() -> [Hash; 3] {
    let mut keys = [keccak256(TEXT), keccak256(b""), [0; 32]];
    (keys[0][0], keys[1][0], keys[2][0], keys[2][31]) = (2, 2, 1, 4);
    keys
}

/// What answers the programs' reads.
#[must_use]
pub fn oracle() -> MapOracle {
    let images = [TEXT.to_vec(), Vec::new(), vec![7; 9]];
    MapOracle {
        images: preimage_keys().into_iter().zip(images).collect(),
        hints: Vec::new(),
    }
}
