//! The same vectors of instructions, each executed by native code made for it alone.
//!
//! Code is translated up to a system call that is put behind the instruction, and is put
//! away again before the reference's hash is asked for. An instruction in a delay slot gets
//! a jump in front; a branch is executed with its slot, and compared with the
//! interpreter's steps from the reference's state after the branch.

use super::{insn_memory, insn_state, run};
use carronade_emulator::accelerator::Accelerator;
use carronade_emulator::cpu::Width;
use carronade_emulator::isa::{Instruction, Opcode};
use carronade_emulator::machine::{Machine, VmError, Watch};
use carronade_emulator::memory::Memory;
use carronade_emulator::oracle::NoOracle;
use carronade_emulator::state::{State, state_hash};
use carronade_emulator::step::NoOutput;
use carronade_translator::{Exit, Options, Statistics, Translator};
use serde_json::Value;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Mutex;

const SYSCALL: u32 = 0xc;

/// How vectors were executed, and how many in each way.
static WAYS: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

fn count(way: impl Into<String>) {
    *WAYS.lock().unwrap().entry(way.into()).or_default() += 1;
}

/// A machine that has run to some step with native code for where it began.
fn translated(state: &State, memory: Memory, until: u64) -> Ran {
    let options = Options {
        hot: 2,
        ..Options::default()
    };
    let mut translator = Translator::new(options).unwrap();
    let pc = state.thread().unwrap().pc;
    let leaders = translator.leaders();
    // Hot here, and nowhere else at the first arrival.
    assert!(leaders.cover(pc));
    leaders.heat(pc);
    leaders.arrive(pc);
    let machine = Machine::new(
        state.clone(),
        memory,
        Box::new(NoOracle),
        Box::new(NoOutput),
    );
    let mut machine = machine.with_accelerator(Box::new(translator));
    let result = machine.run(until, Watch::Nothing).map(drop);
    let accelerator: &dyn Any = machine.accelerator().unwrap();
    let translator: &Translator = accelerator.downcast_ref().unwrap();
    let statistics = translator.statistics();
    let (state, memory) = machine.into_parts();
    Ran {
        state,
        memory,
        result,
        statistics,
    }
}

struct Ran {
    state: State,
    memory: Memory,
    result: Result<(), VmError>,
    statistics: Statistics,
}

impl Ran {
    /// Counts the vector by how it was executed.
    fn count(&self, kind: &str, steps: u64) {
        let native = self.statistics.native_steps;
        if native == steps {
            count(format!("{kind}: native"));
            return;
        }
        let reasons = Exit::ALL.iter().filter(|reason| {
            !matches!(reason, Exit::Untranslated) && self.statistics.exits[**reason as usize] > 0
        });
        let reasons: Vec<String> = reasons.map(|reason| format!("{reason:?}")).collect();
        count(format!(
            "{kind}: {native} of {steps}, {}",
            reasons.join(" ")
        ));
    }
}

fn load(memory: &Memory, pc: u64) -> u32 {
    memory.load(pc, Width::Word) as u32
}

fn put(memory: &mut Memory, pc: u64, word: u32) {
    let _ = memory.store(pc, Width::Word, u64::from(word));
}

fn straight(opcode: Opcode) -> bool {
    !opcode.transfers_control() && !matches!(opcode, Opcode::syscall | Opcode::invalid)
}

fn check(vector: &Value) -> Result<(), String> {
    let (state, memory) = (insn_state(&vector["pre"]), insn_memory(&vector["mem"]));
    let thread = state.thread().unwrap();
    let sequential = thread.next_pc == thread.pc.wrapping_add(4);
    if state.exited || thread.pc & 3 != 0 || thread.next_pc & 3 != 0 {
        count("exited, or not at an instruction");
        return Ok(());
    }
    let opcode = Instruction::decode(load(&memory, thread.pc)).opcode();
    match (straight(opcode), sequential, opcode) {
        (true, true, _) => check_alone(vector, state, memory),
        (true, false, _) => check_in_slot(vector, state, memory),
        (_, _, Opcode::syscall | Opcode::invalid) => {
            count("system calls and invalid words");
            Ok(())
        }
        (false, true, _) => check_branch(vector, state, memory),
        (false, false, _) => {
            count("branches in delay slots");
            Ok(())
        }
    }
}

/// Compares with the reference once the words that were put beside the instruction are as
/// they were; with the interpreter instead where the step failed, or has read them.
fn judge(
    vector: &Value,
    start: &State,
    mut ran: Ran,
    puts: &[(u64, u32, u32)],
) -> Result<(), String> {
    let mut restored = true;
    for (pc, put_there, was) in puts {
        restored &= load(&ran.memory, *pc) == *put_there;
        put(&mut ran.memory, *pc, *was);
    }
    let mut hash = || state_hash(&ran.state.witness(&ran.memory.root()));
    if ran.result.is_ok() && restored && hash() == super::hash(vector, "post_hash") {
        return Ok(());
    }
    let mut memory = insn_memory(&vector["mem"]);
    for (pc, word, _) in puts {
        put(&mut memory, *pc, *word);
    }
    let interpreter = Machine::new(
        start.clone(),
        memory,
        Box::new(NoOracle),
        Box::new(NoOutput),
    );
    let mut interpreter = interpreter;
    let until = ran.state.step + u64::from(ran.result.is_err());
    let result = interpreter.run(until, Watch::Nothing).map(drop);
    let error = |result: &Result<(), VmError>| result.as_ref().err().map(ToString::to_string);
    if (interpreter.state(), error(&result)) != (&ran.state, error(&ran.result)) {
        let thread = interpreter.state().thread();
        return Err(format!("{:?}, interpreter: {thread:?}", ran.state.thread()));
    }
    let (_, mut memory) = interpreter.into_parts();
    for (pc, _, was) in puts {
        put(&mut memory, *pc, *was);
    }
    if (memory.page_indexes(), memory.root()) != (ran.memory.page_indexes(), ran.memory.root()) {
        return Err("the memory differs from the interpreter's".into());
    }
    match (ran.result, vector["panic"].as_str()) {
        (Err(_), Some(_)) => Ok(()),
        (Ok(()), None) => {
            count("judged by the interpreter");
            Ok(())
        }
        (result, panic) => Err(format!("{result:?}, reference: {panic:?}")),
    }
}

fn check_alone(vector: &Value, state: State, mut memory: Memory) -> Result<(), String> {
    let behind = state.thread().unwrap().pc.wrapping_add(4);
    let was = load(&memory, behind);
    put(&mut memory, behind, SYSCALL);
    let ran = translated(&state, memory, state.step + 1);
    ran.count("alone", 1);
    judge(vector, &state, ran, &[(behind, SYSCALL, was)])
}

/// The instruction behind a jump through a register that it does not use.
fn check_in_slot(vector: &Value, mut state: State, mut memory: Memory) -> Result<(), String> {
    if state.step == 0 || state.steps_since_context_switch == 0 {
        count("slot: no step before");
        return Ok(());
    }
    let thread = state.thread_mut().unwrap();
    let (pc, target) = (thread.pc, thread.next_pc);
    let word = load(&memory, pc);
    let fields = [word >> 21 & 31, word >> 16 & 31, word >> 11 & 31];
    let free = (1..32)
        .rev()
        .find(|register| !fields.contains(register))
        .unwrap();
    let was = std::mem::replace(&mut thread.registers[free as usize], target);
    let before = pc.wrapping_sub(4);
    (thread.pc, thread.next_pc) = (before, pc);
    state.step -= 1;
    state.steps_since_context_switch -= 1;
    let (jump, behind) = (free << 21 | 8, load(&memory, before));
    put(&mut memory, before, jump);
    let mut ran = translated(&state, memory, state.step + 2);
    ran.count("slot", 2);
    if ran.result.is_ok() {
        ran.state.thread_mut().unwrap().registers[free as usize] = was;
    }
    judge(vector, &state, ran, &[(before, jump, behind)])
}

/// The branch and its delay slot.
fn check_branch(vector: &Value, state: State, memory: Memory) -> Result<(), String> {
    let ran = translated(&state, memory, state.step + 2);
    ran.count("branch", 2);
    if vector["panic"].is_string() {
        return match ran.result {
            Err(_) if ran.state == state => Ok(()),
            result => Err(format!("{result:?}")),
        };
    }
    let post = insn_state(&vector["post"]);
    let again = insn_memory(&vector["mem"]);
    let mut slot = Machine::new(post, again, Box::new(NoOracle), Box::new(NoOutput));
    let result = slot.run(state.step + 2, Watch::Nothing).map(drop);
    if (slot.state(), result.is_err()) != (&ran.state, ran.result.is_err()) {
        return Err(format!(
            "{:?}, interpreter: {:?}",
            ran.state.thread(),
            slot.state().thread()
        ));
    }
    Ok(())
}

/// The project's own vectors by how they are executed. What native code leaves to the
/// interpreter: divisions by zero and overflows, stores to pages that hold code, uses of a
/// reservation that it does not know, and addresses outside the windows.
const OWN: [(&str, usize); 14] = [
    ("alone: 0 of 1, Fault", 71),
    ("alone: 0 of 1, Page", 320),
    ("alone: 0 of 1, Reservation", 872),
    ("alone: 0 of 1, Window", 3951),
    ("alone: native", 25521),
    ("branch: native", 5268),
    ("branches in delay slots", 453),
    ("slot: 1 of 2, Fault", 9),
    ("slot: 1 of 2, Page", 24),
    ("slot: 1 of 2, Reservation", 78),
    ("slot: 1 of 2, Window", 367),
    ("slot: native", 2347),
    ("slot: no step before", 1),
    ("system calls and invalid words", 718),
];

#[test]
fn instruction_vectors_translated() {
    run("insn-", check);
    let ways = WAYS.lock().unwrap();
    if std::env::var_os("CARRONADE_VECTORS").is_none() {
        assert_eq!(
            *ways,
            OWN.map(|(way, count)| (way.to_owned(), count)).into()
        );
    }
}
