//! What is known about the trace while its machine is busy.

use carronade_checkpoint::{Point, TraceId};
use carronade_trace::{Progress, Trace};
use serde_json::{Value, json};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is known about the trace.
pub struct Status {
    id: TraceId,
    first_step: u64,
    now: Mutex<(Progress, Option<Point>)>,
}

impl Status {
    /// That of a trace.
    #[must_use]
    pub fn new(trace: &Trace) -> Self {
        Self {
            id: trace.store().id(),
            first_step: trace.first_step(),
            now: Mutex::new((trace.progress(), trace.known_end())),
        }
    }

    /// The machine has gone on.
    pub fn advance(&self, progress: Progress) {
        self.lock().0 = progress;
    }

    /// A question has been dealt with.
    pub fn update(&self, trace: &Trace) {
        *self.lock() = (trace.progress(), trace.known_end());
    }

    /// How far the machine is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.lock().0
    }

    /// As clients see it.
    #[must_use]
    pub fn json(&self) -> Value {
        let (progress, end) = *self.lock();
        let hex = |hash| const_hex::encode_prefixed(hash);
        let end = end.map(|end| json!({"step": end.step, "stateHash": hex(end.state_hash)}));
        json!({
            "prestate": hex(self.id.prestate),
            "inputs": hex(self.id.inputs),
            "first_step": self.first_step,
            "step": progress.step,
            "end": end,
            "executed": progress.executed,
            "checkpoints": progress.checkpoints,
        })
    }

    fn lock(&self) -> MutexGuard<'_, (Progress, Option<Point>)> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
