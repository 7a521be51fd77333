//! A server that has the trace of a run: it may be far ahead, and is asked to leave
//! checkpoints where the run is to arrive.

use crate::interrupt;
use crate::log::{Level, Logger};
use crate::serve::{client, socket_in};
use anyhow::Error;
use carronade_trace::{Options, Trace, TraceError};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// How long a server may take to say which trace it has, which it knows at all times.
const PATIENCE: Duration = Duration::from_secs(5);

/// The server of a run's trace, as long as it is of use.
pub struct Served {
    socket: Option<PathBuf>,
    /// The step that was asked for last.
    asked: Option<u64>,
    logger: Logger,
}

impl Served {
    /// The server of a store, if there is one and it has this trace.
    pub fn find(store: &str, trace: &Trace, logger: &Logger) -> Self {
        let mut served = Self {
            socket: socket_in(store).filter(|socket| socket.exists()),
            asked: None,
            logger: logger.clone(),
        };
        if let Some(other) = served.ask("GET", "/v1/trace", Some(PATIENCE)) {
            let id = trace.store().id();
            let own = [id.prestate, id.inputs].map(const_hex::encode_prefixed);
            if [&other["prestate"], &other["inputs"]] != [&own[0], &own[1]] {
                served.socket = None;
            }
        }
        served
    }

    /// Sees to it that the way to a step leads over a checkpoint there, if that saves
    /// anything and it is known that the trace comes so far.
    pub fn prepare(&mut self, trace: &mut Trace, step: u64) -> Result<(), TraceError> {
        let end = trace.known_end().map_or(u64::MAX, |end| end.step);
        let (here, step) = (trace.machine().state().step, step.min(end));
        let far = step.saturating_sub(here) >= Options::default().gain;
        if self.socket.is_none() || step == u64::MAX || !far || self.asked == Some(step) {
            return Ok(());
        }
        self.asked = Some(step);
        let target = format!("/v1/publish?step={step}");
        match self.ask("POST", &target, None) {
            Some(_) => trace.refresh(),
            None => Ok(()),
        }
    }

    fn ask(&mut self, method: &str, target: &str, patience: Option<Duration>) -> Option<Value> {
        let asked = client::ask(self.socket.as_ref()?, method, target, patience);
        asked.map_err(|error| self.leave(&error)).ok()
    }

    /// Goes on without the server.
    fn leave(&mut self, error: &Error) {
        self.socket = None;
        if interrupt::requested() {
            return;
        }
        let fields = [
            ("module", "vm".into()),
            ("err", format!("{error:#}").into()),
        ];
        let message = "The trace's server is of no use, the run goes on without it";
        self.logger.log(Level::Warn, message, &fields);
    }
}
