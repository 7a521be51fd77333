//! Snapshots written beside the run. Packing a state takes as long as hundreds of millions
//! of steps; copying its pages does not.

use crate::crosscheck::copy;
use crate::failure::{Failure, Outcome};
use crate::files;
use anyhow::anyhow;
use carronade_emulator::memory::Memory;
use carronade_emulator::state::State;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// A state to be written.
struct Snapshot {
    path: PathBuf,
    state: State,
    memory: Memory,
}

/// A thread that writes one snapshot at a time. A second one waits in the run, so that
/// memory holds one copy while it is written and one that is being made, never more.
pub struct Snapshots {
    queue: Option<SyncSender<Snapshot>>,
    failures: Receiver<Failure>,
    thread: Option<JoinHandle<()>>,
}

impl Snapshots {
    /// A thread that waits for snapshots.
    pub fn new() -> Self {
        let (queue, waiting) = sync_channel::<Snapshot>(0);
        let (told, failures) = sync_channel(1);
        let thread = std::thread::spawn(move || {
            for snapshot in waiting {
                let Snapshot {
                    path,
                    state,
                    memory,
                } = snapshot;
                if let Err(failure) = files::write_state(&path, &state, &memory) {
                    // The run ends at the first failure.
                    let _ = told.try_send(failure);
                }
            }
        });
        Self {
            queue: Some(queue),
            failures,
            thread: Some(thread),
        }
    }

    /// Has a state written. Its file appears some time later, at the latest with the end
    /// of the run.
    ///
    /// # Errors
    /// When an earlier one could not be written.
    pub fn write(&self, path: PathBuf, state: &State, memory: &Memory) -> Outcome {
        self.check()?;
        let snapshot = Snapshot {
            path,
            state: state.clone(),
            memory: copy(memory),
        };
        // The copy would not know that a page of it is not what it should be.
        if let Some(error) = memory.failure() {
            return Err(anyhow!(error).into());
        }
        let sent = self.queue.as_ref();
        match sent.is_some_and(|queue| queue.send(snapshot).is_ok()) {
            true => Ok(()),
            false => Err(anyhow!("the thread that writes snapshots is gone").into()),
        }
    }

    /// Waits until all are written.
    ///
    /// # Errors
    /// When one could not be.
    pub fn finish(&mut self) -> Outcome {
        self.queue = None;
        let panicked = self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err());
        if panicked {
            return Err(anyhow!("the thread that writes snapshots is gone").into());
        }
        self.check()
    }

    fn check(&self) -> Outcome {
        match self.failures.try_recv() {
            Ok(failure) => Err(failure),
            Err(_) => Ok(()),
        }
    }
}
