//! What a user is told only once.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::Notice;
use crate::work::lock;

/// How many different things are told once.
const MOST: usize = 1000;

/// Tells things, and remembers what was told.
pub(crate) struct Told {
    pub(crate) notice: Notice,
    words: Mutex<BTreeSet<String>>,
}

impl Told {
    pub(crate) fn new(notice: Notice) -> Self {
        let words = Mutex::default();
        Self { notice, words }
    }

    pub(crate) fn once(&self, words: String) {
        let mut told = lock(&self.words);
        // A program that sends nonsense without end is told of its first pieces only.
        if told.len() < MOST && told.insert(words.clone()) {
            drop(told);
            (self.notice)(&words);
        }
    }

    /// Of something in the store that is wrong and will be replaced.
    pub(crate) fn damage(&self, what: &impl std::fmt::Display) {
        self.once(format!("{what}; it is fetched again"));
    }
}
