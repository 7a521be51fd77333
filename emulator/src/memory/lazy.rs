//! Pages whose bytes are fetched when they are first touched, by whomever: the system tells
//! a thread of ours of the access, native code's as well, and lets it wait for the bytes.

#![allow(
    unsafe_code,
    reason = "has ranges of the mapping looked after; what that takes is said"
)]

use super::mapping::HUGE_SHIFT;
use super::source::{Failure, PageError, PageSource, load, load_wanted};
use super::userfault::Userfault;
use super::{PAGE_SIZE, Page};
use std::collections::BTreeMap;
use std::io::{self, PipeReader, PipeWriter};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// How many pages are fetched together, as far as they follow the one that was touched and
/// are missing, too: an access costs microseconds besides its page.
pub(super) const TOGETHER: usize = 16;

/// Huge pages some pages of which are missing, by number, and what of them the system looks
/// after. Whole huge pages are, so that they can be collapsed once they are let go of.
type Unfinished = BTreeMap<usize, Range<usize>>;

/// A thread that fetches pages, for as long as this lives.
pub(super) struct Lazy {
    /// Closed to end the thread.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
    unfinished: Arc<Mutex<Unfinished>>,
}

impl Lazy {
    /// Begins to fetch pages, which are at these addresses and have these indexes.
    ///
    /// # Errors
    /// When the system does not help; then nothing has changed.
    ///
    /// # Safety
    /// The pages are missing in a mapping with these bounds that outlives this, and whoever
    /// owns the mapping takes what is fetched for their bytes.
    pub(super) unsafe fn start(
        missing: BTreeMap<usize, u64>,
        bounds: &Range<usize>,
        source: Arc<dyn PageSource>,
        failure: Arc<Failure>,
    ) -> io::Result<Self> {
        let fault = Userfault::open()?;
        let unfinished: Unfinished = missing
            .keys()
            .map(|address| (address >> HUGE_SHIFT, huge_page(*address, bounds)))
            .collect();
        for range in unfinished.values() {
            // SAFETY: the range is within the bounds of the caller's mapping.
            unsafe { fault.register(range) }?;
        }
        let (stopped, stop) = io::pipe()?;
        let unfinished = Arc::new(Mutex::new(unfinished));
        let fetcher = Fetcher {
            fault,
            missing,
            unfinished: unfinished.clone(),
            source,
            failure,
        };
        let thread = thread::Builder::new().name("pages".into());
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread.spawn(move || fetcher.run(&stopped))?),
            unfinished,
        })
    }

    /// Whether pages of a huge page are missing, by its number.
    pub(super) fn is_unfinished(&self, huge: usize) -> bool {
        let unfinished = self.unfinished.lock();
        let unfinished = unfinished.unwrap_or_else(PoisonError::into_inner);
        unfinished.contains_key(&huge)
    }
}

impl Drop for Lazy {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // Its panics are caught and told as failures.
            let _ = thread.join();
        }
    }
}

fn huge_page(address: usize, bounds: &Range<usize>) -> Range<usize> {
    let start = address >> HUGE_SHIFT << HUGE_SHIFT;
    start.max(bounds.start)..(start + (1 << HUGE_SHIFT)).min(bounds.end)
}

/// What the thread works on.
struct Fetcher {
    fault: Userfault,
    /// Addresses and indexes of the pages that have not been fetched.
    missing: BTreeMap<usize, u64>,
    unfinished: Arc<Mutex<Unfinished>>,
    source: Arc<dyn PageSource>,
    failure: Arc<Failure>,
}

impl Fetcher {
    fn run(mut self, stopped: &PipeReader) {
        let served = catch_unwind(AssertUnwindSafe(|| self.serve(stopped)));
        let reason = match served {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the thread that fetches pages panicked".into(),
        };
        // Told while those who wait still do: after this they find zeros.
        let page = self.missing.values().next().copied().unwrap_or_default();
        self.failure.get_or_init(|| PageError { page, reason });
    }

    fn serve(&mut self, stopped: &PipeReader) -> io::Result<()> {
        let mut bytes = Box::new([0; PAGE_SIZE]);
        while !self.missing.is_empty() {
            match self.fault.wait(stopped)? {
                Some(address) => self.fetch(address, &mut bytes)?,
                None => break,
            }
        }
        Ok(())
    }

    /// Fetches a page that was touched, and before it some that follow: whoever waits for
    /// the page would else soon wait again.
    fn fetch(&mut self, address: usize, bytes: &mut Page) -> io::Result<()> {
        let Some(page) = self.missing.remove(&address) else {
            return self.fault.fill_zeros(address);
        };
        let whole = huge_page(address, &(0..usize::MAX));
        let together = address..whole.end.min(address + TOGETHER * PAGE_SIZE);
        while let Some((address, page)) = self.missing.range(together.clone()).next() {
            // If it cannot be loaded, that only counts when somebody wants it.
            if load(&*self.source, *page, bytes).is_err() {
                break;
            }
            let address = *address;
            self.fault.fill(address, bytes)?;
            self.missing.remove(&address);
        }
        load_wanted(&*self.source, page, bytes, &self.failure);
        self.fault.fill(address, bytes)?;
        if self.missing.range(whole).next().is_none() {
            self.let_go(address >> HUGE_SHIFT);
        }
        Ok(())
    }

    /// Ends looking after a huge page. If the system has no room for that, it goes on.
    fn let_go(&mut self, huge: usize) {
        let unfinished = self.unfinished.lock();
        let mut unfinished = unfinished.unwrap_or_else(PoisonError::into_inner);
        if let Some(range) = unfinished.remove(&huge) {
            // Those who ask whether it is finished wait for the lock.
            let _ = self.fault.unregister(&range);
        }
    }
}
