//! `compile`: native code before the first run.

use crate::cache::{self, cache_folder};
use crate::failure::Outcome;
use crate::{cli, engine, files, say};
use anyhow::{Context, anyhow};
use carronade_emulator::cpu::Width;
use carronade_emulator::image::{Metadata, Symbol};
use carronade_emulator::isa::{Instruction, Opcode};
use carronade_emulator::memory::{Memory, PAGE_SHIFT};
use carronade_emulator::state::State;

/// Runs the command.
///
/// # Errors
/// When the state cannot be read, or native code not be made or kept.
pub fn run(args: &cli::Compile) -> Outcome {
    let folder = cache_folder(args.cache_dir.as_deref(), false).ok_or_else(|| {
        anyhow!("there is no folder for native code: give --cache-dir or set CARRONADE_CACHE")
    })?;
    let metadata = files::read_metadata(&args.meta)?.unwrap_or_default();
    let (state, mut memory) = files::read_state(&args.input)?;
    let options = carronade_translator::Options {
        cache: Some(folder.clone()),
        ..Default::default()
    };
    let mut translator = engine::translator(options, &mut memory)?;
    let roots = roots(&state, &memory, &metadata);
    let shown = folder.display();
    let regions = translator
        .compile_ahead(&mut memory, &roots)
        .with_context(|| format!("cannot keep native code in {shown}"))?;
    let made = translator.statistics();
    let bytes = cache::size(&folder);
    if bytes == 0 {
        Err(anyhow!("cannot keep native code in {shown}"))?;
    }
    say!(
        "{regions} regions translated in {:.2} s: {} instructions, {} bytes of native code; \
         {} regions were there before; {shown} holds {bytes} bytes",
        made.compile_time.as_secs_f64(),
        made.instructions,
        made.native_bytes,
        made.cached,
    );
    Ok(())
}

/// Where to begin: functions by name, threads where they are; the running one last, which
/// is taken first.
fn roots(state: &State, memory: &Memory, metadata: &Metadata) -> Vec<u64> {
    let functions = metadata.symbols.iter();
    let functions = functions.filter(|symbol| is_function(memory, symbol));
    let mut roots: Vec<u64> = functions.map(|symbol| symbol.start).collect();
    let threads = state.left.threads.iter().chain(&state.right.threads);
    roots.extend(threads.map(|thread| thread.pc));
    roots.extend(state.thread().map(|thread| thread.pc));
    roots
}

/// Whether a symbol's bytes look like instructions: nearly all are some, one of them a
/// jump or branch. The list of symbols does not say which are data.
fn is_function(memory: &Memory, symbol: &Symbol) -> bool {
    let words = symbol.size.min(1 << 20) / 4;
    let there = memory.page(symbol.start >> PAGE_SHIFT).is_some();
    if words == 0 || symbol.start & 3 != 0 || !there {
        return false;
    }
    let (mut invalid, mut jumps) = (0, 0);
    for n in 0..words {
        let at = symbol.start.wrapping_add(4 * n);
        let opcode = Instruction::decode(memory.load(at, Width::Word) as u32).opcode();
        invalid += u64::from(opcode == Opcode::invalid);
        jumps += u64::from(opcode.transfers_control());
    }
    8 * invalid <= words && jumps > 0
}
