//! The worker: questions about the trace, and its answers.

use super::queue::Job;
use super::status::Status;
use crate::files;
use crate::oracle::is_interruption;
use crate::proof::Proof;
use carronade_emulator::codec::{Packing, write_state};
use carronade_emulator::machine::{Cause, VmError};
use carronade_trace::{Trace, TraceError};
use serde_json::{Value, json};
use std::sync::Arc;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The state hash.
    Hash,
    /// The proof of the step.
    Witness,
    /// The state, as a file.
    State,
    /// A checkpoint, and the state hash.
    Publish,
}

impl Kind {
    /// The name in the figures.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Hash => "hash",
            Kind::Witness => "witness",
            Kind::State => "state",
            Kind::Publish => "publish",
        }
    }
}

/// A question.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// What is asked for.
    pub kind: Kind,
    /// At which step.
    pub step: u64,
}

/// An answer, as HTTP has it.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// What the bytes are.
    pub content_type: &'static str,
    /// The answer itself.
    pub body: Vec<u8>,
}

impl Answer {
    /// A JSON value.
    #[must_use]
    pub fn json(status: u16, value: &Value) -> Self {
        Self {
            status,
            content_type: "application/json",
            body: format!("{value}\n").into(),
        }
    }

    /// Why there is no answer.
    #[must_use]
    pub fn error(status: u16, words: &str) -> Self {
        Self::json(status, &json!({ "error": words }))
    }
}

/// Answers questions.
pub struct Worker {
    trace: Trace,
    status: Arc<Status>,
    /// Whether an error may have left the trace half-way.
    doubtful: bool,
}

impl Worker {
    /// The worker of a trace.
    #[must_use]
    pub fn new(trace: Trace, status: Arc<Status>) -> Self {
        let doubtful = false;
        Self {
            trace,
            status,
            doubtful,
        }
    }

    /// Answers a question.
    pub fn work(&mut self, job: Job) {
        let answer = self.answer(job.question);
        let answer = answer.unwrap_or_else(|error| self.failed(&error));
        self.status.update(&self.trace);
        // The client may have gone away.
        let _ = job.answer.send(answer);
    }

    fn answer(&mut self, Question { kind, step }: Question) -> Result<Answer, TraceError> {
        if self.doubtful {
            self.trace.recover()?;
            self.doubtful = false;
        }
        match kind {
            Kind::Hash => self.hash(step),
            Kind::Witness => self.witness(step),
            Kind::State => self.state(step),
            Kind::Publish => {
                self.trace.seek(step)?;
                self.trace.publish()?;
                // Who has asked for it looks for it in the store.
                self.trace.flush()?;
                self.hash(step)
            }
        }
    }

    fn hash(&mut self, step: u64) -> Result<Answer, TraceError> {
        let hash = const_hex::encode_prefixed(self.trace.state_hash(step)?);
        let ended = self.trace.known_end().is_some_and(|end| end.step <= step);
        let value = json!({"step": step, "stateHash": hash, "exited": ended});
        Ok(Answer::json(200, &value))
    }

    fn witness(&mut self, step: u64) -> Result<Answer, TraceError> {
        let Some(witness) = self.trace.witness(step)? else {
            let end = self.trace.known_end().map(|end| end.step);
            let words = "the guest exited before the step";
            return Ok(Answer::json(404, &json!({"error": words, "end": end})));
        };
        Ok(match files::json_text(&Proof::from(witness)) {
            Ok(text) => Answer {
                status: 200,
                content_type: "application/json",
                body: text.into(),
            },
            Err(error) => Answer::error(500, &error.to_string()),
        })
    }

    fn state(&mut self, step: u64) -> Result<Answer, TraceError> {
        self.trace.seek(step)?;
        let machine = self.trace.whole()?;
        let mut body = Vec::new();
        let written = write_state(&mut body, Packing::Gzip, machine.state(), machine.memory());
        Ok(match written {
            Ok(()) => Answer {
                status: 200,
                content_type: "application/gzip",
                body,
            },
            Err(error) => {
                self.doubtful = true;
                Answer::error(500, &error.to_string())
            }
        })
    }

    fn failed(&mut self, error: &TraceError) -> Answer {
        let (status, words) = match error {
            TraceError::Interrupted => (503, super::http::ENDING.into()),
            TraceError::Vm(VmError { cause, .. }) if is_interruption(cause) => {
                (503, super::http::ENDING.into())
            }
            TraceError::Vm(_) => (422, format!("VM panic at {error}")),
            TraceError::Before(_) => (400, error.to_string()),
            TraceError::Inputs(_) | TraceError::Differs { .. } => (409, error.to_string()),
            _ => (500, error.to_string()),
        };
        self.doubtful |= !is_harmless(error);
        Answer::error(status, &words)
    }
}

/// Whether the trace is as sound after an error as before it. A host that failed may have
/// heard hints that will not be repeated, a store may have taken half of a checkpoint.
fn is_harmless(error: &TraceError) -> bool {
    match error {
        TraceError::Vm(VmError { cause, .. }) => matches!(cause, Cause::Fault(_)),
        error => matches!(error, TraceError::Before(_) | TraceError::Interrupted),
    }
}
