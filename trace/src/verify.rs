//! A finished trace executed once more, segment by segment, by as many workers as there
//! are.
//!
//! A segment lies between two checkpoints. Whoever executes it needs the store only: the
//! first checkpoint, and the pre-images that were read behind it. That every segment leads
//! to the next one's state, and the first one begins in the program's first state, is what
//! makes the trace true. That what the store keeps of each state has the state's hash is
//! what makes it safe to go on from there.

use crate::error::TraceError;
use crate::shelf::Stored;
use crate::sound::{check, check_pages, expect};
use crate::stand::{Engine, Stand};
use crate::world::SharedWorld;
use carronade_checkpoint::{Claim, Error as StoreError, Point, TraceStore};
use carronade_emulator::hash::Hash;
use carronade_emulator::machine::Watch;
use carronade_emulator::oracle::NoOracle;
use carronade_emulator::step::NoOutput;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The steps between two checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Where it begins.
    pub from: Point,
    /// Where it should end.
    pub to: Point,
}

/// What came of executing a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It leads where the store says.
    Confirmed,
    /// It leads to another state.
    Wrong {
        /// The hash of that state.
        found: Hash,
    },
    /// It cannot be executed.
    Failed {
        /// Why.
        reason: String,
    },
}

/// The segments of a trace.
///
/// # Errors
/// When the store cannot be read.
pub fn segments(store: &TraceStore) -> Result<Vec<Segment>, TraceError> {
    let points = store.checkpoints()?;
    let pairs = points.windows(2);
    Ok(pairs
        .map(|pair| Segment {
            from: pair[0],
            to: pair[1],
        })
        .collect())
}

/// Executes a segment. That it cannot be is a verdict, too; an error is the worker's own.
///
/// # Errors
/// When there is no engine, or somebody asked for an end.
pub fn verify(
    store: &TraceStore,
    segment: Segment,
    engine: &Engine,
    interrupted: &dyn Fn() -> bool,
) -> Result<Verdict, TraceError> {
    match execute(store, segment, engine, interrupted) {
        Ok(found) if found == segment.to.state_hash => Ok(Verdict::Confirmed),
        Ok(found) => Ok(Verdict::Wrong { found }),
        Err(error @ (TraceError::Engine(_) | TraceError::Interrupted)) => Err(error),
        Err(error @ TraceError::Store(StoreError::Io { .. } | StoreError::Remote { .. })) => {
            Err(error)
        }
        Err(error) => Ok(Verdict::Failed {
            reason: error.to_string(),
        }),
    }
}

/// Steps between looks at whether to go on.
const SLICE: u64 = 50_000_000;

fn execute(
    store: &TraceStore,
    segment: Segment,
    engine: &Engine,
    interrupted: &dyn Fn() -> bool,
) -> Result<Hash, TraceError> {
    let Segment { from, to } = segment;
    let (begin, end) = (store.open(from.step)?, store.open(to.step)?);
    let known = Box::new(Stored::of(end.clone()));
    let world = SharedWorld::new(Box::new(NoOracle), known, Box::new(NoOutput));
    let mut stand = Stand::at(&begin, &world, engine)?;
    expect(&mut stand, begin.point())?;
    if begin.path().len() == 1 {
        // No segment need lead to where the store's edges begin.
        check_pages(&begin)?;
    }
    while stand.step() < to.step {
        if interrupted() {
            return Err(TraceError::Interrupted);
        }
        let until = to.step.min(stand.step().saturating_add(SLICE));
        stand.machine.run(until, Watch::Nothing)?;
        if stand.machine.state().exited && stand.step() < to.step {
            break;
        }
    }
    let found = stand.machine.witness()?.1;
    if found == to.state_hash {
        check_end(store, to, stand.machine.state().exited)?;
        drop(stand);
        check(&end, &world)?;
    }
    Ok(found)
}

/// The trace must end where the store says, if it does.
fn check_end(store: &TraceStore, here: Point, exited: bool) -> Result<(), TraceError> {
    let Some(end) = store.end()? else {
        return Ok(());
    };
    match end.step > here.step && !exited || end == here && exited {
        true => Ok(()),
        false => Err(TraceError::End { end: end.step }),
    }
}

/// What a worker did with a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Executed it, or found that somebody has.
    Done(Segment, Verdict),
    /// Nothing: others are at the segments that are left.
    Wait,
}

/// One of several workers, which share a store and nothing else. Each takes segments that
/// nobody has; one that ends half way loses its segment to another after a time.
pub struct Worker {
    store: TraceStore,
    round: String,
    owner: String,
    time: Duration,
    left: Vec<Segment>,
}

impl Worker {
    /// A worker with a name of its own, whose claims hold for some time. Workers of one
    /// round share the work; another round begins anew.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn new(
        store: TraceStore,
        round: &str,
        owner: String,
        time: Duration,
    ) -> Result<Self, TraceError> {
        let mut left = segments(&store)?;
        // Where others begin, too, all but one would only wait for the store.
        let turn = first_turn(&owner, left.len());
        left.rotate_left(turn);
        Ok(Self {
            store,
            round: round.into(),
            owner,
            time,
            left,
        })
    }

    /// Does a segment; nothing if all are done.
    ///
    /// # Errors
    /// When the store cannot be used, or as [`verify`].
    pub fn work(
        &mut self,
        engine: &Engine,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Option<Work>, TraceError> {
        for at in 0..self.left.len() {
            let segment = self.left[at];
            let name = format!("{}-{}-{}", self.round, segment.from.step, segment.to.step);
            let verdict = match self.store.claim(&name, &self.owner, self.time)? {
                Claim::Taken { .. } => continue,
                Claim::Done(result) => postcard::from_bytes(&result)?,
                Claim::Mine(_) => {
                    let verdict = verify(&self.store, segment, engine, interrupted)?;
                    let kept = self
                        .store
                        .complete(&name, &postcard::to_stdvec(&verdict)?)?;
                    postcard::from_bytes(&kept)?
                }
            };
            self.left.remove(at);
            return Ok(Some(Work::Done(segment, verdict)));
        }
        Ok((!self.left.is_empty()).then_some(Work::Wait))
    }
}

/// Some place to begin at, another one for each name.
fn first_turn(owner: &str, segments: usize) -> usize {
    let hash = owner.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    (hash >> 16) as usize % segments.max(1)
}
