//! `verify` for a stored trace: every segment executed again, here on all cores, or by as
//! many workers as share the store.

use crate::failure::{Failure, Outcome};
use crate::log::Logger;
use crate::{cli, files, interrupt, say, trace};
use anyhow::{Context, anyhow};
use carronade_checkpoint::{Point, TraceStore};
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
    let start = trace::point(&state, &mut memory);
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
    let verdicts = match &args.worker {
        Some(worker) => share(&store, args, worker, &engine)?,
        None => alone(&store, args, &engine)?,
    };
    tell_stranded(&store)?;
    match tell_wrong(&verdicts)? == 0 && tell_reach(&store, start, &verdicts)? {
        true => Ok(()),
        false => Err(Failure::No),
    }
}

/// Segments, and what came of them.
type Verdicts = Vec<(Segment, Verdict)>;

/// Tells of objects that no way leads over: what they say of the trace was not looked at.
fn tell_stranded(store: &TraceStore) -> Outcome {
    let stranded = store.stranded()?;
    if let Some(first) = stranded.first() {
        let count = stranded.len();
        say!("{count} objects of the store lead nowhere or are damaged: {first}, ...");
    }
    Ok(())
}

/// Whether the segments are the whole trace: it ends where the store says, that is where the
/// last one leads, and somebody has executed the way there.
fn tell_reach(store: &TraceStore, start: Point, verdicts: &Verdicts) -> Outcome<bool> {
    let steps: u64 = verdicts.iter().map(|(s, _)| s.to.step - s.from.step).sum();
    let done = format!("{} segments, {steps} steps", verdicts.len());
    let last = verdicts.last().map_or(start, |(segment, _)| segment.to);
    let end = store.end()?;
    if end == Some(last) && !verdicts.is_empty() {
        say!("{done}: confirmed");
        return Ok(true);
    }
    let why = match end {
        None => "the store does not know where the trace ends".into(),
        Some(end) if end == last => "no step of it was executed".into(),
        Some(end) => format!(
            "the store says that the trace ends at step {}, but has no such checkpoint",
            end.step
        ),
    };
    say!("{done}: checked to step {}; {why}", last.step);
    Ok(false)
}

/// Executes all segments on the cores of this machine.
fn alone(store: &TraceStore, args: &cli::Verify, engine: &Engine) -> Outcome<Verdicts> {
    let all = segments(store).map_err(trace::failure)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads(args.jobs, all.len()));
    let pool = pool.build().context("cannot start threads")?;
    let verdicts: Result<Vec<_>, TraceError> = pool.install(|| {
        let verdicts = all.par_iter().map(|segment| {
            let verdict = verify(store, *segment, engine, &interrupt::requested)?;
            Ok((*segment, verdict))
        });
        verdicts.collect()
    });
    verdicts.map_err(trace::failure)
}

/// As many threads as a flag says, or else as there are cores, and no more than have work.
fn threads(jobs: u16, segments: usize) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let wanted = match jobs {
        0 => cores(),
        jobs => jobs.into(),
    };
    wanted.min(segments).max(1)
}

/// Executes the segments that no other worker of the round does.
fn share(
    store: &TraceStore,
    args: &cli::Verify,
    worker: &str,
    engine: &Engine,
) -> Outcome<Verdicts> {
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
    Ok(verdicts)
}

/// Tells of the segments that are wrong; how many are.
fn tell_wrong(verdicts: &Verdicts) -> Outcome<usize> {
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
    if wrong > 0 {
        let segments = verdicts.len();
        say!("{wrong} of {segments} segments are not confirmed");
    }
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use super::threads;

    #[test]
    fn no_thread_is_without_work() {
        assert_eq!(threads(1024, 3), 3);
        assert_eq!(threads(2, 300), 2);
        assert_eq!(threads(0, 1), 1);
        assert_eq!(threads(0, 0), 1);
    }
}
