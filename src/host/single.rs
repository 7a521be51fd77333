//! `host single`: the host for the proof of one chain.

use super::settings::{Settings, store};
use crate::cli;
use crate::failure::{Failure, Outcome};
use crate::{files, interrupt, native, out};
use anyhow::{Context, Result, anyhow};
use carronade_host::{HostFds, StoreError, inherited_fds, serve_from};
use carronade_online::{Notice, Single, SourceError};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How often it is looked whether a signal came or the client went, in milliseconds.
const TICK_MILLIS: u32 = 100;

/// Runs the command.
///
/// # Errors
/// When the flags do not go together, the store cannot be used, or a pre-image is not to be had.
pub fn run(args: &cli::Single) -> Outcome {
    interrupt::install()?;
    match (args.native, args.server) {
        (true, false) => run_native(&args.proof).map_err(Failure::without_verdict),
        (false, true) => run_server(&args.proof, &*open(&args.proof)?),
        (native, _) => {
            let failure = Failure::from(anyhow!("exactly one of --server and --native is needed"));
            Err(match native {
                true => failure.without_verdict(),
                false => failure,
            })
        }
    }
}

/// The host that the flags describe.
///
/// # Errors
/// When the flags do not go together, or the store cannot be used.
pub fn open(args: &cli::Proof) -> Result<Arc<Single>> {
    let settings = Settings::new(args)?;
    if let Some(path) = &args.summary_file {
        files::check_place(path)?;
        files::refuse_irregular(path)?;
    }
    let store = store(args, settings.endpoints.is_some())?;
    let notice: Notice = Arc::new(|words: &str| {
        // Nodes' words may hold anything.
        out::complain(&format!("host: {}", out::one_line(words)));
    });
    Ok(Arc::new(match settings.endpoints {
        Some(endpoints) => Single::online(settings.locals, store, endpoints, notice)?,
        None => Single::offline(settings.locals, store, notice),
    }))
}

fn run_native(args: &cli::Proof) -> Outcome {
    let single = &open(args)?;
    match with_watch(args, single, || native::run(single))? {
        0 => Ok(()),
        code => Err(Failure::Program(code)),
    }
}

/// Does some work with the host while a signal is looked for, which ends the process; tells in
/// the end what the host has done, as far as the flags ask for it.
///
/// # Errors
/// When it cannot be told.
pub fn with_watch<T>(args: &cli::Proof, single: &Single, work: impl FnOnce() -> T) -> Outcome<T> {
    let done = AtomicBool::new(false);
    let result = thread::scope(|scope| {
        scope.spawn(|| watch(args, single, None, &done));
        // Also when the work panics: the scope waits for the watch.
        let _ended = Ended(&done);
        work()
    });
    tell(args, single)?;
    Ok(result)
}

/// Says that the work is done, when it is dropped.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn run_server(args: &cli::Proof, single: &Single) -> Outcome {
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
fn watch(args: &cli::Proof, single: &Single, fds: Option<&HostFds>, done: &AtomicBool) -> bool {
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
fn tell(args: &cli::Proof, single: &Single) -> Outcome {
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
