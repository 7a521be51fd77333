//! How the guest got where it is: from traced calls (`--debug`), or guessed from the
//! stack when the VM panics.

use crate::failure::Outcome;
use crate::say;
use carronade_emulator::cpu::Width;
use carronade_emulator::image::Metadata;
use carronade_emulator::isa::{Instruction, Opcode};
use carronade_emulator::machine::Machine;
use carronade_emulator::state::State;
use std::collections::HashMap;
use std::fmt::Write;

const SP: usize = 29;
const RA: usize = 31;
/// How far up the stack a guess looks, in 8-byte words, and how many frames it shows.
const STACK_WORDS: u64 = 1024;
const MAX_FRAMES: usize = 32;

/// Where a call came from and went to.
#[derive(Debug, Clone, Copy)]
struct Call {
    from: u64,
    to: u64,
}

/// Follows calls and returns, thread by thread (`exec/stack.go`).
#[derive(Debug, Default)]
pub struct CallTracker {
    threads: HashMap<u64, Vec<Call>>,
}

impl CallTracker {
    /// Looks at the instruction that runs next.
    pub fn observe(&mut self, machine: &Machine, metadata: &Metadata) {
        let Ok(thread) = machine.state().thread() else {
            return;
        };
        if thread.exited.get() {
            self.threads.remove(&thread.id);
            return;
        }
        let pc = thread.pc;
        let instruction = Instruction::decode(machine.memory().load(pc, Width::Word) as u32);
        let calls = self.threads.entry(thread.id).or_default();
        let register = thread.registers[usize::from(instruction.rs())];
        match instruction.opcode() {
            Opcode::jal => calls.push(Call {
                from: pc,
                to: instruction.jump_target(pc),
            }),
            Opcode::jalr => calls.push(Call {
                from: pc,
                to: register,
            }),
            Opcode::bltzal if (register as i64) < 0 => push_branch(calls, pc, instruction),
            Opcode::bgezal if register as i64 >= 0 => push_branch(calls, pc, instruction),
            Opcode::jr => pop(calls, pc, metadata),
            _ => {}
        }
    }

    /// Prints the calls of the running thread, innermost first, as the reference does.
    ///
    /// # Errors
    /// When they cannot be printed.
    pub fn print(&self, state: &State, metadata: &Metadata) -> Outcome {
        let Ok(thread) = state.thread() else {
            return Ok(());
        };
        say!("traceback at pc={:x}. step={}", thread.pc, state.step);
        for (n, call) in self
            .threads
            .get(&thread.id)
            .into_iter()
            .flatten()
            .rev()
            .enumerate()
        {
            let name = metadata.lookup(call.to);
            say!("\t{n} {:x} in {name} caller={:08x}", call.to, call.from);
        }
        Ok(())
    }
}

fn push_branch(calls: &mut Vec<Call>, pc: u64, instruction: Instruction) {
    let to = instruction.branch_target(pc);
    calls.push(Call { from: pc, to });
}

/// A jump through a register is a return if it leaves a function that was called; if the
/// innermost is another one, the calls above it were jumps of their own.
fn pop(calls: &mut Vec<Call>, pc: u64, metadata: &Metadata) {
    let function = metadata.lookup(pc);
    if let Some(at) = calls
        .iter()
        .rposition(|call| metadata.lookup(call.to) == function)
    {
        calls.truncate(at);
    }
}

/// A backtrace without tracing, for people: the pc, the return address register, and what
/// on the stack looks like a return address because a call stands before it.
#[must_use]
pub fn guess(machine: &Machine, metadata: &Metadata) -> String {
    let Ok(thread) = machine.state().thread() else {
        return String::new();
    };
    let sp = thread.registers[SP] & !7;
    let words =
        (0..STACK_WORDS).map(|n| machine.memory().load(sp.wrapping_add(8 * n), Width::Double));
    let mut frames = vec![thread.pc];
    for address in std::iter::once(thread.registers[RA]).chain(words) {
        if follows_call(machine, metadata, address) && frames.last() != Some(&address) {
            frames.push(address);
        }
    }
    let mut text = format!(
        "\nguest backtrace (thread {}, guessed from the stack):",
        thread.id
    );
    for (n, address) in frames.iter().take(MAX_FRAMES).enumerate() {
        let _ = write!(
            text,
            "\n  {n:2} 0x{address:x} {}",
            metadata.lookup(*address)
        );
    }
    text
}

fn follows_call(machine: &Machine, metadata: &Metadata, address: u64) -> bool {
    let known = !metadata.lookup(address).starts_with('!');
    let call = machine.memory().load(address.wrapping_sub(8), Width::Word) as u32;
    let opcode = Instruction::decode(call).opcode();
    let is_call = matches!(
        opcode,
        Opcode::jal | Opcode::jalr | Opcode::bltzal | Opcode::bgezal
    );
    address & 3 == 0 && known && is_call
}
