//! Random single steps, valid ones and others.

use crate::cases::Case;
use crate::dice::Dice;
use carronade_emulator::cpu::Width;
use carronade_emulator::hash::Hash;
use carronade_emulator::isa::{Instruction, generate::generate};
use carronade_emulator::machine::Machine;
use carronade_emulator::memory::Memory;
use carronade_emulator::oracle::{MapOracle, NoOracle, PreimageOracle};
use carronade_emulator::preimage::true_key;
use carronade_emulator::state::{
    Flag, Reservation, State, StateVersion, THREAD_BYTES, Thread, ThreadStack,
};
use carronade_emulator::step::NoOutput;
use carronade_emulator::witness::{OracleData, StepWitness};

const SYSCALL: u32 = 0x0c;
/// All calls that do more than succeed, some that only succeed, and neighbours of both.
const CALLS: [u64; 40] = [
    5000, 5000, 5000, 5001, 5001, 5001, 5002, 5009, 5009, 5012, 5023, 5034, 5038, 5055, 5055, 5058,
    5070, 5070, 5178, 5194, 5194, 5205, 5222, 5222, 5284, 5313, 5313, 5003, 5017, 5129, 5196, 5208,
    5217, 5225, 5297, 5298, 4999, 0, 5257, 5199,
];
/// Where one byte more or less means something else.
const EDGES: [u64; 14] = [
    0,
    1,
    u64::MAX,
    1 << 63,
    (1 << 63) - 1,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0xffff_ffff_8000_0000,
    0x5fff_ffff_f000,
    0x6000_0000_0000,
    0x50f00,
    128,
    129,
];

/// A random step. One in eight has a byte changed somewhere.
pub fn random(dice: &mut Dice) -> Case {
    let instruction = instruction(dice);
    let mut state = state(dice);
    let (mut memory, oracle) = surroundings(dice, &mut state, instruction);
    let mut witness = prove(state, &mut memory, oracle.clone());
    witness.oracle = oracle.map(|(key, value)| OracleData {
        key,
        value: [&(value.len() as u64).to_be_bytes()[..], &value].concat(),
        offset: u64::from_be_bytes(witness.state_data[64..72].try_into().expect("8 bytes")),
    });
    if dice.one_in(8) {
        damage(dice, &mut witness);
    }
    Case {
        witness,
        local_context: dice.hash(),
    }
}

fn instruction(dice: &mut Dice) -> u32 {
    match dice.below(8) {
        0 => dice.any() as u32,
        // Where most of what the machine refuses is.
        4 => dice.pick(&[0, 0, 0x01, 0x1c]) << 26 | dice.any() as u32 & 0x03ff_ffff,
        1 | 2 => SYSCALL | dice.any() as u32 & 0x03ff_ffc0,
        // Load-linked and store-conditional, which would be rare otherwise.
        3 => dice.pick(&[0x30, 0x34, 0x38, 0x3c]) << 26 | dice.any() as u32 & 0x03ff_ffff,
        _ => generate(&mut || dice.any()),
    }
}

fn number(dice: &mut Dice) -> u64 {
    match dice.below(6) {
        0 => dice.pick(&EDGES),
        1 => dice.below(256),
        2 => dice.any() as i32 as u64,
        3 => dice
            .pick(&EDGES)
            .wrapping_add(dice.below(16))
            .wrapping_sub(8),
        _ => dice.any(),
    }
}

fn flag(dice: &mut Dice, often: bool) -> Flag {
    match dice.below(16) {
        0 => Flag(dice.any() as u8),
        n => Flag(u8::from(often && n < 8)),
    }
}

fn thread(dice: &mut Dice) -> Thread {
    let pc = if dice.one_in(4) {
        number(dice)
    } else {
        dice.any()
    };
    let pc = if dice.one_in(16) { pc } else { pc & !3 };
    let sequential = !dice.one_in(8);
    let mut registers = std::array::from_fn(|_| number(dice));
    if !dice.one_in(4) {
        registers[0] = 0;
    }
    Thread {
        id: number(dice),
        exit_code: dice.any() as u8,
        exited: Flag(if dice.one_in(12) { dice.any() as u8 } else { 0 }),
        pc,
        next_pc: if sequential {
            pc.wrapping_add(4)
        } else {
            number(dice)
        },
        lo: number(dice),
        hi: number(dice),
        registers,
    }
}

fn stack(dice: &mut Dice, count: u64) -> ThreadStack {
    let mut stack = ThreadStack::default();
    if dice.one_in(4) {
        stack.base = dice.hash();
    }
    stack.threads = (0..count).map(|_| thread(dice)).collect();
    stack
}

fn state(dice: &mut Dice) -> State {
    let mut state = State::new(StateVersion::V8, 0, number(dice));
    let (active, inactive) = (dice.pick(&[1, 1, 1, 2, 2, 3]), dice.below(3));
    let active = if dice.one_in(64) { 0 } else { active };
    state.traverse_right = flag(dice, true);
    *state.active_mut() = stack(dice, active);
    *state.inactive_mut() = stack(dice, inactive);
    state.step = number(dice);
    let near = dice.pick(&[99_998, 99_999, 100_000, 100_001, u64::MAX]);
    state.steps_since_context_switch = if dice.one_in(8) {
        near
    } else {
        dice.below(99_999)
    };
    state.exited = dice.one_in(32);
    state.exit_code = dice.pick(&[0, 1, 2, dice.clone().any() as u8]);
    state.next_thread_id = number(dice);
    state.preimage_key = dice.hash();
    state.preimage_offset = if dice.one_in(8) {
        number(dice)
    } else {
        dice.below(48)
    };
    state.reservation = Reservation {
        status: if dice.one_in(16) {
            dice.any() as u8
        } else {
            dice.below(3) as u8
        },
        address: number(dice),
        owner: number(dice),
    };
    state
}

/// What the instruction will meet: memory, a reservation, a pre-image, arguments of a call.
fn surroundings(
    dice: &mut Dice,
    state: &mut State,
    word: u32,
) -> (Memory, Option<(Hash, Vec<u8>)>) {
    let mut memory = Memory::without_reservation();
    let is_syscall = word >> 26 == 0 && word & 63 == SYSCALL;
    let oracle = is_syscall.then(|| preimage(dice, state)).flatten();
    let Ok(thread) = state.thread_mut() else {
        return (memory, oracle);
    };
    if is_syscall {
        arguments(dice, thread);
    }
    for address in addresses(thread, word) {
        for near in [address, address.wrapping_add(8), dice.any()] {
            let _ = memory.store(near, Width::Double, number(dice));
        }
        if dice.one_in(2) {
            let exact = Instruction::decode(word).rs() != 0;
            let address = if exact {
                address
            } else {
                address ^ dice.below(16)
            };
            state.reservation.address = address;
        }
    }
    let Ok(thread) = state.thread() else {
        return (memory, oracle);
    };
    if dice.one_in(2) {
        state.reservation.owner = thread.id;
    }
    let pc = state.thread().map_or(0, |thread| thread.pc);
    let _ = memory.store(pc & !3, Width::Word, u64::from(word));
    (memory, oracle)
}

/// The data addresses that a step may touch.
fn addresses(thread: &Thread, word: u32) -> Vec<u64> {
    let i = Instruction::decode(word);
    let r = &thread.registers;
    match (word >> 26, r[2]) {
        (0, 5000 | 5001 | 5222) => vec![r[5]],
        (0, 5194 | 5313) => vec![r[4]],
        (0x1a | 0x1b | 0x20.., _) => vec![r[i.rs() as usize].wrapping_add(i.immediate())],
        _ => Vec::new(),
    }
}

fn arguments(dice: &mut Dice, thread: &mut Thread) {
    let r = &mut thread.registers;
    if !dice.one_in(16) {
        r[2] = dice.pick(&CALLS);
    }
    if dice.one_in(8) {
        return;
    }
    match r[2] {
        5000 | 5001 => {
            r[4] = dice.pick(&[0, 1, 2, 3, 4, 5, 5, 5, 6, 6, 6, 7, 100]);
            r[6] = if dice.one_in(4) {
                number(dice)
            } else {
                dice.below(40)
            };
        }
        5009 => {
            r[4] = dice.pick(&[0, 0, 0, 1, r[4]]);
            r[5] = if dice.one_in(2) {
                dice.below(1 << 30)
            } else {
                number(dice)
            };
        }
        5055 => {
            r[4] = if dice.one_in(8) {
                number(dice)
            } else {
                0x50f00
            }
        }
        5070 => (r[4], r[5]) = (dice.pick(&[0, 1, 2, 3, 4, 5, 6, 7, 100]), dice.below(5)),
        5194 => {
            r[5] = dice.pick(&[128, 128, 129, 130]);
            r[6] = number(dice);
        }
        5222 => r[4] = dice.below(3),
        5313 => {
            r[5] = if dice.one_in(2) {
                dice.below(10)
            } else {
                number(dice)
            }
        }
        _ => {}
    }
}

/// Mostly there is a pre-image, and the state's key is its own.
fn preimage(dice: &mut Dice, state: &mut State) -> Option<(Hash, Vec<u8>)> {
    let length = dice.below(80) as usize;
    let value: Vec<u8> = (0..length).map(|_| dice.any() as u8).collect();
    let kind = dice.pick(&[1, 1, 2, 2, 4, 5, 6, 6, 0, 3, 7]);
    let mut key = true_key(kind, &value).unwrap_or_else(|| dice.hash());
    key[0] = kind;
    if !dice.one_in(16) {
        state.preimage_key = key;
    }
    (!dice.one_in(16)).then_some((key, value))
}

/// The proof of the step; where the machine refuses it, the proof that one would try.
fn prove(state: State, memory: &mut Memory, oracle: Option<(Hash, Vec<u8>)>) -> StepWitness {
    let guess = attempt(&state, memory);
    let oracle: Box<dyn PreimageOracle + Send> = match oracle {
        Some(image) => Box::new(MapOracle {
            images: [image].into(),
            hints: Vec::new(),
        }),
        None => Box::new(NoOracle),
    };
    let memory = std::mem::replace(memory, Memory::without_reservation());
    let mut machine = Machine::new(state, memory, oracle, Box::new(NoOutput));
    machine.prove().unwrap_or(guess)
}

fn attempt(state: &State, memory: &mut Memory) -> StepWitness {
    let state_data = state.witness(&memory.root()).to_vec();
    let none = Thread::default();
    let thread = state.thread().unwrap_or(&none);
    let mut proof_data = Vec::with_capacity(THREAD_BYTES + 32 + 3 * 1920);
    proof_data.extend_from_slice(&thread.encode());
    proof_data.extend_from_slice(&state.active().root_below_top());
    proof_data.extend_from_slice(&memory.proof(thread.pc)[..]);
    let word = memory.load(thread.pc & !3, Width::Word) as u32;
    let address = addresses(thread, word).first().copied().unwrap_or(0);
    proof_data.extend_from_slice(&memory.proof(address)[..]);
    proof_data.extend_from_slice(&memory.proof(address.wrapping_add(8))[..]);
    StepWitness {
        step: state.step,
        pre: [0; 32],
        post: [0; 32],
        state_data,
        proof_data,
        oracle: None,
    }
}

/// Changes one byte, or cuts or lengthens the proof.
fn damage(dice: &mut Dice, witness: &mut StepWitness) {
    let (state, proof) = (&mut witness.state_data, &mut witness.proof_data);
    let change = dice.any() as u8;
    match dice.below(8) {
        0 => proof.truncate(dice.below(proof.len() as u64 + 1) as usize),
        1 => proof.truncate(dice.pick(&[297, 298, 329, 330, 2249, 2250, 4169, 4170, 6089])),
        2 => proof.push(change),
        3 | 4 => state[dice.below(188) as usize] ^= change,
        5 => proof[dice.below(330) as usize] ^= change,
        _ => {
            let at = dice.below(proof.len() as u64) as usize;
            proof[at] ^= change;
        }
    }
}
