//! `load-elf`: from a program to its first state (`cannon/cmd/load_elf.go`).

use crate::failure::Outcome;
use crate::{cli, files, version};
use anyhow::Context;
use carronade_emulator::image::{Metadata, load_elf};

/// Runs the command.
///
/// # Errors
/// When the program cannot be loaded or a file not be written.
pub fn run(args: &cli::LoadElf) -> Outcome {
    let version = version::by_name(&args.version)?;
    if !args.out.as_os_str().is_empty() {
        files::packing(&args.out).context("invalid --out")?;
        files::check_place(&args.out)?;
    }
    let elf = files::read_bytes(&args.path).context("failed to open ELF file")?;
    let name = || format!("failed to load ELF file {}", args.path.display());
    let (state, memory) = load_elf(version, &elf).with_context(name)?;
    let metadata = Metadata::of_elf(&elf).with_context(name)?;
    files::write_json(&args.meta, &metadata)?;
    files::write_state(&args.out, &state, &memory)
}
