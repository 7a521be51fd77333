//! How users are told what happens.

use std::sync::Arc;

/// How much a user should care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Part of normal work.
    Info,
    /// Work goes on, but somebody should look: a failure, or somebody's lie.
    Warn,
}

type Tell = dyn Fn(Severity, &str) + Send + Sync;

/// Takes what a user should know, one line at a time.
#[derive(Clone)]
pub struct Notice(Arc<Tell>);

impl Notice {
    /// One that hands on what it is told.
    #[must_use]
    pub fn new(tell: impl Fn(Severity, &str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Tells something.
    pub fn tell(&self, severity: Severity, words: &str) {
        (self.0)(severity, words);
    }

    /// Tells of normal work.
    pub fn info(&self, words: &str) {
        self.tell(Severity::Info, words);
    }

    /// Tells of what somebody should look at.
    pub fn warn(&self, words: &str) {
        self.tell(Severity::Warn, words);
    }

    /// The same for a host, which tells of nothing but what somebody should look at.
    #[must_use]
    pub fn of_host(&self) -> carronade_online::Notice {
        let notice = self.clone();
        Arc::new(move |words: &str| notice.warn(words))
    }
}
