//! `bisect`: the first step at which two traces differ, and how.

use crate::crosscheck::code_around;
use crate::failure::{Failure, Outcome};
use crate::log::Logger;
use crate::oracle::SharedOracle;
use crate::proof::Proof;
use crate::{cli, diff, files, say, shell, trace};
use anyhow::{Context, Result, anyhow, bail};
use carronade_emulator::hash::Hash;
use carronade_emulator::image::Metadata;
use carronade_emulator::step::NoOutput;
use carronade_trace::{Claims, Found, Options, Trace, Unanswered, bisect};
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

/// How a side that is a command begins.
const COMMAND: &str = "sh:";

/// One of the two sides.
enum Side {
    /// A trace that is run here, its host, and its store if it is there for us only.
    Trace(Box<Trace>, SharedOracle, Option<tempfile::TempDir>),
    /// A command that prints state hashes.
    Command(String),
}

/// Runs the command.
///
/// # Errors
/// [`Failure::No`] if the traces differ; errors if a side has no answer.
pub fn run(args: &cli::Bisect, logger: &Logger) -> Outcome {
    let metadata = files::read_metadata(&args.meta)?.unwrap_or_default();
    if !args.proof_fmt.is_empty() && args.proof_fmt != "-" {
        files::check_place(&files::name_of_step(&args.proof_fmt, 0))?;
    }
    let (left_store, right_store) = (
        (&args.left_store, &args.left_inputs),
        (&args.right_store, &args.right_inputs),
    );
    let mut left = Side::open(&args.left, left_store, args.left_engine, args, logger)?;
    let mut right = Side::open(&args.right, right_store, args.right_engine, args, logger)?;
    let result = compare(args, &mut left, &mut right, &metadata);
    for side in [left, right] {
        side.finish(result.is_ok(), logger);
    }
    result
}

fn compare(args: &cli::Bisect, left: &mut Side, right: &mut Side, metadata: &Metadata) -> Outcome {
    let range = range(args, left, right)?;
    let progress = |step, equal| {
        crate::out::complain(&format!(
            "step {step}: {}",
            if equal { "equal" } else { "different" }
        ));
    };
    let found = bisect(left, right, range, progress).map_err(|unanswered| match unanswered {
        Unanswered::Left(failure) | Unanswered::Right(failure) => failure,
    })?;
    match found {
        Found::Equal => {
            say!("the traces are equal from step {} to {}", range.0, range.1);
            Ok(())
        }
        Found::Apart { claims } => {
            say!("the traces differ before step {} already:", range.0);
            tell_claims(&claims)?;
            Err(Failure::No)
        }
        Found::Step { step, pre, posts } => {
            say!("step {step} leads the two traces apart");
            say!("  before it  {}", const_hex::encode_prefixed(pre));
            tell_claims(&posts)?;
            tell_step(args, left, right, step, metadata)?;
            Err(Failure::No)
        }
    }
}

fn tell_claims(claims: &[Hash; 2]) -> Outcome {
    say!("  left       {}", const_hex::encode_prefixed(claims[0]));
    say!("  right      {}", const_hex::encode_prefixed(claims[1]));
    Ok(())
}

/// What both sides did in a step, as far as they are run here; and its proof.
fn tell_step(
    args: &cli::Bisect,
    left: &mut Side,
    right: &mut Side,
    step: u64,
    metadata: &Metadata,
) -> Outcome {
    let [own, other] = match (left, right) {
        (Side::Trace(left, ..), Side::Trace(right, ..)) => [Some(left), Some(right)],
        (Side::Trace(own, ..), _) | (_, Side::Trace(own, ..)) => [Some(own), None],
        _ => [None, None],
    };
    let Some(own) = own else {
        return Ok(());
    };
    own.seek(step).map_err(trace::failure)?;
    let machine = own.whole().map_err(trace::failure)?;
    let pc = machine.state().thread().map_or(0, |thread| thread.pc);
    for line in code_around(machine.memory(), pc, metadata) {
        say!("{line}");
    }
    if let Some(other) = other {
        tell_difference(own, other, step + 1, metadata)?;
    }
    write_proof(args, own, step)
}

fn tell_difference(left: &mut Trace, right: &mut Trace, step: u64, metadata: &Metadata) -> Outcome {
    let sides = [left, right].map(|trace| {
        trace.seek(step)?;
        trace.whole()
    });
    let [left, right] = sides;
    let sides = [
        left.map_err(trace::failure)?,
        right.map_err(trace::failure)?,
    ];
    let sides = sides.map(|machine| (machine.state(), machine.memory()));
    for line in diff::differences(sides[0], sides[1], metadata) {
        say!("after it: {line}");
    }
    Ok(())
}

fn write_proof(args: &cli::Bisect, trace: &mut Trace, step: u64) -> Outcome {
    if args.proof_fmt.is_empty() {
        return Ok(());
    }
    let path = files::name_of_step(&args.proof_fmt, step);
    if let Some(witness) = trace.witness(step).map_err(trace::failure)? {
        files::write_json(&path, &Proof::from(witness))?;
        if path != Path::new("-") {
            say!("proof of step {step}: {}", path.display());
        }
    }
    Ok(())
}

/// The steps to compare.
fn range(args: &cli::Bisect, left: &mut Side, right: &mut Side) -> Outcome<(u64, u64)> {
    let sides = [left, right];
    let first = sides.iter().filter_map(|side| match side {
        Side::Trace(trace, ..) => Some(trace.first_step()),
        Side::Command(_) => None,
    });
    let first = args.from.or(first.max()).unwrap_or_default();
    let last = match args.to {
        Some(last) => last,
        None => last_step(sides)?,
    };
    if last <= first {
        return Err(anyhow!("there is no step between {first} and {last}").into());
    }
    Ok((first, last))
}

fn last_step(sides: [&mut Side; 2]) -> Outcome<u64> {
    let mut last = None;
    for side in sides {
        if let Side::Trace(trace, ..) = side {
            last = last.max(Some(trace.end().map_err(trace::failure)?.step));
        }
    }
    Ok(last.ok_or_else(|| anyhow!("--to is needed: commands do not tell the last step"))?)
}

impl Side {
    fn open(
        words: &str,
        (store, inputs): (&Option<String>, &Option<String>),
        engine: cli::Engine,
        args: &cli::Bisect,
        logger: &Logger,
    ) -> Outcome<Self> {
        if let Some(command) = words.strip_prefix(COMMAND) {
            return Ok(Self::Command(command.into()));
        }
        let (place, folder) = match store {
            Some(place) => (place.clone(), None),
            None => {
                let folder = tempfile::tempdir().context("cannot make a folder for checkpoints")?;
                (folder.path().to_string_lossy().into_owned(), Some(folder))
            }
        };
        let file = Path::new(words);
        let start = (files::read_state(file)?, file);
        let host = SharedOracle::start(&args.host)?;
        let engine = trace::maker(engine, &args.translation, logger);
        let inputs = trace::inputs(inputs.as_deref(), &args.host);
        let world: trace::World = (Box::new(host.clone()), Box::new(NoOutput));
        let mut trace = trace::open_at(start, &place, inputs, world, engine, Options::default())?;
        trace::warn_of_writing(&mut trace, logger);
        Ok(Self::Trace(Box::new(trace), host, folder))
    }

    fn finish(self, success: bool, logger: &Logger) {
        if let Self::Trace(trace, host, _folder) = self {
            drop(trace);
            host.finish(success, logger);
        }
    }
}

impl Claims for Side {
    type Error = Failure;

    fn state_hash(&mut self, step: u64) -> Outcome<Hash> {
        match self {
            Self::Trace(trace, ..) => trace.state_hash(step).map_err(trace::failure),
            Self::Command(command) => Ok(ask(command, step)?),
        }
    }
}

/// What a command prints for a step.
fn ask(command: &str, step: u64) -> Result<Hash> {
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(command)
        .env("STEP", OsString::from(step.to_string()))
        .stdin(Stdio::null());
    let (status, output) = shell::output(shell)?;
    if !status.success() {
        bail!("`{command}` failed for step {step}: {status}");
    }
    let text = String::from_utf8_lossy(&output);
    let word = text.split_whitespace().next_back().unwrap_or_default();
    const_hex::decode_to_array(word)
        .with_context(|| format!("`{command}` printed no state hash for step {step}: {word:?}"))
}
