//! What a host has done: the summary at its end.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use carronade_host::key_type;
use serde::Serialize;

/// Pre-images of one type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Images {
    /// How many were given to the program, repetitions too.
    pub served: u64,
    /// Their bytes.
    pub served_bytes: u64,
    /// How many were got from nodes or computed.
    pub fetched: u64,
    /// Their bytes.
    pub fetched_bytes: u64,
}

/// Calls of one method.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Calls {
    /// Round trips.
    pub calls: u64,
    /// Of these, those that brought no answer, an error or something wrong.
    pub failed: u64,
    /// The sum of their times in seconds; calls at the same time count each.
    pub seconds: f64,
}

/// What a host has done.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Hints received.
    pub hints: u64,
    /// Pre-images by type: `local`, `keccak256`, `sha256`, `blob`, `precompile`.
    pub preimages: BTreeMap<&'static str, Images>,
    /// Requests by endpoint and method.
    pub requests: BTreeMap<String, Calls>,
    /// The time in seconds that the program had to wait for what was not in the store.
    pub waiting_seconds: f64,
    /// The time in seconds in which pre-images were got for the program, waiting included.
    pub serving_seconds: f64,
}

impl Summary {
    /// Pre-images given to the program, and their bytes.
    #[must_use]
    pub fn served(&self) -> (u64, u64) {
        let images = self.preimages.values();
        images.fold((0, 0), |(count, bytes), images| {
            (count + images.served, bytes + images.served_bytes)
        })
    }

    /// One line for people.
    #[must_use]
    pub fn line(&self) -> String {
        let (count, bytes) = self.served();
        let fetched: u64 = self.preimages.values().map(|images| images.fetched).sum();
        let calls: u64 = self.requests.values().map(|calls| calls.calls).sum();
        let failed: u64 = self.requests.values().map(|calls| calls.failed).sum();
        format!(
            "{} hints, {count} pre-images served ({bytes} bytes), {fetched} fetched in {calls} \
             round trips ({failed} failed), {:.1} s of waiting",
            self.hints, self.waiting_seconds
        )
    }
}

/// A summary that several threads add to.
#[derive(Debug, Default)]
pub(crate) struct Statistics(Mutex<Summary>);

impl Statistics {
    fn change(&self, change: impl FnOnce(&mut Summary)) {
        // Counters are whole even if a thread panicked while it held the lock.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn hint(&self) {
        self.change(|summary| summary.hints += 1);
    }

    pub(crate) fn served(&self, kind: u8, bytes: usize, time: Duration) {
        self.change(|summary| {
            summary.serving_seconds += time.as_secs_f64();
            let images = summary.preimages.entry(key_type(kind)).or_default();
            images.served += 1;
            images.served_bytes += bytes as u64;
        });
    }

    pub(crate) fn fetched(&self, kind: u8, bytes: usize) {
        self.change(|summary| {
            let images = summary.preimages.entry(key_type(kind)).or_default();
            images.fetched += 1;
            images.fetched_bytes += bytes as u64;
        });
    }

    pub(crate) fn call(&self, endpoint: &str, method: &str, failed: bool, time: Duration) {
        self.change(|summary| {
            let name = format!("{endpoint} {method}");
            let calls = summary.requests.entry(name).or_default();
            calls.calls += 1;
            calls.failed += u64::from(failed);
            calls.seconds += time.as_secs_f64();
        });
    }

    /// An answer that came in time and was wrong.
    pub(crate) fn lie(&self, endpoint: &str, method: &str) {
        self.change(|summary| {
            let name = format!("{endpoint} {method}");
            summary.requests.entry(name).or_default().failed += 1;
        });
    }

    pub(crate) fn waited(&self, time: Duration) {
        self.change(|summary| summary.waiting_seconds += time.as_secs_f64());
    }

    pub(crate) fn summary(&self) -> Summary {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
