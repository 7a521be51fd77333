//! `prestate`: the state in which a dispute game's traces begin. Everybody who can build it
//! can compare its hash, which the game's contract holds, with the program's sources.

use crate::failure::{Failure, Outcome};
use crate::programs::{PROGRAMS, Program, by_name};
use crate::{cli, files, say, version};
use anyhow::{Context, Result, anyhow, bail};
use carronade_emulator::hash::Hash;
use carronade_emulator::memory::Memory;
use carronade_emulator::state::{State, StateVersion, state_hash};
use serde::Serialize;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What is told of a prestate, also as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct About {
    program: &'static str,
    version: &'static str,
    state_version: &'static str,
    #[serde(with = "const_hex::serde")]
    elf_sha256: [u8; 32],
    #[serde(with = "const_hex::serde")]
    prestate: Hash,
    /// Where it was written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When the state cannot be made, written or read; [`Failure::No`] if a checked one is another.
pub fn run(args: &cli::Prestate, json: bool) -> Outcome {
    match &args.check {
        Some(file) => check(file, args.hash.as_deref()),
        None => build(args, json),
    }
}

/// Makes the start states, writes one if asked to, and tells about them.
fn build(args: &cli::Prestate, json: bool) -> Outcome {
    let version = version::by_name(&args.version)?;
    let programs = match &args.program {
        Some(name) => vec![by_name(name)?],
        None if args.out.is_some() => vec![PROGRAMS[0]],
        None => PROGRAMS.to_vec(),
    };
    for program in programs {
        let about = make(program, version, args.out.as_deref())?;
        match json {
            true => say!("{}", serde_json::to_string(&about)?),
            false => tell(program, &about)?,
        }
    }
    Ok(())
}

fn make(program: Program, version: StateVersion, place: Option<&Path>) -> Outcome<About> {
    let (state, memory, prestate) = program.prestate(version)?;
    let file = place.map(|place| write(&state, &memory, prestate, place));
    Ok(About {
        program: program.name,
        version: env!("CARGO_PKG_VERSION"),
        state_version: version.name(),
        elf_sha256: sha256(&program.elf()?),
        prestate,
        file: file.transpose()?,
    })
}

fn sha256(data: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(data).into()
}

fn tell(program: Program, about: &About) -> Outcome {
    say!("{} {}: {}", about.program, about.version, program.about);
    say!(
        "  ELF file, SHA-256: {}",
        const_hex::encode(about.elf_sha256)
    );
    let hash = const_hex::encode_prefixed(about.prestate);
    say!("  prestate ({}): {hash}", about.state_version);
    if let Some(file) = &about.file {
        say!("  written to {}", file.display());
    }
    Ok(())
}

/// Writes a prestate: to a file, or into a folder, made if need be, by the name under which op-challenger's
/// prestates URL has it (`op-challenger/game/fault/trace/prestates/multi.go`).
fn write(state: &State, memory: &Memory, hash: Hash, place: &Path) -> Outcome<PathBuf> {
    // A file has an ending, so this is a folder that is not there yet.
    let ends_as_folder = place.as_os_str().as_bytes().ends_with(b"/");
    if place.extension().is_none() || ends_as_folder {
        fs::create_dir_all(place).with_context(|| format!("cannot create {}", place.display()))?;
    }
    let file = match place.is_dir() {
        true => place.join(format!("{}.bin.gz", const_hex::encode_prefixed(hash))),
        false => place.to_owned(),
    };
    files::packing(&file).context("invalid --out, which is no folder")?;
    files::write_state(&file, state, memory)?;
    Ok(file)
}

/// Compares a state file's hash with the one asked for, by default its name's.
fn check(file: &Path, hash: Option<&str>) -> Outcome {
    let expected = match hash {
        Some(text) => Some(parse_hash(text).context("invalid --hash")?),
        None => hash_of_name(file),
    };
    let (state, mut memory) = files::read_state(file)?;
    let found = state_hash(&state.witness(&memory.root()));
    say!(
        "{}: {} at step {}, {}",
        file.display(),
        const_hex::encode_prefixed(found),
        state.step,
        origin(found, state.version)?
    );
    match expected {
        Some(expected) if expected == found => Ok(()),
        Some(expected) => {
            let expected = const_hex::encode_prefixed(expected);
            say!("not the state asked for, whose hash is {expected}");
            Err(Failure::No)
        }
        None => Err(anyhow!("nothing to compare with: give --hash, or a file named by it").into()),
    }
}

/// Which of our programs begins with this hash. It does not tell the state's version.
fn origin(hash: Hash, version: StateVersion) -> Result<String> {
    for program in PROGRAMS {
        if program.prestate(version)?.2 == hash {
            return Ok(format!(
                "the prestate of {} {} ({})",
                program.name,
                env!("CARGO_PKG_VERSION"),
                version.name()
            ));
        }
    }
    Ok("no prestate of a program in this binary".into())
}

fn parse_hash(text: &str) -> Result<Hash> {
    let Ok(hash) = const_hex::decode_to_array(text) else {
        bail!("{text:?} is not the 32 bytes of a hash in hexadecimal");
    };
    Ok(hash)
}

/// The hash that a file is named by.
fn hash_of_name(file: &Path) -> Option<Hash> {
    let name = file.file_name()?.to_str()?;
    parse_hash(name.split('.').next()?).ok()
}
