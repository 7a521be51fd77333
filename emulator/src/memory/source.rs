//! Where bytes of pages come from that are not loaded at once.

use super::{PAGE_SIZE, Page};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

/// Where the bytes of pages are fetched from. Whoever touched a page waits until it is
/// loaded, on any thread, so loading must not wait for other threads of the program.
pub trait PageSource: Send + Sync {
    /// Loads the bytes of the page with an index.
    ///
    /// # Errors
    /// When they are not to be had, or not what they should be.
    fn load(&self, index: u64, into: &mut Page) -> Result<(), PageError>;
}

/// A page cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("page 0x{page:x} cannot be loaded: {reason}")]
pub struct PageError {
    /// Its index.
    pub page: u64,
    /// What is the matter.
    pub reason: String,
}

/// The first failure to load a page that somebody wanted, kept for good.
pub(super) type Failure = OnceLock<PageError>;

/// Loads a page, whatever its source does.
pub(super) fn load(source: &dyn PageSource, page: u64, into: &mut Page) -> Result<(), PageError> {
    let load = AssertUnwindSafe(|| source.load(page, into));
    catch_unwind(load).unwrap_or_else(|_| {
        let reason = "its source panicked".into();
        Err(PageError { page, reason })
    })
}

/// Loads a page that somebody wants: zeros and the failure, if it cannot be.
pub(super) fn load_wanted(source: &dyn PageSource, page: u64, into: &mut Page, failure: &Failure) {
    if let Err(error) = load(source, page, into) {
        *into = [0; PAGE_SIZE];
        failure.get_or_init(|| error);
    }
}
