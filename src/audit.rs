//! `verify` for a stored trace: every segment executed again, here on all cores, or by as
//! many workers as share the store.

use crate::failure::{Failure, Outcome};
use crate::log::Logger;
use crate::{cli, files, interrupt, say, trace};
use anyhow::{Context, anyhow};
use carronade_checkpoint::{Point, TraceStore};
use carronade_emulator::state::state_hash;
use carronade_trace::{Engine, Segment, TraceError, Verdict, Work, Worker, segments, verify};
use rayon::prelude::*;
use std::time::Duration;

/// How long a worker without work waits before it looks again whether a claim has ended.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs the command.
///
/// # Errors
/// [`Failure::No`] if a segment is wrong; errors if the store or the state cannot be read.
pub fn run(args: &cli::Verify, place: &str, logger: &Logger) -> Outcome {
    let (state, mut memory) = files::read_state(&args.input)?;
    let start = Point {
        step: state.step,
        state_hash: state_hash(&state.witness(&memory.root())),
    };
    drop(memory);
    let inputs = trace::inputs(args.inputs.as_deref(), &args.host);
    let store = trace::open_existing(place)?;
    let store = trace::find(&store, start, inputs)?;
    let points = store.checkpoints()?;
    if !points.contains(&start) {
        let words = "the store has no trace that begins in this state with these inputs";
        return Err(anyhow!("{words} (--inputs, or the host's command line after --)").into());
    }
    let engine = trace::maker(args.engine, &args.translation, logger);
    let wrong = match &args.worker {
        Some(worker) => share(&store, args, worker, &engine)?,
        None => alone(&store, args, &engine)?,
    };
    match tell_end(&store, &points)? && wrong == 0 {
        true => Ok(()),
        false => Err(Failure::No),
    }
}

/// Whether the trace's end, if the store tells one, is its last checkpoint: that one is
/// executed to, and found to be the end.
fn tell_end(store: &TraceStore, points: &[Point]) -> Outcome<bool> {
    let end = store.end()?;
    let Some(end) = end.filter(|end| points.last().is_some_and(|last| last != end)) else {
        return Ok(true);
    };
    say!(
        "step {}: the store says that the trace ends here, but has no such checkpoint",
        end.step
    );
    Ok(false)
}

/// Executes all segments on the cores of this machine; how many are wrong.
fn alone(store: &TraceStore, args: &cli::Verify, engine: &Engine) -> Outcome<usize> {
    let all = segments(store).map_err(trace::failure)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.jobs.into());
    let pool = pool.build().context("cannot start threads")?;
    let verdicts: Result<Vec<_>, TraceError> = pool.install(|| {
        let verdicts = all.par_iter().map(|segment| {
            let verdict = verify(store, *segment, engine, &interrupt::requested)?;
            Ok((*segment, verdict))
        });
        verdicts.collect()
    });
    let verdicts = verdicts.map_err(trace::failure)?;
    tell(&verdicts)
}

/// Executes the segments that no other worker of the round does; how many of all are wrong.
fn share(store: &TraceStore, args: &cli::Verify, worker: &str, engine: &Engine) -> Outcome<usize> {
    let time = Duration::from_secs(args.claim_seconds);
    let worker = Worker::new(store.clone(), &args.round, worker.into(), time);
    let mut worker = worker.map_err(trace::failure)?;
    let mut verdicts = Vec::new();
    loop {
        let work = worker.work(engine, &interrupt::requested);
        match work.map_err(trace::failure)? {
            Some(Work::Done(segment, verdict)) => verdicts.push((segment, verdict)),
            Some(Work::Wait) if interrupt::requested() => return Err(Failure::Interrupted),
            Some(Work::Wait) => std::thread::sleep(PAUSE),
            None => break,
        }
    }
    verdicts.sort_by_key(|(segment, _)| segment.from.step);
    tell(&verdicts)
}

fn tell(verdicts: &[(Segment, Verdict)]) -> Outcome<usize> {
    let mut wrong = 0;
    for (Segment { from, to }, verdict) in verdicts {
        let steps = format!("steps {} to {}", from.step, to.step);
        match verdict {
            Verdict::Confirmed => continue,
            Verdict::Wrong { found } => {
                let found = const_hex::encode_prefixed(found);
                let stored = const_hex::encode_prefixed(to.state_hash);
                say!("{steps}: they lead to {found}, the store has {stored}");
            }
            Verdict::Failed { reason } => say!("{steps}: {reason}"),
        }
        wrong += 1;
    }
    let steps: u64 = verdicts.iter().map(|(s, _)| s.to.step - s.from.step).sum();
    let segments = verdicts.len();
    match wrong {
        0 => say!("{segments} segments, {steps} steps: confirmed"),
        _ => say!("{wrong} of {segments} segments are not confirmed"),
    }
    Ok(wrong)
}
