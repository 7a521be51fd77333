//! The newest block, for the threads that wait for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::chain::Block;
use crate::lock::lock;

/// The longest sleep before it is looked whether to stop.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// The longest wait without a new block before there is another try, should something have failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// The newest block, until all that wait for it are to stop.
pub(crate) struct Heads {
    head: Mutex<Option<Block>>,
    changed: Condvar,
    stop: Arc<AtomicBool>,
}

impl Heads {
    /// No block yet.
    pub fn new(stop: Arc<AtomicBool>) -> Self {
        Self {
            head: Mutex::default(),
            changed: Condvar::new(),
            stop,
        }
    }

    /// Whether all are to stop.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Tells of the newest block; whether it is another one.
    pub fn tell(&self, head: &Block) -> bool {
        let mut newest = lock(&self.head);
        let is_new = newest.as_ref() != Some(head);
        if is_new {
            *newest = Some(head.clone());
            self.changed.notify_all();
        }
        is_new
    }

    /// The newest block, once it is another one than was seen, or, after a failure, once some time
    /// has passed; none when all are to stop.
    pub fn next(&self, seen: Option<&Block>, failed: bool) -> Option<Block> {
        let began = Instant::now();
        let mut head = lock(&self.head);
        loop {
            if self.is_stopped() {
                return None;
            }
            let is_new = head.is_some() && head.as_ref() != seen;
            if is_new || (failed && began.elapsed() > PATIENCE) {
                return head.clone();
            }
            let waited = self.changed.wait_timeout(head, TICK);
            head = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
