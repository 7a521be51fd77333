//! `host`: a pre-image host over a map or a folder, for the VM's descriptors 3 to 6.

use crate::cli;
use crate::failure::Outcome;
use anyhow::{Context, anyhow};
use carronade_host::{MemoryStore, Store, open_store, serve_inherited_fds};

/// Runs the command; ends when the VM closes its side.
///
/// # Errors
/// When the pre-images cannot be read, or one is asked for that is not there.
pub fn run(args: &cli::Host) -> Outcome {
    let store: Box<dyn Store> = match (&args.images, &args.data_dir) {
        (Some(path), _) => {
            Box::new(MemoryStore::read_json(path).context("cannot read pre-images")?)
        }
        (None, Some(folder)) => open_store(folder).context("cannot open pre-images")?,
        (None, None) => return Err(anyhow!("--images or --data-dir is needed").into()),
    };
    serve_inherited_fds(&*store, &mut |_| {})?;
    Ok(())
}
