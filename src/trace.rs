//! `trace`: state hashes, proofs and states of any steps, over a checkpoint store.

mod prune;

use crate::failure::{Failure, Outcome};
use crate::log::{Level, Logger};
use crate::oracle::{SharedOracle, is_interruption};
use crate::proof::{Proof, warn_of_missing};
use crate::{cli, engine, files, interrupt, say};
use anyhow::{Context, Result, anyhow, bail};
use carronade_checkpoint::{Store, TraceStore};
use carronade_emulator::hash::Hash;
use carronade_emulator::memory::Memory;
use carronade_emulator::oracle::PreimageOracle;
use carronade_emulator::state::{State, state_hash};
use carronade_emulator::step::{GuestOutput, NoOutput};
use carronade_trace::{Engine, Options, Point, Trace, TraceError};
use serde_json::json;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

/// Runs the command.
///
/// # Errors
/// When the trace cannot be opened, or cannot answer.
pub fn run(command: &cli::Trace, as_json: bool, logger: &Logger) -> Outcome {
    let traced = match command {
        cli::Trace::List(args) => return list(args, as_json, logger),
        cli::Trace::Prune(args) => return prune::prune(args, as_json, logger),
        cli::Trace::Hash(cli::TraceHash { traced, .. })
        | cli::Trace::Witness(cli::TraceWitness { traced, .. })
        | cli::Trace::Export(cli::TraceExport { traced, .. })
        | cli::Trace::End(traced) => traced,
    };
    check_names(command)?;
    let host = SharedOracle::start(&traced.host)?;
    let result = open(traced, &host, logger).and_then(|mut trace| {
        warn_of_writing(&mut trace, logger);
        match command {
            cli::Trace::Hash(args) => hashes(&mut trace, &args.at, as_json),
            cli::Trace::Witness(args) => witnesses(&mut trace, args, logger),
            cli::Trace::Export(args) => export(&mut trace, args),
            _ => end(&mut trace, as_json),
        }?;
        trace.flush().map_err(failure)
    });
    host.finish(result.is_ok(), logger);
    result
}

/// Finds what would fail later.
fn check_names(command: &cli::Trace) -> Result<()> {
    let (format, steps) = match command {
        cli::Trace::Witness(args) if args.proof_fmt != "-" => (&args.proof_fmt, &args.at),
        cli::Trace::Export(args) => (&args.snapshot_fmt, &args.at),
        _ => return Ok(()),
    };
    if steps.len() > 1 && !format.contains("%d") {
        return Err(anyhow!(
            "invalid name {format:?}: without %d for the step, each file would overwrite the last"
        ));
    }
    if let cli::Trace::Export(args) = command {
        files::packing(Path::new(&args.snapshot_fmt))?;
    }
    let mut places = steps.iter().map(|step| files::name_of_step(format, *step));
    places.try_for_each(|place| files::check_place(&place))
}

/// The trace that flags describe.
///
/// # Errors
/// When it cannot be opened.
pub fn open(args: &cli::Traced, host: &SharedOracle, logger: &Logger) -> Outcome<Trace> {
    let place = store_place(args.store.store.as_deref())?;
    let start = files::read_state(&args.input)?;
    let inputs = inputs(args.store.inputs.as_deref(), &args.host);
    let engine = maker(args.engine, &args.translation, logger);
    host.set_replay_hint(&start.0.replay_hint);
    let world: World = (Box::new(host.clone()), Box::new(NoOutput));
    let options = Options {
        bytes: args.store.store_limit,
        ..Options::default()
    };
    let file = &args.input;
    open_at((start, file), &place, inputs, world, engine, options)
}

/// A host, and where the guest's output goes.
pub type World = (Box<dyn PreimageOracle + Send>, Box<dyn GuestOutput + Send>);

/// The trace from a state on, which is read from its file again if need be, over a store.
///
/// # Errors
/// When it cannot be opened.
pub fn open_at(
    ((state, mut memory), file): ((State, Memory), &Path),
    place: &str,
    inputs: Hash,
    (oracle, output): World,
    engine: Engine,
    options: Options,
) -> Outcome<Trace> {
    let start = point(&state, &mut memory);
    let store = Store::open(place, &Default::default())?;
    let store = find(&store, start, inputs)?;
    let start = (state, memory);
    let trace = Trace::open(start, oracle, output, store, engine, options);
    let mut trace = trace.map_err(failure)?;
    trace.interrupt_when(interrupt::requested);
    let file = file.to_owned();
    trace.begin_again_with(move || Ok(files::read_state(&file)?));
    Ok(trace)
}

/// Goes on without writing checkpoints if they cannot be written, with a warning: answers
/// are not held back for their sake.
pub fn warn_of_writing(trace: &mut Trace, logger: &Logger) {
    let logger = logger.clone();
    trace.forgive_writing(move |error| {
        let fields = [("module", "vm".into()), ("err", error.to_string().into())];
        let message = "Checkpoints cannot be written, going on without";
        logger.log(Level::Warn, message, &fields);
    });
}

/// Where a state is in its trace.
pub fn point(state: &State, memory: &mut Memory) -> Point {
    Point {
        step: state.step,
        state_hash: state_hash(&state.witness(&memory.root())),
    }
}

/// The trace that a state belongs to: one that has a checkpoint there, or a new one.
///
/// # Errors
/// When the store cannot be read.
pub fn find(store: &Store, start: Point, inputs: Hash) -> Result<TraceStore> {
    let own = store.trace(start.state_hash, inputs);
    let Some(prestate) = carronade_trace::part_of(&own)? else {
        return Ok(own);
    };
    let whole = store.trace(prestate, inputs);
    let there = whole.nearest(start.step)? == Some(start);
    Ok(if there { whole } else { own })
}

/// The store at a place that only is read: a mistyped folder is told, and not made.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn open_existing(place: &str) -> Result<Store> {
    if !place.contains("://") && !Path::new(place).is_dir() {
        bail!("there is no checkpoint store at {place}");
    }
    Ok(Store::open(place, &Default::default())?)
}

/// Where the store is.
///
/// # Errors
/// When neither flag nor environment says it.
pub fn store_place(flag: Option<&str>) -> Result<String> {
    let set = || std::env::var("CARRONADE_STORE").ok();
    let place = flag.map(str::to_owned).or_else(set);
    place
        .filter(|place| !place.is_empty())
        .ok_or_else(|| anyhow!("there is no checkpoint store: give --store or set CARRONADE_STORE"))
}

/// The name of the host's data: what was named, or the host's command line.
#[must_use]
pub fn inputs(name: Option<&str>, host: &[OsString]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    match name {
        Some(name) => hasher.update(name.as_bytes()),
        None => host.iter().fold(&mut hasher, |hasher, word| {
            let word = word.as_encoded_bytes();
            hasher
                .update(&(word.len() as u64).to_le_bytes())
                .update(word)
        }),
    };
    hasher.finalize().into()
}

/// What makes a trace's engines.
#[must_use]
pub fn maker(engine: cli::Engine, args: &cli::Translation, logger: &Logger) -> Engine {
    let (options, logger) = (engine::options(args), logger.clone());
    Arc::new(move |memory| match engine {
        cli::Engine::Interpreter => Ok(None),
        cli::Engine::Translator => Ok(engine::with_options(options.clone(), memory, &logger)),
        cli::Engine::Crosscheck => Err("crosscheck is for run".into()),
    })
}

/// How a command ends when a trace cannot answer.
#[must_use]
pub fn failure(error: TraceError) -> Failure {
    match error {
        TraceError::Vm(error) if is_interruption(&error.cause) => Failure::Interrupted,
        TraceError::Vm(error) => Failure::VmPanic(format!("VM panic at {error}")),
        TraceError::Interrupted => Failure::Interrupted,
        error => Failure::from(error),
    }
}

fn sorted(steps: &[u64]) -> Vec<u64> {
    let mut steps = steps.to_vec();
    steps.sort_unstable();
    steps.dedup();
    steps
}

/// In the order of steps, so that the machine goes forward only.
fn hashes(trace: &mut Trace, steps: &[u64], as_json: bool) -> Outcome {
    for step in sorted(steps) {
        let hash = trace.state_hash(step).map_err(failure)?;
        let hash = const_hex::encode_prefixed(hash);
        if as_json {
            let ended = trace.known_end().is_some_and(|end| end.step <= step);
            say!(
                "{}",
                json!({"step": step, "stateHash": hash, "exited": ended})
            );
        } else {
            say!("{step} {hash}");
        }
    }
    Ok(())
}

fn witnesses(trace: &mut Trace, args: &cli::TraceWitness, logger: &Logger) -> Outcome {
    for step in sorted(&args.at) {
        match trace.witness(step).map_err(failure)? {
            Some(witness) => {
                files::write_json(
                    &files::name_of_step(&args.proof_fmt, step),
                    &Proof::from(witness),
                )?;
            }
            None => warn_of_end(trace, step, logger),
        }
    }
    Ok(())
}

fn warn_of_end(trace: &Trace, step: u64, logger: &Logger) {
    let last = trace.known_end().map_or(0, |end| end.step);
    warn_of_missing(step, last, logger);
}

fn export(trace: &mut Trace, args: &cli::TraceExport) -> Outcome {
    for step in sorted(&args.at) {
        trace.seek(step).map_err(failure)?;
        let machine = trace.whole().map_err(failure)?;
        let path = files::name_of_step(&args.snapshot_fmt, step);
        files::write_state(&path, machine.state(), machine.memory())?;
    }
    Ok(())
}

fn end(trace: &mut Trace, as_json: bool) -> Outcome {
    let end = trace.end().map_err(failure)?;
    let hash = const_hex::encode_prefixed(end.state_hash);
    if as_json {
        say!(
            "{}",
            json!({"step": end.step, "stateHash": hash, "exited": true})
        );
    } else {
        say!("{} {hash}", end.step);
    }
    Ok(())
}

/// Only looks: neither a folder nor a checkpoint is made, and no host is started.
fn list(args: &cli::Traced, as_json: bool, logger: &Logger) -> Outcome {
    let store = open_existing(&store_place(args.store.store.as_deref())?)?;
    let (state, mut memory) = files::read_state(&args.input)?;
    let inputs = inputs(args.store.inputs.as_deref(), &args.host);
    let start = point(&state, &mut memory);
    let found = find(&store, start, inputs)?;
    let checkpoints = found.checkpoints().context("cannot read the store")?;
    if checkpoints.is_empty() {
        warn_of_other_inputs(&store, start.state_hash, logger)?;
    }
    for point in checkpoints {
        let hash = const_hex::encode_prefixed(point.state_hash);
        if as_json {
            say!("{}", json!({"step": point.step, "stateHash": hash}));
        } else {
            say!("{} {hash}", point.step);
        }
    }
    Ok(())
}

/// Who has forgotten the host or the inputs' name looks at another trace.
fn warn_of_other_inputs(store: &Store, prestate: Hash, logger: &Logger) -> Outcome {
    let traces = store.traces().context("cannot read the store")?;
    let others = traces.iter().filter(|id| id.prestate == prestate).count();
    if others > 0 {
        let words = "Nothing is stored for these inputs, but for others (--inputs, or the host's command line)";
        logger.log(Level::Warn, words, &[("others", (others as u64).into())]);
    }
    Ok(())
}
