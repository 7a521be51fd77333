//! `host single`: the host for the proof of one chain.

use super::settings::{Settings, store};
use crate::cli;
use crate::failure::{Failure, Outcome};
use crate::{files, interrupt, out};
use anyhow::{Context, Result, anyhow};
use carronade_host::{HostFds, StoreError, inherited_fds, serve_from};
use carronade_online::{Notice, Single, SourceError};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// A program that runs in this process and takes its pre-images from a host; its exit code.
pub type Native = fn(Arc<Single>) -> u8;

/// How often it is looked whether a signal came or the client went, in milliseconds.
const TICK_MILLIS: u32 = 100;

/// Runs the command; `native` is the program for `--native`.
///
/// # Errors
/// When the flags do not go together, the store cannot be used, or a pre-image is not to be had.
pub fn run(args: &cli::Single, native: Option<Native>) -> Outcome {
    interrupt::install()?;
    let settings = Settings::new(args)?;
    if let Some(path) = &args.summary_file {
        files::check_place(path)?;
    }
    let single = Arc::new(open(args, settings)?);
    if args.native {
        let native = native.ok_or_else(|| anyhow!("there is no program for --native"))?;
        run_native(args, single, native)
    } else {
        run_server(args, &single)
    }
}

/// The host that the flags describe.
fn open(args: &cli::Single, settings: Settings) -> Result<Single> {
    let store = store(args, settings.endpoints.is_some())?;
    let notice: Notice = Arc::new(|words: &str| {
        // Nodes' words may hold anything, but a message is one line.
        let line = words.replace(char::is_control, " ");
        out::complain(&format!("host: {line}"));
    });
    match settings.endpoints {
        Some(endpoints) => Ok(Single::online(settings.locals, store, endpoints, notice)?),
        None => Ok(Single::offline(settings.locals, store, notice)),
    }
}

fn run_native(args: &cli::Single, single: Arc<Single>, native: Native) -> Outcome {
    let done = AtomicBool::new(false);
    let code = thread::scope(|scope| {
        scope.spawn(|| watch(args, &single, None, &done));
        let code = native(Arc::clone(&single));
        done.store(true, Ordering::Relaxed);
        code
    });
    tell(args, &single)?;
    match code {
        0 => Ok(()),
        code => Err(Failure::Program(code)),
    }
}

fn run_server(args: &cli::Single, single: &Single) -> Outcome {
    let fds = inherited_fds()?;
    let done = AtomicBool::new(false);
    let mut gone = false;
    let served = thread::scope(|scope| {
        scope.spawn(|| {
            if watch(args, single, Some(&fds), &done) {
                single.stop();
            }
        });
        let mut find = |key: &[u8; 32]| match single.get(key) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                gone = matches!(error, SourceError::Stopped(_));
                Err(StoreError::Source(error.to_string()))
            }
        };
        let served = serve_from(&mut find, &mut |hint| single.hint(hint), &fds);
        done.store(true, Ordering::Relaxed);
        served
    });
    tell(args, single)?;
    // A client that ended while it was waiting is no failure of ours.
    if !gone {
        served?;
    }
    Ok(())
}

/// Waits until the work is done, or true when the client has gone. A signal ends the process:
/// what the store has taken it keeps.
fn watch(args: &cli::Single, single: &Single, fds: Option<&HostFds>, done: &AtomicBool) -> bool {
    while !done.load(Ordering::Relaxed) {
        if interrupt::requested() {
            single.stop();
            // The process ends anyway.
            let _ = tell(args, single);
            let failure = Failure::Interrupted;
            out::complain(&failure.message().unwrap_or_default());
            std::process::exit(failure.exit_code().into());
        }
        match fds.map(|fds| fds.client_is_gone(TICK_MILLIS)) {
            Some(Ok(false)) => {}
            Some(Ok(true)) => return true,
            // Without a working `poll`, the server sees the end when it reads next.
            Some(Err(_)) | None => thread::sleep(Duration::from_millis(TICK_MILLIS.into())),
        }
    }
    false
}

/// Tells what was done, as far as the flags ask for it.
fn tell(args: &cli::Single, single: &Single) -> Outcome {
    let summary = single.summary();
    if args.verbose > 0 {
        out::complain(&format!("host: {}", summary.line()));
    }
    let Some(path) = &args.summary_file else {
        return Ok(());
    };
    // Not by way of `files`, which writes nothing once a signal has come.
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let written =
        tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).and_then(|mut file| {
            file.write_all(files::json_text(&summary)?.as_bytes())?;
            Ok(file.persist(path)?)
        });
    written.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}
