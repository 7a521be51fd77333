//! `host convert`: a store in another format.

use super::settings;
use crate::cli;
use crate::failure::Outcome;
use crate::say;
use anyhow::{Context, Result, bail};
use carronade_host::{Format, Store, StoreError, check, create_store, open_store};
use std::fs;
use std::path::Path;

/// Bytes that are written at one go.
const BATCH: usize = 16 << 20;

/// Runs the command: every pre-image is checked, then written. Ends at the first that is wrong.
///
/// # Errors
/// When a store cannot be used, or holds a wrong value.
pub fn run(args: &cli::Convert) -> Outcome {
    let format = settings::format(args.format)?;
    let from = open_store(&args.from).context("cannot open the store to read")?;
    refuse_same(&args.from, &args.to)?;
    refuse_other(&args.to, format)?;
    let to = create_store(&args.to, format).context("cannot open the store to write")?;
    let mut copy = Copy {
        from: &*from,
        to: &*to,
        batch: Vec::new(),
        waiting: 0,
        count: 0,
        bytes: 0,
    };
    from.each(&mut |key, value| copy.take(key, value))?;
    copy.flush()?;
    say!("{} pre-images, {} bytes", copy.count, copy.bytes);
    Ok(())
}

/// Fails if both names are of one folder.
fn refuse_same(from: &Path, to: &Path) -> Result<()> {
    let real = |path: &Path| fs::canonicalize(path).ok();
    if real(from).is_some() && real(from) == real(to) {
        bail!("--from and --to are the same folder, {}", to.display());
    }
    Ok(())
}

/// Fails if the folder has a store of another format, which it would keep.
fn refuse_other(to: &Path, wanted: Format) -> Result<()> {
    let found = Format::of(to).context("cannot open the store to write")?;
    match found {
        Some(found) if found != wanted => Err(StoreError::OtherFormat {
            path: to.to_owned(),
            found: found.name(),
            wanted: wanted.name(),
        })
        .context("cannot open the store to write"),
        _ => Ok(()),
    }
}

/// A conversion under way.
struct Copy<'a> {
    from: &'a dyn Store,
    to: &'a dyn Store,
    batch: Vec<([u8; 32], Vec<u8>)>,
    /// Bytes in `batch`.
    waiting: usize,
    count: u64,
    bytes: u64,
}

impl Copy<'_> {
    fn take(&mut self, key: [u8; 32], value: Vec<u8>) -> Result<(), StoreError> {
        check(&key, &value)?;
        self.check_result(&key, &value)?;
        self.count += 1;
        self.bytes += value.len() as u64;
        self.waiting += value.len() + key.len();
        self.batch.push((key, value));
        if self.waiting >= BATCH {
            self.flush()?;
        }
        Ok(())
    }

    /// Compares a precompile's result with what the precompile gives here, if the store has the
    /// call, as it should.
    fn check_result(&self, key: &[u8; 32], value: &[u8]) -> Result<(), StoreError> {
        if key[0] != 6 {
            return Ok(());
        }
        let mut call = *key;
        call[0] = 2;
        let Some(call) = self.from.get(&call)? else {
            return Ok(());
        };
        match carronade_online::execute(&call) {
            Ok(result) if result != value => Err(StoreError::Wrong {
                key: *key,
                reason: "the precompile has another result".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.to.put_all(&self.batch)?;
        self.batch.clear();
        self.waiting = 0;
        Ok(())
    }
}
