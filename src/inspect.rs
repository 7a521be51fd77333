//! `inspect`: what is in a state.

use crate::failure::Outcome;
use crate::{cli, files, say};
use carronade_emulator::image::Metadata;
use carronade_emulator::isa::register_name;
use carronade_emulator::memory::{Memory, PAGE_SIZE};
use carronade_emulator::state::{State, Thread, ThreadStack, state_hash};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

/// Runs the command.
///
/// # Errors
/// When the state cannot be read.
pub fn run(args: &cli::Inspect, as_json: bool) -> Outcome {
    let (state, mut memory) = files::read_state(&args.input)?;
    let metadata = files::read_metadata(&args.meta)?.unwrap_or_default();
    let root = memory.root();
    let hash = state_hash(&state.witness(&root));
    if as_json {
        return files::write_json(
            Path::new("-"),
            &to_json(&state, &memory, &metadata, [hash, root]),
        );
    }
    print_scalars(&state, [hash, root])?;
    for (side, stack) in [("left", &state.left), ("right", &state.right)] {
        for thread in stack.threads.iter().rev() {
            let runs = !state.exited
                && state
                    .thread()
                    .is_ok_and(|running| std::ptr::eq(running, thread));
            print_thread(thread, side, runs, &metadata)?;
        }
    }
    print_ranges(&memory)
}

fn print_scalars(state: &State, [hash, root]: [[u8; 32]; 2]) -> Outcome {
    let version = state.version;
    say!("state version    {} ({})", version.number(), version.name());
    say!("state hash       {}", const_hex::encode_prefixed(hash));
    say!("memory root      {}", const_hex::encode_prefixed(root));
    say!("step             {}", state.step);
    say!("steps in quantum {}", state.steps_since_context_switch);
    say!(
        "exited           {} (code {})",
        state.exited,
        state.exit_code
    );
    say!("heap             0x{:x}", state.heap);
    let key = const_hex::encode_prefixed(state.preimage_key);
    say!("pre-image        {key} at {}", state.preimage_offset);
    let reservation = state.reservation;
    say!(
        "reservation      {} at 0x{:x}, thread {}",
        ["none", "word", "double"]
            .get(usize::from(reservation.status))
            .unwrap_or(&"unknown"),
        reservation.address,
        reservation.owner
    );
    let direction = if state.traverse_right.get() {
        "right"
    } else {
        "left"
    };
    say!(
        "threads          {} on the left, {} on the right, running {direction}; next id {}",
        state.left.threads.len(),
        state.right.threads.len(),
        state.next_thread_id
    );
    say!("unfinished hint  {} bytes", state.last_hint.len());
    Ok(())
}

fn print_thread(thread: &Thread, side: &str, runs: bool, metadata: &Metadata) -> Outcome {
    let runs = if runs { ", running" } else { "" };
    let exited = match thread.exited.get() {
        true => format!(", exited with {}", thread.exit_code),
        false => String::new(),
    };
    say!("\nthread {} ({side}{runs}{exited})", thread.id);
    say!("  pc   {:016x} {}", thread.pc, metadata.lookup(thread.pc));
    say!("  next {:016x}", thread.next_pc);
    say!("  hi   {:016x}  lo   {:016x}", thread.hi, thread.lo);
    for row in 0..8u8 {
        let mut line = String::new();
        for column in 0..4u8 {
            let register = row + 8 * column;
            let value = thread.registers[usize::from(register)];
            let _ = write!(line, "  {:4} {value:016x}", register_name(register));
        }
        say!("{line}");
    }
    Ok(())
}

/// First address, last address and pages of each run of neighbouring pages.
fn ranges(memory: &Memory) -> Vec<(u64, u64, u64)> {
    let mut ranges: Vec<(u64, u64, u64)> = Vec::new();
    for page in memory.page_indexes() {
        let last_byte = (page << 12) + PAGE_SIZE as u64 - 1;
        match ranges.last_mut() {
            Some((_, last, count)) if last.wrapping_add(1) == page << 12 => {
                (*last, *count) = (last_byte, *count + 1);
            }
            _ => ranges.push((page << 12, last_byte, 1)),
        }
    }
    ranges
}

fn print_ranges(memory: &Memory) -> Outcome {
    say!("\nmemory: {} pages", memory.page_count());
    for (first, last, pages) in ranges(memory) {
        say!("  {first:016x} to {last:016x} {pages:8} pages");
    }
    Ok(())
}

fn to_json(
    state: &State,
    memory: &Memory,
    metadata: &Metadata,
    [hash, root]: [[u8; 32]; 2],
) -> Value {
    let hex = |number: u64| format!("0x{number:x}");
    let thread = |thread: &Thread| {
        json!({
            "id": thread.id,
            "exited": thread.exited.get(),
            "exitCode": thread.exit_code,
            "pc": hex(thread.pc),
            "nextPC": hex(thread.next_pc),
            "symbol": metadata.lookup(thread.pc),
            "hi": hex(thread.hi),
            "lo": hex(thread.lo),
            "registers": thread.registers.map(hex),
        })
    };
    let stack = |stack: &ThreadStack| stack.threads.iter().map(thread).collect::<Vec<_>>();
    json!({
        "stateVersion": state.version.number(),
        "stateHash": const_hex::encode_prefixed(hash),
        "memoryRoot": const_hex::encode_prefixed(root),
        "step": state.step,
        "stepsSinceLastContextSwitch": state.steps_since_context_switch,
        "exited": state.exited,
        "exitCode": state.exit_code,
        "heap": hex(state.heap),
        "preimageKey": const_hex::encode_prefixed(state.preimage_key),
        "preimageOffset": state.preimage_offset,
        "llReservationStatus": state.reservation.status,
        "llAddress": hex(state.reservation.address),
        "llOwnerThread": state.reservation.owner,
        "traverseRight": state.traverse_right.get(),
        "nextThreadId": state.next_thread_id,
        "leftThreadStack": stack(&state.left),
        "rightThreadStack": stack(&state.right),
        "lastHint": const_hex::encode_prefixed(&state.last_hint),
        "pages": memory.page_count(),
        "ranges": ranges(memory).into_iter().map(|(first, last, pages)| {
            json!({ "first": hex(first), "last": hex(last), "pages": pages })
        }).collect::<Vec<_>>(),
    })
}
