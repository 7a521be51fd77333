//! `disassemble`: a state's instructions as text.

use crate::failure::Outcome;
use crate::{cli, files, say};
use anyhow::{Context, Result, anyhow};
use carronade_emulator::cpu::Width;
use carronade_emulator::image::Metadata;
use carronade_emulator::isa::disassemble::disassemble_with;
use carronade_emulator::state::State;

const DEFAULT_COUNT: u64 = 32;

/// Runs the command.
///
/// # Errors
/// When the state cannot be read or the place not be found.
pub fn run(args: &cli::Disassemble) -> Outcome {
    let (state, memory) = files::read_state(&args.input)?;
    let metadata = files::read_metadata(&args.meta)?.unwrap_or_default();
    let (start, size) = place(args.at.as_deref(), &state, &metadata)?;
    let count = args
        .count
        .or(size.map(|bytes| bytes / 4).filter(|count| *count > 0))
        .unwrap_or(DEFAULT_COUNT);
    let running = state.thread().map(|thread| thread.pc).ok();
    for n in 0..count {
        let pc = start.wrapping_add(n.wrapping_mul(4));
        if let Some(symbol) = symbol_at(&metadata, pc) {
            say!("{symbol}:");
        }
        let word = memory.load(pc, Width::Word) as u32;
        let text = disassemble_with(word, pc, |target| symbol_at(&metadata, target));
        let mark = if running == Some(pc) { "=>" } else { "  " };
        say!("{mark} {pc:12x}  {word:08x}  {text}");
    }
    Ok(())
}

fn symbol_at(metadata: &Metadata, address: u64) -> Option<String> {
    let name = metadata.lookup(address);
    let starts = metadata
        .symbols
        .binary_search_by_key(&address, |symbol| symbol.start)
        .is_ok();
    (starts && !name.starts_with('!')).then(|| name.to_owned())
}

/// The address to start at, and the size of its symbol if it was named.
fn place(at: Option<&str>, state: &State, metadata: &Metadata) -> Result<(u64, Option<u64>)> {
    let Some(at) = at else {
        return Ok((state.thread()?.pc, None));
    };
    if let Some(symbol) = metadata.symbols.iter().find(|symbol| symbol.name == at) {
        return Ok((symbol.start & !3, Some(symbol.size)));
    }
    let digits = at.strip_prefix("0x").ok_or_else(|| {
        anyhow!("{at:?} is neither a symbol of --meta nor an address like 0x1234")
    })?;
    let address = u64::from_str_radix(digits, 16).with_context(|| format!("address {at:?}"))?;
    Ok((address & !3, None))
}
