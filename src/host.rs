//! `host`: pre-image hosts for the VM's descriptors 3 to 6, and their stores.

mod convert;
mod settings;
mod single;

pub use single::{open, with_watch};

use crate::cli;
use crate::failure::Outcome;
use anyhow::{Context, anyhow};
use carronade_host::{MemoryStore, Store, open_store, serve_inherited_fds};

/// Runs the command; a server ends when the VM closes its side.
///
/// # Errors
/// When pre-images cannot be read, or one is asked for that is not to be had.
pub fn run(args: &cli::Host) -> Outcome {
    match &args.command {
        Some(cli::HostCommand::Single(args)) => return single::run(args),
        Some(cli::HostCommand::Convert(args)) => return convert::run(args),
        None => {}
    }
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
