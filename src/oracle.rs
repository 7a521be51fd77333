//! The pre-image host of a run: started before it, asked during it, ended after it.

use crate::interrupt;
use crate::log::{Level, Logger};
use anyhow::{Context, Result};
use carronade_emulator::machine::Cause;
use carronade_emulator::oracle::{NoOracle, OracleError, PreimageOracle};
use carronade_emulator::preimage::PreimageError;
use carronade_host::{Grace, HostError, ProcessOracle};
use std::ffi::OsString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The host, shared between the machine, which asks it, and the end of the run, which
/// shuts it down.
#[derive(Clone)]
pub struct SharedOracle(Arc<Mutex<Option<ProcessOracle>>>);

impl SharedOracle {
    /// Starts the host, if there is a command for one.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: &[OsString]) -> Result<Self> {
        if command.is_empty() {
            return Ok(Self(Arc::default()));
        }
        let oracle = ProcessOracle::spawn(command, interrupt::flag())
            .context("failed to start pre-image oracle server")?;
        Ok(Self(Arc::new(Mutex::new(Some(oracle)))))
    }

    /// Tells the host's client what hint an earlier run sent last.
    pub fn set_replay_hint(&self, hint: &[u8]) {
        if let (Some(oracle), false) = (&mut *self.lock(), hint.is_empty()) {
            oracle.set_replay_hint(hint.to_vec());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<ProcessOracle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the host; how it ends is logged, but does not count.
    pub fn finish(&self, success: bool, logger: &Logger) {
        let Some(mut oracle) = self.lock().take() else {
            return;
        };
        if !success {
            // The user waits for the reason, and a host that failed may never end by itself.
            oracle.set_grace(Grace {
                after_close: Duration::from_secs(1),
                after_interrupt: Duration::from_secs(1),
                ..Grace::default()
            });
        }
        let problem = match oracle.shutdown().status {
            Some(status) if status.success() => return,
            Some(status) => status.to_string(),
            None => "its exit status is unknown".into(),
        };
        let fields = [("module", "vm".into()), ("err", problem.into())];
        logger.log(Level::Error, "failed to close pre-image server", &fields);
    }
}

impl PreimageOracle for SharedOracle {
    fn hint(&mut self, hint: &[u8]) -> Result<(), OracleError> {
        match &mut *self.lock() {
            Some(oracle) => oracle.hint(hint),
            None => NoOracle.hint(hint),
        }
    }

    fn preimage(&mut self, key: [u8; 32]) -> Result<Vec<u8>, OracleError> {
        match &mut *self.lock() {
            Some(oracle) => oracle.preimage(key),
            None => NoOracle.preimage(key),
        }
    }
}

/// Whether it was the user, not the host, who ended an exchange with it.
pub fn is_interruption(cause: &Cause) -> bool {
    let Cause::Preimage(error) = cause else {
        return false;
    };
    let (PreimageError::Oracle { source, .. } | PreimageError::Hint(source)) = &**error else {
        return false;
    };
    source.downcast_ref().is_some_and(HostError::is_interrupted)
}
