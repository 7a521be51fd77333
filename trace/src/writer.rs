//! Checkpoints written beside the run: compressing them and waiting for the disk takes
//! longer than making them.

use crate::error::TraceError;
use crate::pace::cpu_time;
use carronade_checkpoint::{
    ChangedPage, Edge, Error as StoreError, Output, PAGE_SIZE, Point, TraceStore,
};
use carronade_emulator::hash::Hash;
use carronade_emulator::memory::Captured;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How many bytes may wait to be written, one checkpoint's aside: a slow disk slows the run
/// down rather than filling memory, but a moment in which much changes does not.
const WAITING: usize = 128 << 20;
/// How many checkpoints and notes, if they are small.
const JOBS: usize = 16;

/// An edge of its own, while the run goes on and changes what it was made of.
pub struct Draft {
    /// The checkpoint.
    pub to: Point,
    /// The pages that changed, and their roots.
    pub pages: Captured,
    /// All else.
    pub contents: Contents,
}

/// What is stored of a checkpoint besides its hash and its pages.
pub struct Contents {
    /// The checkpoint below; none if the edge holds everything.
    pub from: Option<Point>,
    /// All but memory.
    pub state: Vec<u8>,
    /// Pre-images that were read first.
    pub preimages: BTreeMap<Hash, Vec<u8>>,
    /// What the guest wrote, and counters.
    pub output: Vec<Output>,
}

impl Draft {
    fn put(&self, store: &TraceStore) -> Result<(), StoreError> {
        let pages = self.pages.pages();
        let pages = pages.map(|(index, root, bytes)| ChangedPage { index, root, bytes });
        let preimages = self.contents.preimages.iter();
        store.put(Edge {
            from: self.contents.from,
            to: self.to,
            state: &self.contents.state,
            pages: pages.collect(),
            preimages: preimages.map(|(key, value)| (*key, &value[..])).collect(),
            output: self.contents.output.clone(),
        })
    }
}

/// How many bytes pre-images have.
pub fn weight(preimages: &BTreeMap<Hash, Vec<u8>>) -> usize {
    preimages.values().map(Vec::len).sum()
}

impl Contents {
    fn bytes(&self) -> usize {
        let preimages = std::iter::once(weight(&self.preimages));
        let output = self.output.iter().map(|output| output.bytes.len());
        preimages.chain(output).sum()
    }
}

/// Something to be written, in its turn.
pub enum Job {
    /// A checkpoint.
    Checkpoint(Box<Draft>),
    /// A note of a trace, in place of an earlier one.
    Note(TraceStore, &'static str, Vec<u8>),
    /// The end of the trace.
    End(Point),
}

impl Job {
    /// How many bytes it holds, about.
    fn bytes(&self) -> usize {
        match self {
            Self::Checkpoint(draft) => draft.pages.count() * PAGE_SIZE + draft.contents.bytes(),
            Self::Note(..) | Self::End(_) => 0,
        }
    }
}

/// What became of the jobs so far.
#[derive(Default)]
struct Progress {
    /// Jobs that are not done, and their bytes.
    jobs: usize,
    bytes: usize,
    /// Checkpoints that were not written.
    lost: Vec<Point>,
    failure: Option<StoreError>,
    /// Whether the thread has panicked.
    dead: bool,
    /// CPU time of the last checkpoint.
    cost: Duration,
}

impl Progress {
    /// Whether a job of so many bytes would be too much.
    fn is_full_for(&self, bytes: usize) -> bool {
        self.jobs >= JOBS || self.bytes > 0 && self.bytes + bytes > WAITING
    }

    /// A job was not done.
    fn lose(&mut self, job: Job) {
        if let Job::Checkpoint(draft) = job {
            self.lost.push(draft.to);
        }
    }
}

/// Tells those who wait when the thread panics.
struct Obituary<'a>(&'a Shared);

impl Drop for Obituary<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            lock(self.0).dead = true;
            self.0.1.notify_all();
        }
    }
}

type Shared = Arc<(Mutex<Progress>, Condvar)>;

/// A thread that writes.
pub struct Writer {
    jobs: Option<Sender<Job>>,
    shared: Shared,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// A thread that writes to a store.
    #[must_use]
    pub fn new(store: TraceStore) -> Self {
        let (jobs, queue) = channel();
        let shared = Shared::default();
        let theirs = Arc::clone(&shared);
        let thread = std::thread::spawn(move || write_all(&store, &queue, &theirs));
        Self {
            jobs: Some(jobs),
            shared,
            thread: Some(thread),
        }
    }

    /// Has something written, some time later.
    ///
    /// # Errors
    /// When something before it could not be written.
    pub fn write(&self, job: Job) -> Result<(), TraceError> {
        let bytes = job.bytes();
        let mut progress = self.wait_while(|all| all.is_full_for(bytes));
        if let Some(failure) = progress.failure.take() {
            progress.lose(job);
            return Err(failure.into());
        }
        progress.jobs += 1;
        progress.bytes += bytes;
        drop(progress);
        let sent = self.jobs.as_ref().map(|jobs| jobs.send(job).is_ok());
        assert_eq!(sent, Some(true), "the thread ends after its queue");
        Ok(())
    }

    /// Waits until all is written: the checkpoints that were not, be it that somebody has
    /// thinned away what they were based on, or that an error was told before.
    ///
    /// # Errors
    /// When something could not be written.
    pub fn flush(&self) -> Result<Vec<Point>, TraceError> {
        let mut progress = self.wait_while(|all| all.jobs > 0);
        match progress.failure.take() {
            Some(failure) => Err(failure.into()),
            None => Ok(std::mem::take(&mut progress.lost)),
        }
    }

    fn wait_while(&self, still: impl Fn(&Progress) -> bool) -> MutexGuard<'_, Progress> {
        let (_, changed) = &*self.shared;
        let waited = changed.wait_while(lock(&self.shared), |all| !all.dead && still(all));
        let progress = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!progress.dead, "writing checkpoints has failed");
        progress
    }

    /// How much CPU time it took to write the last checkpoint.
    #[must_use]
    pub fn last_cost(&self) -> Duration {
        lock(&self.shared).cost
    }

    /// Whether checkpoints were not written, as [`Writer::flush`] says.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        !lock(&self.shared).lost.is_empty()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, Progress> {
    shared.0.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_all(store: &TraceStore, queue: &Receiver<Job>, shared: &Shared) {
    let _obituary = Obituary(shared);
    for job in queue {
        // After a failure nothing is written until it has been told.
        let failed = lock(shared).failure.is_some();
        let (began, bytes) = (cpu_time(), job.bytes());
        let written = if failed {
            Ok(false)
        } else {
            write(store, &job)
        };
        let mut progress = lock(shared);
        progress.jobs -= 1;
        progress.bytes -= bytes;
        if matches!(job, Job::Checkpoint(_)) {
            progress.cost = cpu_time().saturating_sub(began);
        }
        if !matches!(written, Ok(true)) {
            progress.lose(job);
        }
        if let Err(failure) = written {
            progress.failure = Some(failure);
        }
        shared.1.notify_all();
    }
}

/// Does a job; whether it could be done: not if its base is gone.
fn write(store: &TraceStore, job: &Job) -> Result<bool, StoreError> {
    match job {
        Job::Checkpoint(draft) => match draft.put(store) {
            Err(StoreError::NoCheckpoint { .. }) => Ok(false),
            put => put.map(|()| true),
        },
        Job::Note(trace, name, bytes) => trace.set_note(name, bytes).map(|()| true),
        Job::End(end) => store.keep_sound_end(*end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carronade_emulator::memory::Memory;

    #[test]
    fn the_queue_is_bounded_by_bytes_and_by_jobs() {
        let queue = |jobs, bytes| Progress {
            jobs,
            bytes,
            ..Progress::default()
        };
        assert!(
            !queue(0, 0).is_full_for(10 * WAITING),
            "one alone may be large"
        );
        assert!(
            !queue(1, 0).is_full_for(10 * WAITING),
            "a note has no bytes"
        );
        assert!(queue(1, 1).is_full_for(WAITING));
        assert!(!queue(JOBS - 1, 1).is_full_for(WAITING - 1));
        assert!(queue(JOBS, 0).is_full_for(0));
    }

    /// A checkpoint of two pages, two pre-images and a byte of output.
    fn checkpoint() -> Job {
        let mut memory = Memory::new();
        memory.write(0, &[1]);
        memory.write(0x5000, &[1]);
        let to = Point {
            step: 1,
            state_hash: [1; 32],
        };
        let output = Output {
            step: 1,
            fd: 1,
            bytes: vec![0],
        };
        let contents = Contents {
            from: None,
            state: Vec::new(),
            preimages: [([0; 32], vec![0; 700]), ([1; 32], vec![0; 70])].into(),
            output: vec![output],
        };
        Job::Checkpoint(Box::new(Draft {
            to,
            pages: memory.capture_all().wait(),
            contents,
        }))
    }

    #[test]
    fn a_checkpoint_counts_with_all_that_it_holds() {
        assert_eq!(checkpoint().bytes(), 2 * 4096 + 700 + 70 + 1);
    }

    #[test]
    fn a_checkpoint_that_is_refused_for_an_earlier_failure_is_lost() {
        let shared = Shared::default();
        lock(&shared).failure = Some(StoreError::NoCheckpoint { step: 0 });
        let writer = Writer {
            jobs: None,
            shared,
            thread: None,
        };
        assert!(writer.write(checkpoint()).is_err());
        let lost = writer.flush().unwrap();
        assert_eq!(lost.iter().map(|point| point.step).collect::<Vec<_>>(), [1]);
        assert!(!writer.has_lost());
    }

    #[test]
    fn who_waits_for_a_writer_that_panicked_does_so_too() {
        let shared = Shared::default();
        let theirs = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let _obituary = Obituary(&theirs);
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
        lock(&shared).jobs = 1;
        let writer = Writer {
            jobs: None,
            shared,
            thread: None,
        };
        let flushed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| writer.flush()));
        assert!(flushed.is_err());
    }
}
