//! Files: states and metadata in, results out. What is written appears whole or not at
//! all: it is written to a temporary file beside its place and then renamed.

use crate::failure::Outcome;
use crate::interrupt::Interruptible;
use crate::out;
use anyhow::{Context, Result, anyhow, bail};
use carronade_emulator::codec::{self, Packing};
use carronade_emulator::image::Metadata;
use carronade_emulator::memory::Memory;
use carronade_emulator::state::State;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::Builder;

/// Bytes at which reading anything but a state stops: programs, symbols and proofs are far
/// smaller, and an endless or wickedly packed file must not take all memory.
const MAX_BYTES: u64 = 1 << 30;

/// Permissions of all output, as in the reference (`cmd/run.go`, `OutFilePerm`).
const PERMISSIONS: u32 = 0o755;

/// The packing that a state's file name stands for.
///
/// # Errors
/// When it does not end in `.bin` or `.bin.gz`.
pub fn packing(path: &Path) -> Result<Packing> {
    Packing::of_name(&path.to_string_lossy()).ok_or_else(|| {
        anyhow!(
            "{}: only binary states are supported, named .bin or .bin.gz",
            path.display()
        )
    })
}

/// Reads a state file.
///
/// # Errors
/// When it cannot be read, or is not a state that this machine runs.
pub fn read_state(path: &Path) -> Result<(State, Memory)> {
    // That there is none comes before what its name would say of it.
    let file = open(path)?;
    let packing = Packing::of_name(&path.to_string_lossy()).ok_or_else(|| {
        anyhow!(
            "{}: a state whose name does not end in .bin or .bin.gz counts as version 0 \
             (singlethreaded), which carronade does not run; Go cannon v1.0 reads it",
            path.display()
        )
    })?;
    codec::read_state(Interruptible(file), packing)
        .with_context(|| format!("cannot read state {}", path.display()))
}

fn open(path: &Path) -> Result<File> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        bail!("{} is a folder", path.display());
    }
    Ok(file)
}

/// Reads a file that is no state, unpacked if its name ends in `.gz`.
///
/// # Errors
/// When it cannot be read, or is too large to be what it should be.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let (file, mut bytes) = (Interruptible(open(path)?), Vec::new());
    let read = if path.extension().is_some_and(|extension| extension == "gz") {
        let unpacked = MultiGzDecoder::new(file);
        unpacked.take(MAX_BYTES + 1).read_to_end(&mut bytes)
    } else {
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes)
    };
    read.with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() as u64 > MAX_BYTES {
        bail!("{} exceeds {} GiB", path.display(), MAX_BYTES >> 30);
    }
    Ok(bytes)
}

/// Reads a JSON file, unpacked if its name ends in `.gz`.
///
/// # Errors
/// When it cannot be read or is not what it should be.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_slice(&read_bytes(path)?)
        .with_context(|| format!("cannot read JSON {}", path.display()))
}

/// Reads `meta.json`; an empty path stands for no metadata.
///
/// # Errors
/// As [`read_json`].
pub fn read_metadata(path: &Path) -> Result<Option<Metadata>> {
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let mut metadata: Metadata =
        read_json(path).context("failed to load metadata (--meta \"\" for none)")?;
    // Look-ups search; the reference writes them sorted, a hand may not.
    metadata.symbols.sort_by_key(|symbol| symbol.start);
    Ok(Some(metadata))
}

/// The name that a format such as `proof-%d.json` gives to a step: each `%d` is the step.
#[must_use]
pub fn name_of_step(format: &str, step: u64) -> PathBuf {
    format.replace("%d", &step.to_string()).into()
}

/// Fails if a file could not be created at a path, for its folder is missing or it is a
/// folder itself: better before hours of work than after.
///
/// # Errors
/// When it could not be created.
pub fn check_place(path: &Path) -> Result<()> {
    let (shown, parent) = (path.display(), parent(path));
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    if !parent.is_dir() {
        bail!(
            "cannot write {shown}: folder {} does not exist",
            parent.display()
        );
    }
    if path.is_dir() {
        bail!("cannot write {shown}: it is a folder");
    }
    Ok(())
}

/// Fails if something is there that is no regular file: opening a pipe may wait without end.
///
/// # Errors
/// When it is not a regular file.
pub fn refuse_irregular(path: &Path) -> Result<()> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        bail!("{}: not a regular file", path.display());
    }
    Ok(())
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.into(),
        _ => ".".into(),
    }
}

/// Writes a file whole or not at all.
///
/// # Errors
/// When anything about it fails; then no file is left behind.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Outcome {
    write_inner(path, write).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

fn write_inner(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    check_place(path)?;
    // A device or a pipe is written to, not replaced.
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Ok(write_through(
            File::options().write(true).open(path)?,
            write,
        )?);
    }
    // If the process is killed this file stays. Its name is not one that op-challenger
    // takes for a snapshot or proof.
    let file = Builder::new()
        .prefix(".carronade-")
        .suffix(".tmp")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(parent(path))?;
    write_through(file.as_file(), write)?;
    file.as_file()
        .set_permissions(Permissions::from_mode(PERMISSIONS))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn write_through(
    file: impl Write,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffered = BufWriter::with_capacity(1 << 18, Interruptible(file));
    write(&mut buffered)?;
    buffered.flush()
}

/// Writes a state file, packed as its name says; an empty path writes nothing.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_state(path: &Path, state: &State, memory: &Memory) -> Outcome {
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    let packing = packing(path)?;
    write_atomically(path, |out| codec::write_state(out, packing, state, memory))
}

/// JSON as the reference writes it.
///
/// # Errors
/// When the value has no form in JSON.
pub fn json_text(value: &impl Serialize) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n\n")
}

/// Writes JSON as the reference does: two spaces, an empty line at the end; to stdout for
/// `-`, nowhere for an empty path, packed if the name ends in `.gz`.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Outcome {
    let text = json_text(value)?;
    match path.to_string_lossy().as_ref() {
        "" => Ok(()),
        "-" => Ok(out::write(text.as_bytes()).context("cannot write to stdout")?),
        name if name.ends_with(".gz") => write_atomically(path, |out| {
            let mut packed = GzEncoder::new(out, Compression::default());
            packed.write_all(text.as_bytes())?;
            packed.finish().map(drop)
        }),
        _ => write_atomically(path, |out| out.write_all(text.as_bytes())),
    }
}
